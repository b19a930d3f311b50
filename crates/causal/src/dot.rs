//! Dots: the names of operations.

use crate::codec::{Malformed, Reader, put_varint};
use bytes::{BufMut, BytesMut};
use std::fmt;

/// The greatest number an operation can have: no actor lives long enough to get there.
pub const DOT_N_MAX: u64 = 1 << 62;

/// 64 random bits, drawn at every start of a process: whoever makes operations. Never reused, so neither a
/// lost disk, a restored backup nor a cloned directory can make a dot twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Actor(pub u64);

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The name of one operation: who made it, and which of its operations in that partition it was, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dot {
    /// Who made the operation.
    pub actor: Actor,
    /// Which of the actor's operations in the partition, from 1.
    pub n: u64,
}

impl Dot {
    /// The bytes that an encoded dot takes at least.
    pub const BYTES_MIN: usize = 9;

    /// The `n`th operation of `actor`.
    pub fn new(actor: Actor, n: u64) -> Self {
        Self { actor, n }
    }

    /// Appends the dot.
    pub fn encode(self, out: &mut BytesMut) {
        out.put_u64(self.actor.0);
        put_varint(out, self.n);
    }

    /// Reads a dot.
    pub fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let actor = Actor(reader.u64()?);
        let n = reader.varint()?;
        if n == 0 || n > DOT_N_MAX { Err(reader.malformed()) } else { Ok(Self { actor, n }) }
    }
}

impl fmt::Display for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.actor, self.n)
    }
}
