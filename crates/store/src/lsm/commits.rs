//! What a commit says of itself, in a row of its own.
//!
//! ```text
//!   bytes 0..8    how many commits there are with this one, big endian
//!   bytes 8..16   what the engine's number for its batch will be at least; missing in rows of the first form
//! ```

/// See the head of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Commits {
    /// Commits up to and with this one.
    pub(super) count: u64,
    /// The least number that the engine can have given its batch; 0 where nobody knows.
    pub(super) number_min: u64,
}

impl Commits {
    pub(super) fn encode(self) -> Vec<u8> {
        [self.count.to_be_bytes(), self.number_min.to_be_bytes()].concat()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (count, rest) = bytes.split_first_chunk()?;
        let number_min = match rest {
            [] => 0,
            rest => u64::from_be_bytes(rest.try_into().ok()?),
        };
        Some(Self { count: u64::from_be_bytes(*count), number_min })
    }
}
