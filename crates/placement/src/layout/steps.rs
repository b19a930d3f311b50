//! How a partition gets from where it is to where it is wanted, step after step: the essay is in `place`.
//!
//! 1. A step changes one owner at most, and only where nothing else is on its way; but for who is lost while it settles.
//! 2. A word about a step that is over changes nothing.

use super::place::{Place, Step};
use crate::keyspace::PartitionId;
use crate::member::NodeId;

/// How many sets of owners a place may remember: as many newcomers lost one after the other, less one.
const SETS_MAX: usize = 8;

/// What has come of a step, or is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Advance {
    /// The next step may begin.
    Begin,
    /// The newcomer has a copy of what was there when it began, in this epoch.
    Copied {
        /// The newcomer.
        newcomer: NodeId,
        /// The epoch.
        began: u64,
    },
    /// An owner has learned what it was to learn since this epoch.
    Arrived {
        /// The owner.
        owner: NodeId,
        /// The epoch.
        since: u64,
    },
}

/// Something of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Move {
    /// Which.
    pub partition: PartitionId,
    /// What.
    pub advance: Advance,
}

/// What steps are taken by: whom a partition is to have, who is lost for good, and which epoch the next layout is.
pub(super) struct Stride<'a> {
    pub(super) wanted: &'a [NodeId],
    pub(super) is_lost: &'a dyn Fn(NodeId) -> bool,
    /// Whether a majority of those where two are may acknowledge something by itself.
    pub(super) together: &'a dyn Fn(NodeId, NodeId) -> bool,
    pub(super) epoch: u64,
}

impl Stride<'_> {
    /// The place after a step, if it is to be taken.
    pub(super) fn after(&self, place: &Place, advance: Advance) -> Option<Place> {
        match (advance, &place.step) {
            (Advance::Begin, Step::Resting) => self.begun(place),
            (Advance::Begin, Step::Copying { newcomer, .. }) if !self.wanted.contains(newcomer) => {
                Some(Place { step: Step::Resting, ..place.clone() })
            }
            (Advance::Begin, Step::Settling { to_come, before }) => {
                self.lost_meanwhile(place, to_come, before)
            }
            (Advance::Copied { newcomer, began }, Step::Copying { newcomer: copying, began: since })
                if (newcomer, began) == (*copying, *since) =>
            {
                Some(self.changed(place, newcomer))
            }
            (Advance::Arrived { owner, since }, Step::Settling { to_come, before })
                if since == place.since && to_come.contains(&owner) =>
            {
                Some(self.arrived(place, to_come, before, owner))
            }
            _ => None,
        }
    }

    fn begun(&self, place: &Place) -> Option<Place> {
        if let Some(newcomer) = place.coming(self.wanted) {
            let step = Step::Copying { newcomer, began: self.epoch };
            return Some(Place { step, ..place.clone() });
        }
        if let Some(going) = self.going(place, |_| true) {
            return Some(self.without(place, going, vec![place.owners.clone()]));
        }
        let ordered = self.ordered(&place.owners);
        (ordered != place.owners).then(|| Place { owners: ordered, ..place.clone() })
    }

    /// The newcomer has a copy: it becomes an owner, in the place of one that is not wanted if there are as many as are. One of another
    /// datacenter does not go for it: there it would be as where one goes and nobody comes, and those that stay would not learn.
    fn changed(&self, place: &Place, newcomer: NodeId) -> Place {
        if !self.wanted.contains(&newcomer) {
            return Place { step: Step::Resting, ..place.clone() };
        }
        let mut owners = place.owners.clone();
        let near = |of: &[NodeId]| of.iter().filter(|id| (self.together)(**id, newcomer)).count();
        if near(&owners) >= near(self.wanted)
            && let Some(going) = self.going(place, |owner| (self.together)(owner, newcomer))
        {
            owners.retain(|owner| *owner != going);
        }
        owners.push(newcomer);
        let step = Step::Settling { to_come: vec![newcomer], before: vec![place.owners.clone()] };
        Place { owners, since: self.epoch, step }
    }

    fn arrived(&self, place: &Place, to_come: &[NodeId], before: &[Vec<NodeId>], owner: NodeId) -> Place {
        let to_come: Vec<_> = to_come.iter().copied().filter(|other| *other != owner).collect();
        if to_come.is_empty() {
            return Place::resting(self.ordered(&place.owners), place.since);
        }
        Place { step: Step::Settling { to_come, before: before.to_vec() }, ..place.clone() }
    }

    /// One who was to come is lost: another takes its place, or nobody where nobody is wanted.
    fn lost_meanwhile(&self, place: &Place, to_come: &[NodeId], before: &[Vec<NodeId>]) -> Option<Place> {
        let lost = *to_come.iter().find(|owner| (self.is_lost)(**owner))?;
        if before.len() >= SETS_MAX {
            return None;
        }
        let before: Vec<_> = before.iter().cloned().chain([place.owners.clone()]).collect();
        let near: Vec<NodeId> = self.wanted.iter().copied().filter(|id| (self.together)(*id, lost)).collect();
        let Some(newcomer) = place.coming(&near) else {
            return (place.owners.len() > 1).then(|| self.without(place, lost, before));
        };
        let mut owners: Vec<_> = place.owners.iter().copied().filter(|owner| *owner != lost).collect();
        owners.push(newcomer);
        let others = to_come.iter().copied().filter(|owner| *owner != lost);
        let to_come = others.chain([newcomer]).collect();
        Some(Place { owners, since: self.epoch, step: Step::Settling { to_come, before } })
    }

    /// One owner fewer: all that stay are to learn.
    fn without(&self, place: &Place, going: NodeId, before: Vec<Vec<NodeId>>) -> Place {
        let owners: Vec<_> = place.owners.iter().copied().filter(|owner| *owner != going).collect();
        let to_come: Vec<_> = owners.iter().copied().filter(|owner| !(self.is_lost)(*owner)).collect();
        if to_come.is_empty() {
            return Place::resting(owners, self.epoch);
        }
        Place { owners, since: self.epoch, step: Step::Settling { to_come, before } }
    }

    /// Who is here and not wanted: the lost before others.
    fn going(&self, place: &Place, may_go: impl Fn(NodeId) -> bool) -> Option<NodeId> {
        let is_unwanted = |owner: &NodeId| !self.wanted.contains(owner) && may_go(*owner);
        let unwanted = || place.owners.iter().copied().filter(is_unwanted);
        unwanted().find(|owner| (self.is_lost)(*owner)).or_else(|| unwanted().next_back())
    }

    /// Owners in the order in which they are wanted.
    fn ordered(&self, owners: &[NodeId]) -> Vec<NodeId> {
        let wanted = self.wanted.iter().filter(|wanted| owners.contains(wanted));
        let others = owners.iter().filter(|owner| !self.wanted.contains(owner));
        wanted.chain(others).copied().collect()
    }
}
