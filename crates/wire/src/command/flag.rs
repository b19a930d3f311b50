//! How commands are sorted: by what a client may conclude, what an access rule names, and the chapter of the manual.
//!
//! Not what a command does: that is its class (`row`).
//!
//! 1. The words are Redis's, but for the chapter of commands that Redis does not have.

/// What a client or the server may conclude about a command, in Redis's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// May change data.
    Write,
    /// Reads data and changes none.
    Readonly,
    /// May need more memory.
    Denyoom,
    /// For whoever runs the cluster.
    Admin,
    /// Not from scripts.
    Noscript,
    /// Answered while data is being loaded.
    Loading,
    /// Answered by a node that lags.
    Stale,
    /// Takes constant time, or logarithmic.
    Fast,
    /// Answered before authentication.
    NoAuth,
    /// Answered while a script runs.
    AllowBusy,
}

/// What an access rule can name instead of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// Keys of any type.
    Keyspace,
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// Strings.
    String,
    /// For whoever runs the cluster.
    Admin,
    /// Cheap.
    Fast,
    /// Not cheap.
    Slow,
    /// What a program should not do by the way.
    Dangerous,
    /// The connection itself.
    Connection,
}

/// Chapters of the manual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The connection itself.
    Connection,
    /// Strings and counters.
    String,
    /// Keys of any type.
    Generic,
    /// The server.
    Server,
    /// The cluster, in Redis Cluster's words.
    Cluster,
    /// What Redis has no word for.
    Armilla,
}

impl Flag {
    /// Redis's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Readonly => "readonly",
            Self::Denyoom => "denyoom",
            Self::Admin => "admin",
            Self::Noscript => "noscript",
            Self::Loading => "loading",
            Self::Stale => "stale",
            Self::Fast => "fast",
            Self::NoAuth => "no_auth",
            Self::AllowBusy => "allow_busy",
        }
    }
}

impl Category {
    /// All, in Redis's order.
    pub const ALL: [Self; 9] = [
        Self::Keyspace,
        Self::Read,
        Self::Write,
        Self::String,
        Self::Admin,
        Self::Fast,
        Self::Slow,
        Self::Dangerous,
        Self::Connection,
    ];

    /// Redis's word for it, without the `@`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keyspace => "keyspace",
            Self::Read => "read",
            Self::Write => "write",
            Self::String => "string",
            Self::Admin => "admin",
            Self::Fast => "fast",
            Self::Slow => "slow",
            Self::Dangerous => "dangerous",
            Self::Connection => "connection",
        }
    }
}

impl Group {
    /// Redis's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::String => "string",
            Self::Generic => "generic",
            Self::Server => "server",
            Self::Cluster => "cluster",
            Self::Armilla => "armilla",
        }
    }
}
