//! What may be made of a layout: by those who run the cluster, and by its steward.
//!
//! ```text
//!   what is asked      members, weights, zones, N        ─▶ what is wanted: a new table of owners (`assign`)
//!   what has come      moves that began, came, arrived   ─▶ where partitions are (`steps`)
//! ```
//!
//! Either makes the layout of the next epoch, whole. Nothing is at rest in between, and nothing is forgotten: who leaves in the middle of a
//! move is wanted nowhere from then on, and the steps lead there.
//!
//! 1. A change that would change nothing is refused as [`LayoutError::Same`].
//! 2. Nobody is forgotten who is named in any place.

use super::place::{Place, Step, enough};
use super::steps::{Advance, Move, Stride};
use super::{Layout, LayoutError, assign, error, stand_in_ring};
use crate::copies::Copies;
use crate::keyspace::PartitionId;
use crate::member::{Duty, Member, NodeId, WEIGHT_MAX, Zone};
use crate::voters::{Seat, Voters};
use std::collections::BTreeSet;

/// How many members may be waited for however long.
const KEPT_MAX: usize = 255;

/// What is to be made of a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A member more.
    Join(Member),
    /// A member gives everything away, and is forgotten then.
    Leave(NodeId),
    /// A member is gone for good: nobody waits for it or learns from it.
    Lose {
        /// Which.
        member: NodeId,
        /// Whether to go on where too few are left to know what was acknowledged.
        accepts_loss: bool,
    },
    /// A member takes the places of another, which gives everything away.
    Succeed {
        /// Who goes.
        old: NodeId,
        /// Who comes in its place.
        new: NodeId,
    },
    /// A member that is leaving stays; and one that is there is waited for if it is down, however long.
    Stay(NodeId),
    /// A member that was waited for is there: it is waited for no longer than others from now on.
    Welcome(NodeId),
    /// A member holds so much, relative to others.
    Weigh(NodeId, u32),
    /// A member fails together with others.
    Locate(NodeId, Zone),
    /// How many owners each partition is to have, and where.
    Replicate(Copies),
    /// A member that has nothing left is forgotten.
    Forget(NodeId),
    /// Steps of partitions.
    Move(Vec<Move>),
    /// Others are to vote.
    Seat(BTreeSet<Seat>),
    /// They vote alone.
    Seated,
    /// Most of those who vote are gone for good: this one goes on alone, whatever they have agreed to without it.
    Recover(Seat),
}

impl Layout {
    /// The layout of the next epoch.
    ///
    /// # Errors
    /// Where it cannot be made of this one, or would be the same.
    pub fn changed(&self, change: &Change) -> Result<Layout, LayoutError> {
        let mut next = self.next()?;
        match change {
            Change::Join(member) => next.join(member)?,
            Change::Leave(member) => next.leave(*member)?,
            Change::Lose { member, accepts_loss } => next.lose(*member, *accepts_loss)?,
            Change::Succeed { old, new } => next.succeed(*old, *new)?,
            Change::Stay(member) => next.stay(*member)?,
            Change::Welcome(member) => next.welcome(*member)?,
            Change::Weigh(member, weight) => next.weigh(*member, *weight)?,
            Change::Locate(member, zone) => next.locate(*member, zone)?,
            Change::Replicate(copies) => next.replicate(copies)?,
            Change::Forget(member) => next.forget(*member)?,
            Change::Move(moves) => next.step(moves)?,
            Change::Seat(seats) => next.seat(seats)?,
            Change::Seated => next.seated()?,
            Change::Recover(seat) => next.recover(*seat)?,
        }
        debug_assert_eq!(next.check(), Ok(()));
        Ok(next)
    }

    /// The layout of the next epoch with one more member, and every partition where it is wanted at once: of a cluster in which nothing was
    /// written yet, as one is made up for a test or a bench.
    ///
    /// # Errors
    /// As [`Layout::changed`]; but who is a member already changes nothing.
    pub fn with_member(&self, member: Member) -> Result<Layout, LayoutError> {
        if self.member(member.id) == Some(&member) {
            return Ok(self.clone());
        }
        self.with_members([member])
    }

    /// The same with several at once.
    ///
    /// # Errors
    /// As [`Layout::changed`], of the first that cannot join.
    pub fn with_members(&self, members: impl IntoIterator<Item = Member>) -> Result<Layout, LayoutError> {
        let mut next = self.next()?;
        for member in members {
            next.admit(&member)?;
        }
        next.want();
        next.places = next.wanted_at(next.epoch);
        debug_assert_eq!(next.check(), Ok(()));
        Ok(next)
    }

    /// The same in the next epoch.
    fn next(&self) -> Result<Layout, LayoutError> {
        let epoch = self.epoch.checked_add(1).ok_or(LayoutError::Broken("its epoch cannot rise any more"))?;
        Ok(Layout { epoch, ..self.clone() })
    }

