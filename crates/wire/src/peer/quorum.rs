//! Of whom a quorum is, and who counts for it.

use bytes::{BufMut, BytesMut};
use causal::codec::{Malformed, Reader};

/// Of whom a quorum is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quorum {
    /// Of the owners in one datacenter.
    Local,
    /// Of all owners.
    #[default]
    Global,
}

/// For which quorums a replica counts: it knows what was acknowledged by those.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counts {
    /// For none: it has lost something, or has come anew, and is learning what.
    #[default]
    Nowhere,
    /// For those of its datacenter: it has learned enough there, and not yet elsewhere.
    Locally,
    /// For all.
    Everywhere,
}

impl Counts {
    /// Whether it counts for such a quorum.
    #[must_use]
    pub fn is_for(self, quorum: Quorum) -> bool {
        match quorum {
            Quorum::Local => self >= Self::Locally,
            Quorum::Global => self == Self::Everywhere,
        }
    }
}

/// Which quorums of owners agreed on what a reader was shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quorums {
    /// One of all owners.
    pub all: bool,
    /// One of those in the datacenter of who has shown it.
    pub local: bool,
}

impl Quorum {
    pub(super) fn encode(self, out: &mut BytesMut) {
        out.put_u8(u8::from(self == Self::Local));
    }

    pub(super) fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        match reader.u8()? {
            0 => Ok(Self::Global),
            1 => Ok(Self::Local),
            _ => Err(reader.malformed()),
        }
    }
}

impl Counts {
    pub(super) fn encode(self, out: &mut BytesMut) {
        out.put_u8(match self {
            Self::Everywhere => 0,
            Self::Nowhere => 1,
            Self::Locally => 2,
        });
    }

    pub(super) fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        match reader.u8()? {
            0 => Ok(Self::Everywhere),
            1 => Ok(Self::Nowhere),
            2 => Ok(Self::Locally),
            _ => Err(reader.malformed()),
        }
    }
}
