//! Where a partition is, and where it is on its way to: who counts, since when, and who must learn from whom first.
//!
//! # One owner at a time
//!
//! ```text
//!   Resting      a b c       d is to come for c
//!   Copying      a b c  d    d takes what they hold, and counts for nothing
//!   Settling     a b d       c is no owner any more. d counts when it has learned from enough of a b c, each of which
//!                            refuses what is said by the layout before
//!   Resting      a b d
//! ```
//!
//! No request counts two sets of owners: while `d` learns, the others are a majority of both. What was acknowledged before is on
//! a majority of `a b c`, and [`enough`] of them leave out less than that: so `d` has learned it, or it is still on two that
//! stay. What is written by the layout before, after that, finds no majority: enough refuse it. The epoch of the step is the *fence* ([`Place::since`]).
//!
//! An owner more is the same without one that goes. Where one goes and nobody comes, a majority of three may have left one copy
//! on two owners; so before anything else changes all that stay must have learned from enough, though they count meanwhile.
//!
//! **Who is lost while it settles** goes as it came: another takes its place at once, and learns from enough of the owners before
//! *and* of those that it was one of, for it may have counted itself before anybody knew. So there is a list of sets. Where nobody
//! takes its place and one had gone before it, two have gone: a copy may be left on none of a majority, so nobody counts until it has
//! learned.
//!
//! 1. Owners are distinct, and at least one. A newcomer is none of them.
//! 2. Whoever is to come is an owner.

use crate::member::NodeId;

/// How many of so many owners are enough that no majority is without one of them.
#[must_use]
pub fn enough(owners: usize) -> usize {
    owners - owners / 2
}

/// Whether a majority of so many, who were all among so many before, has one of any majority of those.
fn meet(owners: usize, before: usize) -> bool {
    owners / 2 + 1 + before / 2 + 1 > before
}

/// Where a partition is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub(super) owners: Vec<NodeId>,
    pub(super) since: u64,
    pub(super) step: Step,
}

/// What is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Resting,
    /// A member takes a copy before it becomes an owner.
    Copying {
        /// Which.
        newcomer: NodeId,
        /// In which epoch this began.
        began: u64,
    },
    /// The owners have changed, and some are still to learn.
    Settling {
        /// Those.
        to_come: Vec<NodeId>,
        /// The owners before: each of those that are to come learns from enough of each of these sets.
        before: Vec<Vec<NodeId>>,
    },
}

impl Place {
    pub(super) fn resting(owners: Vec<NodeId>, since: u64) -> Self {
        Self { owners, since, step: Step::Resting }
    }

    /// Who counts; the first is its home.
    #[must_use]
    pub fn owners(&self) -> &[NodeId] {
        &self.owners
    }

    /// The epoch since which these are its owners: what is said by an older layout is refused.
    #[must_use]
    pub fn since(&self) -> u64 {
        self.since
    }

    /// What is on its way.
    #[must_use]
    pub fn step(&self) -> &Step {
        &self.step
    }

    /// Who takes a copy before it becomes an owner.
    #[must_use]
    pub fn newcomer(&self) -> Option<NodeId> {
        match self.step {
            Step::Copying { newcomer, .. } => Some(newcomer),
            Step::Resting | Step::Settling { .. } => None,
        }
    }

    /// Whether a member is to hold the partition, for itself and not for others.
    #[must_use]
    pub fn keeps(&self, member: NodeId) -> bool {
        self.owners.contains(&member) || self.newcomer() == Some(member)
    }

    /// Whether a member owns it alone, and nobody has to teach it anything.
    #[must_use]
    pub fn is_alone(&self, member: NodeId) -> bool {
        self.owners == [member] && self.to_come().is_empty()
    }

    /// The owners that are still to learn before anything else changes.
    #[must_use]
    pub fn to_come(&self) -> &[NodeId] {
        match &self.step {
            Step::Settling { to_come, .. } => to_come,
            Step::Resting | Step::Copying { .. } => &[],
        }
    }

    /// Whether an owner does not count until it has learned: one that has come anew, and everybody where two have gone.
    #[must_use]
    pub fn is_new(&self, member: NodeId) -> bool {
        self.is_new_among(member, |_| true)
    }

    /// The same where a majority of some of the owners counts by itself, the member among them.
    pub(super) fn is_new_among(&self, member: NodeId, is_of: impl Fn(NodeId) -> bool) -> bool {
        let of = |set: &[NodeId]| set.iter().filter(|id| is_of(**id)).count();
        let stays = |set: &Vec<NodeId>| set.contains(&member) && meet(of(&self.owners), of(set));
        match &self.step {
            Step::Settling { to_come, before } => to_come.contains(&member) && !before.iter().all(stays),
            Step::Resting | Step::Copying { .. } => false,
        }
    }

    /// The sets of each of which enough are to be learned from, by whoever is to come or takes a copy.
    #[must_use]
    pub fn teachers(&self) -> &[Vec<NodeId>] {
        match &self.step {
            Step::Resting => &[],
            Step::Copying { .. } => std::slice::from_ref(&self.owners),
            Step::Settling { before, .. } => before,
        }
    }

    /// Whether somebody may have to learn from a member.
    #[must_use]
    pub fn teaches(&self, member: NodeId) -> bool {
        self.owners.contains(&member) || self.teachers().iter().any(|set| set.contains(&member))
    }

    /// Who is wanted, and owns nothing here.
    pub(super) fn coming(&self, wanted: &[NodeId]) -> Option<NodeId> {
        wanted.iter().copied().find(|wanted| !self.owners.contains(wanted))
    }

    /// Whether nothing says a word about a member.
    pub(super) fn is_free_of(&self, member: NodeId) -> bool {
        !self.keeps(member) && !self.teaches(member)
    }

    /// Every member that it names.
    pub(super) fn named(&self) -> impl Iterator<Item = NodeId> {
        let taught = self.teachers().iter().flatten().copied();
        self.owners.iter().copied().chain(self.newcomer()).chain(self.to_come().iter().copied()).chain(taught)
    }
}

#[cfg(test)]
mod tests {
    use super::enough;

    #[test]
    fn enough_of_a_set_meet_every_majority_of_it() {
        for owners in 1..=9 {
            let majority = owners / 2 + 1;
            assert_eq!(enough(owners) + majority, owners + 1, "and one fewer would not");
        }
    }
}
