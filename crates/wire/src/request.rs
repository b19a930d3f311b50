//! What a client wants done with one key or one partition: what nodes carry out, and pass on to each other.
//!
//! Not its bytes (`peer`), and not what comes of it.

use crate::Level;
use bytes::Bytes;
use causal::{Key, Scope};
use placement::Position;

/// A client's request for one key or one partition.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// How many owners it waits for.
    pub level: Level,
    /// What is to be done.
    pub job: Job,
}

/// What a request wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Job {
    /// A command of the table on one key.
    Command {
        /// The key.
        key: Key,
        /// The command's words, its name first.
        words: Vec<Bytes>,
    },
    /// All values of a key with a context token.
    Siblings {
        /// The key.
        key: Key,
    },
    /// Put a value in the place of those that a context token names.
    Resolve {
        /// The key.
        key: Key,
        /// The token that came with the siblings.
        token: Bytes,
        /// The value.
        value: Bytes,
    },
    /// Where a key lives and who holds what of it.
    Explain {
        /// The key.
        key: Key,
    },
    /// How many keys of a database a partition holds.
    Count {
        /// The database.
        database: u8,
    },
    /// Some keys of a database in a partition, in the order of positions.
    List {
        /// The database.
        database: u8,
        /// Where to begin.
        from: Position,
        /// How many keys to give, about.
        limit: u32,
    },
    /// Remove every key of a partition.
    Flush {
        /// Of which databases.
        scope: Scope,
    },
}

impl Job {
    /// The key that it is about, if it is about one.
    pub fn key(&self) -> Option<&Key> {
        match self {
            Self::Command { key, .. }
            | Self::Siblings { key }
            | Self::Resolve { key, .. }
            | Self::Explain { key } => Some(key),
            Self::Count { .. } | Self::List { .. } | Self::Flush { .. } => None,
        }
    }
}
