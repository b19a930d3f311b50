//! Hot rows: settled values, and settled absences, within a budget of bytes.
//!
//! Not the engine's block cache: that one holds compressed neighbours, this one the row itself. A wrapper around
//! `quick_cache` (Clock-PRO, S3-FIFO's cousin) that lets the row's hash be computed once per request, outside.
//!
//! 1. The weight of all rows is at most the budget.
//! 2. A row that is too heavy for the cache is not in it, not even in an older state.

use std::hash::{BuildHasher, Hash, Hasher};

use bytes::Bytes;
use quick_cache::unsync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, Weighter};

/// What one row costs besides its bytes: the cache's entry and its place in the table, two allocations and their
/// reference counts. Bytes.
const ROW_OVERHEAD_BYTES: usize = 192;

/// What a row weighs on average, for the size of the cache's memory of evicted rows. Bytes.
const ROW_BYTES_EXPECTED: usize = 512;

pub(super) struct Hot {
    rows: Cache<Key, Option<Bytes>, Weight, Given>,
}

impl Hot {
    pub(super) fn new(cache_bytes: usize) -> Self {
        let rows = Cache::with(
            cache_bytes / ROW_BYTES_EXPECTED,
            cache_bytes as u64,
            Weight,
            Given,
            DefaultLifecycle::default(),
        );
        Self { rows }
    }

    pub(super) fn get(&self, hash: u64, row: &[u8]) -> Option<&Option<Bytes>> {
        self.rows.get(&Probe { hash, row })
    }

    pub(super) fn insert(&mut self, hash: u64, row: Bytes, value: Option<Bytes>) {
        self.rows.insert(Key { hash, row }, value);
    }

    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn bytes(&self) -> usize {
        usize::try_from(self.rows.weight()).unwrap_or(usize::MAX)
    }

    pub(super) fn check(&self) {
        assert!(self.rows.weight() <= self.rows.capacity(), "the cache is within its budget");
    }
}

impl std::fmt::Debug for Hot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hot").field("rows", &self.rows()).field("bytes", &self.bytes()).finish()
    }
}

/// A row's name with its hash.
struct Key {
    hash: u64,
    row: Bytes,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.row == other.row
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// The same, borrowed: a lookup allocates nothing.
struct Probe<'a> {
    hash: u64,
    row: &'a [u8],
}

impl Hash for Probe<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Equivalent<Key> for Probe<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.hash == key.hash && self.row == key.row
    }
}

/// Passes on the hash that a key brings along.
#[derive(Clone, Copy, Default)]
struct Given;

impl BuildHasher for Given {
    type Hasher = GivenHasher;

    fn build_hasher(&self) -> GivenHasher {
        GivenHasher(0)
    }
}

struct GivenHasher(u64);

impl Hasher for GivenHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("keys of this cache write one u64");
    }
}

#[derive(Clone, Copy)]
struct Weight;

impl Weighter<Key, Option<Bytes>> for Weight {
    fn weight(&self, key: &Key, value: &Option<Bytes>) -> u64 {
        (ROW_OVERHEAD_BYTES + key.row.len() + value.as_ref().map_or(0, Bytes::len)) as u64
    }
}
