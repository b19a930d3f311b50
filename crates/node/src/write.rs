//! A write, from its change to its answer.
//!
//! ```text
//! begin    make the operation: a new dot, a stamp, what it adds and what it removes
//!          apply it here; send it to every other owner
//! applied  an owner holds it durably: count it
//!          W hold it ─▶ answer, once it is durable here too
//!          it holds what is known here to be gone ─▶ send it the cell, then count it
//!          W hold it, but a plain one is not all that they hold ─▶ a read has them agree on the cell
//! settled  what is seen instead of a plain write is removed; then it is answered
//! visit    ask those again that have not answered; past the deadline the outcome is unknown
//! ```
//!
//! Invariants:
//! 1. Nothing is refused after it was applied anywhere: from then on a failure is `Unknown`.
//! 2. An acknowledged write is durable on W owners, and no earlier acknowledged write is seen instead of it, or
//!    after it was deleted: an owner that holds something that the write has not removed, or knows of something
//!    that its maker does not (`report`), says so with its acknowledgement, and W owners are brought to one state in
//!    which the write is what is seen before the client hears of success. Once is enough, because what appears later
//!    was concurrent.
//! 3. Where stand-ins count (`preference`) an acknowledged write is durable on a majority of the healthy nodes, of one alone
//!    on that one, and promises no more than to be merged.
//! 4. An owner that counts for a delete or an increment holds nothing that its maker knew to be gone.

use crate::handoff;
use crate::preference;
use crate::report::{self, View};
use crate::rows::{RowError, Shelf, everything};
use crate::scope;
use crate::state::{Node, Turn};
use crate::tally::{Standing, Tally};
use crate::task::{finish, is_live, knows_enough, no_quorum, number, refuse};
use crate::work::{Kind, Plan, Task, Work, Write};
use causal::{Cell, Change, Clock, Delta, Dot, Edit, Entries, Stamp, string};
use placement::{NodeId, PartitionId};
use std::collections::BTreeSet;
use store::Commit;
use wire::peer::exchange::Hashes;
use wire::peer::{Message, Report, Shown, Ticket, Verdict};
use wire::{Fault, Level, Reply};

mod sending;
mod sloppy;

use sending::{send_to_others, send_to_waiting};
use sloppy::{count_healthy, count_without, is_short, sloppy_tally};

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
    let replica = node.replicas.entry(task.partition).or_default();
    match string::edit(cell, change, &seen.entries, replica.maker(node.identity.actor, task.partition)) {
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
    // The only owner has nobody to send to or to wait for.
    let is_alone = *owners == [node.identity.node];
    let quota = scope::to_write(node, task.partition, task.level);
    let sloppy = preference::sloppy_at_work(node, task.partition, task.level);
    // Who has come anew counts soon; who has lost something does not for long.
    let counts = |owner: &NodeId| {
        is_live(node, *owner)
            && (node.layout.is_new(task.partition, *owner) || knows_enough(node, &task, *owner))
    };
    let is_short = sloppy.is_none() && !quota.is_met(|owner| counts(&owner));
    let joined = std::mem::take(&mut plan.joined);
    if sloppy.is_none() && !knows_enough(node, &task, node.identity.node) {
        return refuse_all(node, turn, task, joined, &Fault::Storage);
    }
    if is_short {
        let fault = no_quorum(node, &task, Kind::Write);
        return refuse_all(node, turn, task, joined, &fault);
    }
    if sloppy.is_some() && !handoff::admits(node, turn.now.monotonic_ms, task.partition, plan.bytes_about()) {
        let may_hold = preference::may_hold(node);
        let fault = if may_hold { Fault::HandoffFull } else { no_quorum(node, &task, Kind::Write) };
        return refuse_all(node, turn, task, joined, &fault);
    }
    let plain = plan.plain;
    let Ok((delta, after)) = operate(node, turn, task.partition, plan) else {
        return refuse_all(node, turn, task, joined, &Fault::Storage);
    };
    if is_alone {
        return finish_all(node, turn, after, (task, reply), joined);
    }
    let (tally, asker) = match &sloppy {
        Some(healthy) => (sloppy_tally(quota.len(), healthy), None),
        None => (quota.tally(), expected(node, turn, task.partition, &delta, plain)),
    };
    let (beside, asks_all, ahead_ms) = (None, false, None);
    let rests_on = None;
    let write = Write {
        task,
        reply,
        joined,
        plain,
        delta,
        rests_on,
        after,
        tally,
        asker,
        sloppy,
        refusers: Vec::new(),
        beside,
        asks_all,
        ahead_ms,
    };
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
    let lately = turn.lately(&node.options);
    let replica = node.replicas.entry(partition).or_default();
    if node.clock.is_too_far_ahead(turn.now.wall_ms) {
        node.clock = Clock::new(node.identity.actor);
    }
    // What it replaces may have been made before this process began, when its clock was elsewhere: what comes after it is above it.
    for entry in plan.seen.iter().flat_map(|seen| seen.entries.iter()) {
        if !entry.stamp.is_too_far_ahead(turn.now.wall_ms) {
            node.clock.observe(&entry.stamp);
        }
    }
    let stamp = node.clock.read(turn.now.wall_ms);
    let dot = replica.next_dot(replica.maker(node.identity.actor, partition));
    let delta = Delta { dot, stamp, edits: plan.edits, sweep: plan.sweep };
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition).with(plan.seen);
    // Of an only owner nobody will ask for it.
    let has_others = node.layout.owners(partition).len() > 1;
    let (_, after) = replica.apply(&delta, has_others.then_some(lately), &mut shelf)?;
    if has_others {
        replica.keep(delta.clone());
    }
    Ok((delta, after))
}

