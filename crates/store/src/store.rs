//! What a shard owns: the open batch, the batches on their way to the disk, and a cache of hot rows.
//!
//! Not a committer: it runs no thread, reads no clock, and makes nothing durable itself. It is deterministic given
//! its calls and what the engine answers.
//!
//! Rows of one space, if its owner says so (`pack`), take another way: the `ledger` keeps them and writes one row a
//! batch for all that changed. Whoever reads and writes them sees no difference.
//!
//! ```text
//!   put ---> open batch --seal--> sealed batches --settled--> hot rows      (a row's way)
//!   get <--- open batch, else     sealed batches, else        hot rows, else the engine, unless the
//!                                                             filter says that it has no such row
//! ```
//!
//! 1. A read gives the newest value put here, settled or not, and names the commit that settles it.
//! 2. Commits are numbered 1, 2, 3, ... without gaps and settle in that order.
//! 3. A row is found in `pending` from its `put` until its newest change is settled; the engine is asked only for
//!    rows that are not there, so a batch that the committer is just writing is never seen in part.
//! 4. The cache holds, for a row that is not in `pending`, what the engine holds: a value or its absence.
//! 5. The filter knows every row that was put here, and those in the engine that it was taught (`learn`): of a row
//!    that is not in `pending` it says "absent" only if the engine would say so.

mod filter;
mod hot;
mod ledger;
mod merge;
mod pending;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{Batch, Commit, Engine, StoreError};
use filter::Filter;
use hot::Hot;
use ledger::{Ledger, SPACE_OWN};
use merge::Merge;
use pending::Pending;

/// Where the packs of small rows are, from (inclusive) and to (exclusive).
pub(crate) const PACKS: ([u8; 2], [u8; 2]) = Ledger::RANGE;
/// The part of the cache's memory that the filter of absent rows may take, as a divisor: at 12 bits a row, some
/// 700,000 rows for each 16 MiB of cache.
const FILTER_PART: usize = 16;

/// Where the names of rows from outside begin.
const ROW_FIRST: &[u8] = &[SPACE_OWN + 1];

/// What a store is told when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreOptions {
    /// Memory for hot rows and the filter of absent ones, bytes, overhead included. 0 caches nothing.
    pub cache_bytes: usize,
    /// Key of the hash of row names. Random where clients choose the names, fixed in a simulation.
    pub hash_seed: u64,
    /// Packed changes of rows beyond which they are folded (see [`Store::pack`]). The more, the fewer rows are written
    /// for each operation; the fewer, the less has to be read when the store is opened.
    pub packed_changes_max: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20, hash_seed: 0, packed_changes_max: 16 * 1024 }
    }
}

/// What a store holds in memory, and how often it had to ask the engine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreFigures {
    /// Rows whose newest change is not settled.
    pub pending_rows: usize,
    /// Names and values of all batches not settled, bytes.
    pub pending_bytes: usize,
    /// Batches sealed and not settled.
    pub sealed_batches: usize,
    /// Rows in the cache, absent ones included.
    pub cached_rows: usize,
    /// The cache's share of its budget that is used, bytes.
    pub cached_bytes: usize,
    /// Memory of the filter of absent rows, bytes.
    pub filter_bytes: usize,
    /// Reads of a row answered from memory.
    pub reads_hot: u64,
    /// Reads of a row that went to the engine.
    pub reads_cold: u64,
}

/// The rows of one shard. See the module's text.
#[derive(Debug)]
pub struct Store<E: ?Sized> {
    engine: Arc<E>,
    hash_seed: u64,
    pending: Pending,
    hot: Hot,
    filter: Filter,
    ledger: Option<Ledger>,
    packed_changes_max: usize,
    reads_hot: u64,
    reads_cold: u64,
}

impl<E: Engine + ?Sized> Store<E> {
    /// A store over what the engine holds now.
    pub fn new(engine: Arc<E>, options: StoreOptions) -> Self {
        Self {
            engine,
            hash_seed: options.hash_seed,
            pending: Pending::new(),
            hot: Hot::new(options.cache_bytes - options.cache_bytes / FILTER_PART),
            filter: Filter::new(options.cache_bytes / FILTER_PART),
            ledger: None,
            packed_changes_max: options.packed_changes_max,
            reads_hot: 0,
            reads_cold: 0,
        }
    }

