//! Those who run the cluster, and its steward: what they make of the newest layout. The register is taken for granted.
//!
//! The steward goes by reports that are stale, doubled and lost. It begins only what leaves enough of each set that live: who must
//! learn should be there. Operators are as careless as the layout lets them be, within what `World::bears`.

use crate::lapse::Lapse;
use crate::node::Health;
use crate::world::{NODES, World, id, member};
use placement::layout::{Advance, Move, Step};
use placement::{Change, Duty, LayoutError, NodeId, PartitionId};
use std::collections::BTreeMap;
use std::sync::Arc;

impl World {
    /// Makes the next layout, if that can be made and borne.
    pub(crate) fn change(&mut self, change: &Change) -> bool {
        let next = match self.newest().changed(change) {
            Ok(next) if self.bears(&next, None) => next,
            Ok(_) | Err(LayoutError::Same) => return false,
            Err(error) => {
                self.tally.refused += 1;
                self.tally.at_stake += u64::from(matches!(error, LayoutError::AtStake { .. }));
                return false;
            }
        };
        let (before, after) = (self.place(), next.place(PartitionId(0)));
        let mut tally = self.tally;
        tally.note(before, after);
        self.tally = tally;
        self.layouts.push(Arc::new(next));
        true
    }

    /// An operator asks for something: for a move most often, where everything is at rest.
    pub(crate) fn operate(&mut self, at: usize) {
        let is_resting = *self.place().step() == Step::Resting;
        if self.dice.chance(self.mood.gives_up) {
            return self.lose(at);
        }
        let (node, other) = (id(at), id(self.dice.below(NODES)));
        let change = match self.dice.below(12) {
            0..8 if is_resting => self.shift(),
            8 if self.newest().member(node).is_none() => Change::Join(member(at, 1)),
            9 => self.rare(node, other),
            10 if self.nodes[at].health != Health::Dead => Change::Stay(node),
            11 => Change::Replicate([1_u8, 2, 3, 3, 3, 4, 5][self.dice.below(7)].into()),
            _ => return,
        };
        self.change(&change);
    }

    fn rare(&mut self, node: NodeId, other: NodeId) -> Change {
        match self.dice.below(3) {
            0 => Change::Leave(node),
            1 => Change::Succeed { old: node, new: other },
            _ => Change::Weigh(node, 3),
        }
    }

    /// An owner is to hold less, or another more.
    fn shift(&mut self) -> Change {
        let place = self.place().clone();
        let storing: Vec<_> = self.newest().storing().map(|member| member.id).collect();
        let (owners, others): (Vec<_>, Vec<_>) =
            storing.into_iter().partition(|id| place.owners().contains(id));
        let less = self.dice.pick(&owners).map(|owner| Change::Weigh(owner, 1));
        let more = self.dice.pick(&others).map(|other| Change::Weigh(other, 9));
        let shift = if self.dice.chance(50) { less.or(more) } else { more.or(less) };
        shift.unwrap_or(Change::Replicate(3.into()))
    }

    /// Somebody is given up: who is gone, who cannot be reached, who settles just now, or anybody.
    fn lose(&mut self, at: usize) {
        let is_silent = |at: &usize| matches!(self.nodes[*at].health, Health::Dead | Health::Cut);
        let silent: Vec<_> = (0..NODES).filter(is_silent).map(id).collect();
        let settling = self.place().to_come().to_vec();
        let arrived: Vec<_> =
            settling.iter().copied().filter(|id| self.nodes[self.at(*id)].has_arrived()).collect();
        let anybody = [id(at)];
        let whom = match self.dice.below(8) {
            0 => anybody.as_slice(),
            1..3 => settling.as_slice(),
            3..5 => arrived.as_slice(),
            _ => silent.as_slice(),
        };
        if let Some(member) = self.dice.pick(whom) {
            self.change(&Change::Lose { member, accepts_loss: false });
        }
    }

    /// The steward does one thing; whoever it is learns of it.
    pub(crate) fn steward(&mut self, at: usize) {
        let has_changed = match self.dice.below(10) {
            0..4 => self.advance(Advance::Begin),
            4..8 => self.hear_report(),
            8 => self.change_voters(),
            _ => {
                let leavers = self.leavers();
                let leaver = self.dice.pick(&leavers);
                leaver.is_some_and(|leaver| self.change(&Change::Forget(leaver)))
            }
        };
        if has_changed && self.nodes[at].is_up() {
            let newest = self.newest().clone();
            self.adopt(at, &newest);
        }
    }

    pub(crate) fn advance(&mut self, advance: Advance) -> bool {
        self.change(&Change::Move(vec![Move { partition: PartitionId(0), advance }]))
    }

    /// Some report arrives, not always for the last time, or none.
    fn hear_report(&mut self) -> bool {
        if self.reports.is_empty() || !self.dice.chance(self.mood.reports) {
            return false;
        }
        let which = self.dice.below(self.reports.len());
        let which = if self.dice.chance(50) { self.pressing().unwrap_or(which) } else { which };
        let report = self.reports[which];
        if self.dice.chance(40) {
            self.reports.swap_remove(which);
        }
        self.advance(self.taken(report))
    }

    /// A report of somebody who is to come.
    fn pressing(&self) -> Option<usize> {
        let to_come = self.place().to_come();
        let is_pressing =
            |report: &Advance| matches!(report, Advance::Arrived { owner, .. } if to_come.contains(owner));
        self.reports.iter().position(is_pressing)
    }

    /// What a report is taken for.
    fn taken(&self, report: Advance) -> Advance {
        match report {
            Advance::Arrived { owner, .. } if self.lapse == Some(Lapse::ArrivesAtAnyStep) => {
                Advance::Arrived { owner, since: self.place().since() }
            }
            other => other,
        }
    }

    /// Those vote that should.
    pub(crate) fn change_voters(&mut self) -> bool {
        if self.newest().voters().are_joint() {
            return self.change(&Change::Seated);
        }
        let up = self.nodes.iter().filter(|node| node.is_up());
        let can_vote: BTreeMap<NodeId, u64> = up.map(|node| (node.id, node.disk)).collect();
        let seats = self.newest().voters_wanted(&can_vote);
        seats.is_some_and(|seats| self.change(&Change::Seat(seats)))
    }

    /// Those that are on their way out.
    pub(crate) fn leavers(&self) -> Vec<NodeId> {
        let out = |duty| matches!(duty, Duty::Leave | Duty::Lost);
        self.newest().members().iter().filter(|member| out(member.duty)).map(|member| member.id).collect()
    }
}
