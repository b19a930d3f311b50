//! A write, from its change to its answer.
//!
//! ```text
//! begin    make the operation: a new dot, a stamp, what it adds and what it removes
//!          apply it here; send it to every other owner
//! applied  an owner holds it durably: count it
//!          W hold it ─▶ answer, once it is durable here too
//!          W hold it, but some hold something that outranks it ─▶ rise above that, once, then answer
//! visit    ask those again that have not answered; past the deadline the outcome is unknown
//! ```
//!
//! Invariants:
//! 1. Nothing is refused after it was applied anywhere: from then on a failure is `Unknown`.
//! 2. An acknowledged write is durable on W owners, and no earlier acknowledged write is seen instead of it: an
//!    owner that still holds a greater stamp, or an increment that the write has not removed, says so with its
//!    acknowledgement, and a second operation removes both before the client hears of success. Once is enough,
//!    because what appears later was concurrent.

use crate::rows::{RowError, Shelf};
use crate::state::{Node, Turn};
use crate::tally::{Standing, Tally};
use crate::task::{finish, is_live, no_quorum, number, refuse};
use crate::work::{Kind, Plan, Task, Work, Write};
use causal::{Cell, Change, Delta, Dot, Edit, Payload, Stamp, string};
use placement::{NodeId, PartitionId};
use store::Commit;
use wire::peer::{Message, Ticket, Verdict};
use wire::{Fault, Reply};

/// How long a node whose clock was found to run ahead leaves writes to others, in milliseconds.
const CLOCK_AHEAD_MS: u64 = 1_000;

/// Does to `cell` what a command asks for, as of what this replica holds of it now.
pub(crate) fn change(
    node: &mut Node,
    turn: &mut Turn<'_>,
    task: Task,
    cell: Cell,
    change: Change,
    reply: Reply,
) {
    let plain = matches!(change, Change::Put(_));
    if let Change::Put(bytes) = &change
        && bytes.len() > causal::VALUE_BYTES_MAX
    {
        return refuse(node, turn, task, Fault::StringLength);
    }
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), task.partition);
    let Ok(entries) = shelf.get(&cell) else { return refuse(node, turn, task, Fault::Storage) };
    let after = shelf.after;
    match string::edit(cell, change, &entries, node.identity.actor) {
        Some(edit) => begin(node, turn, task, Plan { edits: vec![edit], sweep: None, plain }, reply),
        None => finish(node, turn, after, task, reply),
    }
}

/// Makes the operation, applies it here and sends it to the other owners.
pub(crate) fn begin(node: &mut Node, turn: &mut Turn<'_>, task: Task, plan: Plan, reply: Reply) {
    let owners = node.layout.owners(task.partition).to_vec();
    let need = task.level.write(owners.len());
    if owners.iter().filter(|owner| is_live(node, **owner)).count() < need {
        let fault = no_quorum(node, &task, Kind::Write);
        return refuse(node, turn, task, fault);
    }
    let plain = plan.plain;
    let Ok((delta, after)) = operate(node, turn, task.partition, plan) else {
        return refuse(node, turn, task, Fault::Storage);
    };
    let deadline = turn.now.monotonic_ms + node.options.request_timeout_ms;
    let tally = Tally::new(owners, need);
    let (outranked_by, ahead_ms) = (Vec::new(), None);
    let write = Write { task, reply, delta, after, tally, plain, outranked_by, ahead_ms, deadline };
    send(node, turn, Box::new(write));
}

/// Makes and applies an operation of this node.
fn operate(
    node: &mut Node,
    turn: &mut Turn<'_>,
    partition: PartitionId,
    plan: Plan,
) -> Result<(Delta, Commit), RowError> {
    let replica = node.replicas.entry(partition).or_default();
    let stamp = node.clock.read(turn.now.wall_ms);
    let dot = replica.next_dot(node.identity.actor);
    let delta = Delta { dot, stamp, edits: plan.edits, sweep: plan.sweep };
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    let (_, after) = replica.apply(&delta, &mut shelf)?;
    Ok((delta, after))
}

/// Sends the operation to the other owners and counts this one.
fn send(node: &mut Node, turn: &mut Turn<'_>, mut write: Box<Write>) {
    let ticket = node.pending.ticket();
    let standing = write.tally.ack(node.identity.node);
    send_to_waiting(node, turn, ticket, &write);
    if standing == Standing::Met {
        return finish(node, turn, write.after, write.task, write.reply);
    }
    node.pending.insert(ticket, Work::Write(write), turn.now.monotonic_ms + node.options.retry_ms);
}

