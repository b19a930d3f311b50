//! The layout: who owns which partition, as one versioned value.
//!
//! Every node holds one, and passes it on whole. It is never edited: a change makes a new layout with the next
//! epoch. Owners are stored in it and not computed from the members, so that nodes of two releases agree even
//! if the releases would choose differently; how they are chosen is told in `assign`.
//!
//! ```text
//! epoch 7   members    a  b  c  d                    by id
//!           partition  0: b a d   1: c d a   ...     owners, the home first
//!           ring       tokens of a, b, c, d          for stand-ins; follows from the members
//! ```
//!
//! It does not say who is alive, and it moves no data.
//!
//! Invariants ([`Layout::check`]):
//! 1. Members are ordered by id; no two share an id, a name or an address.
//! 2. Every partition has N distinct owners, all members, where N is the wanted number of replicas or, while
//!    they are fewer, the number of members.
//! 3. Two layouts are equal exactly if their encodings are.

mod assign;
mod codec;
mod error;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use error::LayoutError;

use crate::keyspace::{Keyspace, PartitionId};
use crate::member::{Member, NodeId};
use crate::ring::{Ring, xxh3};

/// The replicas that a cluster wants if it does not say otherwise.
pub const REPLICAS_DEFAULT: u8 = 3;

/// The most replicas.
pub const REPLICAS_MAX: u8 = 7;

/// The most members of a cluster.
pub const MEMBERS_MAX: usize = 4096;

/// How many tokens a member of mean weight has on the ring that stand-ins are found by. Enough to divide a
/// down node's hints over many, not meant to balance anything.
const TOKENS_PER_MEMBER: u64 = 32;

/// Members, partitions and owners at one epoch.
#[derive(Clone, Debug)]
pub struct Layout {
    cluster: u64,
    keyspace: Keyspace,
    replicas_wanted: u8,
    epoch: u64,
    members: Vec<Member>,
    /// `replicas()` ids per partition, in the order of the partitions.
    owners: Vec<NodeId>,
    ring: Arc<Ring<NodeId>>,
}

impl Layout {
    /// The first layout of a cluster, epoch 1: one member owns everything.
    ///
    /// `cluster` names the cluster, `seed` keys its positions; both should be random. `replicas` is how many
    /// the cluster wants once it has so many members.
    ///
    /// # Errors
    /// If a number is out of its bounds or the member is not valid.
    pub fn found(
        cluster: u64,
        seed: u64,
        partitions: u32,
        replicas: u8,
        first: Member,
    ) -> Result<Layout, LayoutError> {
        let keyspace = Keyspace::new(seed, partitions)?;
        if !(1..=REPLICAS_MAX).contains(&replicas) {
            return Err(LayoutError::Replicas(replicas));
        }
        error::admit(&[], &first)?;
        let owners = keyspace.partitions().map(|_| first.id).collect();
        let members = vec![first];
        let ring = stand_in_ring(&members);
        Ok(Layout { cluster, keyspace, replicas_wanted: replicas, epoch: 1, members, owners, ring })
    }

    /// The layout of the next epoch, with one more member.
    ///
    /// A member that is here already, equal in everything, changes nothing: the answer is this layout, so
    /// asking to join twice is harmless.
    ///
    /// # Errors
    /// If the member is not valid, or its name, id or an address belongs to another, or the cluster is full.
    pub fn with_member(&self, member: Member) -> Result<Layout, LayoutError> {
        if self.member(member.id) == Some(&member) {
            return Ok(self.clone());
        }
        error::admit(&self.members, &member)?;
        let epoch = self.epoch.checked_add(1).ok_or(LayoutError::Broken("its epoch cannot rise any more"))?;
        let mut members = self.members.clone();
        let at = members.partition_point(|other| other.id < member.id);
        members.insert(at, member);
        let replicas = effective(self.replicas_wanted, members.len());
        let owners = assign::assign(&self.owners, self.keyspace.partition_count(), &members, replicas);
        let ring = stand_in_ring(&members);
        let next = Layout { epoch, members, owners, ring, ..self.clone() };
        debug_assert_eq!(next.check(), Ok(()));
        Ok(next)
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
        let at = self.members.binary_search_by_key(&id, |member| member.id).ok()?;
        Some(&self.members[at])
    }

    /// N: how many owners each partition has now.
    #[must_use]
    pub fn replicas(&self) -> usize {
        effective(self.replicas_wanted, self.members.len())
    }

    /// How many owners each partition has once there are so many members.
    #[must_use]
    pub fn replicas_wanted(&self) -> u8 {
        self.replicas_wanted
    }

    /// The owners of a partition; the first is its home. One look into a table.
    ///
    /// # Panics
    /// If there is no such partition.
    #[must_use]
    pub fn owners(&self, partition: PartitionId) -> &[NodeId] {
        let replicas = self.replicas();
        let start = usize::from(partition.0) * replicas;
        &self.owners[start..start + replicas]
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
        let held = self.owners.iter().filter(|&&owner| owner == id).count();
        held as f64 / self.owners.len() as f64
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
            && self.replicas_wanted == other.replicas_wanted
            && self.epoch == other.epoch
            && self.members == other.members
            && self.owners == other.owners
    }
}

impl Eq for Layout {}

fn effective(wanted: u8, members: usize) -> usize {
    usize::from(wanted).min(members)
}

/// The ring that stand-ins are found by: tokens in proportion to weights, about [`TOKENS_PER_MEMBER`] each.
fn stand_in_ring(members: &[Member]) -> Arc<Ring<NodeId>> {
    let total: u64 = members.iter().map(|member| u64::from(member.weight)).sum();
    let budget = TOKENS_PER_MEMBER * members.len() as u64;
    let servers = members.iter().map(|member| {
        let tokens = (u64::from(member.weight) * budget / total).max(1);
        (
            member.id,
            u32::try_from(tokens).expect("at most 32 tokens for each of 4096 members"),
            member.zone.clone(),
        )
    });
    let ring = Ring::new(1, xxh3).with_servers(servers);
    Arc::new(ring.expect("ids differ, each has a token, and there are far fewer than TOKENS_MAX"))
}
