//! The shards' stores on the disk: how each is opened when the process starts, and again when it has failed.
//!
//! ```text
//! what is found                                 with other owners        alone
//! all that was synced                           Whole                    Whole
//! nothing, where there was something            Lost                     refused, unless the loss is accepted
//! fewer commits than were synced                Lost                     refused, unless the loss is accepted
//! damage: the engine does not open, or it would  moved aside, begun      refused, unless the loss is accepted
//! be without rows (`store::lsm::survey`)         anew, Lost
//! a block that cannot be read, then or later     moved aside, begun       refused, unless the loss is accepted
//!                                                anew with what can be read
//! ```
//!
//! Not what is done with them (`shard`), and not the rest of the directory (`directory`).
//!
//! 1. What cannot be read is moved aside and never removed.
//! 2. A loss is known until the node has made it durable that it learns (`DIR/shard-<i>.lost`): a process that ends before
//!    that would find a sound store with little in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use node::Trust;
use store::{Gap, Lsm, LsmOptions, Salvaged, StoreError, salvage};

use crate::error::StartError;
use crate::host::Host;
use crate::loss::Loss;

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

/// A store and what is known of it.
pub(crate) type Found = (Arc<Lsm>, Trust);

/// One that was begun anew: with what is known of it, and where rows are missing of what is not lost as a whole.
pub(crate) type Renewed = (Arc<Lsm>, Trust, Vec<Gap>);

/// Where shard `index` has its store.
pub(crate) fn path(host: &Host, index: usize) -> PathBuf {
    host.config.dir.join(format!("shard-{index}"))
}

/// The store of each shard. Those of a directory that has `begun` are there.
///
/// # Errors
/// Where one cannot be read, or has lost what was acknowledged, and nobody else may have it.
pub(crate) fn open_all(host: &Host, has_begun: bool) -> Result<Vec<Found>, StartError> {
    let open = |index| open_one(host, index, has_begun).map_err(|error| refused(host, index, error));
    (0..host.shards()).map(open).collect()
}

/// Why a process does not start whose store does not open.
pub(crate) fn refused(host: &Host, index: usize, error: OpenError) -> StartError {
    match error {
        OpenError::Start(error) => error,
        OpenError::Full(reason) => StartError::Stored { path: path(host, index), reason },
    }
}

/// The store of one shard.
///
/// # Errors
/// Where there is no room for it, it cannot be read, or has lost what was acknowledged, and nobody else may have it.
pub(crate) fn open_one(host: &Host, index: usize, has_begun: bool) -> Result<Found, OpenError> {
    let path = path(host, index);
    let is_gone = has_begun && !path.join("mark").exists();
    if is_gone {
        let dir = host.config.dir.clone();
        forgive(host, StartError::Gone { dir, shard: index })?;
        note_loss(host, index)?;
    }
    let unopened = |error| unopened(host, index, error);
    let opened = Lsm::open(&path, options(host)).and_then(|engine| Ok((engine.figures()?, engine)));
    let (figures, engine) = match opened {
        Err(error @ (StoreError::Unreadable(_) | StoreError::Read(_))) => {
            forgive(host, StartError::Stored { path: path.clone(), reason: error.to_string() })?;
            note_loss(host, index)?;
            move_aside(&path)?;
            let engine = Lsm::open(&path, options(host)).map_err(unopened)?;
            return Ok((Arc::new(engine), Trust::Lost));
        }
        opened => opened.map_err(unopened)?,
    };
    if figures.commits_lost > 0 {
        let synced = figures.commits + figures.commits_lost;
        let dir = host.config.dir.clone();
        forgive(host, StartError::Lost { dir, shard: index, commits: figures.commits, synced })?;
        note_loss(host, index)?;
    }
    let is_lost = is_gone || figures.commits_lost > 0 || Loss::of(&host.config.dir, index).is_noted();
    Ok((Arc::new(engine), if is_lost { Trust::Lost } else { Trust::Whole }))
}

/// Goes on although something is lost, where it can be learned from others or somebody has said so.
fn forgive(host: &Host, loss: StartError) -> Result<(), StartError> {
    let has_others = host.layout().replicas() > 1;
    if !has_others && !host.config.accept_data_loss {
        return Err(loss);
    }
    let from = if has_others { "the other owners" } else { "nobody: the loss is accepted" };
    tracing::error!(%loss, from, "what is lost is learned anew");
    Ok(())
}

/// Notes that a shard has lost something, where there is somebody to learn it from.
///
/// # Errors
/// Where the directory cannot be written.
pub(crate) fn note_loss(host: &Host, index: usize) -> Result<(), StartError> {
    if host.layout().replicas() > 1 { Loss::of(&host.config.dir, index).note() } else { Ok(()) }
}

/// Puts a store aside that is not open and of which some rows cannot be read, and begins it anew with those that can.
///
/// # Errors
/// Where it cannot be moved or made, there is no room, or nobody else has what it held.
pub(crate) fn renew(host: &Host, index: usize) -> Result<Renewed, OpenError> {
    let path = path(host, index);
    let reason = "some rows cannot be read".to_owned();
    forgive(host, StartError::Stored { path: path.clone(), reason })?;
    note_loss(host, index)?;
    let aside = move_aside(&path)?;
    let unopened = |error| unopened(host, index, error);
    let engine = Lsm::open(&path, options(host)).map_err(unopened)?;
    let salvaged = Lsm::open(&aside, options(host)).and_then(|damaged| salvage(&damaged, &engine));
    match salvaged {
        Ok(Salvaged { rows, gaps }) => {
            tracing::warn!(
                shard = index,
                rows,
                gaps = gaps.len(),
                "what can be read of a damaged store is saved"
            );
            Ok((Arc::new(engine), Trust::Whole, gaps))
        }
        // Whatever was saved by then stays: it may be the only copy of something.
        Err(error @ (StoreError::Read(_) | StoreError::Unreadable(_))) => {
            tracing::error!(shard = index, %error, "no more can be read of a damaged store");
            Ok((Arc::new(engine), Trust::Lost, Vec::new()))
        }
        Err(error) => Err(unopened(error)),
    }
}

/// Gives a directory another name, under which it can be looked at.
fn move_aside(path: &Path) -> Result<PathBuf, OpenError> {
    let unmoved = |error| StartError::Directory { dir: path.to_owned(), error };
    let aside = |number| path.with_extension(format!("damaged-{number}"));
    let aside = (1u32..).map(aside).find(|aside| !aside.exists()).unwrap_or_else(|| aside(0));
    std::fs::rename(path, &aside).map_err(unmoved)?;
    tracing::error!(from = %path.display(), to = %aside.display(), "a damaged store is moved aside; remove it when it is of no more use");
    Ok(aside)
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
