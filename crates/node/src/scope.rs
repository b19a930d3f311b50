//! Who counts for a request at each level.
//!
//! ```text
//! level                      who counts                              how many
//! one, quorum, all, R and W  all owners                              as the level says
//! local_quorum               the owners in this node's datacenter    more than half
//! each_quorum                all owners, each datacenter by itself   more than half in each
//! sloppy                     as quorum; `preference` says who instead where too few can be reached
//! ```
//!
//! Who does not count is told all the same: of a write every owner is.
//!
//! 1. Of one level what reads and what writes meet in an owner: at `local_quorum` in one datacenter.

use crate::quota::Quota;
use crate::state::Node;
use placement::{NodeId, PartitionId};
use wire::Level;
use wire::peer::{Quorums, Shown};

/// Those who must agree to read at a level.
pub(crate) fn to_read(node: &Node, partition: PartitionId, level: Level) -> Quota {
    quota(node, partition, level, Level::read)
}

/// Those who must hold what is written at a level.
pub(crate) fn to_write(node: &Node, partition: PartitionId, level: Level) -> Quota {
    quota(node, partition, level, Level::write)
}

fn quota(node: &Node, partition: PartitionId, level: Level, need: fn(Level, usize) -> usize) -> Quota {
    let of = |owners: Vec<NodeId>| {
        let need = need(level, owners.len());
        Quota::new(owners, need)
    };
    if level != Level::EachQuorum || node.nearby.is_everybody() {
        return of(counted(node, partition, level));
    }
    let mut by_datacenter: Vec<(&str, Vec<NodeId>)> = Vec::new();
    for owner in node.layout.owners(partition) {
        let datacenter = node.layout.datacenter(*owner);
        match by_datacenter.iter_mut().find(|(known, _)| *known == datacenter) {
            Some((_, owners)) => owners.push(*owner),
            None => by_datacenter.push((datacenter, vec![*owner])),
        }
    }
    Quota::each(by_datacenter.into_iter().map(|(_, owners)| of(owners)).collect())
}

/// The owners that count at a level.
pub(crate) fn counted(node: &Node, partition: PartitionId, level: Level) -> Vec<NodeId> {
    let owners = node.layout.owners(partition).iter().copied();
    owners.filter(|owner| counts(node, level, *owner)).collect()
}

/// Whether an owner counts at a level.
pub(crate) fn counts(node: &Node, level: Level, owner: NodeId) -> bool {
    level != Level::LocalQuorum || node.nearby.has(owner)
}

/// Whether what agrees at a level agrees for all datacenters, and not for one alone.
fn is_of_all(node: &Node, level: Level) -> bool {
    level != Level::LocalQuorum || node.nearby.is_everybody()
}

/// Which quorums have agreed where so many owners have at a level.
pub(crate) fn agreed(node: &Node, partition: PartitionId, level: Level, owners: usize) -> Quorums {
    let is_quorum = 2 * owners > counted(node, partition, level).len();
    let by_datacenter = matches!(level, Level::LocalQuorum | Level::EachQuorum | Level::All);
    let is_local = by_datacenter || node.nearby.is_everybody();
    Quorums { all: is_quorum && is_of_all(node, level), local: is_quorum && is_local }
}

/// What it means for a write at a level that it was shown, or who was told of it. A quorum of other owners than those that count
/// at that level has not put the write in its place there; whoever was told of it may have written since all the same, so it is as
/// if it were forgotten.
pub(crate) fn shown(node: &Node, level: Level, shown: Shown) -> Shown {
    match shown {
        Shown::Yes(by) if !(if is_of_all(node, level) { by.all } else { by.local }) => Shown::Forgotten,
        Shown::No { told } if !told.iter().all(|other| counts(node, level, *other)) => Shown::Forgotten,
        shown => shown,
    }
}