    /// Every partition where it is wanted.
    fn wanted_at(&self, epoch: u64) -> Vec<Place> {
        let partitions = self.keyspace.partitions();
        partitions.map(|partition| Place::resting(self.wanted(partition).to_vec(), epoch)).collect()
    }

    fn join(&mut self, member: &Member) -> Result<(), LayoutError> {
        if self.member(member.id) == Some(member) {
            return Err(LayoutError::Same);
        }
        self.admit(member)?;
        self.want();
        Ok(())
    }

    fn admit(&mut self, member: &Member) -> Result<(), LayoutError> {
        error::admit(&self.members, member)?;
        let at = self.members.partition_point(|other| other.id < member.id);
        self.members.insert(at, member.clone());
        self.joined.insert(at, self.epoch);
        Ok(())
    }

    fn leave(&mut self, id: NodeId) -> Result<(), LayoutError> {
        match self.known(id)?.duty {
            Duty::Leave => return Err(LayoutError::Same),
            Duty::Lost => return Err(LayoutError::Gone(self.known(id)?.name.clone())),
            Duty::Route => {
                // It has nothing to give away.
                self.drop_member(id);
                return Ok(());
            }
            Duty::Store => {}
        }
        let before = self.clone();
        self.member_mut(id).duty = Duty::Leave;
        self.has_members_for(&before)?;
        self.want();
        Ok(())
    }

    fn lose(&mut self, id: NodeId, accepts_loss: bool) -> Result<(), LayoutError> {
        let member = self.known(id)?.clone();
        if member.duty == Duty::Lost && !accepts_loss {
            return Err(LayoutError::Same);
        }
        if member.duty == Duty::Route {
            self.drop_member(id);
            return Ok(());
        }
        self.member_mut(id).duty = Duty::Lost;
        if self.replicas() == 0 {
            return Err(LayoutError::Last(member.name));
        }
        self.want();
        let (at_stake, of) = (self.at_stake(), self.places.len());
        let partitions = at_stake.len().max(self.at_stake_nearby());
        if partitions > 0 && !accepts_loss {
            return Err(LayoutError::AtStake { name: member.name, partitions, of });
        }
        if at_stake.is_empty() && member.duty == Duty::Lost {
            return Err(LayoutError::Same);
        }
        for partition in at_stake {
            self.give_up(partition);
        }
        Ok(())
    }

    /// The partitions of which too few are left to know what was acknowledged.
    fn at_stake(&self) -> Vec<PartitionId> {
        let is_left = |id: &&NodeId| !self.is_lost(**id);
        let knows = |set: &[NodeId]| set.iter().filter(is_left).count() >= enough(set.len());
        let is_safe = |place: &Place| knows(&place.owners) && place.teachers().iter().all(|set| knows(set));
        let partitions = self.keyspace.partitions();
        partitions.filter(|partition| !is_safe(self.place(*partition))).collect()
    }

    /// Of how many partitions too few are left in some datacenter to know what a majority there has acknowledged by itself.
    fn at_stake_nearby(&self) -> usize {
        let Copies::In(each) = &self.copies else { return 0 };
        let is_left = |id: &NodeId| !self.is_lost(*id);
        let knows = |set: &[NodeId], datacenter: &String| {
            let there = set.iter().copied().filter(|id| self.datacenter(*id) == datacenter);
            let there: Vec<NodeId> = there.collect();
            there.iter().filter(|id| is_left(id)).count() >= enough(there.len())
        };
        let is_safe = |place: &&Place| {
            let mut sets =
                std::iter::once(&place.owners[..]).chain(place.teachers().iter().map(Vec::as_slice));
            sets.all(|set| each.keys().all(|datacenter| knows(set, datacenter)))
        };
        self.places.iter().filter(|place| !is_safe(place)).count()
    }

    /// What is left of a partition is all there is: the owners that are left own it, or else who may have something of it.
    fn give_up(&mut self, partition: PartitionId) {
        let place = self.place(partition);
        let is_left = |id: &NodeId| !self.is_lost(*id);
        let mut owners: Vec<_> = place.owners.iter().copied().filter(is_left).collect();
        // Who has come anew may know nothing yet that those before it know.
        if owners.iter().all(|owner| self.is_new(partition, *owner)) {
            let taught = place.teachers().iter().flatten().copied();
            let known = taught.chain(owners).chain(place.newcomer()).find(is_left);
            owners = known.or(self.wanted(partition).first().copied()).into_iter().collect();
        }
        self.places[usize::from(partition.0)] = Place::resting(owners, self.epoch);
    }

