//! Whom a request counts on: the owners of its partition, and whoever stands in for those that cannot be reached.
//!
//! ```text
//! preference list   owner  owner  owner | stand-in  stand-in  stand-in ...
//!                     up    down   down |    up       down       up
//! healthy             x                      x                   x          the first N that are up
//! ```
//!
//! Those that stand in keep operations for owners that are down (`handoff`). They count for nothing, except at the level
//! `sloppy` where fewer than a majority of the owners can be reached: then a majority of the healthy is enough, and of one
//! alone it is that one.
//!
//! The sloppy quorums of Dynamo (2007), section 4.6.

use crate::scope;
use crate::state::Node;
use crate::task::{self, is_live, is_reachable};
use crate::work::{Kind, Task};
use placement::{Duty, NodeId, PartitionId};
use wire::Level;
use wire::peer::quorum::Counts;

/// The first N nodes of the preference list that can be reached and are believed to answer.
pub(crate) fn healthy(node: &Node, partition: PartitionId) -> Vec<NodeId> {
    let owners = node.layout.owners(partition);
    let mut healthy: Vec<NodeId> =
        owners.iter().copied().filter(|owner| counts(node, partition, *owner)).collect();
    healthy.extend(stand_ins(node, partition, owners.len() - healthy.len()));
    if healthy.is_empty() && may_hold(node) {
        healthy.push(node.identity.node);
    }
    healthy
}

/// Whether this node may be given anything to hold for owners. A gateway may not, not even for a moment: nobody looks there for what
/// is to be handed over, and it leaves the cluster without giving anything away. Nor may who leaves: it has said perhaps that
/// nothing is left there, and is forgotten then.
pub(crate) fn may_hold(node: &Node) -> bool {
    node.layout.member(node.identity.node).is_some_and(|me| me.duty == Duty::Store)
}

/// Those that stand in for the owners that cannot be reached, one for each as far as there are any.
pub(crate) fn standing_in(node: &Node, partition: PartitionId) -> Vec<NodeId> {
    let owners = node.layout.owners(partition);
    // Where all members are owners nobody is looked for.
    if node.layout.members().len() == owners.len() {
        return Vec::new();
    }
    let down = owners.iter().filter(|owner| !is_reachable(node, **owner)).count();
    stand_ins(node, partition, down)
}

fn stand_ins(node: &Node, partition: PartitionId, count: usize) -> Vec<NodeId> {
    if count == 0 {
        return Vec::new();
    }
    node.layout.stand_ins(partition).filter(|other| is_reachable(node, *other)).take(count).collect()
}

/// The nodes that a new request at this level counts on in the place of the owners; nothing where it counts on the owners.
pub(crate) fn sloppy(node: &Node, partition: PartitionId, level: Level) -> Option<Vec<NodeId>> {
    if level != Level::Sloppy {
        return None;
    }
    let owners = node.layout.owners(partition);
    let up = owners.iter().filter(|owner| counts(node, partition, **owner)).count();
    let healthy = (up < level.write(owners.len())).then(|| healthy(node, partition));
    // Where nobody can take their place it is for the owners to say.
    healthy.filter(|healthy| !healthy.is_empty())
}

/// The same of a request that is being carried out here: who is no owner is at work on it because too few could be reached,
/// and ends so what it has begun.
pub(crate) fn sloppy_at_work(node: &Node, partition: PartitionId, level: Level) -> Option<Vec<NodeId>> {
    let owns = || node.layout.owners(partition).contains(&node.identity.node);
    let begun_so = || (level == Level::Sloppy && !owns()).then(|| healthy(node, partition));
    sloppy(node, partition, level).or_else(begun_so)
}

/// Whether an owner can be reached and, as far as is known here, has lost nothing.
fn counts(node: &Node, partition: PartitionId, owner: NodeId) -> bool {
    is_reachable(node, owner) && task::counts(node, partition, owner) == Counts::Everywhere
}

/// How many of those nodes are enough.
pub(crate) fn enough(owners: usize, healthy: usize) -> usize {
    Level::Quorum.write(owners).min(healthy).max(1)
}

/// In which order owners are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Those in the same datacenter first.
    Nearest,
    /// The home first, wherever it is: everybody has the same order.
    Home,
}

impl Order {
    /// The order for a kind of request: updates of a key are carried out one after another, and so at one place.
    pub(crate) fn of(kind: Kind) -> Self {
        if kind == Kind::Update { Self::Home } else { Self::Nearest }
    }
}

/// Those that can be asked and count at the level of a task, in the order in which they should be: of the owners those that are
/// suspected last, for suspicion may be wrong, and nothing is refused because of it. Where stand-ins count they come before those.
pub(crate) fn askable<'a>(
    node: &'a Node,
    task: &Task,
    order: Order,
    sloppy: Option<&'a [NodeId]>,
) -> impl Iterator<Item = NodeId> + 'a {
    let (partition, level) = (task.partition, task.level);
    let owners = move || {
        let owners = move || node.layout.owners(partition).iter().copied();
        let is_first = move |owner: &NodeId| order == Order::Home || node.nearby.has(*owner);
        let others = owners().filter(move |owner| level != Level::LocalQuorum && !is_first(owner));
        owners().filter(move |owner| is_first(owner) && scope::counts(node, level, *owner)).chain(others)
    };
    let healthy = sloppy.into_iter().flatten().copied();
    let suspected = owners().filter(|owner| is_live(node, *owner) && !is_reachable(node, *owner));
    let reachable = owners().filter(move |owner| sloppy.is_none() && is_reachable(node, *owner));
    healthy.chain(reachable).chain(suspected)
}
