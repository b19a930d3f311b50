//! What an owner does for a coordinator: apply, mend, and say what it holds.
//!
//! Invariants:
//! 1. An acknowledgement leaves when what it says is durable here, and says nothing about anywhere else.
//! 2. What is shown to a reader is durable here before it is shown.

use crate::read::dots_hash;
use crate::report;
use crate::rows::{RowError, Shelf, everything};
use crate::state::{Node, Turn};
use crate::write::observe;
use causal::{Applied, Cell, Delta};
use placement::{NodeId, PartitionId};
use store::Commit;
use wire::peer::{Found, Message, Report, Ticket, Verdict};

/// Applies operations and acknowledges them.
pub(crate) fn apply(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    partition: PartitionId,
    ticket: Ticket,
    deltas: &[Delta],
    asks: Option<u64>,
) {
    let done = apply_all(node, turn, partition, deltas);
    let done = done.and_then(|done| match (done, asks, deltas.first()) {
        (Some((after, Verdict::Held { .. })), Some(applied), Some(delta)) => {
            let report = beside(node, turn, partition, delta, applied)?.map(Box::new);
            Ok(Some((after, Verdict::Held { report })))
        }
        (done, _, _) => Ok(done),
    });
    acknowledge(node, turn, from, partition, ticket, done);
}

/// Takes a cell as it is after a merge, and then applies operations.
pub(crate) fn mend(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    partition: PartitionId,
    ticket: Ticket,
    (cell, found): (&Cell, &Found),
    deltas: &[Delta],
) {
    let done = take(node, turn, partition, cell, found).and_then(|taken| {
        let Some((before, held @ Verdict::Held { .. })) = taken else { return Ok(taken) };
        match apply_all(node, turn, partition, deltas)? {
            Some((after, Verdict::Held { .. })) => Ok(Some((after.max(before), held))),
            other => Ok(other),
        }
    });
    acknowledge(node, turn, from, partition, ticket, done);
}

/// What was done, and the commit that makes it durable; nothing where an exchange that is under way will bring it,
/// and the coordinator is to ask again until then.
type Done = Result<Option<(Commit, Verdict)>, RowError>;

fn acknowledge(
    node: &Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    partition: PartitionId,
    ticket: Ticket,
    done: Done,
) {
    let (after, verdict) = match done {
        Ok(Some(done)) => done,
        Ok(None) => return,
        Err(_) => (Commit::default(), Verdict::Refused),
    };
    turn.send_after(after, node, from, partition, Message::Applied { ticket, verdict });
}

fn apply_all(node: &mut Node, turn: &mut Turn<'_>, partition: PartitionId, deltas: &[Delta]) -> Done {
    let mut after = Commit::default();
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
    }
    Ok(Some((after, Verdict::Held { report: None })))
}

/// What this owner has to report of a plain write: what it holds beside it, or that it has applied something else
/// than the write's maker. A write whose entry is gone was seen by a later one, and that one answers for it.
fn beside(
    node: &Node,
    turn: &mut Turn<'_>,
    partition: PartitionId,
    delta: &Delta,
    applied: u64,
) -> Result<Option<Report>, RowError> {
    let (Some(replica), Some(edit)) = (node.replicas.get(&partition), delta.edits.first()) else {
        return Ok(None);
    };
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    let entries = shelf.get(&edit.cell)?;
    let alone = entries.len() == 1 || entries.get(delta.dot).is_none();
    if alone && replica.map().context().fingerprint() == applied {
        return Ok(None);
    }
    Ok(Some(report::report(replica, &edit.cell, entries)))
}

fn take(node: &mut Node, turn: &mut Turn<'_>, partition: PartitionId, cell: &Cell, found: &Found) -> Done {
    if !node.layout.owners(partition).contains(&node.identity.node) {
        return Ok(Some((Commit::default(), Verdict::Refused)));
    }
    found.entries.iter().for_each(|entry| observe(node, turn, &entry.stamp));
    let replica = node.replicas.entry(partition).or_default();
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    let after = replica.mend(cell, found, node.identity.actor, &mut shelf)?;
    Ok(after.map(|after| (after, Verdict::Held { report: None })))
}

/// The hashes by which the asker of a fetch says what it holds and has applied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hashes {
    pub(crate) held: u64,
    pub(crate) applied: u64,
}

/// Says what is held of a cell: the same as the asker, or all of it. Without a cell, what was applied.
pub(crate) fn fetch(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    partition: PartitionId,
    ticket: Ticket,
    cell: Option<&Cell>,
    asker: Hashes,
) {
    let (after, message) = match look(node, turn, partition, cell, asker) {
        Ok((after, report)) => (after, Message::Fetched { ticket, report: report.map(Box::new) }),
        Err(_) => (Commit::default(), Message::Unreadable { ticket }),
    };
    turn.send_after(after, node, from, partition, message);
}

fn look(
    node: &mut Node,
    turn: &mut Turn<'_>,
    partition: PartitionId,
    cell: Option<&Cell>,
    asker: Hashes,
) -> Result<(Commit, Option<Report>), RowError> {
    let replica = node.replicas.entry(partition).or_default();
    let Some(cell) = cell else {
        let found = Found { knowledge: replica.map().knowledge().clone(), ..Found::default() };
        return Ok((everything(turn.store), Some(Report { found, ..Report::default() })));
    };
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    let entries = shelf.get(cell)?;
    if dots_hash(&entries) == asker.held && replica.map().context().fingerprint() == asker.applied {
        return Ok((shelf.after, None));
    }
    // What is known must be as durable as what is held before anybody relies on it.
    Ok((everything(turn.store), Some(report::report(replica, cell, entries))))
}
