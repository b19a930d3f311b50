//! A register that several voters hold together, and that changes only from one value to the next: compare-and-set
//! without a leader and without a log.
//!
//! ```text
//! proposer                                 voters
//!    │ Prepare at ballot b ────────────────▶ │   answer nobody below b any more; what did you accept last?
//!    │ ◀──────────── Promised { accepted }   │
//!    │   of a majority: what was accepted at the highest ballot is the value. A change makes the next of it.
//!    │ Accept the next value at b ─────────▶ │
//!    │ ◀──────────────────────── Accepted    │   of a majority: it is committed
//! ```
//!
//! This is CASPaxos (Rystsov, 2018): single-decree Paxos whose proposers may change the value that they found. Whoever
//! finds a value that was not committed builds upon it, and so commits it; and a change that is refused commits what it
//! was refused for, or another might still be built on something else. What the paper leaves to the reader is who votes, and
//! that is told here.
//!
//! **A value names its voters**, in [`Voters`]: one set, or two while they change, and then a majority of each is needed. A
//! set is replaced in two changes: from the old one to both, and, once that is committed, from both to the new one. A
//! proposer that knows an older value asks the voters of that; a majority of them shows it a newer one, and it
//! goes on to ask the voters that are named there.
//!
//! **A voter is a seat and not a node** ([`Seat`]). A node that has lost its disk has forgotten what it promised, so it must
//! not go on voting as who it was: its new disk is another seat, which does not vote until a change gives it a place. Who comes back with its
//! disk may bring along what it accepted as a voter of long ago. That does no harm: whatever was committed without it since has a
//! greater ballot, or whoever proposed what it accepted would have seen that.
//!
//! Not how messages travel or how long to wait: whoever drives a [`Proposer`] asks again what it gives out again, and begins
//! anew, above what it was told, after a pause that differs between proposers. Not where an [`Acceptor`] is stored: but what it
//! answers leaves when that is durable.
//!
//! 1. Of any two committed values one was made from the other, by changes one after another.
//! 2. A ballot is used by one proposer for one attempt.
//! 3. Two sets of voters are left for one only by who knows that the two were committed.

mod acceptor;
mod proposer;

use placement::NodeId;
use std::collections::BTreeSet;

pub use acceptor::Acceptor;
pub use proposer::{Change, Outcome, Proposer};

/// Which attempt it is. The greater counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ballot {
    /// Above what the proposer has seen.
    pub round: u64,
    /// Tells two proposers of one round apart: random bits of one start of a process, so that a ballot that was used before a
    /// restart is not used again.
    pub proposer: u64,
}

impl Ballot {
    /// The next attempt of a proposer that has seen this one.
    #[must_use]
    pub fn above(self, proposer: u64) -> Self {
        Self { round: self.round.saturating_add(1), proposer }
    }
}

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

/// What a register holds.
pub trait Value: Clone {
    /// Who must agree to it.
    fn voters(&self) -> &Voters;

    /// How many changes made it: each makes one more of it.
    fn version(&self) -> u64;
}

/// What a proposer asks of a voter, at its ballot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question<V> {
    /// What did you accept last? And answer nobody below this ballot any more.
    Prepare,
    /// Accept this.
    Accept(V),
}

/// What a voter answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<V> {
    /// It will answer nobody below the ballot, and has accepted this last.
    Promised(Option<(Ballot, V)>),
    /// It has accepted the value.
    Accepted,
    /// It has promised a greater ballot, this one.
    Outbid(Ballot),
}
