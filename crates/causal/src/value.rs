//! What a key holds as a client sees it, and what a command may ask to be done to it.
//!
//! Commands are written against these two types alone: they never see entries, dots or stamps.

use bytes::Bytes;
use rust_decimal::Decimal;

/// What a key holds, after its cells have been read and merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string. A counter is a string too: its base and all increments, added up and written as digits.
    String(Bytes),
}

/// What a command wants done to its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: the key stays as it is.
    Keep,
    /// The key becomes this string, whatever it was.
    Put(Bytes),
    /// The key goes.
    Delete,
    /// The amount is added. Concurrent additions on several nodes all count.
    Add(Amount),
}

/// The amount of one increment, or the sum of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// By `INCR` and its kin.
    Integer(i64),
    /// By `INCRBYFLOAT`: decimal, so that a tenth added ten times is one.
    Decimal(Decimal),
}

impl Amount {
    /// Both together. A sum of integers that leaves 64 bits goes on as a decimal: more of the other sign may bring it
    /// back.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let exact = match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.checked_add(b).map(Self::Integer),
            _ => None,
        };
        exact.unwrap_or_else(|| Self::Decimal(self.decimal().saturating_add(other.decimal())))
    }

    fn decimal(self) -> Decimal {
        match self {
            Self::Integer(by) => Decimal::from(by),
            Self::Decimal(by) => by,
        }
    }
}