/// Sends the operation to the other owners and counts this one.
fn send(node: &mut Node, turn: &mut Turn<'_>, mut write: Box<Write>) {
    let ticket = node.pending.ticket();
    let standing = write.tally.ack(node.identity.node);
    send_to_waiting(node, turn, ticket, &write);
    send_to_others(node, turn, ticket, &write);
    if standing == Standing::Met {
        return finish_write(node, turn, *write);
    }
    node.pending.insert(ticket, Work::Write(write), turn.now.monotonic_ms + node.options.retry_ms);
}

/// Others own the partition by now: a write is counted anew by those.
pub(crate) fn count_by_owners(node: &mut Node, turn: &mut Turn<'_>, mut write: Box<Write>) {
    let partition = write.task.partition;
    if turn.now.monotonic_ms >= write.task.deadline {
        return give_up(node, turn, *write);
    }
    let quota = scope::to_write(node, partition, write.task.level);
    write.sloppy = preference::sloppy_at_work(node, partition, write.task.level);
    write.tally = match &write.sloppy {
        Some(healthy) => sloppy_tally(quota.len(), healthy),
        None => quota.tally(),
    };
    if write.sloppy.is_none() && !knows_enough(node, &write.task, node.identity.node) {
        write.tally.fail(node.identity.node);
    }
    send(node, turn, write);
}

/// An owner has answered. Gives a plain write back that W owners hold, and not all of them the same: a read is to bring
/// them to agree on the cell, and sees then how the write ranks ([`settled`]).
#[must_use]
pub(crate) fn applied(
    node: &mut Node,
    turn: &mut Turn<'_>,
    ticket: Ticket,
    mut write: Box<Write>,
    from: NodeId,
    verdict: &Verdict,
) -> Option<Box<Write>> {
    if let Verdict::Held { .. } = verdict {
        node.sync.acknowledged(write.task.partition, from, write.delta.dot);
    }
    if turn.now.monotonic_ms >= write.task.deadline {
        // Who acknowledged it long ago may have lost it since, and learned without it (`lessons`).
        give_up(node, turn, *write);
        return None;
    }
    let standing = match verdict {
        // It has come anew, and counts soon: it is asked again.
        Verdict::Learning if write.sloppy.is_none() && node.layout.is_new(write.task.partition, from) => {
            Standing::Open
        }
        Verdict::Held { report: Some(report) } if write.plain => {
            note_report(node, turn, &mut write, report);
            write.tally.ack(from)
        }
        Verdict::Held { report: Some(report) } if is_stale(node, turn, &write, report) => {
            bring_along(node, turn, ticket, &write, from);
            Standing::Open
        }
        Verdict::Held { .. } => write.tally.ack(from),
        Verdict::Learning if write.sloppy.is_some() => write.tally.ack(from),
        Verdict::StampAhead { ahead_ms } => {
            write.ahead_ms = Some(*ahead_ms);
            write.tally.fail(from)
        }
        Verdict::Refused | Verdict::Learning => write.tally.fail(from),
    };
    let standing = match verdict {
        Verdict::Held { .. } => standing,
        _ if write.task.level == Level::Sloppy && is_short(node, &write) => {
            count_without(node, turn, ticket, &mut write, from)
        }
        _ => standing,
    };
    match standing {
        Standing::Open => node.pending.put_back(ticket, Work::Write(write)),
        Standing::Met if write.beside.is_some() => return Some(write),
        Standing::Met => finish_write(node, turn, *write),
        Standing::Lost => give_up(node, turn, *write),
    }
    None
}

