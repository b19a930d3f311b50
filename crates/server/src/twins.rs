//! Two processes that are the same member: a directory that was cloned, an id that was given twice.
//!
//! ```text
//!   X, began first  ── greeting: X, 1000 ──▶ peer   heard
//!   X, began later  ── greeting: X, 2000 ──▶ peer ── one byte back ──▶ ends, after it was told so for a while
//! ```
//!
//! Neither can see the other, for no node calls itself; every other member can. Which of them began later is what each says
//! of itself by its clock: on two machines whose clocks differ it may be the other one that ends, and one of them does.
//!
//! 1. Of two processes that both are heard, the one that began later is refused.
//! 2. A process that has ended keeps nobody out for longer than [`SILENT_MS_MAX`]; where the system has said so, not at all.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use placement::NodeId;

/// A process that was not heard for this long may be gone without a word, in milliseconds.
const SILENT_MS_MAX: u64 = 3_000;
/// A process that was refused for this long ends, in milliseconds: longer than one that ended before it keeps it out.
const REFUSED_MS_MAX: u64 = 2 * SILENT_MS_MAX;

/// The process that each peer is.
#[derive(Debug, Default)]
pub(crate) struct Twins {
    heard: Mutex<BTreeMap<NodeId, Process>>,
    /// Since when this process is refused itself, and when it was last.
    refused: Mutex<Option<(u64, u64)>>,
}

/// A process of a peer that was heard.
#[derive(Clone, Copy, Debug)]
struct Process {
    began: u64,
    heard_ms: u64,
    connections: usize,
}

impl Twins {
    /// A process of a peer, which began then, has connected: whether it is to be heard.
    pub(crate) fn connects(&self, now_ms: u64, peer: NodeId, began: u64) -> bool {
        let is_heard = self.says(now_ms, peer, began);
        self.change(peer, began, |process| process.connections += 1);
        is_heard
    }

    /// It has said something: whether that is to be heard.
    pub(crate) fn says(&self, now_ms: u64, peer: NodeId, began: u64) -> bool {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let process = heard.entry(peer).or_insert(Process { began, heard_ms: now_ms, connections: 0 });
        let is_there = process.connections > 0 && now_ms.saturating_sub(process.heard_ms) <= SILENT_MS_MAX;
        if process.began < began && is_there {
            return false;
        }
        if process.began != began {
            *process = Process { began, heard_ms: now_ms, connections: 0 };
        }
        process.heard_ms = now_ms;
        true
    }

    /// One of its connections has ended.
    pub(crate) fn ends(&self, peer: NodeId, began: u64) {
        self.change(peer, began, |process| process.connections = process.connections.saturating_sub(1));
    }

    fn change(&self, peer: NodeId, began: u64, change: impl FnOnce(&mut Process)) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.get_mut(&peer).filter(|process| process.began == began).map(change).unwrap_or_default();
    }

    /// A peer has refused this process; tells whether it is to end.
    pub(crate) fn is_refused(&self, now_ms: u64) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let goes_on = refused.filter(|(_, last)| now_ms.saturating_sub(*last) <= SILENT_MS_MAX);
        let since = goes_on.map_or(now_ms, |(since, _)| since);
        *refused = Some((since, now_ms));
        now_ms.saturating_sub(since) >= REFUSED_MS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::{REFUSED_MS_MAX, SILENT_MS_MAX, Twins};
    use placement::NodeId;

    const X: NodeId = NodeId(1);

    #[test]
    fn the_later_of_two_is_refused_while_the_first_is_heard() {
        let twins = Twins::default();
        assert!(twins.connects(0, X, 1000));
        assert!(!twins.connects(10, X, 2000) && twins.says(20, X, 1000) && !twins.says(30, X, 2000));
        assert!(twins.connects(40, NodeId(2), 2000), "another member");
    }

    #[test]
    fn who_comes_again_is_let_in() {
        let twins = Twins::default();
        twins.connects(0, X, 1000);
        twins.connects(0, X, 1000);
        twins.ends(X, 1000);
        assert!(!twins.connects(1, X, 2000), "of its two connections one is left");
        twins.ends(X, 1000);
        assert!(twins.connects(1, X, 2000), "the system says that it has ended");
        let without_a_word = 1 + SILENT_MS_MAX + 1;
        assert!(!twins.connects(2, X, 3000) && twins.connects(without_a_word, X, 3000));
    }

    #[test]
    fn the_first_comes_before_whoever_took_its_place() {
        let twins = Twins::default();
        twins.connects(0, X, 2000);
        assert!(twins.connects(1, X, 1000) && !twins.says(2, X, 2000));
    }

    #[test]
    fn who_is_refused_for_long_ends() {
        let twins = Twins::default();
        let refusals: Vec<bool> = (5..=6005).step_by(1000).map(|now_ms| twins.is_refused(now_ms)).collect();
        assert_eq!(refusals, [false, false, false, false, false, false, true]);
        let later = 6005 + SILENT_MS_MAX + 1;
        assert!(!twins.is_refused(later), "it was taken meanwhile");
        assert!(!twins.is_refused(later + REFUSED_MS_MAX));
    }
}
