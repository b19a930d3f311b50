//! A write, from its change to its answer.
//!
//! ```text
//! begin    make the operation: a new dot, a stamp, what it adds and what it removes
//!          apply it here; send it to every other owner
//! applied  an owner holds it durably: count it
//!          W hold it ─▶ answer, once it is durable here too
//!          it holds what is known here to be gone ─▶ send it the cell, then count it
//!          W hold it, but not all agree on the cell ─▶ a plain one rises (see there), once
//! visit    ask those again that have not answered; past the deadline the outcome is unknown
//! ```
//!
//! Invariants:
//! 1. Nothing is refused after it was applied anywhere: from then on a failure is `Unknown`.
//! 2. An acknowledged write is durable on W owners, and no earlier acknowledged write is seen instead of it, or
//!    after it was deleted: an owner that holds something that the write has not removed, or knows of something
//!    that its maker does not (`report`), says so with its acknowledgement, and W owners are brought to one state, by a
//!    second operation where there must be one, before the client hears of success. Once is enough, because what
//!    appears later was concurrent.
//! 3. An owner that counts for a delete or an increment holds nothing that its maker knew to be gone.

use crate::report::{self, View};
use crate::rows::{RowError, Shelf, everything};
use crate::state::{Node, Turn};
use crate::tally::{Standing, Tally};
use crate::task::{finish, is_live, no_quorum, number, refuse};
use crate::work::{Kind, Plan, Task, Work, Write};
use causal::{Cell, Change, Clock, Delta, Dot, Edit, Entries, Stamp, string};
use placement::{NodeId, PartitionId};
use store::Commit;
use wire::peer::{Found, Hashes, Message, Report, Ticket, Verdict};
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
    (reply, joined): (Reply, Vec<(Task, Reply)>),
) {
    let plain = matches!(change, Change::Put(_));
    if let Change::Put(bytes) = &change
        && bytes.len() > causal::limits::VALUE_BYTES_MAX
    {
        return refuse_all(node, turn, task, joined, &Fault::StringLength);
    }
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), task.partition);
    let Ok(seen) = shelf.see(&cell) else {
        return refuse_all(node, turn, task, joined, &Fault::Storage);
    };
    let after = shelf.after;
    match string::edit(cell, change, &seen.entries, node.identity.actor) {
        Some(edit) => {
            let plan = Plan { edits: vec![edit], plain, seen: Some(seen), joined, ..Plan::default() };
            begin(node, turn, task, plan, reply);
        }
        None => finish(node, turn, after, task, reply),
    }
}

/// Makes the operation, applies it here and sends it to the other owners.
pub(crate) fn begin(node: &mut Node, turn: &mut Turn<'_>, task: Task, mut plan: Plan, reply: Reply) {
    let owners = node.layout.owners(task.partition);
    let need = task.level.write(owners.len());
    // The only owner has nobody to send to or to wait for.
    let others = (*owners != [node.identity.node]).then(|| owners.to_vec());
    let is_short = owners.iter().filter(|owner| is_live(node, **owner)).count() < need;
    let joined = std::mem::take(&mut plan.joined);
    // A request may have been admitted before a member began to join.
    if is_short || turn.now.monotonic_ms < node.held_until {
        let fault = if is_short { no_quorum(node, &task, Kind::Write) } else { Fault::Forming };
        return refuse_all(node, turn, task, joined, &fault);
    }
    let plain = plan.plain;
    let Ok((delta, after)) = operate(node, turn, task.partition, plan) else {
        return refuse_all(node, turn, task, joined, &Fault::Storage);
    };
    let Some(owners) = others else { return finish_all(node, turn, after, (task, reply), joined) };
    let tally = Tally::new(owners, need);
    let asker = expected(node, turn, task.partition, &delta, plain);
    let (reports, ahead_ms, mend) = (Vec::new(), None, None);
    let write = Write { task, reply, joined, plain, delta, after, tally, asker, mend, reports, ahead_ms };
    send(node, turn, Box::new(write));
}

/// What an owner that is in step with this one holds and knows of the cell, once it has applied the operation.
fn expected(
    node: &Node,
    turn: &mut Turn<'_>,
    partition: PartitionId,
    delta: &Delta,
    plain: bool,
) -> Option<Hashes> {
    let edit = delta.edits.first()?;
    let held = if plain {
        // It has removed everything else, so the row need not be read back.
        Entries::from_iter(edit.add.clone().map(|payload| delta.entry(payload)))
    } else {
        Shelf::new(turn.store, node.layout.keyspace(), partition).get(&edit.cell).ok()?
    };
    Some(node.hashes(partition, Some(&edit.cell), &held))
}

fn finish_all(
    node: &mut Node,
    turn: &mut Turn<'_>,
    after: Commit,
    first: (Task, Reply),
    joined: Vec<(Task, Reply)>,
) {
    for (task, reply) in std::iter::once(first).chain(joined) {
        finish(node, turn, after, task, reply);
    }
}

