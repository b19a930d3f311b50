//! The shards' stores on the disk: how each is opened when the process starts, and again when it has failed.
//!
//! Not what is done with them (`shard`), and not the rest of the directory (`directory`).

use std::path::PathBuf;
use std::sync::Arc;

use store::{Lsm, LsmOptions, StoreError};

use crate::error::StartError;
use crate::host::Host;

/// One part in so many of the memory for caches is for the engine's blocks; the rest is for rows.
const ENGINE_CACHE_PART: usize = 4;
/// A shard's memtable, in bytes. Large, so that the one worker is done with compacting before the next is full.
const MEMTABLE_BYTES: u64 = 32 << 20;
/// Engine threads a shard. With two or more the first spins on the others' compactions, a whole core at times.
const WORKERS: usize = 1;

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// There is no room: wait for it.
    #[error("the disk is full: {0}")]
    Full(String),
    /// Nothing will change that.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Where shard `index` has its store.
pub(crate) fn path(host: &Host, index: usize) -> PathBuf {
    host.config.dir.join(format!("shard-{index}"))
}

/// The store of each shard.
///
/// # Errors
/// Where one cannot be read, or has lost what was acknowledged.
pub(crate) fn open_all(host: &Host) -> Result<Vec<Arc<Lsm>>, StartError> {
    let open = |index| match open_again(host, index) {
        Ok(engine) => Ok(engine),
        Err(OpenError::Start(error)) => Err(error),
        Err(OpenError::Full(reason)) => Err(StartError::Stored { path: path(host, index), reason }),
    };
    (0..host.shards()).map(open).collect()
}

/// The store of one shard.
///
/// # Errors
/// Where there is no room for it, it cannot be read, or has lost what was acknowledged.
pub(crate) fn open_again(host: &Host, index: usize) -> Result<Arc<Lsm>, OpenError> {
    let unopened = |error| unopened(host, index, error);
    let engine = Lsm::open(path(host, index), options(host)).map_err(unopened)?;
    let figures = engine.figures().map_err(unopened)?;
    if figures.commits_lost > 0 {
        let synced = figures.commits + figures.commits_lost;
        let dir = host.config.dir.clone();
        return Err(StartError::Lost { dir, shard: index, commits: figures.commits, synced }.into());
    }
    Ok(Arc::new(engine))
}

/// Writes the journals of a shard's store anew, which is not open: see [`Lsm::rewrite_journals`].
///
/// # Errors
/// Where that fails.
pub(crate) fn rewrite(host: &Host, index: usize) -> Result<(), OpenError> {
    Lsm::rewrite_journals(path(host, index)).map_err(|error| unopened(host, index, error))
}

fn options(host: &Host) -> LsmOptions {
    LsmOptions {
        cache_bytes: (host.config.cache_bytes / ENGINE_CACHE_PART / host.shards()) as u64,
        memtable_bytes: MEMTABLE_BYTES,
        workers: WORKERS,
        ..LsmOptions::default()
    }
}

fn unopened(host: &Host, index: usize, error: StoreError) -> OpenError {
    match error {
        StoreError::Full(reason) => OpenError::Full(reason),
        error => StartError::Stored { path: path(host, index), reason: error.to_string() }.into(),
    }
}
