//! The Merkle tree of a partition: sums of fingerprints over ranges of positions.
//!
//! ```text
//!   partition      the map's digest
//!   64 chunks      each the sum of its leaves
//!   64 leaves      each the sum of the fingerprints of all entries of its cells: one contiguous scan of rows
//! ```
//!
//! The sums change with every row that changes; nothing is rebuilt. They are kept in memory for chunks that are in use.
//! A chunk in which nothing has changed for a while is stored in a row of its own, and the first change after that
//! deletes the row in the same batch. So after a crash a chunk whose row is there need not be looked at, and one
//! without a row is scanned once its sums are wanted.
//!
//! Two sides that compare a chunk first compare its eighths (groups of leaves), which are kept nowhere: they are sums of sums.
//!
//! The idea is that of Merkle trees for anti-entropy (Demers et al. 1987, Dynamo 2007), with sums in the place of hashes
//! of hashes, so that a change needs nothing but the difference that it makes.
//!
//! Invariants:
//! 1. A stored row of a chunk says what the rows of its cells do, in every batch.
//! 2. What is known in memory of a chunk says so too, as of the last change.

use crate::leaf::{CHUNKS, FANOUT, Leaf};
use crate::meta_names::leaves_row;
use crate::rows::{RowError, Shelf};
use bytes::{BufMut, Bytes, BytesMut};
use causal::codec::{Malformed, Reader};
use std::collections::{BTreeMap, VecDeque};
use wire::peer::exchange::GROUPS;

/// The version of stored sums.
const LEAVES_VERSION: u8 = 1;

/// The sums of the leaves of one chunk.
pub(crate) type Sums = [u64; FANOUT];

/// Those of the groups that a chunk's leaves lie in.
pub(crate) fn groups(sums: &Sums) -> [u64; GROUPS] {
    let mut groups = [0u64; GROUPS];
    for (number, sum) in sums.iter().enumerate() {
        groups[group_of(number)] = groups[group_of(number)].wrapping_add(*sum);
    }
    groups
}

/// The group of a leaf, by its number in its chunk.
pub(crate) fn group_of(leaf: usize) -> usize {
    leaf % FANOUT / (FANOUT / GROUPS)
}

#[derive(Clone, Debug)]
enum Chunk {
    Known { sums: Box<Sums>, is_stored: bool, is_quiet: bool },
    Unknown,
}

/// The sums of one partition's leaves, as far as they are in memory.
#[derive(Clone, Debug)]
pub(crate) struct Leaves {
    chunks: BTreeMap<u8, Chunk>,
    /// Nothing was stored here before: a chunk without a row has no cells.
    is_new: bool,
}

impl Default for Leaves {
    fn default() -> Self {
        Self { chunks: BTreeMap::new(), is_new: true }
    }
}

impl Leaves {
    /// Those of a partition of which something is stored.
    pub(crate) fn stored() -> Self {
        Self { is_new: false, ..Self::default() }
    }

    /// Those of a partition of which nothing that is stored is believed any more.
    pub(crate) fn forgotten(shelf: &mut Shelf<'_>) -> Self {
        CHUNKS.for_each(|chunk| shelf.store.delete(leaves_row(shelf.partition, chunk)));
        shelf.changes.clear();
        Self { chunks: CHUNKS.map(|chunk| (chunk, Chunk::Unknown)).collect(), is_new: false }
    }

    /// Takes in what has changed on the shelf.
    pub(crate) fn note(&mut self, shelf: &mut Shelf<'_>) {
        for (position, change) in std::mem::take(&mut shelf.changes) {
            let leaf = Leaf::of(shelf.keyspace, shelf.partition, position);
            self.load(leaf.chunk(), shelf);
            if let Some(Chunk::Known { sums, is_stored, is_quiet }) = self.chunks.get_mut(&leaf.chunk()) {
                if std::mem::take(is_stored) {
                    shelf.store.delete(leaves_row(shelf.partition, leaf.chunk()));
                }
                *is_quiet = false;
                sums[leaf.number()] = sums[leaf.number()].wrapping_add(change);
            }
        }
    }

    /// Has what is known of a chunk in memory.
    fn load(&mut self, chunk: u8, shelf: &mut Shelf<'_>) {
        if self.chunks.contains_key(&chunk) {
            return;
        }
        let row = leaves_row(shelf.partition, chunk);
        let known = match shelf.store.get(&row) {
            Ok((Some(value), _)) => decode(value).ok().map(|sums| (sums, true)),
            Ok((None, _)) => self.is_new.then(|| (Box::new([0; FANOUT]), false)),
            Err(_) => None,
        };
        let known = known.map(|(sums, is_stored)| Chunk::Known { sums, is_stored, is_quiet: false });
        if known.is_none() {
            // A row that cannot be read must not be found again after the next change.
            shelf.store.delete(row);
        }
        self.chunks.insert(chunk, known.unwrap_or(Chunk::Unknown));
    }