    /// From now on packs the rows whose names begin with `space`: small ones that nearly every batch changes. The
    /// packs that are there are read first. For whoever opens a store, before anything is read or put: without this,
    /// or with another space, those rows are as old as the last fold.
    ///
    /// # Errors
    /// Those of [`Engine::scan`], and [`StoreError::Unreadable`] where what is packed is damaged.
    ///
    /// # Panics
    /// If the space is the store's own, or something was put already: our own bug.
    pub fn pack(&mut self, space: u8) -> Result<(), StoreError> {
        assert!(space != SPACE_OWN && self.open_commit() == Commit(1) && !self.is_dirty());
        let (from, to) = Ledger::RANGE;
        let packs = self.engine.scan(&from, &to, usize::MAX)?;
        self.ledger = Some(Ledger::open(space, self.packed_changes_max, &packs, |row| self.hash(row))?);
        Ok(())
    }

    /// The engine, for the committer.
    pub fn engine(&self) -> Arc<E> {
        Arc::clone(&self.engine)
    }

    /// The newest value of a row, and the commit whose settling makes that answer durable: `Commit(0)` if it is so
    /// already. The absence of a row that was deleted depends on the delete.
    ///
    /// # Errors
    /// Those of [`Engine::get`]. A row that could not be read is not cached.
    pub fn get(&mut self, row: &[u8]) -> Result<(Option<Bytes>, Commit), StoreError> {
        let hash = self.hash(row);
        let packed = self.ledger.as_ref().filter(|ledger| ledger.covers(row));
        if let Some((value, commit)) = packed.and_then(|ledger| ledger.get(hash, row)) {
            self.reads_hot += 1;
            let is_settled = commit <= self.pending.settled_commit();
            return Ok((value.cloned(), if is_settled { Commit(0) } else { commit }));
        }
        if let Some((value, commit)) = self.pending.get(hash, row) {
            self.reads_hot += 1;
            return Ok((value.cloned(), commit));
        }
        if let Some(value) = self.hot.get(hash, row) {
            self.reads_hot += 1;
            return Ok((value.clone(), Commit(0)));
        }
        if !self.filter.may_hold(hash, row) {
            self.reads_hot += 1;
            return Ok((None, Commit(0)));
        }
        self.get_cold(hash, row)
    }

    #[cold]
    fn get_cold(&mut self, hash: u64, row: &[u8]) -> Result<(Option<Bytes>, Commit), StoreError> {
        let value = self.engine.get(row)?;
        self.reads_cold += 1;
        self.hot.insert(hash, Bytes::copy_from_slice(row), value.clone());
        Ok((value, Commit(0)))
    }

    /// Reads up to `limit` more names from the engine, so that absent rows among them need not be asked for, and
    /// tells whether there is more to learn. For whoever opens a store over an engine that nobody writes to yet: a
    /// scan beside a commit need not see every row. Until all is learned, a row whose turn has not come is asked for.
    ///
    /// # Errors
    /// Those of [`Engine::scan`]; nothing was learned then, and the next call tries again.
    pub fn learn(&mut self, limit: usize) -> Result<bool, StoreError> {
        let Some(from) = self.filter.unlearned() else { return Ok(false) };
        let rows = self.engine.scan(from, b"", limit)?;
        for (row, _) in &rows {
            self.filter.note(self.hash(row));
        }
        // The next name after one is that one and a zero.
        let next =
            rows.last().filter(|_| rows.len() == limit).map(|(last, _)| [last, &[0][..]].concat().into());
        if limit > 0 {
            self.filter.learned(next);
        }
        Ok(self.filter.unlearned().is_some())
    }

    /// Gives a row a value, in the open batch. The row's name begins with another byte than 0 and is at most [`Batch::ROW_BYTES_MAX`] long, the value at most
    /// [`Batch::VALUE_BYTES_MAX`]: the caller's limits are below that. Both are kept as they are given and stay in
    /// the cache: a slice of a large buffer keeps the whole buffer in memory.
    pub fn put(&mut self, row: Bytes, value: Bytes) {
        self.change(row, Some(value));
    }

    /// Removes a row, in the open batch.
    pub fn delete(&mut self, row: Bytes) {
        self.change(row, None);
    }

    /// Has the open batch be on the disk before it is settled, however seldom others are synced.
    pub fn urge(&mut self) {
        self.pending.urge();
    }

    fn change(&mut self, row: Bytes, value: Option<Bytes>) {
        debug_assert!((Batch::ROW_BYTES_MIN..=Batch::ROW_BYTES_MAX).contains(&row.len()));
        debug_assert!(row[0] != SPACE_OWN, "those names are the store's own");
        let hash = self.hash(&row);
        match &mut self.ledger {
            Some(ledger) if ledger.covers(&row) => {
                ledger.change(hash, row, value, self.pending.open_commit());
            }
            _ => self.change_ordinary(hash, row, value),
        }
    }

