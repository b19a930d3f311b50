//! The LSM engine: rows in one keyspace of `fjall`, and a mark of what was synced beside it.
//!
//! Not a queue and not a cache of rows. What `fjall` is known to do badly is not used: no `clear`, no FIFO
//! compaction, no separation of values, no second keyspace (each has a memtable of its own, and an idle one keeps
//! old journals alive). Level 0 and 1 are stored plainly, those below compressed by LZ4, which is its default.
//!
//! ```text
//!   DIR/rows/     the engine's own directory
//!   DIR/making/   the same while it is made: it takes its name once it is whole, so a kill leaves no half of one
//!   DIR/mark      how many commits were synced: see `mark`; its lock keeps a second opener out
//! ```
//!
//! 1. Commit n writes n into a row of its own, so the rows say how many commits they hold.
//! 2. The mark is written after a sync and never says more than what was durable. A store that opens with fewer
//!    commits than its mark has lost some. `survey` finds what the engine would open in silence all the same.
//! 3. Reads take the newest of every row and not a snapshot. In `fjall` 3.1.13 a flush that ends while a batch is
//!    being applied makes the batch's first rows visible to snapshots, and a memtable that is changed just then
//!    hides them; the newest is right for whoever, like `Store`, does not ask for rows that are being committed.
//! 4. After a failed commit or sync nothing is written again: the kernel may have dropped the pages it could not
//!    write, so a later sync that succeeds proves nothing (Rebello and others, ATC 2020). `fjall` keeps the same rule
//!    by a flag that any failure sets, of a commit, of a sync or of one of its workers; it ends with the database.

mod commits;
mod journal;
mod mark;
mod survey;

use std::io::ErrorKind;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fjall::{
    Database, DatabaseBuilder, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Readable,
    Slice, Snapshot,
};

use crate::{Batch, Engine, StoreError};
use commits::Commits;
use mark::Mark;

/// The row that holds the number of commits. Its name is shorter than any name from outside, and before all.
const COMMITS_ROW: &[u8] = &[0];
/// The first name that a row from outside can have.
const ROW_FIRST: &[u8] = &[0; Batch::ROW_BYTES_MIN];
/// Values below this are copied out of their block, bytes: a cached value would keep a whole block in memory.
const VALUE_COPY_BYTES_MAX: usize = 16 << 10;
/// Sealed memtables at which writers should be held back. At 4 the engine sleeps in the caller.
const SEALED_MEMTABLES_MAX: usize = 3;
/// Tables in level 0 at which writers should be held back. From 20 runs on the engine slows its caller.
const LEVEL_0_TABLES_MAX: usize = 16;
/// Tables in level 0 at which a commit waits here. From 30 runs on the engine sleeps in its caller.
const LEVEL_0_TABLES_HALT: usize = 30;
/// How long a commit waits before it looks again whether the engine's workers have caught up.
const WORKERS_PAUSE: Duration = Duration::from_millis(2);
/// How often a snapshot is taken again while a flush is just ending, and the pause between.
const SNAPSHOT_TRIES_MAX: u32 = 1000;
const SNAPSHOT_PAUSE: Duration = Duration::from_millis(1);

/// What the engine is given. Sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LsmOptions {
    /// Memory for blocks that were read.
    pub cache_bytes: u64,
    /// A memtable of this size is sealed and written out; up to five exist at once. Kept from when the directory
    /// was made.
    pub memtable_bytes: u64,
    /// Journals together; at least 64 MiB, the size of one.
    pub journal_bytes_max: u64,
    /// Threads that flush and compact.
    pub workers: usize,
}

impl Default for LsmOptions {
    fn default() -> Self {
        Self { cache_bytes: 32 << 20, memtable_bytes: 16 << 20, journal_bytes_max: 128 << 20, workers: 2 }
    }
}

/// What the engine is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LsmFigures {
    /// Commits that the rows hold.
    pub commits: u64,
    /// Synced commits that were missing when the store was opened. More than 0: what is here cannot be trusted.
    pub commits_lost: u64,
    /// Journals on disk. They can pile up when a flush lags.
    pub journals: usize,
    /// Memtables that wait to be written out.
    pub memtables_sealed: usize,
    /// All memtables, bytes.
    pub memtable_bytes: u64,
    /// Tables in level 0, which every read of an absent row may have to look at.
    pub level_0_tables: usize,
    /// All files, bytes.
    pub disk_bytes: u64,
}

