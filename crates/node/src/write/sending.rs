//! To whom the operation of a write is sent, and how.
//!
//! Invariant: every owner is sent it that can be reached, whether it counts or not; but where the owners of one datacenter count it
//! crosses to each other one once, and is passed on there.

use crate::preference;
use crate::scope;
use crate::state::{Node, Turn};
use crate::task::{is_live, is_reachable};
use crate::work::Write;
use placement::NodeId;
use wire::Level;
use wire::peer::exchange::Hashes;
use wire::peer::{Message, Ticket};

/// Sends the operation to those that count and have not answered.
pub(super) fn send_to_waiting(node: &Node, turn: &mut Turn<'_>, ticket: Ticket, write: &Write) {
    for owner in write.tally.waiting().filter(|owner| is_live(node, *owner)) {
        send_operation(node, turn, ticket, write, owner, Sent { asker: write.asker, passes_on: false });
    }
}

/// Sends the operation, once, to those who should have it and do not count: whoever stands in for an owner that is down,
/// where stand-ins count owners that are merely suspected, and where the owners of one datacenter do, one owner of each other
/// one, who passes it on there.
pub(super) fn send_to_others(node: &Node, turn: &mut Turn<'_>, ticket: Ticket, write: &Write) {
    for (other, passes_on) in elsewhere(node, write) {
        send_operation(node, turn, ticket, write, other, Sent { asker: None, passes_on });
    }
    let others = match &write.sloppy {
        None => preference::standing_in(node, write.task.partition),
        Some(healthy) => {
            let owners = node.layout.owners(write.task.partition).iter().copied();
            let refuses = |owner: &NodeId| write.refusers.contains(owner);
            let others = owners.filter(|owner| is_live(node, *owner) && !healthy.contains(owner));
            others.filter(|owner| !refuses(owner)).collect()
        }
    };
    for other in others.into_iter().filter(|other| *other != node.identity.node) {
        send_operation(node, turn, ticket, write, other, Sent::default());
    }
}

/// The owners that a write is sent to and do not count, and whether each is to pass it on.
fn elsewhere(node: &Node, write: &Write) -> Vec<(NodeId, bool)> {
    if write.task.level != Level::LocalQuorum {
        return Vec::new();
    }
    let mut datacenters: Vec<&str> = Vec::new();
    let far = node.layout.owners(write.task.partition).iter().filter(|owner| !node.nearby.has(**owner));
    let (sure, others): (Vec<NodeId>, Vec<_>) = far.partition(|owner| is_reachable(node, **owner));
    let mut sent = Vec::new();
    for owner in sure.iter().copied() {
        let datacenter = node.layout.datacenter(owner);
        if !datacenters.contains(&datacenter) {
            datacenters.push(datacenter);
            sent.push((owner, true));
        }
    }
    // Who is suspected wrongly misses nothing.
    sent.extend(others.into_iter().filter(|owner| is_live(node, *owner)).map(|owner| (owner, false)));
    sent
}

/// How an operation is sent.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    /// Where a report is wanted of the cell unless it is as it is here.
    asker: Option<Hashes>,
    /// Whether it is for the other owners there, too.
    passes_on: bool,
}

fn send_operation(
    node: &Node,
    turn: &mut Turn<'_>,
    ticket: Ticket,
    write: &Write,
    to: NodeId,
    Sent { asker, passes_on }: Sent,
) {
    // An owner that has refused the write must not be left without what it was put above.
    let deltas = write.rests_on.iter().chain([&write.delta]).cloned().collect();
    let quorum = scope::quorum(write.task.level);
    turn.send(node, to, write.task.partition, Message::Apply { ticket, deltas, asker, passes_on, quorum });
}
