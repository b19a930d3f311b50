//! Which rows there may be: a filter that says "absent" of a row without asking the engine.
//!
//! Not a cache: it holds no value and forgets no row. Most writes are of new rows, and an LSM engine looks longest
//! for what is not there.
//!
//! ```text
//!   names in order    |---- learned ----|---- not read yet ----|      what the engine held at the start
//!   layers            [ 1 ] [   4   ] [       16       ] ...          learned names, and every name put since
//! ```
//!
//! A layer is a split block Bloom filter (Putze, Sanders and Singler, 2007; the form and salts of Apache Parquet):
//! one bit in each of the eight words of one block. A full layer is followed by one four times its size, because a
//! filter of this kind cannot grow (Almeida and others, "Scalable Bloom Filters", 2007).
//!
//! 1. A row that was put since the start, or lies in the part that was learned, is never said to be absent.
//! 2. All layers together keep within the budget. When they would not, every row may be there, for good.

use bytes::Bytes;

/// Size of the first layer, bytes.
const LAYER_BYTES_FIRST: usize = 16 << 10;
/// A layer smaller than this is not worth asking, bytes.
const LAYER_BYTES_MIN: usize = 64;
/// How much larger each layer is than the one before.
const LAYER_GROWTH: usize = 4;
/// Bits for each row: one row in 200 or so is taken to be there though it is not.
const ROW_BITS: usize = 12;
/// Size of a block, bytes.
const BLOCK_BYTES: usize = 32;

/// Odd numbers that spread the low half of a hash over a block's words.
const SALTS: [u32; 8] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

type Block = [u32; 8];

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Filter {
    layers: Vec<Layer>,
    /// What further layers may take, bytes.
    bytes_left: usize,
    /// The first name that has not been learned; nothing once all are.
    unlearned: Option<Bytes>,
    is_full: bool,
}

#[derive(Debug)]
struct Layer {
    blocks: Vec<Block>,
    rows: usize,
}

impl Filter {
    /// A filter that has learned nothing and may take so much memory.
    pub(super) fn new(bytes_max: usize) -> Self {
        let is_full = bytes_max < LAYER_BYTES_MIN;
        Self { layers: Vec::new(), bytes_left: bytes_max, unlearned: Some(Bytes::new()), is_full }
    }

    /// Whether the row may be there. If not, it is certain that it is not.
    pub(super) fn may_hold(&self, hash: u64, row: &[u8]) -> bool {
        self.is_full || self.holds(hash) || self.unlearned.as_ref().is_some_and(|from| row >= from)
    }

    /// Takes note that a row is there, or will be.
    pub(super) fn note(&mut self, hash: u64) {
        if self.is_full || self.holds(hash) {
            return;
        }
        if self.layers.last().is_none_or(Layer::is_full) && !self.grow() {
            return;
        }
        if let Some(layer) = self.layers.last_mut() {
            layer.insert(hash);
        }
    }

    /// From which name on rows are to be learned; nothing where there is no more to learn.
    pub(super) fn unlearned(&self) -> Option<&Bytes> {
        self.unlearned.as_ref().filter(|_| !self.is_full)
    }

    /// All names below this one were noted; all there are, if it is none.
    pub(super) fn learned(&mut self, upto: Option<Bytes>) {
        debug_assert!(self.unlearned.is_some(), "there was something to learn");
        self.unlearned = upto;
    }

    /// Memory of all layers, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.layers.iter().map(|layer| layer.blocks.len() * BLOCK_BYTES).sum()
    }

    fn holds(&self, hash: u64) -> bool {
        // The youngest is the largest and knows most.
        self.layers.iter().rev().any(|layer| layer.holds(hash))
    }

    /// Adds a layer, or gives up; tells whether there is one.
    fn grow(&mut self) -> bool {
        let last = self.layers.last().map(|layer| layer.blocks.len() * BLOCK_BYTES);
        let wanted = last.map_or(LAYER_BYTES_FIRST, |bytes| bytes.saturating_mul(LAYER_GROWTH));
        let bytes = wanted.min(self.bytes_left);
        if bytes < LAYER_BYTES_MIN {
            self.is_full = true;
            self.layers = Vec::new();
            return false;
        }
        let layer = Layer { blocks: vec![[0; 8]; bytes / BLOCK_BYTES], rows: 0 };
        self.bytes_left -= layer.blocks.len() * BLOCK_BYTES;
        self.layers.push(layer);
        true
    }
}

impl Layer {
    fn is_full(&self) -> bool {
        self.rows >= self.blocks.len() * BLOCK_BYTES * 8 / ROW_BITS
    }

    fn holds(&self, hash: u64) -> bool {
        let block = &self.blocks[self.place(hash)];
        block.iter().zip(bits(hash)).all(|(word, bit)| word & bit != 0)
    }

    fn insert(&mut self, hash: u64) {
        let place = self.place(hash);
        self.blocks[place].iter_mut().zip(bits(hash)).for_each(|(word, bit)| *word |= bit);
        self.rows += 1;
    }

    /// The high half of the hash, scaled to the blocks.
    fn place(&self, hash: u64) -> usize {
        let place = (u128::from(hash >> 32) * self.blocks.len() as u128) >> 32;
        usize::try_from(place).expect("it is less than the number of blocks")
    }
}

/// One bit for each word of a block, out of the low half of the hash.
fn bits(hash: u64) -> Block {
    #[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
    let low = hash as u32;
    SALTS.map(|salt| 1 << (low.wrapping_mul(salt) >> 27))
}

#[cfg(test)]
mod tests {
    use super::{Filter, LAYER_BYTES_FIRST};
    use bytes::Bytes;
    use xxhash_rust::xxh3::xxh3_64;

    fn hash(row: u64) -> u64 {
        xxh3_64(&row.to_be_bytes())
    }

    fn learned(bytes_max: usize) -> Filter {
        let mut filter = Filter::new(bytes_max);
        filter.learned(None);
        filter
    }

    #[test]
    fn what_was_noted_is_there_and_hardly_anything_else() {
        let mut filter = learned(1 << 20);
        for row in 0..100_000u64 {
            filter.note(hash(row));
            assert!(filter.may_hold(hash(row), &row.to_be_bytes()));
        }
        assert!((0..100_000u64).all(|row| filter.may_hold(hash(row), &row.to_be_bytes())));
        let wrong = (100_000..200_000u64).filter(|row| filter.may_hold(hash(*row), &row.to_be_bytes()));
        assert!(wrong.count() < 2_000, "about one in a hundred over all layers");
        assert!(filter.bytes() <= 1 << 20);
    }

    #[test]
    fn a_full_filter_says_maybe_and_lets_its_memory_go() {
        for bytes_max in [0, 63, 64, 1_000, LAYER_BYTES_FIRST + 63] {
            let mut filter = learned(bytes_max);
            for row in 0..20_000u64 {
                filter.note(hash(row));
                assert!(filter.bytes() <= bytes_max);
            }
            assert!((0..40_000u64).all(|row| filter.may_hold(hash(row), &row.to_be_bytes())));
            assert_eq!((filter.bytes(), filter.unlearned()), (0, None));
        }
    }

    #[test]
    fn what_was_not_learned_may_be_there() {
        let mut filter = Filter::new(1 << 20);
        assert!(filter.may_hold(hash(1), b"aa"));
        filter.learned(Some(Bytes::from_static(b"bb")));
        assert!(!filter.may_hold(hash(1), b"aa"));
        assert!(filter.may_hold(hash(1), b"bb") && filter.may_hold(hash(1), b"cc"));
        filter.learned(None);
        assert!(!filter.may_hold(hash(1), b"cc"));
    }
}
