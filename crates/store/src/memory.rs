//! The in-memory twin of the LSM engine: the same promises, and a crash that keeps no more than them.
//!
//! Not a cache. The simulator runs on it, so it is deterministic, counts what is asked of it, and fails on demand: calls
//! that fail, a disk that is full, rows that can no longer be read, commits that a lying disk has lost after a sync, a disk
//! that is gone. What a crash cuts in the middle of a batch is the first of those that do not survive: the real journal
//! drops it as a whole when it is opened.
//!
//! 1. `undo` holds, per commit, what its rows were before: taking commits back from the youngest on gives every state that
//!    a real journal could leave. The synced ones in it are its first.
//! 2. A synced commit is taken back only by `lose`, and that is told.
//! 3. While poisoned nothing is committed or synced; only a crash, which is a reopening, ends that.
//! 4. A damaged row is an error until it is written again, and never absent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::{Batch, Engine, StoreError};

/// Synced commits that [`Memory::lose`] can still take back.
const SYNCED_KEPT: usize = 64;

/// A call that can be told to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The next `get` or `scan` fails; later ones work.
    Read,
    /// The next `commit` changes nothing and fails, and poisons the engine.
    Commit,
    /// The next `sync` makes nothing durable and fails, and poisons the engine.
    Sync,
}

/// Rows in memory, behind the [`Engine`] trait. The value itself is the disk: it outlives a crash.
#[derive(Debug, Default)]
pub struct Memory {
    disk: Mutex<Disk>,
}

type Change = (Bytes, Option<Bytes>);

#[derive(Clone, Debug, Default)]
struct Disk {
    rows: BTreeMap<Bytes, Bytes>,
    damaged: BTreeSet<Bytes>,
    undo: VecDeque<Vec<Change>>,
    /// How many of `undo` are synced.
    synced: usize,
    commits: u64,
    syncs: u64,
    lost: u64,
    /// Whether anything was synced since commits were lost: then whoever opened the disk knew.
    is_loss_known: bool,
    is_full: bool,
    poisoned: bool,
    faults: Vec<Fault>,
}

impl Memory {
    /// An empty engine.
    pub fn new() -> Self {
        Self::default()
    }

    /// The process or the power dies, and the store is opened again: of the commits not yet synced the first `keep`
    /// survive. Returns how many were lost. Faults asked for and poisoning end here.
    pub fn crash(&self, keep: usize) -> usize {
        let mut disk = self.disk();
        let lost = (disk.undo.len() - disk.synced).saturating_sub(keep);
        for _ in 0..lost {
            disk.take_back();
        }
        disk.synced = disk.undo.len();
        if disk.is_loss_known {
            (disk.lost, disk.is_loss_known) = (0, false);
        }
        disk.poisoned = false;
        disk.faults.clear();
        lost
    }

    /// Another disk with the same on it, in the same state.
    pub fn copy(&self) -> Self {
        Self { disk: Mutex::new(self.disk().clone()) }
    }

    /// Between a crash and the next commit: the disk has lied, or its journal is damaged, and the last `commits` are gone
    /// although they were synced. Returns how many are; those from long ago stay.
    pub fn lose(&self, commits: usize) -> usize {
        let mut disk = self.disk();
        let lost = commits.min(disk.synced);
        for _ in 0..lost {
            disk.take_back();
        }
        disk.synced -= lost;
        disk.lost += lost as u64;
        lost
    }

    /// Synced commits that were found to be missing, until the store has been opened with that and written to.
    pub fn commits_lost(&self) -> u64 {
        self.disk().lost
    }

    /// Flips a bit of a row: it cannot be read until it is written again. Tells whether there is such a row.
    pub fn damage(&self, row: &[u8]) -> bool {
        let mut disk = self.disk();
        let found = disk.rows.get_key_value(row).map(|(row, _)| row.clone());
        found.map(|row| disk.damaged.insert(row)).is_some()
    }

    /// From now on there is no room on the disk, or room again. A commit without room fails and poisons.
    pub fn set_full(&self, is_full: bool) {
        self.disk().is_full = is_full;
    }

    /// The disk is lost: no row is left.
    pub fn wipe(&self) {
        *self.disk() = Disk::default();
    }

    /// Makes the next call of that kind fail.
    pub fn fail_next(&self, fault: Fault) {
        self.disk().faults.push(fault);
    }

