//! From whom a replica has learned what they know, and when that is enough: one that has lost something, one that has come
//! anew, and one that stays where another has gone.

use placement::layout::enough;
use placement::{Layout, NodeId, PartitionId};
use std::collections::BTreeSet;

/// From whom a replica has taken over what they have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lessons {
    pub(crate) whole: BTreeSet<NodeId>,
    /// Those that had lost something themselves.
    pub(crate) lame: BTreeSet<NodeId>,
    /// What it is that learns.
    pub(crate) pupil: Pupil,
}

/// What learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pupil {
    /// Who has lost something: it counts for nothing meanwhile.
    #[default]
    Lost,
    /// Who has come anew: nor does it.
    New,
    /// Who stays: it counts all along.
    Stays,
}

/// Of whom it is to learn.
#[derive(Debug)]
pub(crate) struct Wanted {
    sets: Vec<Set>,
}

/// A set of owners.
#[derive(Debug)]
struct Set {
    /// Those that can be asked.
    others: Vec<NodeId>,
    need: usize,
}

impl Wanted {
    /// Of whom a replica of a node is to learn, by this layout.
    pub(crate) fn of(layout: &Layout, partition: PartitionId, me: NodeId, pupil: Pupil) -> Self {
        let place = layout.place(partition);
        let can_teach = |id: &NodeId| *id != me && !layout.is_lost(*id);
        let set = |members: &[NodeId], need: usize| {
            // What it holds itself, if it has lost nothing, need not be learned.
            let own = usize::from(pupil != Pupil::Lost && members.contains(&me));
            let others = members.iter().copied().filter(can_teach).collect();
            Set { others, need: need.saturating_sub(own) }
        };
        // Of those in its own datacenter enough are needed, too, where a majority of them may have acknowledged something by itself.
        let near = |of: &[NodeId]| -> Vec<NodeId> {
            of.iter().copied().filter(|id| layout.count_together(*id, me)).collect()
        };
        let mut sets = Vec::new();
        for teachers in place.teachers() {
            let near = near(teachers);
            sets.push(set(teachers, enough(teachers.len())));
            sets.push(set(&near, enough(near.len())));
        }
        if pupil == Pupil::Lost || sets.is_empty() {
            let near = near(place.owners());
            for owners in [place.owners(), &near] {
                // A coordinator may still count what was acknowledged here before: of more than four owners that matters.
                let need = if owners.len() > 4 { owners.len() - 1 } else { enough(owners.len()) };
                sets.push(set(owners, need));
            }
        }
        Self { sets }
    }

    /// Everybody who can be asked.
    pub(crate) fn teachers(&self) -> BTreeSet<NodeId> {
        self.sets.iter().flat_map(|set| &set.others).copied().collect()
    }
}

impl Lessons {
    pub(crate) fn of(pupil: Pupil) -> Self {
        Self { pupil, ..Self::default() }
    }

    /// Whether it counts for nothing meanwhile.
    pub(crate) fn is_silent(&self) -> bool {
        self.pupil != Pupil::Stays
    }

    pub(crate) fn note(&mut self, from: NodeId, is_whole: bool) {
        if is_whole {
            self.whole.insert(from)
        } else {
            self.lame.insert(from)
        };
    }

    /// Whether nothing more is to be learned. What a majority has acknowledged, beside this replica, is known to one of
    /// any `owners - majority + 1` others. And where all others have been asked, and some of them have lost something
    /// too, there is no more: what is gone is gone, and to refuse for ever brings none of it back.
    pub(crate) fn is_done(&self, wanted: &Wanted) -> bool {
        let is_asked = |other: &NodeId| self.whole.contains(other) || self.lame.contains(other);
        wanted.sets.iter().all(|set| {
            let whole = set.others.iter().filter(|other| self.whole.contains(other)).count();
            whole >= set.need || set.others.iter().all(is_asked)
        })
    }
}
