//! Deltas: one operation each, as it is made, sent, kept for those that missed it, and applied.
//!
//! Invariants, kept by [`Delta::check`] and by decoding:
//! 1. An operation has exactly one dot, deletes included, so that a context that has the dot has all of it.
//! 2. It edits a cell at most once.
//! 3. It edits cells or sweeps, never both.

use crate::cell::DATABASES_MAX;
use crate::codec::{Malformed, Reader, put_varint};
use crate::context::Context;
use crate::entry::{Entry, Payload};
use crate::{Cell, Dot, Stamp};
use bytes::{BufMut, BytesMut};

/// The version of sent and stored deltas.
const DELTA_VERSION: u8 = 1;

/// The keys that a sweep is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Those of every database.
    All,
    /// Those of one database.
    Database(u8),
}

impl Scope {
    /// Whether the scope has keys of `database`.
    pub fn covers(self, database: u8) -> bool {
        self == Self::All || self == Self::Database(database)
    }

    /// Appends the scope.
    pub fn encode(self, out: &mut BytesMut) {
        out.put_u8(match self {
            Self::All => u8::MAX,
            Self::Database(database) => database,
        });
    }

    /// Reads a scope.
    pub fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        match reader.u8()? {
            u8::MAX => Ok(Self::All),
            database if database < DATABASES_MAX => Ok(Self::Database(database)),
            _ => Err(reader.malformed()),
        }
    }
}

/// The removal of every entry whose dot is in a context: `FLUSHALL` is one for each partition, and small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Which keys it is about.
    pub scope: Scope,
    /// The operations whose entries go.
    pub seen: Context,
}

/// What an operation does to one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The cell.
    pub cell: Cell,
    /// The entry that it adds, if any.
    pub add: Option<Payload>,
    /// The entries that it removes.
    pub removes: Vec<Dot>,
}

impl Edit {
    const BYTES_MIN: usize = Cell::BYTES_MIN + 2;

    fn encode(&self, out: &mut BytesMut) {
        self.cell.encode(out);
        out.put_u8(u8::from(self.add.is_some()));
        self.add.iter().for_each(|payload| payload.encode(out));
        put_varint(out, self.removes.len() as u64);
        self.removes.iter().for_each(|dot| dot.encode(out));
    }

    fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let cell = Cell::decode(reader)?;
        let add = match reader.u8()? {
            0 => None,
            1 => Some(Payload::decode(reader)?),
            _ => return Err(reader.malformed()),
        };
        let count = reader.count(Dot::BYTES_MIN)?;
        let removes = (0..count).map(|_| Dot::decode(reader)).collect::<Result<_, _>>()?;
        Ok(Self { cell, add, removes })
    }
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// Its name.
    pub dot: Dot,
    /// When its maker says it was made.
    pub stamp: Stamp,
    /// What it does, each cell once.
    pub edits: Vec<Edit>,
    /// The entries that it removes wholesale.
    pub sweep: Option<Sweep>,
}

impl Edit {
    /// About how many bytes its names and values take.
    pub fn bytes_about(&self) -> usize {
        let payload = |payload: &Payload| match payload {
            Payload::Plain(bytes) => bytes.len(),
            Payload::Increment(_) => 16,
        };
        self.cell.key.name.len() + self.cell.subkey.len() + self.add.as_ref().map_or(0, payload)
    }
}

impl Delta {
    /// About how many bytes its names and values take.
    pub fn bytes_about(&self) -> usize {
        self.edits.iter().map(Edit::bytes_about).sum()
    }

    /// The entry that a payload of this operation makes.
    pub fn entry(&self, payload: Payload) -> Entry {
        Entry { dot: self.dot, stamp: self.stamp, payload }
    }

    /// The invariants at the head of this file.
    pub fn check(&self) {
        assert!(!self.edits_a_cell_twice(), "{} edits a cell twice", self.dot);
        assert!(self.edits.is_empty() || self.sweep.is_none(), "{} edits and sweeps", self.dot);
    }

    fn edits_a_cell_twice(&self) -> bool {
        let mut cells: Vec<&Cell> = self.edits.iter().map(|edit| &edit.cell).collect();
        cells.sort_unstable();
        cells.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// Appends the delta, behind a version.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u8(DELTA_VERSION);
        self.dot.encode(out);
        self.stamp.encode(out);
        put_varint(out, self.edits.len() as u64);
        self.edits.iter().for_each(|edit| edit.encode(out));
        out.put_u8(u8::from(self.sweep.is_some()));
        if let Some(sweep) = &self.sweep {
            sweep.scope.encode(out);
            sweep.seen.encode(out);
        }
    }

    /// Reads a delta; payloads share the memory they were read from.
    pub fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        reader.version(DELTA_VERSION)?;
        let dot = Dot::decode(reader)?;
        let stamp = Stamp::decode(reader)?;
        let count = reader.count(Edit::BYTES_MIN)?;
        let edits = (0..count).map(|_| Edit::decode(reader)).collect::<Result<_, _>>()?;
        let sweep = match reader.u8()? {
            0 => None,
            1 => Some(Sweep { scope: Scope::decode(reader)?, seen: Context::decode(reader)? }),
            _ => return Err(reader.malformed()),
        };
        let delta = Self { dot, stamp, edits, sweep };
        if delta.edits_a_cell_twice() || (!delta.edits.is_empty() && delta.sweep.is_some()) {
            return Err(reader.malformed());
        }
        Ok(delta)
    }
}
