//! The layout: who owns which partition, where that is on its way to, and who votes on it, as one versioned value.
//!
//! Every node holds one, and passes it on whole. It is never edited: a change makes a new layout with the next
//! epoch (`change`). Owners are stored in it and not computed from the members, so that nodes of two releases agree even
//! if the releases would choose differently; how they are chosen is told in `assign`, and how a partition gets there in `place`.
//!
//! ```text
//! epoch 7   members    a  b  c  d                    by id, each with what it is there for
//!           voters     a  b  c                       who must agree to epoch 8
//!           wanted     0: b a d   1: c d a   ...     owners, the home first
//!           places     0: b a c, d copies  ...       who owns it now, and what is on its way
//!           ring       tokens of a, b, c, d          for stand-ins; follows from the members
//! ```
//!
//! It does not say who is alive, and it moves no data.
//!
//! Invariants ([`Layout::check`]):
//! 1. Members are ordered by id; no two share an id, a name or an address.
//! 2. Of every partition N distinct owners are wanted, all members that store, where N is the number of copies or, while they
//!    are fewer, the number of those; and so for each datacenter, where copies are counted by datacenter.
//! 3. Whoever owns a partition, is to own it, or may have to teach whoever is, is a member; so is every voter, and who is kept.
//! 4. Two layouts are equal exactly if their encodings are.

mod assign;
mod basis;
mod change;
#[cfg(test)]
mod change_tests;
mod codec;
mod error;
mod place;
mod spare;
mod steps;
#[cfg(test)]
mod tests;
mod voting;
#[cfg(test)]
mod voting_tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use basis::Basis;
pub use change::Change;
pub use error::LayoutError;
pub use place::{Place, Step, enough};
pub use steps::{Advance, Move};

use crate::copies::Copies;
use crate::keyspace::{Keyspace, PartitionId};
use crate::member::{Duty, Member, NodeId};
use crate::ring::{Ring, xxh3};
use crate::voters::{Seat, Voters};

/// The replicas that a cluster wants if it does not say otherwise.
pub const REPLICAS_DEFAULT: u8 = 3;

/// The most members of a cluster.
pub const MEMBERS_MAX: usize = 16_384;

/// How many tokens a member of mean weight has on the ring that stand-ins are found by. Enough to divide a
/// down node's hints over many, not meant to balance anything.
const TOKENS_PER_MEMBER: u64 = 32;

/// Members, partitions and owners at one epoch.
#[derive(Clone, Debug)]
pub struct Layout {
    cluster: u64,
    keyspace: Keyspace,
    copies: Copies,
    epoch: u64,
    members: Vec<Member>,
    /// The epoch since which each is a member, in their order.
    joined: Vec<u64>,
    voters: Voters,
    /// Those that are not replaced, however long they are down.
    kept: BTreeSet<NodeId>,
    /// `replicas()` ids per partition, in the order of the partitions.
    wanted: Vec<NodeId>,
    /// In the order of the partitions.
    places: Vec<Place>,
    ring: Arc<Ring<NodeId>>,
}

impl Layout {
    /// The first layout of a cluster, epoch 1: one member owns everything, and alone votes.
    ///
    /// `cluster` names the cluster, `seed` keys its positions; both should be random, as should `disk`, which names the disk of the first
    /// member. `copies` is how many the cluster wants once it has the members for them.
    ///
    /// # Errors
    /// If a number is out of its bounds or the member is not valid.
    pub fn found(
        cluster: u64,
        seed: u64,
        partitions: u32,
        copies: impl Into<Copies>,
        first: Member,
        disk: u64,
    ) -> Result<Layout, LayoutError> {
        let keyspace = Keyspace::new(seed, partitions)?;
        let copies = copies.into();
        copies.check()?;
        error::admit(&[], &first)?;
        if first.duty != Duty::Store || copies.among(std::slice::from_ref(&first)) == 0 {
            return Err(LayoutError::CannotStore(first.name));
        }
        let wanted: Vec<_> = keyspace.partitions().map(|_| first.id).collect();
        let places = wanted.iter().map(|id| Place::resting(vec![*id], 1)).collect();
        let voters = Voters::of([Seat { node: first.id, disk }].into());
        let members = vec![first];
        let ring = stand_in_ring(&members);
        let kept = BTreeSet::new();
        let (epoch, joined) = (1, vec![1]);
        Ok(Layout { cluster, keyspace, copies, epoch, members, joined, voters, kept, wanted, places, ring })
    }

    /// Whether another is one of the same cluster, with the same partitions.
    #[must_use]
    pub fn is_kin(&self, other: &Self) -> bool {
        self.cluster == other.cluster && self.keyspace == other.keyspace
    }

    /// The name of the cluster.
    #[must_use]
    pub fn cluster(&self) -> u64 {
        self.cluster
    }

    /// How keys become positions and positions partitions.
    #[must_use]
    pub fn keyspace(&self) -> &Keyspace {
        &self.keyspace
    }

    /// The version of the layout: 1 at first, one more with each change.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The members, ordered by id.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member with this id.
    #[must_use]
    pub fn member(&self, id: NodeId) -> Option<&Member> {
        Some(&self.members[self.place_of(id)?])
    }

    fn place_of(&self, id: NodeId) -> Option<usize> {
        self.members.binary_search_by_key(&id, |member| member.id).ok()
    }

    /// Whether what one of this name has said by an epoch was said by the member that it is now, and not by one that has left since.
    #[must_use]
    pub fn was_member(&self, id: NodeId, epoch: u64) -> bool {
        self.place_of(id).is_some_and(|at| self.joined[at] <= epoch)
    }

