//! How much room the disk has, as whoever watches it says, and what is still taken.
//!
//! ```text
//! room      clients' writes that add   clients' deletes   operations of peers   mends   reads
//! Enough    yes                        yes                yes                   yes     yes
//! Low       no                         yes                those that only       yes     yes
//!                                                         remove
//! Gone      no                         no                 no                    no      yes
//! ```
//!
//! Not the measuring: a node knows no disk. What a disk without room refuses all the same is the engine's error.
//!
//! 1. Whoever is refused hears so: a client by a fault, a peer by a verdict that counts as a no. Nothing is applied.

use causal::Delta;
use wire::command;
use wire::command::flag::Flag;
use wire::request::Job;

use crate::work::Kind;

/// How much room there is on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// For everything.
    #[default]
    Enough,
    /// For what removes, and for what owners owe each other.
    Low,
    /// For nothing.
    Gone,
}

impl Room {
    /// Whether a request may be carried out here.
    pub(crate) fn admits(self, kind: Kind, job: &Job) -> bool {
        match (self, kind) {
            (Self::Enough, _) | (_, Kind::Read) => true,
            (Self::Low, _) => match job {
                Job::Command { words, .. } => {
                    command::resolve(words).is_ok_and(|command| !command.has(Flag::Denyoom))
                }
                Job::Resolve { .. } => false,
                _ => true,
            },
            (Self::Gone, _) => false,
        }
    }

    /// Whether operations of a peer may be applied here.
    pub(crate) fn takes(self, deltas: &[Delta]) -> bool {
        let adds = |delta: &Delta| delta.edits.iter().any(|edit| edit.add.is_some());
        match self {
            Self::Enough => true,
            Self::Low => !deltas.iter().any(adds),
            Self::Gone => false,
        }
    }
}
