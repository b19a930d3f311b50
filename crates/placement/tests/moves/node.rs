//! A node of the model: what it knows, what it holds, and from whom it has learned. It is one replica of one partition.
//!
//! 1. What lies on its disk outlives a crash: the layout that it knows, its writes, and that it has arrived. From whom it has
//!    learned so far does not.
//! 2. Whoever lost its disk knows it, and has read the newest layout since: what it had promised to refuse is forgotten, but no
//!    newer layout can have been promised anything.

use crate::lapse::Lapse;
use placement::layout::{Advance, Step, enough};
use placement::{Layout, NodeId, PartitionId, Place};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A set of writes, a bit for each.
pub(crate) type Writes = u128;

/// Whether a node does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Up,
    Down,
    /// It lives, and nobody hears it.
    Cut,
    /// It does not come back.
    Dead,
}

/// One node.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) layout: Arc<Layout>,
    pub(crate) writes: Writes,
    pub(crate) health: Health,
    /// How many disks it has lost.
    pub(crate) disk: u64,
    /// Whether it is still to make good for the last of them.
    pub(crate) is_blank: bool,
    lapse: Option<Lapse>,
    taught: BTreeSet<NodeId>,
    /// The epoch of the step for which it has learned all.
    learned: u64,
    /// The epoch of the step for which it has a copy.
    copied: u64,
}

/// What a replica says to whoever asks it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) by: NodeId,
    pub(crate) epoch: u64,
    pub(crate) counts: bool,
    pub(crate) writes: Writes,
}

/// What a teacher says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lesson {
    pub(crate) by: NodeId,
    pub(crate) epoch: u64,
    pub(crate) is_whole: bool,
    pub(crate) writes: Writes,
    /// The disk of the learner when it asked.
    pub(crate) disk: u64,
}

impl Node {
    pub(crate) fn new(id: NodeId, layout: Arc<Layout>, lapse: Option<Lapse>) -> Self {
        Self {
            id,
            layout,
            lapse,
            writes: 0,
            health: Health::Up,
            disk: 0,
            is_blank: false,
            taught: BTreeSet::new(),
            learned: 0,
            copied: 0,
        }
    }

    pub(crate) fn place(&self) -> &Place {
        self.layout.place(PartitionId(0))
    }

    pub(crate) fn is_up(&self) -> bool {
        self.health == Health::Up
    }

    fn lapses(&self, lapse: Lapse) -> bool {
        self.lapse == Some(lapse)
    }

    fn owns(&self) -> bool {
        self.place().owners().contains(&self.id)
    }

    /// The step that it learns for: what was learned in one counts for nothing in another.
    fn stage(&self) -> (u64, bool) {
        match self.place().step() {
            Step::Copying { began, .. } => (*began, false),
            Step::Settling { .. } => (self.place().since(), true),
            Step::Resting => (self.place().since(), false),
        }
    }

    /// Goes by a newer layout; says whether others own the partition now.
    pub(crate) fn adopt(&mut self, layout: &Arc<Layout>) -> bool {
        if layout.epoch() <= self.layout.epoch() {
            return false;
        }
        let (since, stage) = (self.place().since(), self.stage());
        self.layout = layout.clone();
        let is_fenced = self.place().since() != since;
        if self.stage() != stage {
            self.taught.clear();
        }
        let teaches = self.place().teaches(self.id);
        // Of whom nobody learns nothing is missed.
        self.is_blank &= teaches;
        if !self.place().keeps(self.id) && (!teaches || self.lapses(Lapse::DropsAtOnce)) {
            self.writes = 0;
        }
        is_fenced
    }

    /// Whether it can say yet what to do with what is said by a layout: one that it does not know must come first.
    pub(crate) fn can_hear(&self, epoch: u64) -> bool {
        epoch <= self.layout.epoch() || self.lapses(Lapse::AnswersUnawares)
    }

    /// What it answers to whoever goes by the layout of an epoch; nothing where that is refused.
    pub(crate) fn answer(&mut self, epoch: u64, brings: Writes) -> Option<Answer> {
        if self.refuses(epoch) {
            return None;
        }
        // Two who hear each other go by the same owners: neither knows a fence that the other does not.
        assert!(self.owns() || self.lapse.is_some(), "it is asked for what others own");
        self.writes |= brings;
        let (by, epoch, counts) = (self.id, self.layout.epoch(), self.counts(self.place()));
        Some(Answer { by, epoch, counts, writes: self.writes })
    }

    fn refuses(&self, epoch: u64) -> bool {
        let is_fenced = epoch < self.place().since() && !self.lapses(Lapse::HearsWhatIsFenced);
        // Where a rule is broken it may be asked for what it does not own.
        is_fenced || (self.lapse.is_some() && !self.owns())
    }

