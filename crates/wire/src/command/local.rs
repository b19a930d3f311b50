//! What a command can ask of the server itself: the connection, the settings, the cluster as this node sees it.
//!
//! Not the answers: the server has them. The variants are one a command, with the arguments read and checked, so that a
//! server that matches on [`Local`] has forgotten nothing.
//!
//! 1. Text that ends up in `CLIENT LIST` holds no space and no control byte.

use bytes::Bytes;
#[cfg(doc)]
use causal::limits::DATABASES_MAX;
use placement::{Copies, Member, Zone};

#[cfg(doc)]
use crate::fault::Fault;
use crate::level::Level;
use crate::resp::Protocol;

/// A request about the server itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Local {
    /// `HELLO`: change what is given, then answer with the map of what the server is.
    Hello {
        /// The protocol to speak from this answer on; none: go on as before.
        protocol: Option<Protocol>,
        /// The connection's new name.
        name: Option<Bytes>,
    },
    /// `SELECT`: a database, fewer than [`DATABASES_MAX`].
    Select(u8),
    /// `RESET`: the connection as it was when it opened, but for its id. Answer `RESET`.
    Reset,
    /// `QUIT`: answer `OK` and close.
    Quit,
    /// `CLIENT ID`.
    ClientId,
    /// `CLIENT GETNAME`.
    ClientName,
    /// `CLIENT SETNAME`; empty: no name.
    ClientRename(Bytes),
    /// `CLIENT SETINFO`.
    ClientLibrary(Library, Bytes),
    /// `CLIENT INFO`.
    ClientInfo,
    /// `CLIENT LIST`.
    ClientList(Clients),
    /// `INFO`: the sections in lower case; none means the default ones.
    Info(Vec<Box<str>>),
    /// `CONFIG GET`: glob patterns.
    ConfigGet(Vec<Bytes>),
    /// `CONFIG SET`: names in lower case, no name twice. All or none are to be taken.
    ConfigSet(Vec<(Box<str>, Bytes)>),
    /// `TIME`.
    Time,
    /// `CLUSTER INFO`.
    ClusterInfo,
    /// `CLUSTER NODES`.
    ClusterNodes,
    /// `CLUSTER SLOTS`.
    ClusterSlots,
    /// `CLUSTER SHARDS`.
    ClusterShards,
    /// `CLUSTER MYID`.
    ClusterMyId,
    /// `WAIT`.
    Wait {
        /// Replicas that are to have all writes of this connection; zero and less: none.
        replicas: i64,
        /// How long to wait, in milliseconds; 0: without end.
        timeout_ms: u64,
    },
    /// `ARMILLA.LEVEL`: the level of this connection from now on, to be refused with [`Fault::Level`] if it asks for more
    /// owners than there are; none: say which it is.
    Level(Option<Level>),
    /// `ARMILLA.STATUS`: a map of this node, its members and how it sees them.
    Status,
    /// `ARMILLA.CHAOS`: what this node is to do wrong, to be refused where it was not started for that.
    Chaos(Chaos),
    /// `ARMILLA.JOIN`: a node wants to be a member; the answer is the encoded layout.
    Join(Box<Member>),
    /// `ARMILLA.RING`: how the cluster is to change; the answer tells what that moves.
    Ring {
        /// What is to change.
        change: Ring,
        /// Whether it is only to be told what it would move.
        is_plan: bool,
        /// The epoch that it is to be made of, where only that will do.
        of: Option<u64>,
    },
}

/// A change of the cluster, with members called by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ring {
    /// A member joins: it does so by itself, so this is for plans alone.
    Join {
        /// What it will be called.
        name: Box<str>,
        /// How much it holds, relative to others.
        weight: u32,
        /// What it fails together with.
        zone: Zone,
    },
    /// A member gives everything away and is forgotten then.
    Leave(Box<str>),
    /// A member is gone for good.
    Lose {
        /// Which.
        name: Box<str>,
        /// Whether to go on where too few are left to know what was acknowledged.
        accepts_loss: bool,
    },
    /// A member takes the places of another.
    Succeed {
        /// Who goes.
        old: Box<str>,
        /// Who comes in its place.
        new: Box<str>,
    },
    /// A member that is leaving or lost stays.
    Stay(Box<str>),
    /// A member holds so much, relative to others.
    Weigh(Box<str>, u32),
    /// A member fails together with others.
    Locate(Box<str>, Zone),
    /// How many owners each partition is to have, and where.
    Replicate(Copies),
    /// The node that is asked votes alone from now on: most of the voters are gone for good.
    Recover,
}

/// What a client library says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// `LIB-NAME`
    Name,
    /// `LIB-VER`
    Version,
}

/// Which connections to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clients {
    /// All of them.
    All,
    /// Those of programs and people. Armilla has no other kind on its client port.
    Normal,
    /// Those of a kind that Armilla does not have: replicas, subscribers.
    Nobody,
    /// Those with one of these ids.
    Ids(Vec<u64>),
}

/// What is asked about what a node does wrong on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chaos {
    /// What is it?
    Show,
    /// No more of it.
    Off,
    /// Do this as well; it takes the place of what was told of the same kind and peer.
    Begin(Disorder),
}

/// Something that is done wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disorder {
    /// What it is.
    pub wrong: Wrong,
    /// The name of the member with which it is done; none: with all of them.
    pub peer: Option<Box<str>>,
    /// How often, of a hundred times.
    pub percent: u8,
    /// For how long, in milliseconds.
    pub for_ms: u64,
}

/// What can be done wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// The health check is answered with `ERROR`: `PING`, and what members ask each other.
    Health,
    /// Messages from and to the peer are lost.
    Drop,
    /// Messages to the peer leave late.
    Delay {
        /// By how much, in milliseconds.
        by_ms: u64,
    },
    /// Connections from and to the peer are broken and not made.
    Refuse,
}
