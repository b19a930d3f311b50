//! The shards' stores on the disk: how each is opened when the process starts, and again when it has failed.
//!
//! ```text
//! what is found                                 with other owners        alone
//! all that was synced                           Whole                    Whole
//! nothing, where there was something            Lost                     refused, unless the loss is accepted
//! fewer commits than were synced                Lost                     refused, unless the loss is accepted
//! damage: the engine does not open, or it would  moved aside, begun      refused, unless the loss is accepted
//! be without rows (`store::lsm::survey`)         anew, Lost
//! a block that cannot be read, then or later     begun anew with what     refused, unless the loss is accepted
//!                                                can be read, the old one
//!                                                moved aside
//! ```
//!
//! What can be read is copied into `DIR/shard-<i>.renewing`. When all of it is durable that is called `shard-<i>.renewed`, the store
//! is moved aside, and the copy takes its place. Before that a start finds the store as it was, and after it the copy.
//!
//! Not what is done with them (`shard`), and not the rest of the directory (`directory`).
//!
//! 1. What cannot be read is moved aside and never removed.
//! 2. A loss is known until the node has made it durable that it learns (`DIR/shard-<i>.lost`): a process that ends before
//!    that would find a sound store with little in it.

use std::fs::File;
use std::io::ErrorKind;
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

/// What a store that is being copied is called, and what it is called when all of it is there.
const RENEWING: &str = "renewing";
const RENEWED: &str = "renewed";

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
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) engine: Arc<Lsm>,
    pub(crate) trust: Trust,
    /// Where rows may be missing, where it is not lost as a whole.
    pub(crate) gaps: Vec<Gap>,
}

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
    let is_renewed = finish_renewal(&path)?;
    remove(&path.with_extension(RENEWING))?;
    let is_noted = Loss::of(&host.config.dir, index).is_noted();
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
            return begin_anew(host, index);
        }
        opened => opened.map_err(unopened)?,
    };
    if figures.commits_lost > 0 {
        let synced = figures.commits + figures.commits_lost;
        let dir = host.config.dir.clone();
        forgive(host, StartError::Lost { dir, shard: index, commits: figures.commits, synced })?;
        note_loss(host, index)?;
    }
    let is_lost = is_gone || figures.commits_lost > 0 || is_noted;
    let trust = if is_lost { Trust::Lost } else { Trust::Whole };
    // Where a copy has gaps was known to whoever made it. With nobody to learn from, that is all there is to be known of a loss.
    let is_somewhere = is_renewed || is_noted && !has_others(host);
    let gaps = if is_somewhere { vec![Gap::everything()] } else { Vec::new() };
    Ok(Found { engine: Arc::new(engine), trust, gaps })
}

/// Moves a store aside, and begins it with nothing.
fn begin_anew(host: &Host, index: usize) -> Result<Found, OpenError> {
    let path = path(host, index);
    note_loss(host, index)?;
    move_aside(&path)?;
    let engine = Lsm::open(&path, options(host)).map_err(|error| unopened(host, index, error))?;
    Ok(Found { engine: Arc::new(engine), trust: Trust::Lost, gaps: Vec::new() })
}

/// Goes on although something is lost, where it can be learned from others or somebody has said so.
fn forgive(host: &Host, loss: StartError) -> Result<(), StartError> {
    let has_others = has_others(host);
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
    if has_others(host) { Loss::of(&host.config.dir, index).note() } else { Ok(()) }
}

/// Whether there is anybody to learn from: nothing is kept here alone.
fn has_others(host: &Host) -> bool {
    let layout = host.layout();
    layout.keyspace().partitions().all(|partition| !layout.place(partition).is_alone(host.me))
}

