//! What an owner does for a coordinator, and whoever stands in for one: apply, mend, and say what it holds.
//!
//! Invariants:
//! 1. An acknowledgement leaves when what it says is durable here, and says nothing about anywhere else.
//! 2. What is shown to a reader is durable here before it is shown.

use crate::handoff;
use crate::report;
use crate::room::Room;
use crate::rows::{RowError, Shelf, everything};
use crate::state::{Node, Turn};
use crate::task;
use crate::write::observe;
use causal::map::{Applied, Knowledge};
use causal::{Cell, Delta, Dot, Scope};
use placement::{NodeId, PartitionId};
use store::Commit;
use wire::peer::exchange::Hashes;
use wire::peer::quorum::Quorum;
use wire::peer::{Found, Message, Report, Ticket, Verdict};

/// Nothing was done.
const REFUSED: (Commit, Verdict) = (Commit(0), Verdict::Refused);

/// Applies operations and acknowledges them.
pub(crate) fn apply(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    partition: PartitionId,
    about: (Ticket, Quorum),
    deltas: Vec<Delta>,
    asker: Option<Hashes>,
) {
    let bytes = deltas.iter().map(Delta::bytes_about).sum();
    if !node.room.takes(&deltas) || !handoff::admits(node, turn.now.monotonic_ms, partition, bytes) {
        return acknowledge(node, turn, from, partition, about, Ok(Some(REFUSED)));
    }
    let edit = deltas.first().and_then(|delta| delta.edits.first());
    let cell = edit.filter(|_| asker.is_some()).map(|edit| edit.cell.clone());
    let done = apply_all(node, turn, partition, deltas);
    let done = done.and_then(|done| with_report(node, turn, from, (partition, cell.as_ref()), asker, done));
    acknowledge(node, turn, from, partition, about, done);
}

/// Passes operations on to the other owners in this datacenter: they came from another one, once for all of them.
pub(crate) fn pass_on(node: &mut Node, turn: &mut Turn<'_>, partition: PartitionId, deltas: &[Delta]) {
    let me = node.identity.node;
    let is_meant = |owner: &NodeId| *owner != me && node.nearby.has(*owner) && node.links.contains(owner);
    let others: Vec<NodeId> = node.layout.owners(partition).iter().copied().filter(is_meant).collect();
    for owner in others {
        // Nobody waits for the answer.
        let (ticket, deltas) = (node.pending.ticket(), deltas.to_vec());
        let message =
            Message::Apply { ticket, deltas, asker: None, passes_on: false, quorum: Quorum::default() };
        turn.send(node, owner, partition, message);
    }
}

/// Takes a cell as it is after a merge, and then applies operations.
pub(crate) fn mend(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    partition: PartitionId,
    about: (Ticket, Quorum),
    (cell, found): (&Cell, &Found),
    (deltas, asker): (Vec<Delta>, Option<Hashes>),
) {
    if node.room == Room::Gone {
        return acknowledge(node, turn, from, partition, about, Ok(Some(REFUSED)));
    }
    let done = take(node, turn, partition, cell, found).and_then(|taken| {
        let Some((before, Verdict::Held { .. })) = taken else { return Ok(taken) };
        let done = apply_all(node, turn, partition, deltas)?;
        let done = done.map(|(after, verdict)| (after.max(before), verdict));
        with_report(node, turn, from, (partition, Some(cell)), asker, done)
    });
    acknowledge(node, turn, from, partition, about, done);
}

/// Adds to what is held what the asker wants to know of the cell, if it is not as it is there.
fn with_report(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    (partition, cell): (PartitionId, Option<&Cell>),
    asker: Option<Hashes>,
    done: Option<(Commit, Verdict)>,
) -> Done {
    let (Some((after, Verdict::Held { .. })), Some(cell), Some(asker)) = (&done, cell, asker) else {
        return Ok(done);
    };
    let (later, report) = look(node, turn, from, (partition, cell), asker)?;
    Ok(Some((later.max(*after), Verdict::Held { report: report.map(Box::new) })))
}

/// What was done, and the commit that makes it durable; nothing where an exchange that is under way will bring it,
/// and the coordinator is to ask again until then.
type Done = Result<Option<(Commit, Verdict)>, RowError>;