/// Notes what an owner holds beside the write, if it holds anything or does not know of the cell what is known here.
/// What merely differs by operations on other cells is no matter.
fn note_report(node: &Node, turn: &mut Turn<'_>, write: &mut Write, report: &Report) {
    let (Some(_), Some(edit)) = (write.asker, write.delta.edits.first()) else { return };
    let Some(replica) = node.replicas.get(&write.task.partition) else { return };
    // What is known here by now may be on its way to the disk still, and the answer rests on it.
    write.after = write.after.max(everything(turn.store));
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), write.task.partition);
    let mine = shelf.get(&edit.cell).map(|entries| report::report(replica, &edit.cell, entries));
    let agrees = mine.is_ok_and(|mine| View::of(&mine).agrees_with(&View::of(report), &edit.cell));
    // A read may have mended this replica meanwhile: what is beside the write stays beside it for all that.
    let is_alone = report.found.entries.dots().all(|dot| dot == write.delta.dot);
    if !is_alone || !agrees {
        let beside = write.beside.get_or_insert_default();
        report.found.entries.dots().for_each(|dot| beside.insert(dot));
        // What is not there any more, because somebody who had seen it has replaced it, may be there elsewhere.
        beside.unite(&report.found.knowledge.dots_of(&edit.cell));
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
    let (cell, found, deltas) = (edit.cell.clone(), Box::new(found), vec![write.delta.clone()]);
    let quorum = scope::quorum(write.task.level);
    let message = Message::Mend { ticket, cell, found, deltas, asker: None, quorum };
    turn.send_after(everything(turn.store), node, owner, write.task.partition, message);
}

/// W owners agree on the cell of a plain write.
///
/// ```text
/// it is what is seen           done
/// something that was reported  an operation that removes that, and nothing else: it may be older than the write. It
///   beside it ranks higher     cannot remove the write in turn, which ranks below it: so one of the two stays
/// it is not there any more     what replaced it has seen it. Done, if what is seen now is no older than the write
/// ... but it was shown before  it is in its place, and what was reported came later
/// ... and what is seen may be  it waits, up to its deadline, until those others have settled what is between them
///   older
/// ```
///
/// Nothing is written again: a value that was replaced never comes back, whoever has read it meanwhile. Gives the write
/// back where all owners must be asked, because somebody who was not may have shown it.
pub(crate) fn settled(
    node: &mut Node,
    turn: &mut Turn<'_>,
    mut write: Box<Write>,
    held: &Entries,
    (after, shown): (Commit, Option<Shown>),
) -> Option<Box<Write>> {
    let cell = write.delta.edits.first()?.cell.clone();
    write.after = write.after.max(after);
    let replica = node.replicas.get(&write.task.partition);
    let seers = replica.map(|replica| replica.recent().seers(&cell, write.delta.dot)).unwrap_or_default();
    let is_own = |dot: Dot| dot.actor == write.delta.dot.actor && dot.n > write.delta.dot.n;
    let beside = write.beside.take().unwrap_or_default();
    let is_older = |dot: &Dot| beside.contains(*dot) && !is_own(*dot) && !seers.contains(dot);
    let may_be_older: BTreeSet<Dot> = held.dots().filter(is_older).collect();
    write.beside = Some(beside);
    let quota = scope::to_write(node, write.task.partition, write.task.level);
    let removes = match held.get(write.delta.dot) {
        Some(entry) => string::above(held, entry, &may_be_older),
        None if string::gives(held, &may_be_older) => {
            wait(node, turn, write);
            return None;
        }
        None => Vec::new(),
    };
    match shown {
        _ if removes.is_empty() => finish_write(node, turn, *write),
        // The quorum that it was shown by need not know of what a write that asks more than a quorum must not leave above
        // it, and that may as well have been written by somebody who was shown it.
        Some(Shown::Yes(_)) if write.tally.need() > quota.len() / 2 + 1 => give_up(node, turn, *write),
        Some(Shown::Yes(_)) => {
            // It is in its place among plain writes. Increments have none: those made before it must not add to it.
            let entry = held.get(write.delta.dot);
            match entry.map_or(Some(Vec::new()), |entry| string::added(held, entry, &may_be_older)) {
                Some(removes) if removes.is_empty() => finish_write(node, turn, *write),
                Some(removes) => outrank(node, turn, write, Edit { cell, add: None, removes }),
                None => give_up(node, turn, *write),
            }
        }
        Some(Shown::No { .. }) => outrank(node, turn, write, Edit { cell, add: None, removes }),
        Some(Shown::Forgotten) => give_up(node, turn, *write),
        None => {
            write.asks_all = true;
            return Some(write);
        }
    }
    None
}