fn refuse_all(node: &mut Node, turn: &mut Turn<'_>, task: Task, joined: Vec<(Task, Reply)>, fault: &Fault) {
    for task in std::iter::once(task).chain(joined.into_iter().map(|(task, _)| task)) {
        refuse(node, turn, task, fault.clone());
    }
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
    // Of an only owner nobody will ask for it.
    if node.layout.owners(partition).len() > 1 {
        replica.keep(delta.clone());
    }
    Ok((delta, after))
}

/// Sends the operation to the other owners and counts this one.
fn send(node: &mut Node, turn: &mut Turn<'_>, mut write: Box<Write>) {
    let ticket = node.pending.ticket();
    let standing = write.tally.ack(node.identity.node);
    send_to_waiting(node, turn, ticket, &write);
    if standing == Standing::Met {
        return finish_all(node, turn, write.after, (write.task, write.reply), write.joined);
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
        Verdict::Held { report: Some(report) } if write.plain => {
            note_report(node, turn, &mut write, report);
            write.tally.ack(from)
        }
        Verdict::Held { report: Some(report) } if is_stale(node, turn, &write, report) => {
            bring_along(node, turn, ticket, &write, from);
            Standing::Open
        }
        Verdict::Held { .. } => write.tally.ack(from),
        Verdict::StampAhead { ahead_ms } => {
            write.ahead_ms = Some(*ahead_ms);
            write.tally.fail(from)
        }
        Verdict::Refused => write.tally.fail(from),
    };
    match standing {
        Standing::Open => node.pending.put_back(ticket, Work::Write(write)),
        Standing::Met if !write.reports.is_empty() => rise(node, turn, write),
        Standing::Met => finish_all(node, turn, write.after, (write.task, write.reply), write.joined),
        Standing::Lost => {
            node.ahead = write.ahead_ms.map(|ahead_ms| (turn.now.monotonic_ms + CLOCK_AHEAD_MS, ahead_ms));
            give_up(node, turn, *write);
        }
    }
}

/// Keeps a report of an owner that holds something beside the write, or knows something that is not known here, or
/// the other way round. What merely differs by operations on other cells is no matter.
fn note_report(node: &Node, turn: &mut Turn<'_>, write: &mut Write, report: &Report) {
    let (Some(_), Some(edit)) = (write.asker, write.delta.edits.first()) else { return };
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

/// Whether an owner still holds what is known here to be gone: an operation that was acknowledged at a lower level may
/// have removed it, and has not come there. To read there what was deleted is what the level of this one excludes.
fn is_stale(node: &Node, turn: &mut Turn<'_>, write: &Write, report: &Report) -> bool {
    let Some(edit) = write.delta.edits.first() else { return false };
    let Some(replica) = node.replicas.get(&write.task.partition) else { return false };
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), write.task.partition);
    let knowledge = replica.map().knowledge();
    shelf.get(&edit.cell).is_ok_and(|mine| {
        let is_gone = |dot| mine.get(dot).is_none() && knowledge.covers(&edit.cell, dot);
        report.found.entries.dots().any(is_gone)
    })
}

/// Sends an owner the cell as it is here, with the operation; it counts once it holds that.
fn bring_along(node: &Node, turn: &mut Turn<'_>, ticket: Ticket, write: &Write, owner: NodeId) {
    let (Some(edit), Some(replica)) = (write.delta.edits.first(), node.replicas.get(&write.task.partition))
    else {
        return;
    };
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), write.task.partition);
    let Ok((found, _)) = replica.found(&edit.cell, &mut shelf) else { return };
    let deltas = vec![write.delta.clone()];
    let message = Message::Mend { ticket, cell: edit.cell.clone(), found, deltas, asker: None };
    turn.send_after(everything(turn.store), node, owner, write.task.partition, message);
}

