//! A write at the level sloppy, where too few owners can be reached: whom it counts on.
//!
//! Invariant: where stand-ins have counted once they go on to, for who has stood in for an owner holds the write still.

use super::{send_to_others, send_to_waiting};
use crate::preference;
use crate::state::{Node, Turn};
use crate::tally::{Standing, Tally};
use crate::task::is_reachable;
use crate::work::Write;
use placement::NodeId;
use wire::peer::Ticket;

/// Counts the healthy nodes: a majority, or as many as there are.
pub(super) fn sloppy_tally(owners: usize, healthy: &[NodeId]) -> Tally {
    Tally::new(healthy.iter().copied(), preference::enough(owners, healthy.len()))
}

/// Counts a sloppy write anew where other nodes are healthy by now than those that it counts. Where stand-ins have counted
/// once they go on to: who has stood in for an owner holds it still.
pub(super) fn count_healthy(node: &mut Node, turn: &mut Turn<'_>, ticket: Ticket, write: &mut Write) {
    let partition = write.task.partition;
    if write.sloppy.is_none() && preference::sloppy_at_work(node, partition, write.task.level).is_none() {
        return;
    }
    let healthy = healthy(node, write);
    if write.sloppy.as_ref() != Some(&healthy) {
        count_anew(node, turn, ticket, write, healthy);
    }
}

/// The healthy nodes, but for those that would not take the write.
fn healthy(node: &Node, write: &Write) -> Vec<NodeId> {
    let mut healthy = preference::healthy(node, write.task.partition);
    healthy.retain(|other| !write.refusers.contains(other));
    healthy
}

/// Whether too few can be reached of those that count.
pub(super) fn is_short(node: &Node, write: &Write) -> bool {
    let reachable = write.tally.waiting().filter(|other| is_reachable(node, *other)).count();
    write.tally.acked() + reachable < write.tally.need()
}

/// Counts a sloppy write anew without a node that does not take it: one that has lost something, or has no room. Each is
/// left out once: two that refuse in turn would never end.
pub(super) fn count_without(
    node: &mut Node,
    turn: &mut Turn<'_>,
    ticket: Ticket,
    write: &mut Write,
    refuser: NodeId,
) -> Standing {
    if !write.refusers.contains(&refuser) {
        write.refusers.push(refuser);
        let healthy = healthy(node, write);
        count_anew(node, turn, ticket, write, healthy);
    }
    write.tally.standing()
}

fn count_anew(node: &Node, turn: &mut Turn<'_>, ticket: Ticket, write: &mut Write, healthy: Vec<NodeId>) {
    write.tally = sloppy_tally(node.layout.owners(write.task.partition).len(), &healthy);
    write.tally.ack(node.identity.node);
    (write.asker, write.beside, write.sloppy) = (None, None, Some(healthy));
    send_to_waiting(node, turn, ticket, write);
    send_to_others(node, turn, ticket, write);
}
