//! The leaves of a partition's Merkle tree: equal ranges of its positions, so that each is one contiguous scan of rows.

use placement::{Keyspace, PartitionId, Position};
use std::ops::RangeInclusive;

/// How many chunks a partition has, and leaves a chunk.
pub(crate) const FANOUT: usize = 64;
const FANOUT_BITS: u32 = 6;
/// How many leaves a partition has.
pub(crate) const LEAVES: u16 = 1 << (2 * FANOUT_BITS);
/// The numbers of all chunks.
pub(crate) const CHUNKS: RangeInclusive<u8> = 0..=63;

/// A leaf of a partition, by its number; its chunk is what is above the last six bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Leaf(pub(crate) u16);

impl Leaf {
    /// The leaf of a position of the partition.
    pub(crate) fn of(keyspace: &Keyspace, partition: PartitionId, position: Position) -> Self {
        let (first, last) = keyspace.range(partition);
        let width_bits = u64::BITS - (last.0 - first.0).leading_zeros();
        let leaf = (position.0.wrapping_sub(first.0) >> width_bits.saturating_sub(2 * FANOUT_BITS)) & 0xfff;
        Self(u16::try_from(leaf).unwrap_or_default())
    }

    /// The leaf of a chunk with that number in it.
    pub(crate) fn at(chunk: u8, number: usize) -> Self {
        Self(u16::from(chunk) << FANOUT_BITS | u16::try_from(number % FANOUT).unwrap_or_default())
    }

    pub(crate) fn chunk(self) -> u8 {
        u8::try_from(self.0 >> FANOUT_BITS).unwrap_or(*CHUNKS.end())
    }

    pub(crate) fn number(self) -> usize {
        usize::from(self.0) % FANOUT
    }

    /// Its first and last position.
    pub(crate) fn range(self, keyspace: &Keyspace, partition: PartitionId) -> (Position, Position) {
        let (first, last) = keyspace.range(partition);
        let width_bits = u64::BITS - (last.0 - first.0).leading_zeros();
        let bits = width_bits.saturating_sub(2 * FANOUT_BITS);
        let from = first.0 + (u64::from(self.0) << bits);
        (Position(from), Position(from + ((1 << bits) - 1)))
    }
}
