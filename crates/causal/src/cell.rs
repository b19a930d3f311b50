//! Cells: the smallest things that are written, each with its own entries.
//!
//! A string is one cell; a set has one a member, a hash one a field, a list one a position.

use crate::codec::{Malformed, Reader, put_bytes};
use bytes::{BufMut, Bytes, BytesMut};

/// The longest key, in bytes. The storage engine's rows have keys of at most 64 KiB, and half is left for subkeys.
pub const KEY_BYTES_MAX: usize = 32 * 1024;
/// The longest value of one cell, in bytes.
pub const VALUE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How many numbered databases there are.
pub const DATABASES_MAX: u8 = 16;

/// A key in its database. The same name in two databases is two keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The database, as `SELECT` numbers it.
    pub database: u8,
    /// The key's bytes.
    pub name: Bytes,
}

impl Key {
    /// The key `name` of `database`.
    pub fn new(database: u8, name: impl Into<Bytes>) -> Self {
        Self { database, name: name.into() }
    }

    /// Appends the key.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u8(self.database);
        put_bytes(out, &self.name);
    }

    /// Reads a key.
    pub fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let database = reader.u8()?;
        let name = reader.bytes()?;
        if database >= DATABASES_MAX || name.len() > KEY_BYTES_MAX {
            return Err(reader.malformed());
        }
        Ok(Self { database, name })
    }
}

/// What a cell is a part of. The numbers are stored and sent: they never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The string itself; it has no subkey.
    String = 1,
}

impl Kind {
    /// The kind of that number.
    pub fn of(number: u8) -> Option<Self> {
        (number == Self::String as u8).then_some(Self::String)
    }
}

/// The name of a cell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// The key it belongs to.
    pub key: Key,
    /// What it is a part of.
    pub kind: Kind,
    /// The member, field or position; empty for a string.
    pub subkey: Bytes,
}

impl Cell {
    /// The bytes that an encoded cell takes at least.
    pub const BYTES_MIN: usize = 4;

    /// The cell of a string.
    pub fn string(key: Key) -> Self {
        Self { key, kind: Kind::String, subkey: Bytes::new() }
    }

    /// Appends the cell.
    pub fn encode(&self, out: &mut BytesMut) {
        self.key.encode(out);
        out.put_u8(self.kind as u8);
        put_bytes(out, &self.subkey);
    }

    /// Reads a cell.
    pub fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let key = Key::decode(reader)?;
        let kind = Kind::of(reader.u8()?).ok_or(reader.malformed())?;
        let subkey = reader.bytes()?;
        match kind {
            Kind::String if !subkey.is_empty() => Err(reader.malformed()),
            Kind::String => Ok(Self { key, kind, subkey }),
        }
    }
}
