//! What clients did and what they were told: all that the checkers of `check` may know.

use bytes::Bytes;

/// What a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Write a value that is written nowhere else.
    Put(Bytes),
    /// Write it if the key is absent.
    PutAbsent(Bytes),
    /// Remove the key.
    Delete,
    /// Read the key.
    Get,
    /// Add to a counter.
    Add(i64),
    /// Read a counter.
    Sum,
}

/// What it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A write is done.
    Done,
    /// A conditional write found that its condition does not hold, so it was a read.
    NotDone,
    /// A read gave this; none for an absent key.
    Read(Option<Bytes>),
    /// Nothing was applied.
    Refused,
    /// It may or may not have been applied.
    Unknown,
}

/// One operation of one client.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The key.
    pub key: String,
    /// What was asked.
    pub ask: Ask,
    /// Owners that a read waited for.
    pub read: usize,
    /// Owners that a write waited for.
    pub write: usize,
    /// When it was asked, in microseconds.
    pub asked_at: u64,
    /// When the answer came and what it said; none while it is open, and for good if the connection broke.
    pub told: Option<(u64, Told)>,
}

impl Operation {
    /// When the answer came, if it was a success.
    pub fn done_at(&self) -> Option<u64> {
        match self.told {
            Some((at, Told::Done)) => Some(at),
            _ => None,
        }
    }

    /// Whether it may have been applied.
    pub fn may_be_applied(&self) -> bool {
        !matches!(self.told, Some((_, Told::Refused | Told::NotDone)))
    }
}
