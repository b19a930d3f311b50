//! A write, from its change to its answer.
//!
//! ```text
//! begin    make the operation: a new dot, a stamp, what it adds and what it removes
//!          apply it here; send it to every other owner
//! applied  an owner holds it durably: count it
//!          W hold it ─▶ answer, once it is durable here too
//!          W hold it, but not all agree on the cell ─▶ write it again over all of it, once, then answer
//! visit    ask those again that have not answered; past the deadline the outcome is unknown
//! ```
//!
//! Invariants:
//! 1. Nothing is refused after it was applied anywhere: from then on a failure is `Unknown`.
//! 2. An acknowledged write is durable on W owners, and no earlier acknowledged write is seen instead of it, or
//!    after it was deleted: an owner that holds something that the write has not removed, or knows of something
//!    that its maker does not (`report`), says so with its acknowledgement, and a second operation removes all of
//!    it before the client hears of success. Once is enough, because what appears later was concurrent.

use crate::report::{self, View};
use crate::rows::{RowError, Shelf};
use crate::state::{Node, Turn};
use crate::tally::{Standing, Tally};
use crate::task::{finish, is_live, no_quorum, number, refuse};
use crate::work::{Kind, Plan, Task, Work, Write};
use causal::{Cell, Change, Clock, Delta, Edit, Entries, Payload, Stamp, string};
use placement::{NodeId, PartitionId};
use store::Commit;
use wire::peer::{Found, Message, Report, Ticket, Verdict};
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
        && bytes.len() > causal::limits::VALUE_BYTES_MAX
    {
        return refuse(node, turn, task, Fault::StringLength);
    }
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), task.partition);
    let Ok(seen) = shelf.see(&cell) else { return refuse(node, turn, task, Fault::Storage) };
    let after = shelf.after;
    match string::edit(cell, change, &seen.entries, node.identity.actor) {
        Some(edit) => {
            let plan = Plan { edits: vec![edit], sweep: None, plain, seen: Some(seen) };
            begin(node, turn, task, plan, reply);
        }
        None => finish(node, turn, after, task, reply),
    }
}

/// Makes the operation, applies it here and sends it to the other owners.
pub(crate) fn begin(node: &mut Node, turn: &mut Turn<'_>, task: Task, plan: Plan, reply: Reply) {
    let owners = node.layout.owners(task.partition);
    let need = task.level.write(owners.len());
    // The only owner has nobody to send to or to wait for.
    let others = (*owners != [node.identity.node]).then(|| owners.to_vec());
    if owners.iter().filter(|owner| is_live(node, **owner)).count() < need {
        let fault = no_quorum(node, &task, Kind::Write);
        return refuse(node, turn, task, fault);
    }
    let plain = plan.plain;
    let Ok((delta, after)) = operate(node, turn, task.partition, plan) else {
        return refuse(node, turn, task, Fault::Storage);
    };
    let Some(owners) = others else { return finish(node, turn, after, task, reply) };
    let deadline = turn.now.monotonic_ms + node.options.request_timeout_ms;
    let tally = Tally::new(owners, need);
    let alone = Entries::from_iter(delta.edits.first().and_then(|edit| Some(delta.entry(edit.add.clone()?))));
    let asker = plain.then(|| node.hashes(task.partition, &alone));
    let (reports, ahead_ms, mend) = (Vec::new(), None, None);
    let write = Write { task, reply, delta, after, tally, asker, mend, reports, ahead_ms, deadline };
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
    if node.clock.is_too_far_ahead(turn.now.wall_ms) {
        node.clock = Clock::new(node.identity.actor);
    }
    let stamp = node.clock.read(turn.now.wall_ms);
    let dot = replica.next_dot(node.identity.actor);
    let delta = Delta { dot, stamp, edits: plan.edits, sweep: plan.sweep };
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition).with(plan.seen);
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
        let deltas = vec![write.delta.clone()];
        let message = match write.mend.clone() {
            Some((cell, found)) => Message::Mend { ticket, cell, found, deltas, asker: None },
            None => Message::Apply { ticket, deltas, asker: write.asker },
        };
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
        Verdict::Held { report } => {
            note_report(node, turn, &mut write, report.as_deref());
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
        Standing::Met if !write.reports.is_empty() => rise(node, turn, write),
        Standing::Met => finish(node, turn, write.after, write.task, write.reply),
        Standing::Lost => {
            node.ahead = write.ahead_ms.map(|ahead_ms| (turn.now.monotonic_ms + CLOCK_AHEAD_MS, ahead_ms));
            give_up(node, turn, *write);
        }
    }
}

