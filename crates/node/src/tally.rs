//! A quorum as a value: who was asked, who has answered, and whether enough have.
//!
//! Of one set of owners, or of several that must have enough each: those of each datacenter.
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
    /// Those of other sets, each of which must have enough too.
    others: Vec<Tally>,
}

impl Tally {
    /// A tally of `owners`, of which `need` must acknowledge.
    pub fn new(owners: impl IntoIterator<Item = NodeId>, need: usize) -> Self {
        Self { need, waiting: owners.into_iter().collect(), acked: 0, others: Vec::new() }
    }

    /// The same, where enough of another set must acknowledge besides. Nobody is in both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.others.push(other);
        self
    }

    /// `owner` has acknowledged; one that is not waited for changes nothing.
    pub fn ack(&mut self, owner: NodeId) -> Standing {
        if let Some(set) = self.forget(owner) {
            set.acked += 1;
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
        let own = if self.acked >= self.need {
            Standing::Met
        } else if self.acked + self.waiting.len() < self.need {
            Standing::Lost
        } else {
            Standing::Open
        };
        self.others.iter().map(Self::standing).fold(own, |one, other| match (one, other) {
            (Standing::Lost, _) | (_, Standing::Lost) => Standing::Lost,
            (Standing::Met, Standing::Met) => Standing::Met,
            _ => Standing::Open,
        })
    }

    /// Those that have not answered yet.
    pub fn waiting(&self) -> impl Iterator<Item = NodeId> {
        self.sets().flat_map(|set| set.waiting.iter().copied())
    }

    /// Whether an owner has not answered yet.
    pub fn awaits(&self, owner: NodeId) -> bool {
        self.sets().any(|set| set.waiting.contains(&owner))
    }

    /// How many have acknowledged.
    pub fn acked(&self) -> usize {
        self.sets().map(|set| set.acked).sum()
    }

    /// How many must.
    pub fn need(&self) -> usize {
        self.sets().map(|set| set.need).sum()
    }

    /// The invariants at the head of this file.
    pub fn check(&self) {
        let mut seen: Vec<NodeId> = Vec::new();
        for node in self.waiting() {
            assert!(!seen.contains(&node), "an owner is waited for twice: {self:?}");
            seen.push(node);
        }
    }

    fn sets(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.others)
    }

    /// The set that an owner was waited for in.
    fn forget(&mut self, owner: NodeId) -> Option<&mut Self> {
        if let Some(at) = self.waiting.iter().position(|waiting| *waiting == owner) {
            self.waiting.swap_remove(at);
            return Some(self);
        }
        self.others.iter_mut().find_map(|set| set.forget(owner))
    }
}