    /// From now on calls work and there is room. What was lost or damaged stays so.
    pub fn mend(&self) {
        let mut disk = self.disk();
        disk.faults.clear();
        disk.is_full = false;
    }

    /// Successful commits so far.
    pub fn commits(&self) -> u64 {
        self.disk().commits
    }

    /// Successful syncs so far.
    pub fn syncs(&self) -> u64 {
        self.disk().syncs
    }

    /// Commits that a crash could lose now.
    pub fn unsynced(&self) -> usize {
        let disk = self.disk();
        disk.undo.len() - disk.synced
    }

    /// The name of the row at a place in the order of rows.
    pub fn row_at(&self, place: usize) -> Option<Bytes> {
        self.disk().rows.keys().nth(place).cloned()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.disk().rows.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// No call leaves the disk half changed, so a panic elsewhere is no reason to refuse it.
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine for Memory {
    fn get(&self, row: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let mut disk = self.disk();
        disk.readable()?;
        disk.is_whole(row)?;
        Ok(disk.rows.get(row).cloned())
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let mut disk = self.disk();
        disk.readable()?;
        // A BTreeMap panics on a range that runs backwards.
        if !to.is_empty() && from >= to {
            return Ok(Vec::new());
        }
        let end = if to.is_empty() { Bound::Unbounded } else { Bound::Excluded(to) };
        let rows = disk.rows.range::<[u8], _>((Bound::Included(from), end)).take(limit);
        rows.map(|(row, value)| disk.is_whole(row).map(|()| (row.clone(), value.clone()))).collect()
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        batch.check()?;
        let mut disk = self.disk();
        disk.writable(Fault::Commit)?;
        disk.apply(batch);
        disk.commits += 1;
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        let mut disk = self.disk();
        disk.writable(Fault::Sync)?;
        disk.is_loss_known |= disk.lost > 0 && disk.synced < disk.undo.len();
        disk.synced = disk.undo.len();
        while disk.synced > SYNCED_KEPT {
            disk.undo.pop_front();
            disk.synced -= 1;
        }
        disk.syncs += 1;
        Ok(())
    }

    fn checkpoint(&self, target: &Self) -> Result<u64, StoreError> {
        let disk = self.disk();
        disk.damaged.iter().try_for_each(|row| disk.is_whole(row))?;
        let rows = disk.rows.clone();
        drop(disk);
        let mut copy = target.disk();
        if !copy.rows.is_empty() {
            return Err(StoreError::NotEmpty);
        }
        copy.writable(Fault::Commit)?;
        copy.rows = rows;
        Ok(copy.rows.len() as u64)
    }
}

impl Disk {
    fn apply(&mut self, batch: &Batch) {
        let mut before = Vec::with_capacity(batch.len());
        for (row, value) in batch.rows() {
            before.push((row.clone(), self.set(row, value.clone())));
        }
        self.undo.push_back(before);
    }

    /// Backwards, because a row may be in a batch twice.
    fn take_back(&mut self) {
        for (row, value) in self.undo.pop_back().into_iter().flatten().rev() {
            self.set(&row, value);
        }
    }

    fn set(&mut self, row: &Bytes, value: Option<Bytes>) -> Option<Bytes> {
        self.damaged.remove(row);
        match value {
            Some(value) => self.rows.insert(row.clone(), value),
            None => self.rows.remove(row),
        }
    }

    fn readable(&mut self) -> Result<(), StoreError> {
        if self.meets(Fault::Read) { Err(StoreError::Read("asked to fail".into())) } else { Ok(()) }
    }

    fn is_whole(&self, row: &[u8]) -> Result<(), StoreError> {
        if self.damaged.contains(row) { Err(StoreError::Read("a row is damaged".into())) } else { Ok(()) }
    }

    fn writable(&mut self, fault: Fault) -> Result<(), StoreError> {
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        if fault == Fault::Commit && self.is_full {
            self.poisoned = true;
            return Err(StoreError::Full("no room".into()));
        }
        self.poisoned = self.meets(fault);
        if self.poisoned { Err(StoreError::Write("asked to fail".into())) } else { Ok(()) }
    }

    fn meets(&mut self, fault: Fault) -> bool {
        let found = self.faults.iter().position(|asked| *asked == fault);
        found.map(|index| self.faults.remove(index)).is_some()
    }
}
