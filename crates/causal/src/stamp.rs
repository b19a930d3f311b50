//! Stamps: hybrid logical clock readings that order concurrent values.
//!
//! They never decide what was seen (contexts do), so a wrong clock can misorder concurrent writes and nothing
//! else. The algorithm is the hybrid logical clock of Kulkarni et al., "Logical Physical Clocks" (2014); the
//! physical time is an argument, as everywhere in the pure crates.
//!
//! Invariants:
//! 1. The readings of one clock only grow.
//! 2. After `observe(s)`, every later reading is above `s`.

use crate::codec::{Malformed, Reader, put_varint};
use crate::dot::Actor;
use bytes::{BufMut, BytesMut};

/// How far a stamp may lie ahead of a replica's own clock before it is refused, in milliseconds.
pub const STAMP_AHEAD_MS_MAX: u64 = 1_000;

/// The greatest physical time that a stamp off the wire may show, in milliseconds: some nine thousand years from
/// now. A clock that has observed it can still rise above it.
const PHYSICAL_MS_MAX: u64 = 1 << 48;

/// A reading of a hybrid logical clock; the actor breaks ties, so that no two operations share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// Physical time, milliseconds since 1970.
    pub physical_ms: u64,
    /// Orders readings of one millisecond.
    pub logical: u32,
    /// Whose reading it is.
    pub actor: Actor,
}

impl Stamp {
    /// Whether the stamp lies too far ahead of a clock that shows `wall_ms` to be taken in.
    pub fn is_too_far_ahead(&self, wall_ms: u64) -> bool {
        self.physical_ms > wall_ms.saturating_add(STAMP_AHEAD_MS_MAX)
    }

    /// Appends the stamp.
    pub fn encode(&self, out: &mut BytesMut) {
        put_varint(out, self.physical_ms);
        put_varint(out, u64::from(self.logical));
        out.put_u64(self.actor.0);
    }

    /// Reads a stamp.
    pub fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let physical_ms = reader.varint()?;
        if physical_ms > PHYSICAL_MS_MAX {
            return Err(reader.malformed());
        }
        let logical = u32::try_from(reader.varint()?).map_err(|_| reader.malformed())?;
        Ok(Self { physical_ms, logical, actor: Actor(reader.u64()?) })
    }
}

/// A hybrid logical clock.
#[derive(Clone, Debug)]
pub struct Clock {
    last: Stamp,
}

impl Clock {
    /// A clock of `actor` that has read nothing yet.
    pub fn new(actor: Actor) -> Self {
        Self { last: Stamp { physical_ms: 0, logical: 0, actor } }
    }

    /// The next reading, at physical time `wall_ms`.
    pub fn read(&mut self, wall_ms: u64) -> Stamp {
        if wall_ms > self.last.physical_ms {
            self.last.physical_ms = wall_ms;
            self.last.logical = 0;
        } else {
            self.rise();
        }
        self.last
    }

    /// Whether the last reading lies too far ahead of physical time for anybody to take the next one in: physical time
    /// was wrong and has been set right. Such a clock is to be made anew; what it stamped is ordered by being seen.
    pub fn is_too_far_ahead(&self, wall_ms: u64) -> bool {
        self.last.is_too_far_ahead(wall_ms)
    }

    /// Takes note of a stamp, so that later readings are above it.
    pub fn observe(&mut self, stamp: &Stamp) {
        if (stamp.physical_ms, stamp.logical) > (self.last.physical_ms, self.last.logical) {
            self.last.physical_ms = stamp.physical_ms;
            self.last.logical = stamp.logical;
        }
    }

    fn rise(&mut self) {
        match self.last.logical.checked_add(1) {
            Some(logical) => self.last.logical = logical,
            None => {
                self.last.physical_ms += 1;
                self.last.logical = 0;
            }
        }
    }
}
