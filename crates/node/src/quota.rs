//! Who counts for a request, and how many of them must: data alone. `scope` says it of each level.

use crate::tally::Tally;
use placement::NodeId;

/// Owners, and how many of them must have answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quota {
    owners: Vec<NodeId>,
    need: usize,
    /// Those of other datacenters, each of which must have enough by itself.
    others: Vec<Quota>,
}

impl Quota {
    /// Of these owners, so many.
    pub(crate) fn new(owners: Vec<NodeId>, need: usize) -> Self {
        Self { owners, need, others: Vec::new() }
    }

    /// Every one of these.
    pub(crate) fn all_of(owners: Vec<NodeId>) -> Self {
        let need = owners.len();
        Self::new(owners, need)
    }

    /// Of several sets, each of which must have enough by itself.
    pub(crate) fn each(sets: Vec<Self>) -> Self {
        let mut sets = sets.into_iter();
        let first = sets.next().unwrap_or_default();
        Self { others: sets.collect(), ..first }
    }

    /// How many must have answered.
    pub(crate) fn need(&self) -> usize {
        self.sets().map(|set| set.need).sum()
    }

    /// How many count.
    pub(crate) fn len(&self) -> usize {
        self.sets().map(|set| set.owners.len()).sum()
    }

    /// Everybody who counts.
    pub(crate) fn owners(&self) -> impl Iterator<Item = NodeId> {
        self.sets().flat_map(|set| set.owners.iter().copied())
    }

    /// Whether those of whom this is true are enough.
    pub(crate) fn is_met(&self, by: impl Fn(NodeId) -> bool) -> bool {
        self.sets().all(|set| set.met(&by) >= set.need)
    }

    /// Whether another one of them is needed, where those have been asked of whom this is true.
    pub(crate) fn needs(&self, owner: NodeId, asked: impl Fn(NodeId) -> bool) -> bool {
        self.sets().any(|set| set.owners.contains(&owner) && set.met(&asked) < set.need)
    }

    /// The counting of it.
    pub(crate) fn tally(&self) -> Tally {
        let own = Tally::new(self.owners.iter().copied(), self.need);
        self.others.iter().fold(own, |tally, other| tally.and(other.tally()))
    }

    fn met(&self, by: &impl Fn(NodeId) -> bool) -> usize {
        self.owners.iter().filter(|owner| by(**owner)).count()
    }

    fn sets(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.others)
    }
}