fn send_to_waiting(node: &Node, turn: &mut Turn<'_>, ticket: Ticket, write: &Write) {
    for owner in write.tally.waiting().iter().filter(|owner| is_live(node, **owner)) {
        let message = Message::Apply { ticket, deltas: vec![write.delta.clone()] };
        turn.send(node, *owner, write.task.partition, message);
    }
}

/// An owner has answered.
pub(crate) fn applied(
    node: &mut Node,
    turn: &mut Turn<'_>,
    ticket: Ticket,
    mut write: Box<Write>,
    from: NodeId,
    verdict: &Verdict,
) {
    let standing = match verdict {
        Verdict::Held { outranked_by } => {
            write.outranked_by.extend_from_slice(outranked_by);
            write.tally.ack(from)
        }
        Verdict::StampAhead { ahead_ms } => {
            write.ahead_ms = Some(*ahead_ms);
            write.tally.fail(from)
        }
        Verdict::Refused => write.tally.fail(from),
    };
    match standing {
        Standing::Open => node.pending.put_back(ticket, Work::Write(write)),
        Standing::Met if write.plain && !write.outranked_by.is_empty() => rise(node, turn, write),
        Standing::Met => finish(node, turn, write.after, write.task, write.reply),
        Standing::Lost => {
            node.ahead = write.ahead_ms.map(|ahead_ms| (turn.now.monotonic_ms + CLOCK_AHEAD_MS, ahead_ms));
            give_up(node, turn, *write);
        }
    }
}

/// Writes the value again above everything that outranked it. This counts owners anew and happens once.
fn rise(node: &mut Node, turn: &mut Turn<'_>, write: Box<Write>) {
    let Write { task, reply, delta, after, tally, outranked_by, deadline, .. } = *write;
    for (_, stamp) in &outranked_by {
        observe(node, turn, stamp);
    }
    let edits = match risen(node, turn, task.partition, &delta, &outranked_by) {
        Ok(edits) => edits,
        Err(_) => return unknown(node, turn, task, &tally),
    };
    let plan = Plan { edits, sweep: None, plain: false };
    let Ok((delta, later)) = operate(node, turn, task.partition, plan) else {
        return unknown(node, turn, task, &tally);
    };
    let owners = node.layout.owners(task.partition).to_vec();
    let tally = Tally::new(owners, tally.need());
    let (outranked_by, ahead_ms) = (Vec::new(), None);
    let after = after.max(later);
    let write = Write { task, reply, delta, after, tally, plain: false, outranked_by, ahead_ms, deadline };
    send(node, turn, Box::new(write));
}

/// The edits of a second operation that puts the same values in the place of the first one and of what outranked it.
fn risen(
    node: &Node,
    turn: &mut Turn<'_>,
    partition: PartitionId,
    first: &Delta,
    outranked_by: &[(Dot, Stamp)],
) -> Result<Vec<Edit>, RowError> {
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    let plain = |payload: &Payload| matches!(payload, Payload::Plain(_));
    let mut edits = Vec::new();
    for edit in first.edits.iter().filter(|edit| edit.add.as_ref().is_some_and(plain)) {
        let mut removes: Vec<Dot> = shelf.get(&edit.cell)?.dots().collect();
        removes.push(first.dot);
        removes.extend(outranked_by.iter().map(|(dot, _)| *dot));
        removes.sort_unstable();
        removes.dedup();
        edits.push(Edit { cell: edit.cell.clone(), add: edit.add.clone(), removes });
    }
    Ok(edits)
}

/// Takes note of a stamp, unless it is too far ahead to be believed.
pub(crate) fn observe(node: &mut Node, turn: &Turn<'_>, stamp: &Stamp) {
    if !stamp.is_too_far_ahead(turn.now.wall_ms) {
        node.clock.observe(stamp);
    }
}

/// Some have not answered yet.
pub(crate) fn visit(node: &mut Node, turn: &mut Turn<'_>, ticket: Ticket, write: Box<Write>) {
    let now = turn.now.monotonic_ms;
    if now >= write.deadline {
        return give_up(node, turn, *write);
    }
    send_to_waiting(node, turn, ticket, &write);
    node.pending.put_back(ticket, Work::Write(write));
    node.pending.visit_again(ticket, now + node.options.retry_ms);
}

fn give_up(node: &mut Node, turn: &mut Turn<'_>, write: Write) {
    unknown(node, turn, write.task, &write.tally);
}

fn unknown(node: &mut Node, turn: &mut Turn<'_>, task: Task, tally: &Tally) {
    let fault = Fault::Unknown { held: number(tally.acked()), needed: number(tally.need()) };
    refuse(node, turn, task, fault);
}
