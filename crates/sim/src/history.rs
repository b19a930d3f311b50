//! What clients did and what they were told: all that the checkers of `check` may know.

use bytes::Bytes;

/// What a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Write a value that is written nowhere else.
    Put(Bytes),
    /// Write it if the key is absent.
    PutAbsent(Bytes),
    /// Write it and read what was there.
    Swap(Bytes),
    /// Remove the key and read what was there.
    Take,
    /// Remove the key.
    Delete,
    /// Remove every key of the key's partition.
    Flush,
    /// Read the key.
    Get,
    /// Add to a counter, and read it.
    Add(i64),
    /// Read all values of the key, with a token that names them.
    Siblings,
    /// Write a value in the place of those that a token names.
    Resolve(Bytes, Token),
}

/// What is known of a token: where it is from, and what came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The key whose values it names.
    pub of: String,
    /// The values that came with it.
    pub values: Vec<Bytes>,
    /// When it was asked for, in microseconds.
    pub asked_at: u64,
    /// Owners that were asked for them.
    pub read: usize,
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
    /// A read of siblings gave these.
    Values(Vec<Bytes>),
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
    /// When the answer came, if it says that something was written.
    pub fn done_at(&self) -> Option<u64> {
        match (&self.ask, &self.told) {
            (_, Some((at, Told::Done)))
            | (Ask::Swap(_) | Ask::Add(_), Some((at, Told::Read(_))))
            | (Ask::Take, Some((at, Told::Read(Some(_))))) => Some(*at),
            _ => None,
        }
    }

    /// Whether it was told what it asked for.
    pub fn is_answered(&self) -> bool {
        matches!(self.told, Some((_, Told::Done | Told::NotDone | Told::Read(_) | Told::Values(_))))
    }

    /// Whether something may have been written.
    pub fn may_be_applied(&self) -> bool {
        let writes = !matches!(self.ask, Ask::Get | Ask::Siblings);
        match self.told {
            Some((_, Told::Refused | Told::NotDone)) => false,
            Some((_, Told::Read(None))) => writes && self.ask != Ask::Take,
            _ => writes,
        }
    }

    /// Whether it was over before a time, something having been written.
    pub fn is_done_before(&self, time: u64) -> bool {
        self.done_at().is_some_and(|at| at < time)
    }

    /// Where it removes what is there: of how many owners it has seen, once it is done, all that they held before it began.
    pub fn sees(&self) -> Option<usize> {
        match self.ask {
            Ask::Put(_) => Some(self.write),
            Ask::PutAbsent(_) | Ask::Swap(_) => Some(self.read.max(self.write)),
            Ask::Take | Ask::Delete | Ask::Flush => Some(self.read),
            Ask::Get | Ask::Add(_) | Ask::Siblings | Ask::Resolve(..) => None,
        }
    }
}