/// Keeps a report of an owner that holds something beside the write, or knows something that is not known here, or
/// the other way round. What merely differs by operations on other cells is no matter.
fn note_report(node: &Node, turn: &mut Turn<'_>, write: &mut Write, report: Option<&Report>) {
    let (Some(report), Some(_), Some(edit)) = (report, write.asker, write.delta.edits.first()) else {
        return;
    };
    let Some(replica) = node.replicas.get(&write.task.partition) else { return };
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), write.task.partition);
    let mine = shelf.get(&edit.cell).map(|entries| report::report(replica, &edit.cell, entries));
    // A read may have mended this replica meanwhile: what is beside the write stays beside it for all that.
    let is_alone = report.found.entries.dots().all(|dot| dot == write.delta.dot);
    let agrees = mine.is_ok_and(|mine| View::of(&mine).agrees_with(&View::of(report), &edit.cell));
    if !is_alone || !agrees {
        write.reports.push(report.clone());
    }
}

/// Takes in what was reported, writes the value again over all of it, and has the owners know as much. This counts
/// them anew and happens once.
fn rise(node: &mut Node, turn: &mut Turn<'_>, write: Box<Write>) {
    let Write { task, reply, delta, after, tally, reports, deadline, .. } = *write;
    for entry in reports.iter().flat_map(|report| report.found.entries.iter()) {
        observe(node, turn, &entry.stamp);
    }
    let (delta, later, mend) = match write_over(node, turn, &task, &delta, &reports) {
        Ok(Some(written)) => written,
        Ok(None) | Err(_) => return unknown(node, turn, task, &tally),
    };
    let owners = node.layout.owners(task.partition).to_vec();
    let tally = Tally::new(owners, tally.need());
    let after = after.max(later);
    let (reports, ahead_ms, asker, mend) = (Vec::new(), None, None, Some(mend));
    send(
        node,
        turn,
        Box::new(Write { task, reply, delta, after, tally, asker, mend, reports, ahead_ms, deadline }),
    );
}

/// The second operation, the commit that makes it durable here, and the cell as it was before.
type Rewritten = (Delta, Commit, (Cell, Found));

/// Mends the cell here and puts the value of this node's newest write in the place of everything that it then holds:
/// of several writes that are under way, the last must stay, whichever of them gets here.
///
/// Nothing where that write has been answered already. Its time is over, and to write it again could undo what came
/// after it; whether what was found came before or after the one that is asked about here, nobody can tell.
fn write_over(
    node: &mut Node,
    turn: &mut Turn<'_>,
    task: &Task,
    first: &Delta,
    reports: &[Report],
) -> Result<Option<Rewritten>, RowError> {
    let Some(Edit { cell, .. }) = first.edits.first().cloned() else { return Ok(None) };
    let replica = node.replicas.entry(task.partition).or_default();
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), task.partition);
    for report in reports {
        replica.mend(&cell, &report.found, node.identity.actor, &mut shelf)?;
    }
    let (found, _) = replica.found(&cell, &mut shelf)?;
    let own = found.entries.iter().filter(|entry| entry.dot.actor == node.identity.actor);
    let newest = own.filter(|entry| matches!(entry.payload, Payload::Plain(_))).max_by_key(|entry| entry.dot);
    let under_way = newest.filter(|entry| entry.dot == first.dot || node.pending.has_write(entry.dot));
    let Some(add) = under_way.map(|entry| entry.payload.clone()) else { return Ok(None) };
    let edit = Edit { cell: cell.clone(), add: Some(add), removes: found.entries.dots().collect() };
    let plan = Plan { edits: vec![edit], ..Plan::default() };
    let (delta, after) = operate(node, turn, task.partition, plan)?;
    Ok(Some((delta, after, (cell, found))))
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