    fn succeed(&mut self, old: NodeId, new: NodeId) -> Result<(), LayoutError> {
        let (from, to) = (self.known(old)?.clone(), self.known(new)?.clone());
        if old == new || to.duty != Duty::Store {
            return Err(LayoutError::CannotStore(to.name));
        }
        if from.duty == Duty::Route {
            return Err(LayoutError::CannotStore(from.name));
        }
        // What one who is on its way out is to own is wanted of others already.
        if from.duty != Duty::Store {
            return Err(LayoutError::Same);
        }
        let mut rows = self.rows();
        for row in rows.iter_mut().filter(|row| !row.contains(&new)) {
            row.iter_mut().filter(|owner| **owner == old).for_each(|owner| *owner = new);
        }
        let before = self.clone();
        self.member_mut(old).duty = Duty::Leave;
        self.has_members_for(&before)?;
        self.want_near(&rows);
        Ok(())
    }

    fn stay(&mut self, id: NodeId) -> Result<(), LayoutError> {
        match self.known(id)?.duty {
            Duty::Leave => {}
            // It has ended as soon as it has heard, and what it held may be put aside or gone.
            Duty::Lost => return Err(LayoutError::Gone(self.known(id)?.name.clone())),
            Duty::Store => return self.keep(id),
            Duty::Route => return Err(LayoutError::Same),
        }
        self.member_mut(id).duty = Duty::Store;
        let base: Vec<_> = self.places.iter().map(|place| place.owners.clone()).collect();
        self.want_near(&base);
        Ok(())
    }

    fn keep(&mut self, id: NodeId) -> Result<(), LayoutError> {
        if self.kept.len() >= KEPT_MAX {
            return Err(LayoutError::Kept);
        }
        if self.kept.insert(id) { Ok(()) } else { Err(LayoutError::Same) }
    }

    fn welcome(&mut self, id: NodeId) -> Result<(), LayoutError> {
        if self.kept.remove(&id) { Ok(()) } else { Err(LayoutError::Same) }
    }

    fn weigh(&mut self, id: NodeId, weight: u32) -> Result<(), LayoutError> {
        let member = self.known(id)?.clone();
        if !(1..=WEIGHT_MAX).contains(&weight) {
            return Err(error::bad_weight(&member.name, weight));
        }
        if member.weight == weight {
            return Err(LayoutError::Same);
        }
        self.member_mut(id).weight = weight;
        self.want();
        Ok(())
    }

    fn locate(&mut self, id: NodeId, zone: &Zone) -> Result<(), LayoutError> {
        let member = Member { zone: zone.clone(), ..self.known(id)?.clone() };
        error::sound(&member)?;
        let was = self.known(id)?;
        if was.zone == *zone {
            return Err(LayoutError::Same);
        }
        let is_counted = matches!(self.copies, Copies::In(_)) && was.duty != Duty::Route;
        if is_counted && was.zone.datacenter != zone.datacenter {
            // What a majority of the one has acknowledged would be counted by a majority of others.
            return Err(LayoutError::Rooted(was.name.clone()));
        }
        *self.member_mut(id) = member;
        self.want();
        Ok(())
    }

    fn replicate(&mut self, copies: &Copies) -> Result<(), LayoutError> {
        copies.check()?;
        if self.copies == *copies {
            return Err(LayoutError::Same);
        }
        if let Copies::In(each) = copies
            && let Some(nowhere) =
                each.keys().find(|datacenter| copies.among_those_of(datacenter, &self.members) == 0)
        {
            return Err(LayoutError::Nowhere(nowhere.clone()));
        }
        self.copies.clone_from(copies);
        self.want();
        Ok(())
    }

    fn forget(&mut self, id: NodeId) -> Result<(), LayoutError> {
        let member = self.known(id)?;
        let is_free = matches!(member.duty, Duty::Leave | Duty::Lost) && !self.voters.seat(id);
        if !is_free || !self.places.iter().all(|place| place.is_free_of(id)) {
            return Err(LayoutError::Needed(member.name.clone()));
        }
        self.drop_member(id);
        Ok(())
    }

    fn drop_member(&mut self, id: NodeId) {
        let Some(at) = self.place_of(id) else { return };
        self.members.remove(at);
        self.joined.remove(at);
        self.kept.remove(&id);
        self.ring = stand_in_ring(&self.members);
    }

    fn step(&mut self, moves: &[Move]) -> Result<(), LayoutError> {
        let mut is_same = true;
        for Move { partition, advance } in moves {
            if u32::from(partition.0) < self.keyspace.partition_count()
                && let Some(place) = self.after(*partition, *advance)
            {
                self.places[usize::from(partition.0)] = place;
                is_same = false;
            }
        }
        if is_same { Err(LayoutError::Same) } else { Ok(()) }
    }