    fn change_ordinary(&mut self, hash: u64, row: Bytes, value: Option<Bytes>) {
        // Nobody asks for the store's own rows, and there is no end of their names.
        if value.is_some() && row[0] != SPACE_OWN {
            self.filter.note(hash);
        }
        self.pending.change(hash, row, value);
    }

    /// Up to `limit` live rows from `from` (inclusive) to `to` (exclusive, empty for no end) in order, and the
    /// greatest commit that the answer depends on: of the rows in it and of the deletes that it skipped.
    ///
    /// Costs one scan of the engine, one look at every change in the open batch, and for each sealed batch a binary
    /// search, after one sort at the first scan since it was sealed. Cached rows are not used and none are added.
    ///
    /// # Errors
    /// Those of [`Engine::scan`].
    pub fn scan(
        &self,
        from: &[u8],
        to: &[u8],
        limit: usize,
    ) -> Result<(Vec<(Bytes, Bytes)>, Commit), StoreError> {
        let from = from.max(ROW_FIRST);
        let mut changes = self.pending.range(from, to);
        let packed = self.ledger.as_ref().map(|ledger| ledger.range(from, to, self.settled_commit()));
        if let Some(packed) = packed.filter(|packed| !packed.is_empty()) {
            // What is packed is newer, and comes first: a stable sort leaves it so.
            changes.splice(..0, packed);
            changes.sort_by(|left, right| left.row.cmp(right.row));
            changes.dedup_by(|later, first| later.row == first.row);
        }
        Merge::new(changes, limit).over(&*self.engine, from, to)
    }

    /// The number of the batch that is being gathered: what an acknowledgement of a `put` waits for.
    pub fn open_commit(&self) -> Commit {
        self.pending.open_commit()
    }

    /// Whether the open batch holds a change.
    pub fn is_dirty(&self) -> bool {
        self.pending.is_dirty() || self.ledger.as_ref().is_some_and(Ledger::is_dirty)
    }

    /// Closes the open batch and gives it to the committer, or `None` if nothing was changed. Every row is in it
    /// once, with its last value. Batches are to be committed in the order of their numbers.
    pub fn seal(&mut self) -> Option<(Commit, Arc<Batch>)> {
        if let Some(mut ledger) = self.ledger.take() {
            ledger.seal(|row, value| self.change_ordinary(self.hash(&row), row, value));
            self.ledger = Some(ledger);
        }
        self.pending.seal()
    }

    /// The committer says: all batches up to this one are in the engine, and as durable as is wanted. Saying so
    /// twice does nothing.
    ///
    /// # Panics
    /// If that batch has not been sealed: our own bug.
    pub fn settled(&mut self, upto: Commit) {
        let Self { pending, hot, .. } = self;
        pending.settle(upto, |hash, row, value| {
            if row[0] != SPACE_OWN {
                hot.insert(hash, row, value);
            }
        });
    }

    /// The last settled commit.
    pub fn settled_commit(&self) -> Commit {
        self.pending.settled_commit()
    }

    /// What is held in memory now.
    pub fn figures(&self) -> StoreFigures {
        StoreFigures {
            pending_rows: self.pending.rows(),
            pending_bytes: self.pending.bytes() + self.ledger.as_ref().map_or(0, Ledger::open_bytes),
            sealed_batches: self.pending.batches(),
            cached_rows: self.hot.rows(),
            cached_bytes: self.hot.bytes(),
            filter_bytes: self.filter.bytes(),
            reads_hot: self.reads_hot,
            reads_cold: self.reads_cold,
        }
    }

    /// The invariants, in time linear in what is pending.
    ///
    /// # Panics
    /// If one does not hold.
    pub fn check(&self) {
        self.pending.check(|row| self.hash(row));
        self.hot.check();
        if let Some(ledger) = &self.ledger {
            ledger.check(self.open_commit(), |row| self.hash(row));
        }
        for row in self.pending.rows_put().filter(|row| row[0] != SPACE_OWN) {
            assert!(self.filter.may_hold(self.hash(row), row), "the filter denies a row that was put");
        }
    }

    fn hash(&self, row: &[u8]) -> u64 {
        xxh3_64_with_seed(row, self.hash_seed)
    }
}
