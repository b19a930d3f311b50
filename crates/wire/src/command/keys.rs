//! Which arguments of a command are keys, and what it does to them.
//!
//! Not where a key lives: that is the placement's business.
//!
//! 1. The keys of every command are at a fixed first place and a fixed step; none has to be asked for its keys.

/// Which arguments are keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    /// Index of the first, 0 for none.
    pub first: usize,
    /// Index of the last, negative from the end (-1: the last argument), 0 for none.
    pub last: i32,
    /// From one key to the next.
    pub step: usize,
    /// What is done to them.
    pub access: &'static [Access],
}

/// What a command does to its keys, in the words of Redis's key specifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Only reads.
    ReadOnly,
    /// Reads and writes.
    ReadWrite,
    /// Writes without looking.
    Overwrite,
    /// Removes.
    Remove,
    /// Returns what the key holds.
    Access,
    /// Changes what the key holds.
    Update,
    /// Adds, without changing what was there.
    Insert,
    /// Deletes.
    Delete,
    /// The truth depends on the arguments.
    VariableFlags,
}

impl Keys {
    /// No keys.
    pub const NONE: Self = Self { first: 0, last: 0, step: 0, access: &[] };

    /// The first argument is the key.
    pub const fn one(access: &'static [Access]) -> Self {
        Self { first: 1, last: 1, step: 1, access }
    }

    /// All arguments are keys, or keys each followed by what belongs to it.
    pub const fn all(step: usize, access: &'static [Access]) -> Self {
        Self { first: 1, last: -1, step, access }
    }

    /// The indexes of the keys among so many arguments.
    pub fn indexes(&self, count: usize) -> impl Iterator<Item = usize> + use<> {
        let end = match usize::try_from(self.last) {
            Ok(last) => (last + 1).min(count),
            Err(_) => (count + 1).saturating_sub(self.last.unsigned_abs() as usize),
        };
        let first = if self.first == 0 { end } else { self.first };
        (first..end).step_by(self.step.max(1))
    }
}

impl Access {
    /// Redis's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "RO",
            Self::ReadWrite => "RW",
            Self::Overwrite => "OW",
            Self::Remove => "RM",
            Self::Access => "access",
            Self::Update => "update",
            Self::Insert => "insert",
            Self::Delete => "delete",
            Self::VariableFlags => "variable_flags",
        }
    }
}