    /// Where a member is; nowhere if it is none.
    #[must_use]
    pub fn datacenter(&self, id: NodeId) -> &str {
        self.member(id).map_or("", |member| &member.zone.datacenter)
    }

    /// Who votes on it.
    #[must_use]
    pub fn voters(&self) -> &Voters {
        &self.voters
    }

    /// The members that are waited for, however long they are down.
    #[must_use]
    pub fn kept(&self) -> &BTreeSet<NodeId> {
        &self.kept
    }

    /// The members that own anything, or are to.
    pub fn storing(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.duty == Duty::Store)
    }

    /// Whether a member is gone for good.
    #[must_use]
    pub fn is_lost(&self, id: NodeId) -> bool {
        self.member(id).is_none_or(|member| member.duty == Duty::Lost)
    }

    /// N: how many owners each partition is to have now.
    #[must_use]
    pub fn replicas(&self) -> usize {
        self.copies.among(&self.members)
    }

    /// How many owners each partition has once there are the members for them, and where.
    #[must_use]
    pub fn copies(&self) -> &Copies {
        &self.copies
    }

    /// The owners of a partition; the first is its home. One look into a table.
    ///
    /// # Panics
    /// If there is no such partition.
    #[must_use]
    pub fn owners(&self, partition: PartitionId) -> &[NodeId] {
        self.place(partition).owners()
    }

    /// Where a partition is.
    ///
    /// # Panics
    /// If there is no such partition.
    #[must_use]
    pub fn place(&self, partition: PartitionId) -> &Place {
        &self.places[usize::from(partition.0)]
    }

    /// Whether an owner of a partition does not count until it has learned, for all that is acknowledged by a majority of the owners or
    /// of those in its datacenter.
    ///
    /// # Panics
    /// If there is no such partition.
    #[must_use]
    pub fn is_new(&self, partition: PartitionId, member: NodeId) -> bool {
        let place = self.place(partition);
        place.is_new(member) || place.is_new_among(member, |id| self.count_together(id, member))
    }

    /// Whether a majority of those where two members are may acknowledge something by itself: the members of one datacenter, where
    /// copies are counted by datacenter, and else all.
    #[must_use]
    pub fn count_together(&self, one: NodeId, other: NodeId) -> bool {
        matches!(self.copies, Copies::Anywhere(_)) || self.datacenter(one) == self.datacenter(other)
    }

    /// Who is to own a partition, the home first.
    ///
    /// # Panics
    /// If there is no such partition.
    #[must_use]
    pub fn wanted(&self, partition: PartitionId) -> &[NodeId] {
        let replicas = self.wanted.len() / self.places.len();
        let start = usize::from(partition.0) * replicas;
        &self.wanted[start..start + replicas]
    }

    /// Who stands in for the owners of a partition, the most wanted first: the other members clockwise of the
    /// partition's first position.
    ///
    /// # Panics
    /// If there is no such partition.
    pub fn stand_ins(&self, partition: PartitionId) -> impl Iterator<Item = NodeId> {
        let owners = self.owners(partition);
        let (first, _) = self.keyspace.range(partition);
        self.ring.walk(first.0).copied().filter(|id| !owners.contains(id))
    }

    /// Which part of all owner places a node holds: 0 to 1.
    #[must_use]
    pub fn share(&self, id: NodeId) -> f64 {
        let (mut held, mut all) = (0, 0);
        for place in &self.places {
            held += usize::from(place.owners.contains(&id));
            all += place.owners.len();
        }
        held as f64 / all as f64
    }

    /// How many places are to be each member's that were not by the layout before; nothing of those to which none come.
    #[must_use]
    pub fn taken(&self, before: &Layout) -> BTreeMap<NodeId, u64> {
        let mut taken = BTreeMap::new();
        for partition in self.keyspace.partitions() {
            let owned = before.owners(partition);
            for id in self.wanted(partition).iter().filter(|id| !owned.contains(id)) {
                *taken.entry(*id).or_default() += 1;
            }
        }
        taken
    }

    /// Whether every invariant holds.
    ///
    /// # Errors
    /// [`LayoutError::Broken`] with a sentence, if not.
    pub fn check(&self) -> Result<(), LayoutError> {
        error::check(self)
    }
}

impl PartialEq for Layout {
    fn eq(&self, other: &Layout) -> bool {
        // The ring follows from the members.
        self.cluster == other.cluster
            && self.keyspace == other.keyspace
            && self.copies == other.copies
            && self.epoch == other.epoch
            && self.members == other.members
            && self.joined == other.joined
            && self.voters == other.voters
            && self.kept == other.kept
            && self.wanted == other.wanted
            && self.places == other.places
    }
}

impl Eq for Layout {}

/// The ring that stand-ins are found by, of those that store: tokens in proportion to weights, about [`TOKENS_PER_MEMBER`] each.
fn stand_in_ring(members: &[Member]) -> Arc<Ring<NodeId>> {
    let storing = || members.iter().filter(|member| member.duty == Duty::Store);
    let total: u64 = storing().map(|member| u64::from(member.weight)).sum();
    let budget = TOKENS_PER_MEMBER * storing().count() as u64;
    let servers = storing().map(|member| {
        let tokens = (u64::from(member.weight) * budget / total).max(1);
        (
            member.id,
            u32::try_from(tokens).expect("at most 32 tokens for each of MEMBERS_MAX members"),
            member.zone.clone(),
        )
    });
    let ring = Ring::new(1, xxh3).with_servers(servers);
    Arc::new(ring.expect("ids differ, each has a token, and there are far fewer than TOKENS_MAX"))
}
