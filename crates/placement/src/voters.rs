//! Who votes on the layout: data alone. How they vote is `node::caspaxos`.
//!
//! **A voter is a seat and not a node.** A node that has lost its disk has forgotten what it promised, so it must not go on voting
//! as who it was: its new disk is another seat, which does not vote until a change gives it a place.
//!
//! 1. A set of voters is replaced in two changes: from the old one to both, and from both to the new one.

use crate::member::NodeId;
use std::collections::BTreeSet;

/// Who votes: a node as long as it has its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat {
    /// The node.
    pub node: NodeId,
    /// Random bits that lie on its disk beside what it promised.
    pub disk: u64,
}

/// Who must agree to a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Voters {
    /// A majority of these.
    pub now: BTreeSet<Seat>,
    /// And of these, unless there are none: who will vote alone.
    pub next: BTreeSet<Seat>,
}

impl Voters {
    /// One set.
    #[must_use]
    pub fn of(now: BTreeSet<Seat>) -> Self {
        Self { now, next: BTreeSet::new() }
    }

    /// Whether they are being replaced.
    #[must_use]
    pub fn are_joint(&self) -> bool {
        !self.next.is_empty()
    }

    /// Everybody who has a seat.
    pub fn seats(&self) -> impl Iterator<Item = Seat> {
        self.now.union(&self.next).copied()
    }

    /// Whether a node has a seat.
    #[must_use]
    pub fn seat(&self, node: NodeId) -> bool {
        self.seats().any(|seat| seat.node == node)
    }

    /// Whether these are enough.
    #[must_use]
    pub fn agree(&self, seats: &BTreeSet<Seat>) -> bool {
        let most = |of: &BTreeSet<Seat>| of.intersection(seats).count() > of.len() / 2;
        most(&self.now) && (self.next.is_empty() || most(&self.next))
    }

    /// Whether a value with these voters may be followed by one with those: what the head of this file says of sets.
    #[must_use]
    pub fn may_become(&self, other: &Self) -> bool {
        match (self.are_joint(), other.are_joint()) {
            (false, false) => self == other,
            (false, true) => self.now == other.now,
            (true, false) => self.next == other.now,
            (true, true) => self == other,
        }
    }
}