impl LsmFigures {
    /// Whether the engine is about to make its writer wait: refuse or delay work now.
    pub fn is_congested(&self) -> bool {
        self.memtables_sealed >= SEALED_MEMTABLES_MAX || self.level_0_tables >= LEVEL_0_TABLES_MAX
    }
}

/// Rows on disk, behind the [`Engine`] trait.
pub struct Lsm {
    db: Database,
    rows: Keyspace,
    mark: Mutex<Mark>,
    /// Held while a commit takes its number, so that numbers and journal agree in order.
    committing: Mutex<()>,
    commits: AtomicU64,
    commits_opened: u64,
    commits_lost: u64,
    poisoned: AtomicBool,
}

impl Lsm {
    /// Opens the store in a directory, which is made if it does not exist.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if it is open elsewhere; [`StoreError::Unreadable`] if it is of a version not known
    /// here, damaged, or cannot be made; [`StoreError::Full`] if the disk has no room for what the engine writes first.
    pub fn open(dir: impl AsRef<Path>, options: LsmOptions) -> Result<Self, StoreError> {
        let dir = dir.as_ref();
        std::fs::create_dir_all(dir).map_err(|error| StoreError::Unreadable(error.to_string()))?;
        // Before anything is looked at: whoever has it open writes to it.
        let mark =
            Mark::open(&dir.join("mark"))?.ok_or_else(|| StoreError::Locked { dir: dir.to_path_buf() })?;
        let path = dir.join("rows");
        if !path.try_exists().map_err(|error| StoreError::Unreadable(error.to_string()))? {
            make(&dir.join("making"), &path, options)?;
        }
        let written = survey::survey(&path, mark.commits())?;
        let (db, rows) = open_engine(&path, options)?;
        let commits = commits_in(rows.get(COMMITS_ROW))?;
        if commits < written {
            return Err(StoreError::Unreadable(format!(
                "commit {written} of its journal is not among its rows"
            )));
        }
        sync_names(dir).map_err(|error| StoreError::Unreadable(error.to_string()))?;
        Ok(Self {
            commits_opened: commits,
            commits_lost: mark.commits().saturating_sub(commits),
            mark: Mutex::new(mark),
            committing: Mutex::new(()),
            commits: AtomicU64::new(commits),
            poisoned: AtomicBool::new(false),
            db,
            rows,
        })
    }

    /// For a directory whose last sync failed, before it is opened again: writes its journals anew, durably. The system
    /// may show bytes that it has given up writing, and a sync that succeeds later would not write them either.
    ///
    /// # Errors
    /// [`StoreError::Full`] and [`StoreError::Write`] where that fails too.
    pub fn rewrite_journals(dir: impl AsRef<Path>) -> Result<(), StoreError> {
        survey::rewrite_journals(&dir.as_ref().join("rows"))
    }

    /// What the engine is doing now. Cheap enough for every batch.
    ///
    /// # Errors
    /// [`StoreError::Read`] if the directory cannot be looked at.
    pub fn figures(&self) -> Result<LsmFigures, StoreError> {
        Ok(LsmFigures {
            commits: self.commits.load(Ordering::Acquire),
            commits_lost: self.commits_lost,
            journals: self.db.journal_count(),
            memtables_sealed: self.rows.sealed_memtable_count(),
            memtable_bytes: self.db.write_buffer_size(),
            level_0_tables: self.rows.l0_table_count(),
            disk_bytes: self.db.disk_space().map_err(unread)?,
        })
    }

    /// Fails if an earlier write did.
    fn writable(&self) -> Result<(), StoreError> {
        if self.poisoned.load(Ordering::Acquire) { Err(StoreError::Poisoned) } else { Ok(()) }
    }

