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
use placement::layout::enough;
use placement::{NodeId, PartitionId};
use wire::Level;
use wire::peer::Shown;
use wire::peer::quorum::{Quorum, Quorums};

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

/// Which quorum a level is about.
pub(crate) fn quorum(level: Level) -> Quorum {
    if level == Level::LocalQuorum { Quorum::Local } else { Quorum::Global }
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

/// What it means for a write at a level that it was shown. A quorum of other owners than those that count at that level has not put
/// the write in its place there; whoever was told of it may have written since all the same, so it is as if it were forgotten.
pub(crate) fn shown(node: &Node, level: Level, shown: Shown) -> Shown {
    match shown {
        Shown::Yes(by) if !(if is_of_all(node, level) { by.all } else { by.local }) => Shown::Forgotten,
        shown => shown,
    }
}

/// What an owner has said of that, as it is seen from here: a quorum of its datacenter is none of this one.
pub(crate) fn heard_from(node: &Node, owner: NodeId, shown: Shown) -> Shown {
    match shown {
        Shown::Yes(by) => Shown::Yes(Quorums { local: by.local && node.nearby.has(owner), ..by }),
        shown => shown,
    }
}

/// Whether some of these owners were among any that a reader was answered by: a quorum of all, or of one datacenter where those
/// count by themselves.
pub(crate) fn meets_readers(node: &Node, partition: PartitionId, heard: impl Fn(NodeId) -> bool) -> bool {
    let owners = node.layout.owners(partition);
    if node.nearby.is_everybody() {
        return true;
    }
    let is_met = |counts: &dyn Fn(NodeId) -> bool| {
        let set = || owners.iter().copied().filter(|owner| counts(*owner));
        set().filter(|owner| heard(*owner)).count() >= enough(set().count())
    };
    let near = |owner| is_met(&|other| node.layout.count_together(owner, other));
    is_met(&|_| true) && owners.iter().all(|owner| near(*owner))
}

#[cfg(test)]
mod tests {
    use super::{agreed, meets_readers, shown, to_read, to_write};
    use crate::rows::Storage;
    use crate::state::{Identity, Node, Options, Trust};
    use causal::Actor;
    use placement::{Copies, Duty, Layout, Member, NodeId, PartitionId};
    use std::sync::Arc;
    use store::{Engine, Memory, StoreOptions};
    use wire::Level;
    use wire::peer::Shown;
    use wire::peer::quorum::Quorums;

    const PARTITION: PartitionId = PartitionId(0);

    fn member(name: &str, zone: &str) -> Member {
        Member {
            id: NodeId::of_name(name),
            name: name.into(),
            client_addr: format!("{name}:1"),
            peer_addr: format!("{name}:2"),
            weight: 1,
            zone: zone.parse().unwrap(),
            duty: Duty::Store,
        }
    }

    /// The first of three owners in one datacenter; two are in another.
    fn node() -> Node {
        let copies: Copies = "near=3,far=2".parse().unwrap();
        let layout = Layout::found(1, 1, 1, copies, member("a", "near/1"), 1).unwrap();
        let others = [("b", "near/1"), ("c", "near/1"), ("d", "far/1"), ("e", "far/1")];
        let layout = layout.with_members(others.map(|(name, zone)| member(name, zone))).unwrap();
        let options = StoreOptions { cache_bytes: 1 << 20, hash_seed: 7, packed_changes_max: 8 };
        let mut store = Storage::new(Arc::new(Memory::new()) as Arc<dyn Engine>, options);
        let identity = Identity { node: NodeId::of_name("a"), actor: Actor(1) };
        Node::open(identity, Options::default(), Arc::new(layout), &mut store, Trust::Whole).unwrap()
    }

    #[test]
    fn levels_count_who_they_name() {
        let node = node();
        let counts = |level| {
            let (read, write) = (to_read(&node, PARTITION, level), to_write(&node, PARTITION, level));
            (read.need(), write.need(), write.len())
        };
        assert_eq!(counts(Level::Quorum), (3, 3, 5));
        assert_eq!(counts(Level::LocalQuorum), (2, 2, 3));
        assert_eq!(counts(Level::EachQuorum), (4, 4, 5));
        assert_eq!(counts(Level::Exact { read: 1, write: 5 }), (1, 5, 5));
        let near = ["a", "b", "c"].map(NodeId::of_name);
        assert!(to_read(&node, PARTITION, Level::LocalQuorum).owners().all(|id| near.contains(&id)));
    }

    #[test]
    fn of_what_was_shown_it_matters_to_whom() {
        let node = node();
        let yes = |all, local| Shown::Yes(Quorums { all, local });
        let told = |name| Shown::No { told: vec![NodeId::of_name(name)] };
        assert_eq!(shown(&node, Level::LocalQuorum, yes(false, true)), yes(false, true));
        assert_eq!(shown(&node, Level::LocalQuorum, yes(true, false)), Shown::Forgotten);
        assert_eq!(shown(&node, Level::Quorum, yes(true, false)), yes(true, false));
        assert_eq!(shown(&node, Level::Quorum, yes(false, true)), Shown::Forgotten);
        assert_eq!(shown(&node, Level::LocalQuorum, told("d")), told("d"));
        let meets = |heard: &[&str]| {
            meets_readers(&node, PARTITION, |id| heard.iter().any(|name| NodeId::of_name(name) == id))
        };
        assert!(meets(&["a", "b", "d"]) && meets(&["a", "b", "c", "e"]));
        assert!(!meets(&["a", "b", "c"]), "two of the others may have answered a reader there");
        assert!(!meets(&["a", "d", "e"]), "so may two of the nearer");
        let far = super::heard_from(&node, NodeId::of_name("e"), yes(false, true));
        assert_eq!(
            shown(&node, Level::LocalQuorum, far),
            Shown::Forgotten,
            "it was shown in another datacenter"
        );
        let by = |level, owners| agreed(&node, PARTITION, level, owners);
        assert_eq!(by(Level::LocalQuorum, 2), Quorums { all: false, local: true });
        assert_eq!(by(Level::Quorum, 3), Quorums { all: true, local: false });
        assert_eq!(by(Level::EachQuorum, 4), Quorums { all: true, local: true });
        assert_eq!(by(Level::One, 1), Quorums::default());
    }
}