fn finish_write(node: &mut Node, turn: &mut Turn<'_>, write: Write) {
    finish_all(node, turn, write.after, (write.task, write.reply), write.joined);
}

/// Removes what is seen instead of a write, and has W owners hold that. This counts them anew and happens once: what
/// appears later was concurrent.
fn outrank(node: &mut Node, turn: &mut Turn<'_>, mut write: Box<Write>, edit: Edit) {
    let plan = Plan { edits: vec![edit], ..Plan::default() };
    let Ok((delta, after)) = operate(node, turn, write.task.partition, plan) else {
        return give_up(node, turn, *write);
    };
    write.tally = scope::to_write(node, write.task.partition, write.task.level).tally();
    write.after = write.after.max(after);
    write.rests_on = Some(std::mem::replace(&mut write.delta, delta));
    (write.plain, write.asker, write.beside) = (false, None, None);
    send(node, turn, write);
}

/// Looks again at how a write ranks after a while, or gives it up.
pub(crate) fn wait(node: &mut Node, turn: &mut Turn<'_>, write: Box<Write>) {
    if turn.now.monotonic_ms >= write.task.deadline {
        return give_up(node, turn, *write);
    }
    let (ticket, visit_at) = (node.pending.ticket(), turn.now.monotonic_ms + node.options.retry_ms);
    node.pending.insert(ticket, Work::Write(write), visit_at);
}

/// Takes note of a stamp, unless it is too far ahead to be believed.
pub(crate) fn observe(node: &mut Node, turn: &Turn<'_>, stamp: &Stamp) {
    if !stamp.is_too_far_ahead(turn.now.wall_ms) {
        node.clock.observe(stamp);
    }
}

/// Some have not answered yet. Gives a write back that waits for others, as [`applied`] does.
#[must_use]
pub(crate) fn visit(
    node: &mut Node,
    turn: &mut Turn<'_>,
    ticket: Ticket,
    mut write: Box<Write>,
) -> Option<Box<Write>> {
    let now = turn.now.monotonic_ms;
    if now >= write.task.deadline {
        give_up(node, turn, *write);
        return None;
    }
    if write.task.level == Level::Sloppy {
        count_healthy(node, turn, ticket, &mut write);
    }
    if write.tally.standing() == Standing::Met {
        if write.beside.is_some() {
            return Some(write);
        }
        finish_write(node, turn, *write);
        return None;
    }
    send_to_waiting(node, turn, ticket, &write);
    node.pending.put_back(ticket, Work::Write(write));
    node.pending.visit_again(ticket, now + node.options.retry_ms);
    None
}

/// Ends a write of which too few owners are known to hold it.
pub(crate) fn give_up(node: &mut Node, turn: &mut Turn<'_>, write: Write) {
    if let Some(ahead_ms) = write.ahead_ms {
        node.ahead = Some((turn.now.monotonic_ms + CLOCK_AHEAD_MS, ahead_ms));
    }
    unknown(node, turn, write.task, write.joined, &write.tally);
}

fn unknown(node: &mut Node, turn: &mut Turn<'_>, task: Task, joined: Vec<(Task, Reply)>, tally: &Tally) {
    let fault = Fault::Unknown { held: number(tally.acked()), needed: number(tally.need()) };
    refuse_all(node, turn, task, joined, &fault);
}