    fn poison(&self, error: impl Into<fjall::Error>) -> StoreError {
        self.poisoned.store(true, Ordering::Release);
        match error.into() {
            error if is_full(&error) => StoreError::Full(error.to_string()),
            fjall::Error::Poisoned => StoreError::Write("one of the engine's workers has failed".into()),
            error => StoreError::Write(error.to_string()),
        }
    }

    /// Waits while the engine would make its writer wait: there it would wait for ever for a worker that has failed.
    fn await_workers(&self) -> Result<(), StoreError> {
        while self.rows.sealed_memtable_count() >= SEALED_MEMTABLES_MAX
            || self.rows.l0_table_count() >= LEVEL_0_TABLES_HALT
        {
            self.db.persist(PersistMode::Buffer).map_err(|error| self.poison(error))?;
            std::thread::sleep(WORKERS_PAUSE);
        }
        Ok(())
    }

    /// A snapshot of whole commits: none is being made, and the last row that was committed is in it (see 3).
    fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let _no_commit = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        let commits = self.commits.load(Ordering::Acquire);
        for _ in 0..SNAPSHOT_TRIES_MAX {
            let snapshot = self.db.snapshot();
            if commits_in(snapshot.get(&self.rows, COMMITS_ROW))? == commits {
                return Ok(snapshot);
            }
            std::thread::sleep(SNAPSHOT_PAUSE);
        }
        Err(StoreError::Read("no snapshot holds the last commit".into()))
    }

    fn set_mark(&self, commits: u64) -> Result<(), StoreError> {
        let mut mark = self.mark.lock().unwrap_or_else(PoisonError::into_inner);
        // What was lost is known by now to whoever opened the store, and what they made of it is durable.
        let is_known = self.commits_lost > 0 && commits > self.commits_opened;
        mark.set(commits, is_known).map_err(|error| self.poison(error))
    }
}

impl Engine for Lsm {
    fn get(&self, row: &[u8]) -> Result<Option<Bytes>, StoreError> {
        if row.len() < Batch::ROW_BYTES_MIN || row.len() > Batch::ROW_BYTES_MAX {
            return Ok(None);
        }
        let value = self.rows.get(row).map_err(unread)?;
        Ok(value.map(|value| match Bytes::from(value) {
            short if short.len() < VALUE_COPY_BYTES_MAX => Bytes::copy_from_slice(&short),
            long => long,
        }))
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let from = from.max(ROW_FIRST);
        if !to.is_empty() && from >= to {
            return Ok(Vec::new());
        }
        let end = if to.is_empty() { Unbounded } else { Excluded(to) };
        let rows = self.rows.range::<&[u8], _>((Included(from), end)).take(limit);
        let rows = rows.map(|row| row.into_inner().map(|(row, value)| (row.into(), value.into())));
        rows.collect::<Result<_, _>>().map_err(unread)
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        batch.check()?;
        let _in_order = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        self.writable()?;
        self.await_workers()?;
        let count = self.commits.load(Ordering::Acquire) + 1;
        let writes = OwnedWriteBatch::with_capacity(self.db.clone(), batch.len() + 1);
        let mut writes = writes.durability(Some(PersistMode::Buffer));
        // In order the memtable takes them about a fifth faster; stable, so that the last change of a row stays last.
        let mut changes: Vec<_> = batch.rows().iter().collect();
        changes.sort_by(|(left, _), (right, _)| left.cmp(right));
        for (row, value) in changes {
            match value {
                Some(value) => writes.insert(&self.rows, row.clone(), value.clone()),
                None => writes.remove(&self.rows, row.clone()),
            }
        }
        let commits = Commits { count, number_min: self.db.seqno() };
        writes.insert(&self.rows, COMMITS_ROW, commits.encode());
        writes.commit().map_err(|error| self.poison(error))?;
        self.commits.store(count, Ordering::Release);
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.writable()?;
        // Read before the sync: a commit that comes meanwhile may not be in it.
        let commits = self.commits.load(Ordering::Acquire);
        self.db.persist(PersistMode::SyncData).map_err(|error| self.poison(error))?;
        self.set_mark(commits)
    }

