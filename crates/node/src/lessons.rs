//! From whom a replica has learned what they know, and when that is enough: one that has lost something, one that has come
//! anew, and one that stays where another has gone.

use placement::layout::enough;
use placement::{Layout, NodeId, PartitionId};
use std::collections::{BTreeMap, BTreeSet};
use wire::peer::quorum::{Counts, Quorum};

/// From whom a replica has taken over what they have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lessons {
    taught: BTreeMap<NodeId, Lesson>,
    /// What it is that learns.
    pub(crate) pupil: Pupil,
    /// Since when nobody waits any more for what was acknowledged here before, once that is known.
    rested_at: Option<u64>,
    /// Whether that is enough to count in its datacenter.
    is_local: bool,
    /// Whether it may have acknowledged something.
    has_counted: bool,
}

/// When one was asked last, of those times that it counted for so much: who counts for less may have lost something itself.
#[derive(Clone, Copy, Debug, Default)]
struct Lesson {
    anyhow: u64,
    locally: Option<u64>,
    everywhere: Option<u64>,
}

impl Lesson {
    fn note(&mut self, counts: Counts, asked_at: u64) {
        self.anyhow = asked_at;
        if counts >= Counts::Locally {
            self.locally = Some(asked_at);
        }
        if counts >= Counts::Everywhere {
            self.everywhere = Some(asked_at);
        }
    }

    fn at(&self, counts: Counts) -> Option<u64> {
        match counts {
            Counts::Nowhere => Some(self.anyhow),
            Counts::Locally => self.locally,
            Counts::Everywhere => self.everywhere,
        }
    }
}

/// What learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pupil {
    /// Who has lost something: it does not count until it has learned.
    #[default]
    Lost,
    /// Who has come anew: nor does it, and what it holds it has not lost.
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
    /// Those beside the pupil. What one has taught that is gone by now is here all the same.
    others: Vec<NodeId>,
    /// Those of them that can be asked.
    askable: Vec<NodeId>,
    need: usize,
    /// What a teacher is to count for.
    quorum: Quorum,
}

impl Wanted {
    /// Of whom a replica of a node is to learn, by this layout.
    pub(crate) fn of(layout: &Layout, partition: PartitionId, me: NodeId, pupil: Pupil) -> Self {
        let place = layout.place(partition);
        let set = |quorum: Quorum, members: &[NodeId], need: usize| {
            // What it holds itself, if it has lost nothing, need not be learned.
            let own = usize::from(pupil != Pupil::Lost && members.contains(&me));
            let others: Vec<NodeId> = members.iter().copied().filter(|id| *id != me).collect();
            let askable = others.iter().copied().filter(|id| !layout.is_lost(*id)).collect();
            Set { others, askable, need: need.saturating_sub(own), quorum }
        };
        // Of those in its own datacenter enough are needed, too, where a majority of them may have acknowledged something by itself.
        let near = |of: &[NodeId]| -> Vec<NodeId> {
            of.iter().copied().filter(|id| layout.count_together(*id, me)).collect()
        };
        let mut sets = Vec::new();
        let mut want = |of: &[NodeId], need: fn(usize) -> usize| {
            let near = near(of);
            sets.push(set(Quorum::Global, of, need(of.len())));
            if near.len() < of.len() {
                sets.push(set(Quorum::Local, &near, need(near.len())));
            }
        };
        place.teachers().iter().for_each(|teachers| want(teachers, enough));
        if place.teachers().is_empty() || pupil == Pupil::Lost && place.owners().contains(&me) {
            // Of all others: what fewer than a majority have acknowledged is read where R and W are chosen for that.
            want(place.owners(), |owners| owners.saturating_sub(1));
        }
        Self { sets }
    }

    /// Everybody who can be asked.
    pub(crate) fn teachers(&self) -> BTreeSet<NodeId> {
        self.sets.iter().flat_map(|set| &set.askable).copied().collect()
    }
}

impl Lessons {
    pub(crate) fn of(pupil: Pupil) -> Self {
        Self { pupil, ..Self::default() }
    }

    /// The same, of one that may have acknowledged something.
    pub(crate) fn having_counted(self, has_counted: bool) -> Self {
        Self { has_counted, ..self }
    }