    /// The sums of a chunk; its rows are scanned where they are not known.
    pub(crate) fn sums(&mut self, chunk: u8, shelf: &mut Shelf<'_>) -> Result<&Sums, RowError> {
        self.load(chunk, shelf);
        if matches!(self.chunks.get(&chunk), Some(Chunk::Unknown)) {
            let sums = scan(chunk, shelf)?;
            self.chunks.insert(chunk, Chunk::Known { sums, is_stored: false, is_quiet: false });
        }
        match self.chunks.get(&chunk) {
            Some(Chunk::Known { sums, .. }) => Ok(sums),
            _ => unreachable!("the chunk was loaded and scanned"),
        }
    }

    /// How many chunks are to be scanned before all of them are known.
    pub(crate) fn unknown(&mut self, shelf: &mut Shelf<'_>) -> Vec<u8> {
        CHUNKS
            .filter(|chunk| {
                self.load(*chunk, shelf);
                matches!(self.chunks.get(chunk), Some(Chunk::Unknown))
            })
            .collect()
    }

    /// The sum of each chunk.
    pub(crate) fn totals(&mut self, shelf: &mut Shelf<'_>) -> Result<Vec<u64>, RowError> {
        let total = |sums: &Sums| sums.iter().fold(0u64, |total, sum| total.wrapping_add(*sum));
        CHUNKS.map(|chunk| self.sums(chunk, shelf).map(total)).collect()
    }

    /// Stores the chunks in which nothing has changed since the last time this was asked, and lets those go that were
    /// stored by then.
    pub(crate) fn settle(&mut self, shelf: &mut Shelf<'_>) {
        let partition = shelf.partition;
        self.chunks.retain(|number, chunk| match chunk {
            Chunk::Known { is_stored: true, is_quiet: true, .. } => false,
            Chunk::Known { sums, is_stored, is_quiet } => {
                if *is_quiet && !*is_stored {
                    shelf.store.put(leaves_row(partition, *number), encode(sums));
                    *is_stored = true;
                }
                *is_quiet = true;
                true
            }
            Chunk::Unknown => true,
        });
    }

    /// Compares what is known of a chunk with its rows; tells whether they agree.
    pub(crate) fn verify(&mut self, chunk: u8, shelf: &mut Shelf<'_>) -> Result<bool, RowError> {
        let known = *self.sums(chunk, shelf)?;
        Ok(*scan(chunk, shelf)? == known)
    }
}

/// What an exchange has still to bring: chunks whose leaves are not known yet, and leaves.
#[derive(Debug, Default)]
pub(crate) struct Awaited {
    pub(crate) chunks: VecDeque<u8>,
    pub(crate) leaves: VecDeque<u16>,
    /// How many cells of the first leaf have come.
    pub(crate) skip: u32,
}

impl Awaited {
    /// Whether a leaf is among it.
    pub(crate) fn has(&self, leaf: Leaf) -> bool {
        self.chunks.contains(&leaf.chunk()) || self.leaves.contains(&leaf.0)
    }
}

fn scan(chunk: u8, shelf: &mut Shelf<'_>) -> Result<Box<Sums>, RowError> {
    let mut sums = Box::new([0u64; FANOUT]);
    let (first, _) = Leaf::at(chunk, 0).range(shelf.keyspace, shelf.partition);
    let (_, last) = Leaf::at(chunk, FANOUT - 1).range(shelf.keyspace, shelf.partition);
    for (cell, entries) in shelf.between((first, last))? {
        let number = shelf.leaf(&cell).number();
        for entry in entries.iter() {
            sums[number] = sums[number].wrapping_add(entry.fingerprint(&cell));
        }
    }
    Ok(sums)
}

fn encode(sums: &Sums) -> Bytes {
    let mut out = BytesMut::with_capacity(1 + 8 * FANOUT);
    out.put_u8(LEAVES_VERSION);
    sums.iter().for_each(|sum| out.put_u64(*sum));
    out.freeze()
}

fn decode(value: Bytes) -> Result<Box<Sums>, Malformed> {
    let mut reader = Reader::new(value, "sums of leaves");
    reader.version(LEAVES_VERSION)?;
    let mut sums = Box::new([0; FANOUT]);
    for sum in &mut *sums {
        *sum = reader.u64()?;
    }
    reader.end()?;
    Ok(sums)
}
