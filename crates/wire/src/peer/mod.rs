//! What nodes say to each other.
//!
//! ```text
//! coordinator                     owner
//!    │ Apply { deltas, asker } ────▶ │   a write, or the operations that it missed
//!    │ ◀──────── Applied { verdict } │   once it is durable there
//!    │ Fetch { cell, asker } ──────▶ │   a read, with hashes of what the asker holds and has applied
//!    │ ◀──────── Fetched { report }  │   "the same", or all of it with what is known of it
//!    │ Mend { cell, found } ───────▶ │   a cell as it is after a merge, for an owner that is behind
//!    │ ◀──────── Applied { verdict } │
//!    │ Ask { request }   ──────────▶ │   a client's request, passed on once to an owner
//!    │ ◀──────── Answer { reply }    │
//! ```
//!
//! Every message travels in an [`Envelope`] with the sender's epoch and the partition that it is about: the
//! partition alone says which shard takes it, on either side. A link is one direction of one connection and
//! keeps its order; messages are lost when it breaks, and whoever waits for an answer asks again.
//!
//! `frame` says how envelopes lie on the wire; `gossip` what members say of each other; `vote` how the layout is changed.

pub mod exchange;
pub mod frame;
pub mod gossip;
pub mod quorum;
pub mod vote;

mod codec;

use crate::Reply;
use crate::request::Request;
use bytes::Bytes;
use causal::map::Knowledge;
use causal::{Cell, Context, Delta, Dot, Entries};
use exchange::Hashes;
use gossip::Gossip;
use placement::{NodeId, PartitionId};
use quorum::{Quorum, Quorums};
use vote::{Progress, Vote};

/// The number by which an answer finds its question. Numbers of one process start at a random place, so that
/// an answer to an earlier start of the same node matches nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// A message and what every message carries.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// The version of the layout that the sender goes by.
    pub epoch: u64,
    /// The partition that it is about.
    pub partition: PartitionId,
    /// What is said.
    pub message: Message,
}

/// What is said.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Apply these operations.
    Apply {
        /// Names the question.
        ticket: Ticket,
        /// The operations, each whole.
        deltas: Vec<Delta>,
        /// Where the asker wants a report of the cell of the first operation unless it is as it is there.
        asker: Option<Hashes>,
        /// Whether they are for the other owners in the datacenter of who gets them, too: they cross to it once.
        passes_on: bool,
        /// Which quorum it is for.
        quorum: Quorum,
    },
    /// Take this cell as it is after a merge, and then apply these operations.
    Mend {
        /// Names the question.
        ticket: Ticket,
        /// The cell.
        cell: Cell,
        /// What it holds and what is known of it.
        found: Box<Found>,
        /// The operations, each whole.
        deltas: Vec<Delta>,
        /// Where the asker wants a report of the cell unless it is then as it is there.
        asker: Option<Hashes>,
        /// Which quorum it is for.
        quorum: Quorum,
    },
    /// An `Apply` or a `Mend` was done, and is durable, or was not.
    Applied {
        /// Names the question.
        ticket: Ticket,
        /// What became of it.
        verdict: Verdict,
    },
    /// What do you hold of this cell?
    Fetch {
        /// Names the question.
        ticket: Ticket,
        /// The cell; without one the question is what was applied in the partition.
        cell: Option<Cell>,
        /// What the asker holds and has applied.
        asker: Hashes,
        /// The plain write that the asker is about to rank, if it asks for that.
        ranks: Option<Dot>,
        /// Which quorum it is for.
        quorum: Quorum,
    },
    /// This is what I hold.
    Fetched {
        /// Names the question.
        ticket: Ticket,
        /// Nothing where both hashes are the asker's.
        report: Option<Box<Report>>,
        /// Whether the write that the asker ranks was shown to a reader.
        shown: Shown,
    },
    /// I could not read it.
    Unreadable {
        /// Names the question.
        ticket: Ticket,
    },
    /// A client's request, passed on.
    Ask {
        /// Names the question.
        ticket: Ticket,
        /// The request.
        request: Request,
    },
    /// The answer to a request that was passed on.
    Answer {
        /// Names the question.
        ticket: Ticket,
        /// The answer.
        reply: Reply,
    },
    /// Your epoch is older than mine: this is my layout.
    Layout {
        /// The encoded layout.
        layout: Bytes,
    },
    /// Your epoch is newer than mine: send me your layout.
    LayoutWanted,
    /// One step by which two owners come to hold the same.
    Exchange {
        /// Names the question.
        ticket: Ticket,
        /// The step.
        step: exchange::Step,
    },
    /// Nothing, but that I am there, and which epoch I go by.
    Alive,
    /// How members are.
    Gossip(Gossip),
    /// About the register of the layout.
    Vote(Vote),
    /// What a member tells its steward.
    Progress(Progress),
}

/// One cell on one replica at one instant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// What it holds.
    pub entries: Entries,
    /// What is known there of any entry that it does not hold.
    pub knowledge: Knowledge,
}

/// Whether a reader was told by an owner that a plain write is what is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Not by this one. It has told these others of the write, and what they made of it they know.
    No {
        /// Who was told.
        told: Vec<NodeId>,
    },
    /// It is not remembered.
    Forgotten,
    /// It was, when these agreed on it.
    Yes(Quorums),
}

impl Default for Shown {
    fn default() -> Self {
        Self::No { told: Vec::new() }
    }
}

/// What an owner holds and knows of a cell, for a coordinator that holds or knows something else.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// What is there, and what is known of what is not.
    pub found: Found,
    /// Of the operations applied there, those that are known not to touch the cell.
    pub idle: Context,
}

/// What became of an `Apply` or a `Mend`.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It is held durably.
    Held {
        /// What was asked for with a plain write; nothing where there is nothing to report.
        report: Option<Box<Report>>,
    },
    /// It was refused and is not held: the stamp lies this far ahead of the replica's clock.
    StampAhead {
        /// How far, in milliseconds.
        ahead_ms: u64,
    },
    /// It was refused and is not held: this node does not own the partition, or cannot use its disk.
    Refused,
    /// It is held, and does not count: this replica has lost something and is still learning what.
    Learning,
}