/// Begins a store anew that is not open and of which some rows cannot be read, with those that can; asks `goes_on` whether to go
/// on with that. What was thought of it before, `trust`, is not thought better of.
///
/// # Errors
/// Where it cannot be made or moved, there is no room, nobody else has what it held, or it is not to go on. Then it is as it was.
pub(crate) fn renew(
    host: &Host,
    index: usize,
    trust: Trust,
    goes_on: &dyn Fn() -> bool,
) -> Result<Found, OpenError> {
    let path = path(host, index);
    let reason = "some rows cannot be read".to_owned();
    forgive(host, StartError::Stored { path: path.clone(), reason })?;
    let is_noted = Loss::of(&host.config.dir, index).is_noted();
    let copy = path.with_extension(RENEWING);
    remove(&copy)?;
    let damaged = match Lsm::open(&path, options(host)) {
        Err(error @ (StoreError::Read(_) | StoreError::Unreadable(_))) => {
            tracing::error!(shard = index, %error, "nothing can be read of a damaged store");
            return begin_anew(host, index);
        }
        opened => opened.map_err(|error| unopened(host, index, error))?,
    };
    let has_lost = damaged.figures().map_err(|error| unopened(host, index, error))?.commits_lost > 0;
    let saved = if has_room_for(host, &path) {
        Lsm::open(&copy, options(host)).and_then(|copy| salvage(&damaged, &copy, goes_on))
    } else {
        Err(StoreError::Full("there is no room for a copy of what can be read".to_owned()))
    };
    drop(damaged);
    if !matches!(saved, Ok(Some(_))) {
        // It may be what takes the room.
        remove(&copy)?;
    }
    let Salvaged { rows, mut gaps } = match saved {
        Ok(Some(saved)) => saved,
        Ok(None) => {
            return Err(StartError::Storage(format!("shard {index} was not saved: the process ends")).into());
        }
        // The others have it all, and what is learned of them minds the reserve.
        Err(error) if has_others(host) => {
            tracing::error!(shard = index, %error, "a damaged store cannot be saved");
            return begin_anew(host, index);
        }
        Err(error) => return Err(unopened(host, index, error)),
    };
    tracing::warn!(shard = index, rows, gaps = gaps.len(), "what can be read of a damaged store is saved");
    // Alone too: where rows are missing is known here only.
    Loss::of(&host.config.dir, index).note()?;
    rename(&copy, &path.with_extension(RENEWED))?;
    finish_renewal(&path)?;
    let engine = Lsm::open(&path, options(host)).map_err(|error| unopened(host, index, error))?;
    // Where all can be read by now, it is not known what was missed when it could not.
    let is_lost = trust == Trust::Lost || is_noted || has_lost || gaps.is_empty();
    let trust = if is_lost { Trust::Lost } else { Trust::Whole };
    if is_noted && !has_others(host) {
        gaps = vec![Gap::everything()];
    }
    Ok(Found { engine: Arc::new(engine), trust, gaps })
}

/// Whether a copy of a store leaves the reserve free.
fn has_room_for(host: &Host, store: &Path) -> bool {
    let free = host.disk.free_bytes().unwrap_or(u64::MAX);
    free.saturating_sub(host.config.disk_reserve_bytes) > bytes_below(store)
}

/// Bytes of the files below a directory, as far as they can be told.
fn bytes_below(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_below(&entry.path()),
        found => found.map_or(0, |found| found.len()),
    };
    entries.map(size).sum()
}

/// Puts a finished copy in the place of a store; tells whether there was one.
fn finish_renewal(path: &Path) -> Result<bool, OpenError> {
    let renewed = path.with_extension(RENEWED);
    if !renewed.exists() {
        return Ok(false);
    }
    if path.exists() {
        move_aside(path)?;
    }
    rename(&renewed, path)?;
    Ok(true)
}

fn remove(path: &Path) -> Result<(), StartError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StartError::Directory { dir: path.to_owned(), error })
        }
        _ => Ok(()),
    }
}

/// Gives a directory another name, durably.
fn rename(from: &Path, to: &Path) -> Result<(), StartError> {
    let synced = || from.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all());
    let renamed = std::fs::rename(from, to).and_then(|()| synced());
    renamed.map_err(|error| StartError::Directory { dir: from.to_owned(), error })
}

/// Gives a directory another name, under which it can be looked at.
fn move_aside(path: &Path) -> Result<(), OpenError> {
    let aside = |number| path.with_extension(format!("damaged-{number}"));
    let aside = (1u32..).map(aside).find(|aside| !aside.exists()).unwrap_or_else(|| aside(0));
    rename(path, &aside)?;
    tracing::error!(from = %path.display(), to = %aside.display(), "a damaged store is moved aside; remove it when it is of no more use");
    Ok(())
}

/// Writes the journals of a shard's store anew, which is not open: see [`Lsm::rewrite_journals`].
///
/// # Errors
/// Where that fails.
pub(crate) fn rewrite(host: &Host, index: usize) -> Result<(), OpenError> {
    finish_renewal(&path(host, index))?;
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
