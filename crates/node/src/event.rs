//! What comes into a node and what it wants done: data, all of it.
//!
//! Invariant: an action carries the commit that it waits for. Whoever performs actions holds each one back until
//! that commit is as durable as the fsync policy asks, and keeps the order of those to one peer.

use crate::membership::Sighting;
use placement::layout::Basis;
use placement::{Change, Layout, LayoutError, NodeId, PartitionId};
use std::sync::Arc;
use store::Commit;
use thiserror::Error;
use wire::Reply;
use wire::peer::Envelope;
use wire::request::Request;

/// The two clocks, read by the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Never goes back: for timeouts. Milliseconds.
    pub monotonic_ms: u64,
    /// Milliseconds since 1970, as far as this machine knows: for stamps.
    pub wall_ms: u64,
}

/// Names a client's request for whoever waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What comes in.
#[derive(Clone, Debug)]
pub enum Event {
    /// A client asks.
    Request {
        /// By which the answer is told apart.
        id: RequestId,
        /// The partition of its key, or the one that it is about.
        partition: PartitionId,
        /// What is asked.
        request: Request,
    },
    /// A peer says something.
    Message {
        /// Who says it.
        from: NodeId,
        /// What it says.
        envelope: Envelope,
    },
    /// The link to a peer came up or went down.
    Link {
        /// The peer.
        peer: NodeId,
        /// Whether it is up now.
        up: bool,
    },
    /// A peer is to be asked before others, or after them: what the node that speaks for the process has concluded
    /// ([`Action::Health`]).
    Health {
        /// The peer.
        peer: NodeId,
        /// Whether it is to be asked before those that are not.
        is_trusted: bool,
    },
    /// A newer layout.
    Layout(Arc<Layout>),
    /// The layout is to be changed, at the node that speaks for its process.
    Change {
        /// By which the outcome is told apart.
        id: RequestId,
        /// What is to be made of it.
        change: Change,
        /// Of which layout.
        of: Basis,
    },
    /// Time has passed: see [`crate::Node::next_deadline`].
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Answer a client.
    Answer {
        /// Which request.
        id: RequestId,
        /// The answer.
        reply: Reply,
    },
    /// Send a peer something.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        envelope: Envelope,
    },
    /// Close the storage, put it aside and begin it anew as one that has lost everything: rows of it cannot be read, not
    /// even to be dropped.
    Renew,
    /// Hand a newer layout, which a peer has sent, to whoever keeps it for the whole process.
    Adopt(Arc<Layout>),
    /// What has come of a change: the layout that has it, or had it before.
    Changed {
        /// Which.
        id: RequestId,
        /// The outcome.
        outcome: Result<Arc<Layout>, ChangeError>,
    },
    /// A member is not as it was: every node of the process is to be told, this one too ([`Event::Health`]).
    Health(Sighting),
}

/// Why a change was not made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChangeError {
    /// It cannot be made of the layout that there is.
    #[error(transparent)]
    Refused(#[from] LayoutError),
    /// It was to be made of another layout than there is.
    #[error("the layout has been changed meanwhile, it is of epoch {0} now: look at it, and ask again")]
    Meanwhile(u64),
    /// Too few voters can be reached. Nothing was changed.
    #[error("too few of the nodes that vote on the layout can be reached: nothing was changed, try again")]
    NoQuorum,
    /// It may have been made, or may be yet.
    #[error(
        "too few of the nodes that vote on the layout have answered: look whether it was changed (armilla status)"
    )]
    Unknown,
}

/// Actions in the order in which they were decided, each with the commit that it waits for.
#[derive(Clone, Debug, Default)]
pub struct Outbox(Vec<(Commit, Action)>);

impl Outbox {
    /// Adds an action that waits for `after`.
    pub fn push(&mut self, after: Commit, action: Action) {
        self.0.push((after, action));
    }

    /// Takes everything out.
    pub fn drain(&mut self) -> std::vec::Drain<'_, (Commit, Action)> {
        self.0.drain(..)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