    /// All is to be learned anew, for a step of the move has begun. Who has lost something has lost no more by that, and rests no longer.
    pub(crate) fn anew(&self, pupil: Pupil) -> Self {
        let (has_counted, rested_at) = (self.has_counted, self.rested_at);
        match self.pupil {
            Pupil::Lost => Self { has_counted, rested_at, ..Self::of(Pupil::Lost) },
            Pupil::New | Pupil::Stays => Self { has_counted, ..Self::of(pupil) },
        }
    }

    /// What it is when it starts again. Who has come anew and has acknowledged something may have lost that by then, and nobody tells it.
    pub(crate) fn later(&self) -> Pupil {
        if self.pupil == Pupil::New && self.has_counted { Pupil::Lost } else { self.pupil }
    }

    /// Whether it lacks something: who does not counts no further than it has learned.
    pub(crate) fn lacks(&self) -> bool {
        self.pupil != Pupil::Stays
    }

    /// It asks others from now on, in milliseconds. For so long a coordinator may still count what was acknowledged here before. It
    /// need not have it by itself, in another datacenter or where it is an owner no more; then those that it is told by have it.
    pub(crate) fn begin(&mut self, now: u64, rest_ms: u64) {
        self.rested_at.get_or_insert(now + rest_ms);
    }

    fn is_rested(&self, at: u64) -> bool {
        self.pupil != Pupil::Lost || self.rested_at.is_some_and(|rested_at| at >= rested_at)
    }

    /// Notes that it has taken over what another knew when it was asked, and for which quorums that one counted.
    pub(crate) fn note(&mut self, from: NodeId, counts: Counts, asked_at: u64) {
        self.taught.entry(from).or_default().note(counts, asked_at);
    }

    /// Whether one that counts for so much now has nothing more to teach.
    pub(crate) fn has_heard(&self, owner: NodeId, counts: Counts, now: u64) -> bool {
        let at = self.taught.get(&owner).and_then(|lesson| lesson.at(counts));
        at.is_some_and(|at| !self.is_rested(now) || self.is_rested(at))
    }

    /// The layout has changed: who did not count may count by now. Behind a fence, who counted in its datacenter alone as well.
    pub(crate) fn doubt(&mut self, is_fenced: bool) {
        let least = if is_fenced { Counts::Everywhere } else { Counts::Locally };
        self.taught.retain(|_, lesson| lesson.at(least).is_some());
    }

    /// For which quorums the pupil counts meanwhile.
    pub(crate) fn counts(&self) -> Counts {
        match (self.lacks(), self.is_local) {
            (false, _) => Counts::Everywhere,
            (true, true) => Counts::Locally,
            (true, false) => Counts::Nowhere,
        }
    }

    /// Looks whether what was learned is enough for the pupil's own datacenter, which may be cut off from others. Of those that have
    /// lost something themselves none is enough for that: what they lack, others have elsewhere. Nor is it enough where nobody
    /// else is.
    pub(crate) fn look(&mut self, wanted: &Wanted) {
        let mut near = wanted.sets.iter().filter(|set| set.quorum == Quorum::Local).peekable();
        self.is_local = near.peek().is_some() && near.all(|set| self.taught_by(set) >= set.need.max(1));
        self.has_counted |= self.is_local;
    }

    /// Whether nothing more is to be learned. What a majority has acknowledged, beside this replica, is known to one of
    /// any `owners - majority + 1` others. And where all others have been asked, and some of them have lost something
    /// too, there is no more: what is gone is gone, and to refuse for ever brings none of it back.
    pub(crate) fn is_done(&self, wanted: &Wanted) -> bool {
        wanted.sets.iter().all(|set| {
            let is_asked = |other: &NodeId| self.has_taught(*other, Counts::Nowhere);
            self.taught_by(set) >= set.need || set.askable.iter().all(is_asked)
        })
    }

    /// How many of a set have taught enough for it.
    fn taught_by(&self, set: &Set) -> usize {
        let least = match set.quorum {
            Quorum::Local => Counts::Locally,
            Quorum::Global => Counts::Everywhere,
        };
        set.others.iter().filter(|other| self.has_taught(**other, least)).count()
    }

    /// Whether one was asked when nobody waited any more, and counted for so much.
    fn has_taught(&self, other: NodeId, least: Counts) -> bool {
        let at = self.taught.get(&other).and_then(|lesson| lesson.at(least));
        at.is_some_and(|at| self.is_rested(at))
    }
}
