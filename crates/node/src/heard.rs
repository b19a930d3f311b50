//! Requests that were passed on to this node lately, so that one that arrives twice is carried out once.
//!
//! A link delivers once, but a network need not, and an increment carried out twice is wrong for good. Whoever
//! passed it on gives up after the request timeout, so remembering twice as long is enough.

use placement::NodeId;
use std::collections::{BTreeSet, VecDeque};
use wire::peer::Ticket;

/// The passed-on requests of the last while.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    known: BTreeSet<(NodeId, Ticket)>,
    by_time: VecDeque<(u64, NodeId, Ticket)>,
}

impl Heard {
    /// Whether a request is new at `now_ms`; from then on it is not, for `memory_ms`.
    pub(crate) fn is_new(&mut self, now_ms: u64, memory_ms: u64, from: NodeId, ticket: Ticket) -> bool {
        while let Some(&(at, node, old)) = self.by_time.front().filter(|(at, ..)| at + memory_ms < now_ms) {
            debug_assert!(at <= now_ms, "time went back");
            self.by_time.pop_front();
            self.known.remove(&(node, old));
        }
        let new = self.known.insert((from, ticket));
        if new {
            self.by_time.push_back((now_ms, from, ticket));
        }
        new
    }
}
