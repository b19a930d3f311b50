//! How a task ends: with an answer, or with a refusal; and whom it can count on.

use crate::event::Action;
use crate::replica::Replica;
use crate::scope;
use crate::state::{Node, Turn};
use crate::work::{Kind, Origin, Task};
use placement::{NodeId, PartitionId};
use store::Commit;
use wire::peer::Message;
use wire::peer::quorum::Counts;
use wire::{Fault, Reply};

/// Whether a peer can be reached as far as this node knows; it always reaches itself.
pub(crate) fn is_live(node: &Node, peer: NodeId) -> bool {
    peer == node.identity.node || node.links.contains(&peer)
}

/// Whether a peer can be reached and is believed to answer.
pub(crate) fn is_reachable(node: &Node, peer: NodeId) -> bool {
    is_live(node, peer) && !node.suspected.contains(&peer)
}

/// How long a request is worked on. Who has passed it on waits as long as a client does: it is told before that what came of
/// it, and has time left to try another.
pub(crate) fn patience_ms(node: &Node, origin: Origin) -> u64 {
    let (timeout, retry) = (node.options.request_timeout_ms, node.options.retry_ms);
    match origin {
        Origin::Client(_) => timeout,
        // That its time is over is seen within a retry interval.
        Origin::Peer(..) => (timeout * 3 / 4).saturating_sub(retry).max(timeout / 2),
    }
}

/// The refusal for a request of which too few owners can be reached; of those that are learning, as far as this node
/// knows, none counts.
pub(crate) fn no_quorum(node: &Node, task: &Task, kind: Kind) -> Fault {
    let (read, write) =
        (scope::to_read(node, task.partition, task.level), scope::to_write(node, task.partition, task.level));
    if write.len() == 0 {
        return Fault::NoCopies;
    }
    let counts = |owner: &NodeId| is_live(node, *owner) && knows_enough(node, task, *owner);
    let reachable = write.owners().filter(counts).count();
    let needed = match kind {
        Kind::Read => read.need(),
        Kind::Write => write.need(),
        Kind::Update => read.need().max(write.need()),
    };
    // Of those that seemed to be there some did not answer, or do not count: or it would not have come to this.
    Fault::NoQuorum { needed: number(needed), reachable: number(reachable.min(needed.saturating_sub(1))) }
}

/// Whether an owner knows enough to count for a task, as far as this node knows.
pub(crate) fn knows_enough(node: &Node, task: &Task, owner: NodeId) -> bool {
    counts(node, task.partition, owner).is_for(scope::quorum(task.level))
}

/// For which quorums an owner counts, as far as this node knows.
pub(crate) fn counts(node: &Node, partition: PartitionId, owner: NodeId) -> Counts {
    if owner == node.identity.node {
        return node.replicas.get(&partition).map_or(Counts::Everywhere, Replica::counts);
    }
    let said = node.sync.views.get(&(partition, owner)).and_then(|view| view.counts);
    let unsaid = if node.layout.is_new(partition, owner) { Counts::Nowhere } else { Counts::Everywhere };
    said.unwrap_or(unsaid)
}

/// A count of owners, for a fault.
pub(crate) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Ends a task: answers whoever waits, once `after` is durable, and lets the next of its key have its turn.
pub(crate) fn finish(node: &mut Node, turn: &mut Turn<'_>, after: Commit, task: Task, reply: Reply) {
    let Task { origin, partition, queued, .. } = task;
    if let Some(key) = queued {
        node.queues.leave(&key);
    }
    match origin {
        Origin::Client(id) => turn.out.push(after, Action::Answer { id, reply }),
        Origin::Peer(to, ticket) => {
            turn.send_after(after, node, to, partition, Message::Answer { ticket, reply });
        }
    }
}

/// Ends a task with a fault.
pub(crate) fn refuse(node: &mut Node, turn: &mut Turn<'_>, task: Task, fault: Fault) {
    finish(node, turn, Commit::default(), task, Reply::Error(fault));
}
