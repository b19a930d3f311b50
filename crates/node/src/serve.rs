//! What an owner does for a coordinator: apply, mend, and say what it holds.
//!
//! Invariants:
//! 1. An acknowledgement leaves when what it says is durable here, and says nothing about anywhere else.
//! 2. What is shown to a reader is durable here before it is shown.

use crate::read::dots_hash;
use crate::rows::{RowError, Shelf};
use crate::state::{Node, Turn};
use crate::write::observe;
use causal::{Applied, Cell, Delta, Dot, Payload, Stamp, string};
use placement::{NodeId, PartitionId};
use store::Commit;
use wire::peer::{Found, Message, Ticket, Verdict};

/// Applies operations and acknowledges them.
pub(crate) fn apply(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    partition: PartitionId,
    ticket: Ticket,
    deltas: &[Delta],
) {
    let outcome = apply_all(node, turn, partition, deltas);
    let (after, verdict) = match outcome {
        Ok(Some(done)) => done,
        // An exchange that is under way will bring it; the coordinator asks again until then.
        Ok(None) => return,
        Err(_) => (Commit::default(), Verdict::Refused),
    };
    turn.send_after(after, node, from, partition, Message::Applied { ticket, verdict });
}

fn apply_all(
    node: &mut Node,
    turn: &mut Turn<'_>,
    partition: PartitionId,
    deltas: &[Delta],
) -> Result<Option<(Commit, Verdict)>, RowError> {
    let mut after = Commit::default();
    let mut outranked_by = Vec::new();
    if !node.layout.owners(partition).contains(&node.identity.node) {
        return Ok(Some((after, Verdict::Refused)));
    }
    for delta in deltas {
        if delta.stamp.is_too_far_ahead(turn.now.wall_ms) {
            let ahead_ms = delta.stamp.physical_ms - turn.now.wall_ms;
            return Ok(Some((after, Verdict::StampAhead { ahead_ms })));
        }
        observe(node, turn, &delta.stamp);
        let replica = node.replicas.entry(partition).or_default();
        let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
        let (applied, commit) = replica.apply(delta, &mut shelf)?;
        if applied == Applied::Deferred {
            return Ok(None);
        }
        after = after.max(commit);
        outranked_by.extend(outranking(delta, &mut shelf)?);
    }
    Ok(Some((after, Verdict::Held { outranked_by })))
}

/// What still stands here against the plain writes of an operation.
fn outranking(delta: &Delta, shelf: &mut Shelf<'_>) -> Result<Vec<(Dot, Stamp)>, RowError> {
    let mut above = Vec::new();
    for edit in delta.edits.iter().filter(|edit| matches!(edit.add, Some(Payload::Plain(_)))) {
        let entries = shelf.get(&edit.cell)?;
        above.extend(string::outranking(&entries, delta.dot).iter().map(|entry| (entry.dot, entry.stamp)));
    }
    Ok(above)
}

/// Takes a cell as it is after a merge.
pub(crate) fn mend(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    partition: PartitionId,
    ticket: Ticket,
    cell: &Cell,
    found: &Found,
) {
    if !node.layout.owners(partition).contains(&node.identity.node) {
        let message = Message::Applied { ticket, verdict: Verdict::Refused };
        return turn.send(node, from, partition, message);
    }
    found.entries.iter().for_each(|entry| observe(node, turn, &entry.stamp));
    let replica = node.replicas.entry(partition).or_default();
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    let (after, verdict) = match replica.mend(cell, found, node.identity.actor, &mut shelf) {
        Ok(Some(after)) => (after, Verdict::Held { outranked_by: Vec::new() }),
        Ok(None) => return,
        Err(_) => (Commit::default(), Verdict::Refused),
    };
    turn.send_after(after, node, from, partition, Message::Applied { ticket, verdict });
}

/// Says what is held of a cell: the same as the asker, or all of it. Without a cell, what was applied.
pub(crate) fn fetch(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    partition: PartitionId,
    ticket: Ticket,
    cell: Option<&Cell>,
    held: u64,
) {
    let (after, message) = match look(node, turn, partition, cell, held) {
        Ok((after, found)) => (after, Message::Fetched { ticket, found }),
        Err(_) => (Commit::default(), Message::Unreadable { ticket }),
    };
    turn.send_after(after, node, from, partition, message);
}

fn look(
    node: &mut Node,
    turn: &mut Turn<'_>,
    partition: PartitionId,
    cell: Option<&Cell>,
    held: u64,
) -> Result<(Commit, Option<Found>), RowError> {
    let replica = node.replicas.entry(partition).or_default();
    let Some(cell) = cell else {
        let found = Found { knowledge: replica.map().knowledge().clone(), ..Found::default() };
        return Ok((turn.store.open_commit(), Some(found)));
    };
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    let entries = shelf.get(cell)?;
    if dots_hash(&entries) == held {
        return Ok((shelf.after, None));
    }
    let (found, after) = replica.found(cell, &mut shelf)?;
    Ok((after, Some(found)))
}
