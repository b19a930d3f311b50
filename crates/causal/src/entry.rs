//! Entries: what a cell holds, one for each operation that wrote it and was not yet seen by a later one.
//!
//! Invariants of [`Entries`], kept by [`Entries::check`]:
//! 1. Ascending by dot, no dot twice.
//! 2. An entry never changes: two entries of one dot in one cell are equal, everywhere.

use crate::Cell;
use crate::cell::VALUE_BYTES_MAX;
use crate::codec::{Malformed, Reader, put_bytes, put_varint};
use crate::dot::Dot;
use crate::stamp::Stamp;
use crate::value::Amount;
use bytes::{BufMut, Bytes, BytesMut};
use rust_decimal::Decimal;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The version of stored and sent entries.
const ENTRIES_VERSION: u8 = 1;
const TAG_PLAIN: u8 = 0;
const TAG_INTEGER: u8 = 1;
const TAG_DECIMAL: u8 = 2;

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A whole value: of several, the one with the greatest stamp is seen.
    Plain(Bytes),
    /// All that one actor has added so far: of several, every one counts.
    Increment(Amount),
}

impl Payload {
    pub(crate) fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Plain(bytes) => {
                out.put_u8(TAG_PLAIN);
                put_bytes(out, bytes);
            }
            Self::Increment(Amount::Integer(by)) => {
                out.put_u8(TAG_INTEGER);
                out.put_i64(*by);
            }
            Self::Increment(Amount::Decimal(by)) => {
                out.put_u8(TAG_DECIMAL);
                out.put_slice(&by.serialize());
            }
        }
    }

    pub(crate) fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        match reader.u8()? {
            TAG_PLAIN => {
                let bytes = reader.bytes()?;
                if bytes.len() > VALUE_BYTES_MAX { Err(reader.malformed()) } else { Ok(Self::Plain(bytes)) }
            }
            TAG_INTEGER => Ok(Self::Increment(Amount::Integer(reader.u64()?.cast_signed()))),
            TAG_DECIMAL => {
                let mut bytes = [0; 16];
                for byte in &mut bytes {
                    *byte = reader.u8()?;
                }
                Ok(Self::Increment(Amount::Decimal(Decimal::deserialize(bytes))))
            }
            _ => Err(reader.malformed()),
        }
    }
}

/// What one operation left in one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The operation.
    pub dot: Dot,
    /// When its maker says it was.
    pub stamp: Stamp,
    /// What it says.
    pub payload: Payload,
}

impl Entry {
    const BYTES_MIN: usize = Dot::BYTES_MIN + 10 + 2;
    /// Dot, stamp, tag and length, with numbers as long as they mostly are.
    const HEAD_BYTES_ABOUT: usize = 36;

    /// A hash of the entry and its cell. The sum over a replica's entries is its digest.
    ///
    /// XXH3 of a fixed head, which is the seed of the hash of the next part, and so on: no part can be taken for
    /// another, and nothing is copied or allocated.
    pub fn fingerprint(&self, cell: &Cell) -> u64 {
        let chain = |so_far: u64, part: &[u8]| xxh3_64_with_seed(part, so_far);
        let head = chain(u64::from(cell.key.database) << 8 | cell.kind as u64, &self.head());
        let cell = chain(chain(head, &cell.key.name), &cell.subkey);
        match &self.payload {
            Payload::Plain(bytes) => chain(cell ^ u64::from(TAG_PLAIN), bytes),
            Payload::Increment(Amount::Integer(by)) => {
                chain(cell ^ u64::from(TAG_INTEGER), &by.to_be_bytes())
            }
            Payload::Increment(Amount::Decimal(by)) => chain(cell ^ u64::from(TAG_DECIMAL), &by.serialize()),
        }
    }

    /// Dot and stamp at fixed width.
    fn head(&self) -> [u8; 36] {
        let mut head = [0; 36];
        head[..8].copy_from_slice(&self.dot.actor.0.to_be_bytes());
        head[8..16].copy_from_slice(&self.dot.n.to_be_bytes());
        head[16..24].copy_from_slice(&self.stamp.physical_ms.to_be_bytes());
        head[24..28].copy_from_slice(&self.stamp.logical.to_be_bytes());
        head[28..].copy_from_slice(&self.stamp.actor.0.to_be_bytes());
        head
    }

    fn encode(&self, out: &mut BytesMut) {
        self.dot.encode(out);
        self.stamp.encode(out);
        self.payload.encode(out);
    }

    fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        Ok(Self {
            dot: Dot::decode(reader)?,
            stamp: Stamp::decode(reader)?,
            payload: Payload::decode(reader)?,
        })
    }
}

/// All entries of one cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries(Vec<Entry>);

impl Entries {
    /// The entries, ascending by dot.
    pub fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.0.iter()
    }

    /// Their dots, ascending.
    pub fn dots(&self) -> impl Iterator<Item = Dot> {
        self.0.iter().map(|entry| entry.dot)
    }

    /// The entry of that dot.
    pub fn get(&self, dot: Dot) -> Option<&Entry> {
        self.0.binary_search_by_key(&dot, |entry| entry.dot).ok().map(|at| &self.0[at])
    }

    /// How many there are; more than one are siblings.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the cell holds nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an entry; false where its dot is there already.
    pub fn insert(&mut self, entry: Entry) -> bool {
        match self.0.binary_search_by_key(&entry.dot, |entry| entry.dot) {
            Ok(_) => false,
            Err(at) => {
                self.0.insert(at, entry);
                true
            }
        }
    }

    /// Takes the entry of that dot out.
    pub fn remove(&mut self, dot: Dot) -> Option<Entry> {
        let at = self.0.binary_search_by_key(&dot, |entry| entry.dot).ok()?;
        Some(self.0.remove(at))
    }

    /// Keeps the entries that `keep` says.
    pub fn retain(&mut self, keep: impl FnMut(&Entry) -> bool) {
        self.0.retain(keep);
    }

    /// About how long the encoding is, bytes: for a buffer that then seldom has to grow.
    pub fn bytes_about(&self) -> usize {
        let payload = |entry: &Entry| match &entry.payload {
            Payload::Plain(bytes) => bytes.len(),
            Payload::Increment(_) => 16,
        };
        4 + self.0.iter().map(|entry| Entry::HEAD_BYTES_ABOUT + payload(entry)).sum::<usize>()
    }

    /// Appends all entries, behind a version.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u8(ENTRIES_VERSION);
        put_varint(out, self.0.len() as u64);
        self.0.iter().for_each(|entry| entry.encode(out));
    }

    /// Reads entries; payloads share the memory they were read from.
    pub fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        reader.version(ENTRIES_VERSION)?;
        let count = reader.count(Entry::BYTES_MIN)?;
        let entries = (0..count).map(|_| Entry::decode(reader)).collect::<Result<Vec<_>, _>>()?;
        if entries.windows(2).any(|pair| pair[0].dot >= pair[1].dot) {
            return Err(reader.malformed());
        }
        Ok(Self(entries))
    }

    /// The invariants at the head of this file.
    pub fn check(&self) {
        assert!(
            self.0.windows(2).all(|pair| pair[0].dot < pair[1].dot),
            "entries out of order: {:?}",
            self.0
        );
    }
}

impl FromIterator<Entry> for Entries {
    fn from_iter<T: IntoIterator<Item = Entry>>(entries: T) -> Self {
        let mut all = Self::default();
        entries.into_iter().for_each(|entry| {
            all.insert(entry);
        });
        all
    }
}
