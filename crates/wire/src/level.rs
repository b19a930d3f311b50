//! Levels: how many owners a read or a write waits for.
//!
//! With N owners, R and W such that R + W > N make a read see every write that was acknowledged before it. A
//! smaller sum answers sooner and may answer something older.
//!
//! Two levels look at datacenters. What is written at `local_quorum` is seen by who reads at that level in the same datacenter, and
//! elsewhere a little later; what is written at `each_quorum` is seen by who reads at `local_quorum` anywhere.

use bytes::{BufMut, BytesMut};
use causal::codec::{Malformed, Reader};
use std::fmt;

/// How many owners a request waits for. The text of a level is what `ARMILLA.LEVEL` takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// One owner.
    One,
    /// More than half of the owners, for reads and for writes.
    #[default]
    Quorum,
    /// More than half of the owners in the datacenter of the node that was asked; the others get it as soon as they can.
    LocalQuorum,
    /// More than half of the owners in each datacenter that has any.
    EachQuorum,
    /// Every owner.
    All,
    /// A quorum of owners; where so many cannot be reached, a quorum of the nodes that can: stand-ins count too, and
    /// one node alone is enough. Always taken, and merged once all can be reached again.
    Sloppy,
    /// So many owners for reads, so many for writes.
    Exact {
        /// Owners that answer a read.
        read: u8,
        /// Owners that hold a write durably.
        write: u8,
    },
}

impl Level {
    /// The level that these words name: `one`, `quorum`, `local_quorum`, `each_quorum`, `all`, `sloppy`, or two numbers from 1
    /// to `replicas`, R and W.
    pub fn parse(words: &[&[u8]], replicas: u8) -> Option<Self> {
        let number = |word: &[u8]| {
            let number: u8 = std::str::from_utf8(word).ok()?.parse().ok()?;
            (1..=replicas).contains(&number).then_some(number)
        };
        match words {
            [word] if word.eq_ignore_ascii_case(b"one") => Some(Self::One),
            [word] if word.eq_ignore_ascii_case(b"quorum") => Some(Self::Quorum),
            [word] if word.eq_ignore_ascii_case(b"local_quorum") => Some(Self::LocalQuorum),
            [word] if word.eq_ignore_ascii_case(b"each_quorum") => Some(Self::EachQuorum),
            [word] if word.eq_ignore_ascii_case(b"all") => Some(Self::All),
            [word] if word.eq_ignore_ascii_case(b"sloppy") => Some(Self::Sloppy),
            [read, write] => Some(Self::Exact { read: number(read)?, write: number(write)? }),
            _ => None,
        }
    }

    /// How many of `owners` a read waits for: of those of one datacenter, where the level looks at datacenters.
    pub fn read(self, owners: usize) -> usize {
        match self {
            Self::Exact { read, .. } => usize::from(read),
            level => level.of(owners),
        }
    }

    /// How many of `owners` a write waits for, likewise.
    pub fn write(self, owners: usize) -> usize {
        match self {
            Self::Exact { write, .. } => usize::from(write),
            level => level.of(owners),
        }
    }

    fn of(self, owners: usize) -> usize {
        match self {
            Self::One | Self::Exact { .. } => 1,
            Self::Quorum | Self::LocalQuorum | Self::EachQuorum | Self::Sloppy => owners / 2 + 1,
            Self::All => owners,
        }
    }

    pub(crate) fn encode(self, out: &mut BytesMut) {
        let (tag, read, write) = match self {
            Self::One => (0, 0, 0),
            Self::Quorum => (1, 0, 0),
            Self::All => (2, 0, 0),
            Self::Exact { read, write } => (3, read, write),
            Self::Sloppy => (4, 0, 0),
            Self::LocalQuorum => (5, 0, 0),
            Self::EachQuorum => (6, 0, 0),
        };
        out.put_slice(&[tag, read, write]);
    }

    pub(crate) fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let (tag, read, write) = (reader.u8()?, reader.u8()?, reader.u8()?);
        match tag {
            0 => Ok(Self::One),
            1 => Ok(Self::Quorum),
            2 => Ok(Self::All),
            3 if read > 0 && write > 0 => Ok(Self::Exact { read, write }),
            4 => Ok(Self::Sloppy),
            5 => Ok(Self::LocalQuorum),
            6 => Ok(Self::EachQuorum),
            _ => Err(reader.malformed()),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One => f.write_str("one"),
            Self::Quorum => f.write_str("quorum"),
            Self::LocalQuorum => f.write_str("local_quorum"),
            Self::EachQuorum => f.write_str("each_quorum"),
            Self::All => f.write_str("all"),
            Self::Sloppy => f.write_str("sloppy"),
            Self::Exact { read, write } => write!(f, "{read} {write}"),
        }
    }
}
