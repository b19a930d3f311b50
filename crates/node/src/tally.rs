//! A quorum as a value: who was asked, who has answered, and whether enough have.
//!
//! Invariants, kept by [`Tally::check`]:
//! 1. An owner counts once, however often it answers.
//! 2. `Met` and `Lost` are final for the caller: it drops the tally.

use placement::NodeId;

#[cfg(test)]
mod tests;

/// How a tally stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Enough may still come.
    Open,
    /// Enough have come.
    Met,
    /// Enough can no longer come.
    Lost,
}

/// Counts the owners that have acknowledged something.
#[derive(Clone, Debug)]
pub struct Tally {
    need: usize,
    waiting: Vec<NodeId>,
    acked: usize,
}

impl Tally {
    /// A tally of `owners`, of which `need` must acknowledge.
    pub fn new(owners: impl IntoIterator<Item = NodeId>, need: usize) -> Self {
        Self { need, waiting: owners.into_iter().collect(), acked: 0 }
    }

    /// `owner` has acknowledged; one that is not waited for changes nothing.
    pub fn ack(&mut self, owner: NodeId) -> Standing {
        if self.forget(owner) {
            self.acked += 1;
        }
        self.standing()
    }

    /// `owner` never will.
    pub fn fail(&mut self, owner: NodeId) -> Standing {
        self.forget(owner);
        self.standing()
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        if self.acked >= self.need {
            Standing::Met
        } else if self.acked + self.waiting.len() < self.need {
            Standing::Lost
        } else {
            Standing::Open
        }
    }

    /// Those that have not answered yet.
    pub fn waiting(&self) -> &[NodeId] {
        &self.waiting
    }

    /// How many have acknowledged.
    pub fn acked(&self) -> usize {
        self.acked
    }

    /// How many must.
    pub fn need(&self) -> usize {
        self.need
    }

    /// The invariants at the head of this file.
    pub fn check(&self) {
        let twice = |(at, node): (usize, &NodeId)| self.waiting[at + 1..].contains(node);
        assert!(!self.waiting.iter().enumerate().any(twice), "an owner is waited for twice: {self:?}");
    }

    fn forget(&mut self, owner: NodeId) -> bool {
        let at = self.waiting.iter().position(|waiting| *waiting == owner);
        at.map(|at| self.waiting.swap_remove(at)).is_some()
    }
}