fn acknowledge(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    partition: PartitionId,
    (ticket, quorum): (Ticket, Quorum),
    done: Done,
) {
    let counts = task::counts(node, partition, node.identity.node).is_for(quorum);
    let (after, verdict) = match done {
        Ok(Some((after, Verdict::Held { .. }))) if !counts => (after, Verdict::Learning),
        Ok(Some(done)) => done,
        Ok(None) => return,
        Err(error) => {
            node.note_damage(partition, &error);
            (Commit::default(), Verdict::Refused)
        }
    };
    turn.send_after(after, node, from, partition, Message::Applied { ticket, verdict });
}

fn apply_all(node: &mut Node, turn: &mut Turn<'_>, partition: PartitionId, deltas: Vec<Delta>) -> Done {
    let mut after = Commit::default();
    let lately = turn.lately(&node.options);
    for delta in deltas {
        if delta.stamp.is_too_far_ahead(turn.now.wall_ms) {
            let ahead_ms = delta.stamp.physical_ms - turn.now.wall_ms;
            return Ok(Some((after, Verdict::StampAhead { ahead_ms })));
        }
        observe(node, turn, &delta.stamp);
        let replica = node.replicas.entry(partition).or_default();
        let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
        let (applied, commit) = replica.apply(&delta, Some(lately), &mut shelf)?;
        match applied {
            Applied::Deferred => return Ok(None),
            Applied::Fresh => replica.keep(delta),
            Applied::Known => {}
        }
        after = after.max(commit);
    }
    Ok(Some((after, Verdict::Held { report: None })))
}

fn take(node: &mut Node, turn: &mut Turn<'_>, partition: PartitionId, cell: &Cell, found: &Found) -> Done {
    if !node.layout.owners(partition).contains(&node.identity.node) {
        return Ok(Some((Commit::default(), Verdict::Refused)));
    }
    found.entries.iter().for_each(|entry| observe(node, turn, &entry.stamp));
    let lately = turn.lately(&node.options);
    let replica = node.replicas.entry(partition).or_default();
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    let after = replica.mend(cell, found, (node.identity.actor, lately), &mut shelf)?;
    Ok(Some((after, Verdict::Held { report: None })))
}

/// Says what is held of a cell: the same as the asker, or all of it. Without a cell, what was applied.
pub(crate) fn fetch(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    partition: PartitionId,
    (ticket, quorum): (Ticket, Quorum),
    (cell, ranks): (Option<&Cell>, Option<Dot>),
    asker: Hashes,
) {
    let replica = node.replicas.entry(partition).or_default();
    let shown = ranks.map(|dot| replica.shown(dot)).unwrap_or_default();
    if !replica.counts().is_for(quorum) {
        // What is not here is not known to be nowhere.
        return turn.send(node, from, partition, Message::Unreadable { ticket });
    }
    let looked = match cell {
        Some(cell) => look(node, turn, from, (partition, cell), asker),
        None => all_seen(node, turn, partition).map(|report| (everything(turn.store), Some(report))),
    };
    let (after, message) = match looked {
        Ok((after, report)) => (after, Message::Fetched { ticket, report: report.map(Box::new), shown }),
        Err(error) => {
            node.note_damage(partition, &error);
            (Commit::default(), Message::Unreadable { ticket })
        }
    };
    turn.send_after(after, node, from, partition, message);
}

/// Everything that was applied or is held here: what a reader may have been shown was perhaps taken cell by cell, and
/// not applied.
fn all_seen(node: &Node, turn: &mut Turn<'_>, partition: PartitionId) -> Result<Report, RowError> {
    let Some(replica) = node.replicas.get(&partition) else { return Ok(Report::default()) };
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    let context = replica.map().sweep_of(Scope::All, &mut shelf)?.seen;
    let knowledge = Knowledge { context, ..Knowledge::default() };
    Ok(Report { found: Found { knowledge, ..Found::default() }, ..Report::default() })
}

/// What there is to report of a cell to one who holds and has applied what the hashes say.
fn look(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    (partition, cell): (PartitionId, &Cell),
    asker: Hashes,
) -> Result<(Commit, Option<Report>), RowError> {
    let Some(replica) = node.replicas.get(&partition) else {
        // Nothing was ever applied here, which is not the same as whatever the asker has.
        return Ok((Commit::default(), Some(Report::default())));
    };
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    let entries = shelf.get(cell)?;
    let after = replica.known_after(&shelf);
    let is_same = node.hashes(partition, Some(cell), &entries) == asker;
    let replica = node.replicas.entry(partition).or_default();
    replica.tell(&entries, from);
    if is_same {
        return Ok((after, None));
    }
    // What is known must be as durable as what is held before anybody relies on it.
    Ok((everything(turn.store), Some(report::report(replica, cell, entries))))
}