    /// Whether it counts as the owner that it is by a place.
    fn counts(&self, place: &Place) -> bool {
        let comes = |set: &Vec<NodeId>| !set.contains(&self.id);
        let is_new = if self.lapses(Lapse::CountsWhereTwoHaveGone) {
            place.to_come().contains(&self.id) && place.teachers().iter().any(comes)
        } else {
            place.is_new(self.id)
        };
        let learns = is_new && self.learned != place.since();
        let is_blank = self.is_blank && !self.lapses(Lapse::CountsWithAnotherDisk);
        !is_blank && (!learns || self.lapses(Lapse::CountsBeforeItHasLearned))
    }

    /// Whether its answer to a read by some layout would count, if it were asked now.
    pub(crate) fn would_count(&self, layout: &Layout) -> bool {
        let place = layout.place(PartitionId(0));
        if self.can_hear(layout.epoch()) {
            return !self.refuses(layout.epoch()) && self.counts(self.place());
        }
        place.owners().contains(&self.id) && self.counts(place)
    }

    pub(crate) fn lesson(&self, disk: u64) -> Lesson {
        let (by, epoch, is_whole) = (self.id, self.layout.epoch(), !self.is_blank);
        Lesson { by, epoch, is_whole, writes: self.writes, disk }
    }

    /// Takes what was kept for it.
    pub(crate) fn take(&mut self, writes: Writes) {
        self.writes |= writes;
    }

    pub(crate) fn hear(&mut self, lesson: &Lesson) {
        self.writes |= lesson.writes;
        let is_fenced = lesson.epoch >= self.place().since() || self.lapses(Lapse::LearnsFromTheUnaware);
        let is_whole = lesson.is_whole || self.lapses(Lapse::LearnsFromAnotherDisk);
        if lesson.disk == self.disk && is_fenced && is_whole && !self.layout.is_lost(lesson.by) {
            self.taught.insert(lesson.by);
            if let Step::Copying { began, .. } = self.place().step() {
                self.copied = *began;
            }
        }
        self.look();
    }

    /// Whether it has learned enough by now.
    fn look(&mut self) {
        let comes = self.place().to_come().contains(&self.id);
        let has_learned = self.sets().iter().all(|set| self.knows(set));
        if has_learned && comes {
            self.learned = self.place().since();
        }
        if has_learned && self.owns() {
            self.is_blank = false;
        }
    }

    /// The sets of which it is to learn.
    fn sets(&self) -> Vec<Vec<NodeId>> {
        let mut sets = self.place().teachers().to_vec();
        if self.lapses(Lapse::LearnsOfTheFirstSet) {
            sets.truncate(1);
        }
        if self.is_blank {
            sets.push(self.place().owners().to_vec());
        }
        sets
    }

    /// Whether enough of a set have taught it. What it holds itself need not be learned.
    fn knows(&self, set: &[NodeId]) -> bool {
        if self.lapses(Lapse::StaysWithoutLearning) && !self.place().is_new(self.id) {
            return true;
        }
        let is_known = |id: &&NodeId| self.taught.contains(*id) || (**id == self.id && !self.is_blank);
        let known = set.iter().filter(is_known).count();
        known >= if self.lapses(Lapse::LearnsFromOne) { 1 } else { enough(set.len()) }
    }

    /// Whom it is to ask for lessons.
    pub(crate) fn teachers(&self) -> Vec<NodeId> {
        let learns = self.place().newcomer() == Some(self.id) || self.place().to_come().contains(&self.id);
        let sets = if learns || (self.is_blank && self.owns()) { self.sets() } else { Vec::new() };
        let all: BTreeSet<_> = sets.into_iter().flatten().collect();
        all.into_iter().filter(|id| *id != self.id && !self.taught.contains(id)).collect()
    }

    /// Whether it has learned all that it was to learn for the step that it knows.
    pub(crate) fn has_arrived(&self) -> bool {
        self.learned == self.place().since() && !self.is_blank
    }

    /// What has come of the step that it takes part in.
    pub(crate) fn report(&mut self) -> Option<Advance> {
        self.look();
        let since = self.place().since();
        match self.place().step() {
            Step::Copying { newcomer, began } if *newcomer == self.id => {
                (self.copied == *began).then_some(Advance::Copied { newcomer: self.id, began: *began })
            }
            Step::Settling { to_come, .. } if to_come.contains(&self.id) => {
                self.has_arrived().then_some(Advance::Arrived { owner: self.id, since })
            }
            _ => None,
        }
    }

    pub(crate) fn crash(&mut self) {
        self.health = Health::Down;
        self.taught.clear();
    }

    /// Its disk is empty; it reads a layout before it does anything.
    pub(crate) fn lose_disk(&mut self, layout: &Arc<Layout>) {
        self.layout = layout.clone();
        (self.writes, self.learned, self.copied) = (0, 0, 0);
        self.disk += 1;
        self.taught.clear();
        self.is_blank = self.place().teaches(self.id);
    }
}
