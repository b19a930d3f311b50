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
//! **A voter is a seat and not a node** ([`placement::Seat`]). A node that has lost its disk has forgotten what it promised, so it must
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

use placement::Voters;

pub use acceptor::Acceptor;
pub use proposer::{Change, Outcome, Proposer};
pub use wire::peer::vote::Ballot;

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
