//! From a key to its position, and from a position to its partition.
//!
//! ```text
//!  63            50 49                                   0
//! +----------------+--------------------------------------+
//! | slot: 14 bits  | keyed hash of database and key       |   a position
//! +----------------+--------------------------------------+
//!  top log2(Q) bits: the partition
//! ```
//!
//! A partition is an equal arc of the ring and a run of whole slots, because both are read off the same top
//! bits. The low bits order the rows inside a slot; they are keyed per cluster, so that nobody outside can aim
//! at one leaf of a Merkle tree.
//!
//! It is not a map of keys: two keys may share a position and stay two keys. Rows carry the key after the
//! position.
//!
//! Invariants:
//! 1. The ranges of all partitions, in order, cover every position once.
//! 2. The slot does not depend on the database or the seed.
//! 3. The seed and the number of partitions never change in the life of a cluster.

use std::fmt;
use std::ops::RangeInclusive;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::slot::{SLOTS, slot};

/// The most partitions a cluster can have: a partition is at least one slot.
pub const PARTITIONS_MAX: u32 = SLOTS as u32;

/// The partitions of a cluster that does not say otherwise.
///
/// Shares are whole partitions, so a node should own some thirty or more: with three replicas 1024 partitions
/// are good for a hundred nodes, and a cluster that may grow to a thousand should be made with
/// [`PARTITIONS_MAX`].
pub const PARTITIONS_DEFAULT: u32 = 1024;

const SLOT_BITS: u32 = SLOTS.trailing_zeros();
const HASH_BITS: u32 = u64::BITS - SLOT_BITS;

/// A place on the ring: the top 14 bits are the slot, the low 50 a keyed hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Position(pub u64);

impl Position {
    /// The position in a slot whose low bits are the top 50 of a hash.
    pub(crate) fn new(slot: u16, hash: u64) -> Position {
        Position(u64::from(slot) << HASH_BITS | hash >> SLOT_BITS)
    }

    /// The Redis Cluster slot that this position lies in.
    #[must_use]
    pub fn slot(self) -> u16 {
        u16::try_from(self.0 >> HASH_BITS).expect("14 bits are left")
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The number of a partition: 0 up to the partition count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PartitionId(pub u16);

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A number of partitions that no cluster can have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0} partitions: the number must be a power of two from 1 to {PARTITIONS_MAX}")]
pub struct KeyspaceError(pub u32);

/// How one cluster turns keys into positions and positions into partitions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keyspace {
    seed: u64,
    partition_bits: u32,
}

impl Keyspace {
    /// A keyspace with the cluster's hash seed and its number of partitions.
    ///
    /// # Errors
    /// If `partitions` is not a power of two from 1 to [`PARTITIONS_MAX`].
    pub fn new(seed: u64, partitions: u32) -> Result<Keyspace, KeyspaceError> {
        if !partitions.is_power_of_two() || partitions > PARTITIONS_MAX {
            return Err(KeyspaceError(partitions));
        }
        Ok(Keyspace { seed, partition_bits: partitions.trailing_zeros() })
    }

    /// The seed that keys the low bits of positions.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The position of a key of a database.
    #[must_use]
    pub fn position(&self, db: u8, key: &[u8]) -> Position {
        // The database goes in through the seed, which saves joining it and the key in a buffer.
        let hash = xxh3_64_with_seed(key, xxh3_64_with_seed(&[db], self.seed));
        Position::new(slot(key), hash)
    }

    /// The partition that a position lies in.
    #[must_use]
    pub fn partition_of(&self, position: Position) -> PartitionId {
        self.partition_of_slot(position.slot())
    }

    /// The partition that a slot lies in.
    ///
    /// # Panics
    /// If there is no such slot.
    #[must_use]
    pub fn partition_of_slot(&self, slot: u16) -> PartitionId {
        assert!(slot < SLOTS, "slot {slot} does not exist");
        PartitionId(slot >> self.slot_bits())
    }

    /// The first and the last position of a partition, both inside it.
    ///
    /// # Panics
    /// If there is no such partition.
    #[must_use]
    pub fn range(&self, partition: PartitionId) -> (Position, Position) {
        let slots = self.slots(partition);
        let first = u64::from(*slots.start()) << HASH_BITS;
        let last = u64::from(*slots.end()) << HASH_BITS | ((1 << HASH_BITS) - 1);
        (Position(first), Position(last))
    }

    /// The slots of a partition.
    ///
    /// # Panics
    /// If there is no such partition.
    #[must_use]
    pub fn slots(&self, partition: PartitionId) -> RangeInclusive<u16> {
        assert!(u32::from(partition.0) < self.partition_count(), "partition {partition} does not exist");
        let first = partition.0 << self.slot_bits();
        first..=first + ((1 << self.slot_bits()) - 1)
    }

    /// All partitions in ring order.
    pub fn partitions(&self) -> impl DoubleEndedIterator<Item = PartitionId> + use<> {
        let count = u16::try_from(self.partition_count()).expect("at most one partition per slot");
        (0..count).map(PartitionId)
    }

    /// How many partitions there are: a power of two.
    #[must_use]
    pub fn partition_count(&self) -> u32 {
        1 << self.partition_bits
    }

    /// How many bits of the slot number do not belong to the partition number.
    fn slot_bits(&self) -> u32 {
        SLOT_BITS - self.partition_bits
    }
}

#[cfg(test)]
mod tests {
    use super::{Keyspace, PARTITIONS_MAX, PartitionId, Position};
    use crate::slot::slot;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    #[test]
    fn partitions_are_a_power_of_two() {
        for bad in [0, 3, 1000, PARTITIONS_MAX * 2, u32::MAX] {
            assert!(Keyspace::new(1, bad).is_err(), "{bad}");
        }
        for bits in 0..=14 {
            assert_eq!(Keyspace::new(1, 1 << bits).unwrap().partition_count(), 1 << bits);
        }
    }

    #[test]
    fn ranges_and_slots_cover_everything_once() {
        for bits in 0..=14 {
            let keyspace = Keyspace::new(7, 1 << bits).unwrap();
            let (mut position, mut slot) = (Some(0), 0);
            for partition in keyspace.partitions() {
                let (first, last) = keyspace.range(partition);
                assert_eq!(Some(first.0), position);
                position = last.0.checked_add(1);
                assert_eq!(*keyspace.slots(partition).start(), slot);
                slot = *keyspace.slots(partition).end() + 1;
            }
            assert_eq!((position, slot), (None, 16384));
        }
    }

    #[test]
    fn positions_never_change() {
        // Stored rows are ordered by these numbers: a change here breaks every cluster's data.
        let keyspace = Keyspace::new(42, 1024).unwrap();
        assert_eq!(keyspace.position(0, b"foo"), Position(13_715_769_585_724_136_160));
        assert_eq!(keyspace.position(1, b"foo"), Position(13_716_763_595_228_006_754));
        assert_eq!(keyspace.partition_of(keyspace.position(0, b"foo")), PartitionId(12182 / 16));
    }

    proptest! {
        #[test]
        fn a_position_lies_in_its_slot_and_partition(
            seed: u64, bits in 0u32..=14, db: u8, key in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let keyspace = Keyspace::new(seed, 1 << bits).unwrap();
            let position = keyspace.position(db, &key);
            prop_assert_eq!(position.slot(), slot(&key));
            let partition = keyspace.partition_of(position);
            let (first, last) = keyspace.range(partition);
            prop_assert!(first <= position && position <= last);
            prop_assert!(keyspace.slots(partition).contains(&slot(&key)));
        }
    }
}