    fn checkpoint(&self, target: &Self) -> Result<u64, StoreError> {
        let _no_other = target.committing.lock().unwrap_or_else(PoisonError::into_inner);
        target.writable()?;
        if target.commits.load(Ordering::Acquire) != 0 {
            return Err(StoreError::NotEmpty);
        }
        let unwritten = |error: fjall::Error| target.poison(error);
        let mut copy = target.rows.start_ingestion().map_err(unwritten)?;
        copy.write(COMMITS_ROW, Commits { count: 1, number_min: 0 }.encode()).map_err(unwritten)?;
        let mut rows = 0;
        for row in self.snapshot()?.range::<&[u8], _>(&self.rows, ROW_FIRST..) {
            let (row, value) = row.into_inner().map_err(unread)?;
            copy.write(row, value).map_err(unwritten)?;
            rows += 1;
        }
        // Tables and the list of them are synced before they count, so no journal is involved.
        copy.finish().map_err(unwritten)?;
        target.commits.store(1, Ordering::Release);
        target.set_mark(1)?;
        Ok(rows)
    }
}

impl std::fmt::Debug for Lsm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let commits = self.commits.load(Ordering::Acquire);
        f.debug_struct("Lsm").field("commits", &commits).finish_non_exhaustive()
    }
}

/// Opens the database. Some damages of a journal make `fjall` 3.1.13 panic (`journal/entry.rs`: a length that
/// contradicts itself) where others are errors; bytes from a disk are never a reason to end the process.
fn recovered(builder: DatabaseBuilder<Database>) -> Result<fjall::Result<Database>, StoreError> {
    // What the panic leaves half made is dropped with it: nothing of it is seen again.
    let opened = std::panic::catch_unwind(AssertUnwindSafe(|| builder.open()));
    opened.map_err(|_| StoreError::Unreadable("its journal is damaged".into()))
}

/// Makes the engine's directory. What a kill has left of one that was being made is begun anew.
fn make(making: &Path, path: &Path, options: LsmOptions) -> Result<(), StoreError> {
    match std::fs::remove_dir_all(making) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(unopened(error)),
        _ => drop(open_engine(making, options)?),
    }
    for dir in [&*making.join("keyspaces"), making] {
        std::fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(unopened)?;
    }
    std::fs::rename(making, path).map_err(unopened)
}

fn open_engine(path: &Path, options: LsmOptions) -> Result<(Database, Keyspace), StoreError> {
    let builder = Database::builder(path)
        .cache_size(options.cache_bytes)
        .max_journaling_size(options.journal_bytes_max.max(64 << 20))
        .worker_threads(options.workers.max(1));
    let db = recovered(builder)?.map_err(|error| match error {
        fjall::Error::Locked => StoreError::Locked { dir: path.to_path_buf() },
        error => unopened(error),
    })?;
    let keyspace = || KeyspaceCreateOptions::default().max_memtable_size(options.memtable_bytes);
    let rows = db.keyspace("rows", keyspace).map_err(unopened)?;
    Ok((db, rows))
}

fn unopened(error: impl Into<fjall::Error>) -> StoreError {
    let error = error.into();
    if is_full(&error) {
        StoreError::Full(error.to_string())
    } else {
        StoreError::Unreadable(error.to_string())
    }
}

fn is_full(error: &fjall::Error) -> bool {
    let io = match error {
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => error,
        _ => return false,
    };
    matches!(io.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// A new file is lost in a power cut, synced or not, unless the directory that names it is synced too.
fn sync_names(dir: &Path) -> std::io::Result<()> {
    let dir = dir.canonicalize()?;
    for dir in [Some(&*dir), dir.parent()].into_iter().flatten() {
        std::fs::File::open(dir)?.sync_all()?;
    }
    Ok(())
}

fn unread(error: impl std::fmt::Display) -> StoreError {
    StoreError::Read(error.to_string())
}

fn commits_in(row: fjall::Result<Option<Slice>>) -> Result<u64, StoreError> {
    let Some(value) = row.map_err(unread)? else { return Ok(0) };
    let commits = Commits::decode(&value).map(|commits| commits.count);
    commits.ok_or_else(|| StoreError::Unreadable("the row of commits is damaged".into()))
}