    /// The place after a step, if it is to be taken.
    fn after(&self, partition: PartitionId, advance: Advance) -> Option<Place> {
        let is_lost = |id| self.is_lost(id);
        let together = |one, other| self.count_together(one, other);
        let (wanted, epoch) = (self.wanted(partition), self.epoch);
        let stride = Stride { wanted, is_lost: &is_lost, together: &together, epoch };
        stride.after(self.place(partition), advance)
    }

    /// The partitions of which a step may begin, those without an owner who is lost last.
    #[must_use]
    pub fn may_begin(&self) -> Vec<PartitionId> {
        let next = Layout { epoch: self.epoch.saturating_add(1), ..self.clone() };
        let may = |partition: &PartitionId| next.after(*partition, Advance::Begin).is_some();
        let mut begin: Vec<_> = self.keyspace.partitions().filter(may).collect();
        begin.sort_by_key(|partition| !self.owners(*partition).iter().any(|owner| self.is_lost(*owner)));
        begin
    }

    /// Whether a step is one that is to be taken.
    #[must_use]
    pub fn takes(&self, of: &Move) -> bool {
        u32::from(of.partition.0) < self.keyspace.partition_count()
            && self.after(of.partition, of.advance).is_some()
    }

    /// Who is to come next to a partition.
    ///
    /// # Panics
    /// If there is no such partition.
    #[must_use]
    pub fn coming(&self, partition: PartitionId) -> Option<NodeId> {
        self.place(partition).coming(self.wanted(partition))
    }

    /// The partitions of which something is on its way.
    pub fn moving(&self) -> impl Iterator<Item = PartitionId> {
        let partitions = self.keyspace.partitions();
        partitions.filter(|partition| *self.place(*partition).step() != Step::Resting)
    }

    /// Whether everything is where it is wanted, and nobody is on the way out.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let is_out = |member: &Member| matches!(member.duty, Duty::Leave | Duty::Lost);
        !self.members.iter().any(is_out) && self.moving().next().is_none() && self.may_begin().is_empty()
    }

    fn seat(&mut self, seats: &BTreeSet<Seat>) -> Result<(), LayoutError> {
        if self.voters.are_joint() || self.voters.now == *seats {
            return Err(LayoutError::Same);
        }
        // Who was lost since they were chosen would keep everybody else from changing anything.
        for seat in seats {
            let member = self.known(seat.node)?;
            match member.duty {
                Duty::Lost => return Err(LayoutError::Gone(member.name.clone())),
                Duty::Route => return Err(LayoutError::CannotStore(member.name.clone())),
                Duty::Store | Duty::Leave => {}
            }
        }
        if seats.is_empty() {
            return Err(LayoutError::Broken("nobody votes"));
        }
        self.voters.next.clone_from(seats);
        Ok(())
    }

    fn seated(&mut self) -> Result<(), LayoutError> {
        if !self.voters.are_joint() {
            return Err(LayoutError::Same);
        }
        self.voters = Voters::of(self.voters.next.clone());
        Ok(())
    }

    /// Says anew who is to own what, near to who does, or is on the way to.
    fn want(&mut self) {
        self.want_near(&self.rows());
    }

    /// Who owns each partition, or is on the way to: those that are wanted there first.
    fn rows(&self) -> Vec<Vec<NodeId>> {
        let row = |partition| {
            let (place, wanted) = (self.place(partition), self.wanted(partition));
            let (stay, go): (Vec<_>, Vec<_>) = place.owners.iter().partition(|owner| wanted.contains(owner));
            stay.into_iter().chain(place.newcomer().filter(|id| wanted.contains(id))).chain(go).collect()
        };
        self.keyspace.partitions().map(row).collect()
    }

    /// Says anew who is to own what, near to who should stay.
    fn want_near(&mut self, base: &[Vec<NodeId>]) {
        let stores = |id: &NodeId| self.member(*id).is_some_and(|member| member.duty == Duty::Store);
        let most = base.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let rows = base.iter().flat_map(|row| {
            let stay = row.iter().copied().filter(stores).map(Some);
            stay.chain(std::iter::repeat(None)).take(most)
        });
        let rows: Vec<_> = rows.collect();
        let storing: Vec<_> = self.storing().cloned().collect();
        self.wanted = assign::assign(&rows, self.keyspace.partition_count(), &storing, &self.copies);
        self.ring = stand_in_ring(&self.members);
    }

    fn known(&self, id: NodeId) -> Result<&Member, LayoutError> {
        self.member(id).ok_or_else(|| LayoutError::Stranger(id.to_string()))
    }

    fn member_mut(&mut self, id: NodeId) -> &mut Member {
        let at = self.members.binary_search_by_key(&id, |member| member.id);
        &mut self.members[at.expect("it is known")]
    }
}