/// Takes in what was reported and has W owners hold what it comes to. This counts them anew and happens once.
///
/// ```text
/// the write is here alone      what differs is only what owners know: they are brought to know the same
/// others are beside it         it is written again over all of them: its client waits, so it may come last
/// a later one of this node     has replaced it and waits itself: both are answered together
///   has replaced it
/// something has replaced it    that has seen it, so it need not be written again, and must not: it may have been read
///                              and deleted. Its time was before that
/// ... beside something that    it waits, up to its deadline, until those others have settled what is between them:
///   may be older               what may be older could still be seen instead
/// ```
fn rise(node: &mut Node, turn: &mut Turn<'_>, write: Box<Write>) {
    let Write { task, reply, mut joined, plain, delta, after, tally, reports, asker, ahead_ms, .. } = *write;
    for entry in reports.iter().flat_map(|report| report.found.entries.iter()) {
        observe(node, turn, &entry.stamp);
    }
    let Ok(Some((cell, found))) = take_in(node, turn, &task, &delta, &reports) else {
        return unknown(node, turn, task, joined, &tally);
    };
    let is_here = found.entries.get(delta.dot).is_some();
    let later = node.pending.plain_after(task.partition, &cell, delta.dot);
    if let Some(later) = later.filter(|later| !is_here && later.tally.need() >= tally.need()) {
        later.joined.push((task, reply));
        later.joined.append(&mut joined);
        return;
    }
    let is_alone = is_here && found.entries.len() == 1;
    let is_clear = || is_clear(node, &task, &delta, (&cell, &found), &reports);
    let risen = if is_alone || (!is_here && is_clear()) {
        Ok((delta, everything(turn.store), (cell, found)))
    } else if is_here {
        write_over(node, turn, &task, &delta, (cell, found))
    } else if turn.now.monotonic_ms < task.deadline {
        // Others have yet to settle what is between them, and will tell this node.
        let mend = None;
        let write = Write { task, reply, joined, plain, delta, after, tally, asker, mend, reports, ahead_ms };
        let (ticket, visit_at) = (node.pending.ticket(), turn.now.monotonic_ms + node.options.retry_ms);
        return node.pending.insert(ticket, Work::Write(Box::new(write)), visit_at);
    } else {
        return unknown(node, turn, task, joined, &tally);
    };
    let Ok((delta, later, mend)) = risen else { return unknown(node, turn, task, joined, &tally) };
    let owners = node.layout.owners(task.partition).to_vec();
    let tally = Tally::new(owners, tally.need());
    let after = after.max(later);
    let (reports, ahead_ms, asker, mend) = (Vec::new(), None, None, Some(mend));
    send(
        node,
        turn,
        Box::new(Write { task, reply, joined, plain, delta, after, tally, asker, mend, reports, ahead_ms }),
    );
}

/// Mends the cell here with what was reported, and tells what it then holds and knows.
fn take_in(
    node: &mut Node,
    turn: &mut Turn<'_>,
    task: &Task,
    delta: &Delta,
    reports: &[Report],
) -> Result<Option<(Cell, Found)>, RowError> {
    let Some(Edit { cell, .. }) = delta.edits.first() else { return Ok(None) };
    let replica = node.replicas.entry(task.partition).or_default();
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), task.partition);
    for report in reports {
        replica.mend(cell, &report.found, node.identity.actor, &mut shelf)?;
    }
    let (found, _) = replica.found(cell, &mut shelf)?;
    Ok(Some((cell.clone(), found)))
}

/// Whether nothing is left in the cell that may have been acknowledged before a write that is no longer there began.
/// Such a thing was on a quorum then, and not here, so one of those that acknowledged the write has reported it. What
/// this node has written since came later, and so did what has seen the write.
fn is_clear(
    node: &Node,
    task: &Task,
    delta: &Delta,
    (cell, found): (&Cell, &Found),
    reports: &[Report],
) -> bool {
    let replica = node.replicas.get(&task.partition);
    let seers = replica.map(|replica| replica.recent().seers(cell, delta.dot)).unwrap_or_default();
    let is_own = |dot: Dot| dot.actor == delta.dot.actor && dot.n > delta.dot.n;
    let is_later = |dot: Dot| is_own(dot) || seers.contains(&dot);
    let is_reported = |dot| reports.iter().any(|report| report.found.entries.get(dot).is_some());
    !found.entries.dots().any(|dot| is_reported(dot) && !is_later(dot))
}

/// An operation, the commit that makes it durable here, and the cell as it was before.
type Risen = (Delta, Commit, (Cell, Found));

/// Writes the value of an operation again, in the place of everything that the cell holds.
fn write_over(
    node: &mut Node,
    turn: &mut Turn<'_>,
    task: &Task,
    first: &Delta,
    (cell, found): (Cell, Found),
) -> Result<Risen, RowError> {
    let add = first.edits.first().and_then(|edit| edit.add.clone());
    let edit = Edit { cell: cell.clone(), add, removes: found.entries.dots().collect() };
    let plan = Plan { edits: vec![edit], ..Plan::default() };
    let (delta, after) = operate(node, turn, task.partition, plan)?;
    Ok((delta, after, (cell, found)))
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
    if now >= write.task.deadline {
        return give_up(node, turn, *write);
    }
    if write.tally.standing() == Standing::Met {
        return rise(node, turn, write);
    }
    send_to_waiting(node, turn, ticket, &write);
    node.pending.put_back(ticket, Work::Write(write));
    node.pending.visit_again(ticket, now + node.options.retry_ms);
}

pub(crate) fn give_up(node: &mut Node, turn: &mut Turn<'_>, write: Write) {
    unknown(node, turn, write.task, write.joined, &write.tally);
}

fn unknown(node: &mut Node, turn: &mut Turn<'_>, task: Task, joined: Vec<(Task, Reply)>, tally: &Tally) {
    let fault = Fault::Unknown { held: number(tally.acked()), needed: number(tally.need()) };
    refuse_all(node, turn, task, joined, &fault);
}
