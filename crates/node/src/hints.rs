//! What a replica notes that stands in for owners: in which leaves it was told anything, and about how much it keeps.
//!
//! An owner takes those leaves from it and no others, however much it holds itself.
//!
//! Invariants:
//! 1. Every cell that an operation applied here edits, or that was taken here from another, lies in a leaf that is noted:
//!    in the same batch, also where nothing came of it. What is in the context and in no leaf that is noted was never here.

use crate::leaf::{FANOUT, LEAVES, Leaf};
use bytes::{BufMut, Bytes, BytesMut};
use causal::codec::{Malformed, Reader};

/// The version of stored hints.
const HINTS_VERSION: u8 = 1;
/// After how many more bytes the count of them is stored again.
const STORED_EVERY_BYTES: u64 = 64 * 1024;

/// See the head of this file.
#[derive(Clone, Debug)]
pub(crate) struct Hints {
    told: Box<[u64; FANOUT]>,
    bytes: u64,
    stored_bytes: u64,
    is_stored: bool,
}

impl Default for Hints {
    fn default() -> Self {
        Self { told: Box::new([0; FANOUT]), bytes: 0, stored_bytes: 0, is_stored: false }
    }
}

impl Hints {
    /// Notes that something was told in a leaf.
    pub(crate) fn tell(&mut self, leaf: Leaf) {
        let word = &mut self.told[usize::from(leaf.chunk())];
        let bit = 1 << leaf.number();
        self.is_stored &= *word & bit != 0;
        *word |= bit;
    }

    /// The leaves in which anything was told, ascending.
    pub(crate) fn leaves(&self) -> Vec<u16> {
        let is_told = |leaf: &u16| {
            let leaf = Leaf(*leaf);
            self.told[usize::from(leaf.chunk())] & (1 << leaf.number()) != 0
        };
        (0..LEAVES).filter(is_told).collect()
    }

    /// Counts bytes that are kept.
    pub(crate) fn count(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// How many bytes are kept, about.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What is to be stored of it, where that is due.
    pub(crate) fn due(&mut self) -> Option<Bytes> {
        if self.is_stored && self.bytes < self.stored_bytes + STORED_EVERY_BYTES {
            return None;
        }
        (self.is_stored, self.stored_bytes) = (true, self.bytes);
        let mut out = BytesMut::with_capacity(1 + 8 + 8 * FANOUT);
        out.put_u8(HINTS_VERSION);
        out.put_u64(self.bytes);
        self.told.iter().for_each(|word| out.put_u64(*word));
        Some(out.freeze())
    }

    /// What was stored.
    pub(crate) fn decode(value: Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(value, "hints");
        reader.version(HINTS_VERSION)?;
        let bytes = reader.u64()?;
        let mut told = Box::new([0; FANOUT]);
        for word in &mut *told {
            *word = reader.u64()?;
        }
        reader.end()?;
        Ok(Self { told, bytes, stored_bytes: bytes, is_stored: true })
    }
}
