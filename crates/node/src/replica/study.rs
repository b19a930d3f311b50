//! A replica that learns: from whom, and what is stored of it.
//!
//! Invariant: that it has learned enough in a step of its move is on the disk, whatever the policy, before that batch is settled;
//! so whoever is told can rely on it, and on all that was learned.

use super::Replica;
use crate::hints::Hints;
use crate::leaf::{LEAVES, Leaf};
use crate::lessons::{Lessons, Pupil, Wanted};
use crate::meta::encode_place;
use crate::meta_names::hints_row;
use crate::rows::Shelf;
use crate::step_names::place_row;
use causal::Actor;
use placement::NodeId;
use wire::peer::quorum::Counts;

impl Replica {
    /// The same, with the step of its move in which it has learned enough last.
    pub(crate) fn with_arrived(mut self, arrived: Option<u64>) -> Self {
        self.arrived = arrived;
        self
    }

    /// The step of its move in which it has learned enough last.
    pub(crate) fn arrived(&self) -> Option<u64> {
        self.arrived
    }

    /// What it has learned so far, if it is to learn anything.
    pub(crate) fn lessons(&self) -> Option<&Lessons> {
        self.lessons.as_ref()
    }

    /// For which quorums it counts.
    pub(crate) fn counts(&self) -> Counts {
        self.lessons.as_ref().map_or(Counts::Everywhere, Lessons::counts)
    }

    /// Whether it lacks something, and does not count for every quorum until it has learned what.
    pub(crate) fn is_learning(&self) -> bool {
        self.counts() != Counts::Everywhere
    }

    /// Whether another owner, that counts for so much now, has nothing more to teach this one.
    pub(crate) fn has_learned_from(&self, owner: NodeId, counts: Counts, now: u64) -> bool {
        self.lessons.as_ref().is_none_or(|lessons| lessons.has_heard(owner, counts, now))
    }

    /// Has it learn from now on, what it has learned before notwithstanding: a step of its move has begun, before which it may have
    /// been one of the owners.
    pub(crate) fn study(&mut self, pupil: Pupil, has_owned: bool, own_actor: Actor, shelf: &mut Shelf<'_>) {
        let whole = || Lessons::of(pupil).having_counted(has_owned);
        self.lessons = Some(self.lessons.as_ref().map_or_else(whole, |lessons| lessons.anew(pupil)));
        self.store_sums(own_actor, self.map.digest(), shelf);
    }

    /// No step of its move is under way. Who had come anew and was not whole by then has to learn as if it had lost it.
    pub(crate) fn study_no_more(&mut self, own_actor: Actor, shelf: &mut Shelf<'_>) {
        let Some(lessons) = &mut self.lessons else { return };
        match lessons.pupil {
            Pupil::Stays => self.lessons = None,
            Pupil::New => *lessons = lessons.anew(Pupil::Lost),
            Pupil::Lost => return,
        }
        self.store_sums(own_actor, self.map.digest(), shelf);
    }

    /// Its place has changed: who was learning itself, and taught what it had, may know more now.
    pub(crate) fn ask_the_lame_again(&mut self, is_fenced: bool) {
        self.lessons.iter_mut().for_each(|lessons| lessons.doubt(is_fenced));
    }

    /// It asks others what it lacks, from now on at the latest.
    pub(crate) fn begin_learning(&mut self, now: u64, rest_ms: u64) {
        self.lessons.iter_mut().for_each(|lessons| lessons.begin(now, rest_ms));
    }

    /// There is nobody to learn from: what is left is all there is.
    pub(crate) fn learn_no_more(&mut self, own_actor: Actor, shelf: &mut Shelf<'_>) {
        self.lessons = None;
        self.store_sums(own_actor, self.map.digest(), shelf);
    }

    /// Notes that it has learned all that another knew when it was asked, who counted for so much.
    pub(crate) fn note_lesson(&mut self, from: NodeId, counts: Counts, asked_at: u64) {
        self.lessons.iter_mut().for_each(|lessons| lessons.note(from, counts, asked_at));
    }

    /// Ends its learning where it has learned enough, in this step of its move if there is one; or sees whether it is enough for its
    /// datacenter.
    pub(crate) fn learned(
        &mut self,
        wanted: &Wanted,
        step: Option<u64>,
        own_actor: Actor,
        shelf: &mut Shelf<'_>,
    ) {
        let Some(lessons) = &mut self.lessons else { return };
        lessons.look(wanted);
        if !lessons.is_done(wanted) {
            if self.store_condition(shelf) {
                // What it is when it starts again is on the disk before it acknowledges anything.
                shelf.store.urge();
            }
            return;
        }
        if let Some(step) = step {
            self.arrived = Some(step);
            shelf.store.put(place_row(shelf.partition), encode_place(step));
            shelf.store.urge();
        }
        self.learn_no_more(own_actor, shelf);
    }

    /// It is that of an owner, or of who is to be one, and stood in for others until now.
    pub(crate) fn own(&mut self, own_actor: Actor, shelf: &mut Shelf<'_>) {
        self.hints = None;
        self.snapshots.clear();
        shelf.store.delete(hints_row(shelf.partition));
        self.store_sums(own_actor, self.map.digest(), shelf);
    }

    /// It is no owner's any more: all of it is kept for those that are.
    pub(crate) fn stand_in_wholly(&mut self, own_actor: Actor, shelf: &mut Shelf<'_>) {
        let mut hints = Hints::default();
        (0..LEAVES).for_each(|leaf| hints.tell(Leaf(leaf)));
        self.hints = Some(hints);
        self.arrived = None;
        shelf.store.delete(place_row(shelf.partition));
        self.store_sums(own_actor, self.map.digest(), shelf);
    }
}
