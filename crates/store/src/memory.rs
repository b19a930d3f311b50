//! The in-memory twin of the LSM engine: the same promises, and a crash that keeps no more than them.
//!
//! Not a cache. The simulator runs on it, so it is deterministic, counts what is asked of it, and fails on demand.
//!
//! 1. `undo` holds, per commit since the last sync, what its rows were before: taking commits back from the
//!    youngest on gives every state that a real journal could leave.
//! 2. A synced commit is never taken back.
//! 3. While poisoned nothing is committed or synced; only a crash, which is a reopening, ends that.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::{Batch, Engine, StoreError};

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

#[derive(Debug, Default)]
struct Disk {
    rows: BTreeMap<Bytes, Bytes>,
    undo: Vec<Vec<Change>>,
    commits: u64,
    syncs: u64,
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
        let lost = disk.undo.len().saturating_sub(keep);
        for _ in 0..lost {
            disk.take_back();
        }
        disk.undo.clear();
        disk.poisoned = false;
        disk.faults.clear();
        lost
    }

    /// The disk is lost: no row is left.
    pub fn wipe(&self) {
        *self.disk() = Disk::default();
    }

    /// Makes the next call of that kind fail.
    pub fn fail_next(&self, fault: Fault) {
        self.disk().faults.push(fault);
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
        self.disk().undo.len()
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
        let rows = disk.rows.range::<[u8], _>((Bound::Included(from), end));
        Ok(rows.take(limit).map(|(row, value)| (row.clone(), value.clone())).collect())
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
        disk.undo.clear();
        disk.syncs += 1;
        Ok(())
    }

    fn checkpoint(&self, target: &Self) -> Result<u64, StoreError> {
        let rows = self.disk().rows.clone();
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
        self.undo.push(before);
    }

    /// Backwards, because a row may be in a batch twice.
    fn take_back(&mut self) {
        for (row, value) in self.undo.pop().into_iter().flatten().rev() {
            self.set(&row, value);
        }
    }

    fn set(&mut self, row: &Bytes, value: Option<Bytes>) -> Option<Bytes> {
        match value {
            Some(value) => self.rows.insert(row.clone(), value),
            None => self.rows.remove(row),
        }
    }

    fn readable(&mut self) -> Result<(), StoreError> {
        if self.meets(Fault::Read) { Err(StoreError::Read("asked to fail".into())) } else { Ok(()) }
    }

    fn writable(&mut self, fault: Fault) -> Result<(), StoreError> {
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        self.poisoned = self.meets(fault);
        if self.poisoned { Err(StoreError::Write("asked to fail".into())) } else { Ok(()) }
    }

    fn meets(&mut self, fault: Fault) -> bool {
        let found = self.faults.iter().position(|asked| *asked == fault);
        found.map(|index| self.faults.remove(index)).is_some()
    }
}
