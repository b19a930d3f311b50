//! Who should vote: few, that live, in different datacenters and zones.
//!
//! 1. They are an odd number: of an even one no more may be down than of one fewer, and of two neither.
//! 2. Whoever votes goes on voting, unless it cannot, or another is in a place that has fewer voters.
//! 3. They become fewer where members do, and not where some are silent: one that votes alone takes the layout with it.
//! 4. Most of those that are to vote live.

use super::{Layout, LayoutError};
use crate::member::{Duty, NodeId};
use crate::voters::{Seat, Voters};
use std::collections::{BTreeMap, BTreeSet};

/// The most voters: two of them may be down.
const VOTERS_MAX: usize = 5;

/// The fewest of which one may be down, or lose its disk.
const VOTERS_SAFE: usize = 3;

/// How many of so many vote.
fn odd(count: usize) -> usize {
    count.saturating_sub(1 - count % 2)
}

/// What is added to the epoch where one goes on without the others: more than they can have come by without it.
const RECOVERY_EPOCHS: u64 = 1 << 32;

impl Layout {
    /// One votes alone, whoever voted before. Whatever those agree to from now on is of an older epoch.
    pub(super) fn recover(&mut self, seat: Seat) -> Result<(), LayoutError> {
        let member = self.member(seat.node).ok_or_else(|| LayoutError::Stranger(seat.node.to_string()))?;
        if member.duty != Duty::Store {
            return Err(LayoutError::CannotStore(member.name.clone()));
        }
        let epoch = self.epoch.checked_add(RECOVERY_EPOCHS);
        self.epoch = epoch.ok_or(LayoutError::Broken("its epoch cannot rise any more"))?;
        self.voters = Voters::of([seat].into());
        Ok(())
    }

    /// Who should vote, where not those that do: `can_vote` says who lives, and with which disk.
    #[must_use]
    pub fn voters_wanted(&self, can_vote: &BTreeMap<NodeId, u64>) -> Option<BTreeSet<Seat>> {
        if self.voters.are_joint() {
            return None;
        }
        let storing: Vec<_> = self.storing().map(|member| member.id).collect();
        let silent = self.voters.now.iter().filter(|seat| !can_vote.contains_key(&seat.node));
        let lives = can_vote.iter().map(|(node, disk)| Seat { node: *node, disk: *disk });
        let mut candidates: Vec<_> =
            lives.chain(silent.copied()).filter(|seat| storing.contains(&seat.node)).collect();
        let wanted = odd(storing.len()).min(VOTERS_MAX);
        let can_stay = self.voters.now.iter().all(|seat| storing.contains(&seat.node));
        let now = odd(self.voters.now.iter().filter(|seat| !self.is_lost(seat.node)).count());
        let heard = odd(candidates.len());
        let least = now.max(wanted.min(VOTERS_SAFE));
        if heard < wanted && (heard < least || (can_stay && heard == now)) {
            // Those that are to vote with them have not been heard yet.
            return None;
        }
        let wanted = wanted.min(heard);
        let mut seats = BTreeSet::new();
        while seats.len() < wanted
            && let Some(best) =
                (0..candidates.len()).min_by_key(|at| self.rank(candidates[*at], &seats, can_vote))
        {
            seats.insert(candidates.swap_remove(best));
        }
        // Without most of them nothing could be changed any more.
        let can_agree =
            2 * seats.iter().filter(|seat| can_vote.contains_key(&seat.node)).count() > seats.len();
        (can_agree && seats != self.voters.now).then_some(seats)
    }

    /// The lower, the better.
    fn rank(
        &self,
        seat: Seat,
        seats: &BTreeSet<Seat>,
        can_vote: &BTreeMap<NodeId, u64>,
    ) -> (bool, usize, usize, bool, Seat) {
        let zone = |seat: &Seat| self.member(seat.node).map(|member| &member.zone);
        let mine = zone(&seat);
        let with = |is_near: &dyn Fn(&Seat) -> bool| seats.iter().filter(|other| is_near(other)).count();
        let center =
            with(&|other| zone(other).map(|zone| &zone.datacenter) == mine.map(|zone| &zone.datacenter));
        let rack = with(&|other| zone(other) == mine);
        (!can_vote.contains_key(&seat.node), center, rack, !self.voters.now.contains(&seat), seat)
    }
}
