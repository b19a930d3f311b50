//! A read, from its question to its answer; the first half of a read-modify-write too.
//!
//! ```text
//! begin     what do I hold? ask R - 1 other owners whether they hold the same
//! fetched   R agree ─▶ conclude
//!           somebody differs ─▶ merge what all of them hold and know; this replica takes the merge
//!                               send it to those behind ─▶ repaired: all R hold it ─▶ conclude
//! conclude  the command's answer, or the write that follows
//! ```
//!
//! Invariants:
//! 1. At a level where R is a quorum, a quorum holds durably what is answered before the answer leaves, so reads
//!    never go back in time.
//! 2. Each owner's report is what it holds and knows at one instant. An entry that is missing where it is known
//!    was removed; missing where it is not known, it is news. This is the merge of a state exchange, for one cell.

use crate::explain;
use crate::replica::Replica;
use crate::report::{self, View};
use crate::rows::{RowError, Shelf};
use crate::siblings;
use crate::state::{Node, Turn};
use crate::tally::{Standing, Tally};
use crate::task::{finish, is_live, no_quorum, refuse};
use crate::work::{Kind, Plan, Purpose, Read, Repair, Task, Work};
use crate::write;
use bytes::Bytes;
use causal::{Cell, Change, Delta, Entries, Scope, Sweep, string};
use placement::NodeId;
use store::Commit;
use wire::command;
use wire::peer::{Found, Message, Report, Ticket, Verdict};
use wire::{Fault, Reply};

/// Looks here and asks the others.
pub(crate) fn begin(node: &mut Node, turn: &mut Turn<'_>, task: Task, purpose: Purpose) {
    let cell = cell_of(&task, &purpose);
    let owners = node.layout.owners(task.partition);
    let live = owners.iter().filter(|owner| is_live(node, **owner)).count();
    let need = if matches!(purpose, Purpose::Explain(_)) { live } else { task.level.read(owners.len()) };
    if live < need {
        let fault = no_quorum(node, &task, Kind::Read);
        return refuse(node, turn, task, fault);
    }
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), task.partition);
    let held = match cell.as_ref().map_or_else(|| Ok(Entries::default()), |cell| shelf.get(cell)) {
        Ok(held) => held,
        Err(_) => return refuse(node, turn, task, Fault::Storage),
    };
    let after = shelf.after;
    let deadline = turn.now.monotonic_ms + node.options.request_timeout_ms;
    let (asked, same, reports) = (Vec::new(), Vec::new(), Vec::new());
    let mut read = Box::new(Read {
        task,
        purpose,
        cell,
        held,
        after,
        need,
        asked,
        same,
        reports,
        repair: None,
        asker: None,
        deadline,
    });
    if need == 1 {
        return conclude(node, turn, *read);
    }
    let ticket = node.pending.ticket();
    while read.asked.len() + 1 < need && ask_another(node, turn, ticket, &mut read) {}
    node.pending.insert(ticket, Work::Read(read), turn.now.monotonic_ms + node.options.retry_ms);
}

fn cell_of(task: &Task, purpose: &Purpose) -> Option<Cell> {
    let key = match purpose {
        Purpose::Command { key, .. } | Purpose::Siblings(key) | Purpose::Explain(key) => Some(key),
        Purpose::Update { .. } => task.queued.as_ref(),
        Purpose::Flush(_) => None,
    };
    key.map(|key| Cell::string(key.clone()))
}

/// Asks a live owner that was not asked yet; tells whether there was one.
fn ask_another(node: &Node, turn: &mut Turn<'_>, ticket: Ticket, read: &mut Read) -> bool {
    let fresh = |owner: &&NodeId| **owner != node.identity.node && !read.asked.contains(owner);
    let mut owners = node.layout.owners(read.task.partition).iter().filter(fresh);
    let Some(owner) = owners.find(|owner| is_live(node, **owner)) else { return false };
    read.asked.push(*owner);
    fetch(node, turn, ticket, read, *owner);
    true
}

fn fetch(node: &Node, turn: &mut Turn<'_>, ticket: Ticket, read: &Read, owner: NodeId) {
    let asker = node.hashes(read.task.partition, &read.held);
    let message = Message::Fetch { ticket, cell: read.cell.clone(), asker };
    turn.send(node, owner, read.task.partition, message);
}

/// An owner says what it holds.
pub(crate) fn fetched(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    ticket: Ticket,
    report: Option<Box<Report>>,
) {
    let Some(mut read) = take_read(node, ticket) else { return };
    let answered = read.same.contains(&from) || read.reports.iter().any(|(owner, _)| *owner == from);
    if read.repair.is_none() && read.asked.contains(&from) && !answered {
        match report {
            None => read.same.push(from),
            Some(report) => read.reports.push((from, *report)),
        }
        if read.same.len() + read.reports.len() + 1 >= read.need {
            return compare(node, turn, ticket, read);
        }
    }
    node.pending.put_back(ticket, Work::Read(read));
}

/// An owner cannot read it: another is asked.
pub(crate) fn unreadable(node: &mut Node, turn: &mut Turn<'_>, from: NodeId, ticket: Ticket) {
    let Some(mut read) = take_read(node, ticket) else { return };
    if read.asked.contains(&from) {
        ask_another(node, turn, ticket, &mut read);
    }
    node.pending.put_back(ticket, Work::Read(read));
}

fn take_read(node: &mut Node, ticket: Ticket) -> Option<Box<Read>> {
    match node.pending.take(ticket)? {
        Work::Read(read) => Some(read),
        other => {
            node.pending.put_back(ticket, other);
            None
        }
    }
}

/// Enough have answered: do they agree?
fn compare(node: &mut Node, turn: &mut Turn<'_>, ticket: Ticket, mut read: Box<Read>) {
    let only_reports = matches!(read.purpose, Purpose::Explain(_) | Purpose::Flush(_));
    let Some(cell) = read.cell.clone().filter(|_| !only_reports && !read.reports.is_empty()) else {
        return conclude(node, turn, *read);
    };
    let Ok(sent) = merge(node, turn, &cell, &mut read) else {
        return refuse(node, turn, read.task, Fault::Storage);
    };
    if sent.is_empty() {
        return conclude(node, turn, *read);
    }
    let tally = Tally::new(sent.iter().map(|(owner, _)| *owner), sent.len());
    read.repair = Some(Repair { tally, sent });
    read.asker = Some(node.hashes(read.task.partition, &read.held));
    send_repairs(node, turn, ticket, &read);
    node.pending.put_back(ticket, Work::Read(read));
}

/// Merges what all hold and know into this replica, and tells what those behind are to be sent.
fn merge(
    node: &mut Node,
    turn: &mut Turn<'_>,
    cell: &Cell,
    read: &mut Read,
) -> Result<Vec<(NodeId, Message)>, RowError> {
    let replica = node.replicas.entry(read.task.partition).or_default();
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), read.task.partition);
    let before = report::report(replica, cell, shelf.get(cell)?);
    for (_, theirs) in &read.reports {
        if !View::of(&before).agrees_with(&View::of(theirs), cell) {
            let after = replica.mend(cell, &theirs.found, node.identity.actor, &mut shelf)?;
            read.after = read.after.max(after.unwrap_or_default());
        }
    }
    let mine = report::report(replica, cell, shelf.get(cell)?);
    read.after = read.after.max(shelf.after);
    read.held = mine.found.entries.clone();
    let asker = &before;
    let same = read.same.iter().map(|owner| (*owner, asker));
    let differ = read.reports.iter().map(|(owner, theirs)| (*owner, theirs));
    Ok(same
        .chain(differ)
        .filter_map(|(owner, theirs)| Some((owner, repair(replica, cell, &mine, theirs)?)))
        .collect())
}

/// What an owner is to be sent that holds or knows less than this one: the operations that it has missed, or the
/// cell; nothing where it is not behind.
fn repair(replica: &Replica, cell: &Cell, mine: &Report, theirs: &Report) -> Option<Message> {
    let is_behind = |theirs: &Report| {
        let same = mine.found.entries.dots().eq(theirs.found.entries.dots());
        !same || View::of(mine).knows_more_than(&View::of(theirs), cell)
    };
    if !is_behind(theirs) {
        return None;
    }
    let ticket = Ticket(0);
    let missed: Vec<Delta> =
        replica.recent().missed(cell, &theirs.found.knowledge.context).cloned().collect();
    if is_behind(&after_deltas(cell, theirs.clone(), &missed)) {
        let (cell, found) = (cell.clone(), mine.found.clone());
        return Some(Message::Mend { ticket, cell, found, deltas: Vec::new(), asker: None });
    }
    Some(Message::Apply { ticket, deltas: missed, asker: None })
}

/// What an owner would hold and know of the cell once it has applied these operations.
fn after_deltas(cell: &Cell, mut theirs: Report, deltas: &[Delta]) -> Report {
    let Found { entries, knowledge } = &mut theirs.found;
    for (delta, edit) in deltas.iter().flat_map(|delta| delta.edits.iter().map(move |edit| (delta, edit))) {
        let add =
            edit.add.clone().filter(|_| edit.cell == *cell && !knowledge.early.contains(cell, delta.dot));
        add.into_iter().for_each(|payload| {
            entries.insert(delta.entry(payload));
        });
    }
    let edits = deltas.iter().flat_map(|delta| &delta.edits).filter(|edit| edit.cell == *cell);
    edits.flat_map(|edit| &edit.removes).for_each(|dot| {
        entries.remove(*dot);
    });
    deltas.iter().for_each(|delta| knowledge.context.insert(delta.dot));
    theirs
}

fn send_repairs(node: &Node, turn: &mut Turn<'_>, own: Ticket, read: &Read) {
    let Some(repair) = &read.repair else { return };
    for (owner, message) in repair.sent.iter().filter(|(owner, _)| repair.tally.waiting().contains(owner)) {
        let message = match message.clone() {
            Message::Apply { deltas, .. } => Message::Apply { ticket: own, deltas, asker: read.asker },
            Message::Mend { cell, found, deltas, .. } => {
                Message::Mend { ticket: own, cell, found, deltas, asker: read.asker }
            }

            other => other,
        };
        // What is passed on must be durable here first: an operation may be known to nobody else.
        turn.send_after(read.after, node, *owner, read.task.partition, message);
    }
}

/// An owner that was behind holds the merge now, and nothing else: only then has the read not gone past something
/// that came there since it was asked. One that holds more is merged again. One that refuses single operations
/// gets the cell.
pub(crate) fn repaired(
    node: &mut Node,
    turn: &mut Turn<'_>,
    ticket: Ticket,
    mut read: Box<Read>,
    from: NodeId,
    verdict: &Verdict,
) {
    let (Some(repair), Some(cell)) = (&mut read.repair, &read.cell) else {
        return node.pending.put_back(ticket, Work::Read(read));
    };
    if !repair.tally.waiting().contains(&from) {
        return node.pending.put_back(ticket, Work::Read(read));
    }
    let replica = node.replicas.entry(read.task.partition).or_default();
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), read.task.partition);
    let Ok(entries) = shelf.get(cell) else { return refuse(node, turn, read.task, Fault::Storage) };
    let mine = report::report(replica, cell, entries);
    match verdict {
        Verdict::Held { report: Some(theirs) } if !View::of(&mine).agrees_with(&View::of(theirs), cell) => {
            read.same.retain(|owner| *owner != from);
            read.reports.retain(|(owner, _)| *owner != from);
            read.reports.push((from, (**theirs).clone()));
            read.repair = None;
            return compare(node, turn, ticket, read);
        }
        Verdict::Held { .. } => {
            if repair.tally.ack(from) == Standing::Met {
                return conclude(node, turn, *read);
            }
        }
        Verdict::StampAhead { .. } | Verdict::Refused => {
            let found = mine.found;
            let mend = Message::Mend { ticket, cell: cell.clone(), found, deltas: Vec::new(), asker: None };
            repair.sent.iter_mut().filter(|(to, _)| *to == from).for_each(|sent| sent.1 = mend.clone());
        }
    }
    node.pending.put_back(ticket, Work::Read(read));
}

/// Some have not answered yet: they are asked again, and one more with them.
pub(crate) fn visit(node: &mut Node, turn: &mut Turn<'_>, ticket: Ticket, mut read: Box<Read>) {
    let now = turn.now.monotonic_ms;
    let halftime = read.deadline.saturating_sub(node.options.request_timeout_ms / 2);
    if now >= halftime && matches!(read.purpose, Purpose::Explain(_)) {
        // Who does not answer is what the client wants to know, and a node that passed the question on waits for
        // the whole time only.
        return conclude(node, turn, *read);
    }
    if now >= read.deadline {
        let fault = no_quorum(node, &read.task, Kind::Read);
        return refuse(node, turn, read.task, fault);
    }
    if read.repair.is_some() {
        send_repairs(node, turn, ticket, &read);
    } else {
        let answered =
            |owner: &NodeId| read.same.contains(owner) || read.reports.iter().any(|(from, _)| from == owner);
        for owner in read.asked.iter().filter(|owner| !answered(owner)) {
            fetch(node, turn, ticket, &read, *owner);
        }
        ask_another(node, turn, ticket, &mut read);
    }
    node.pending.put_back(ticket, Work::Read(read));
    node.pending.visit_again(ticket, now + node.options.retry_ms);
}

/// The link to `peer` broke. A read that waited for it begins again with those that are left.
pub(crate) fn link_down(node: &mut Node, turn: &mut Turn<'_>, ticket: Ticket, read: Box<Read>, peer: NodeId) {
    let waits = match &read.repair {
        Some(repair) => repair.tally.waiting().contains(&peer),
        None => read.asked.contains(&peer),
    };
    if waits {
        begin(node, turn, read.task, read.purpose);
    } else {
        node.pending.put_back(ticket, Work::Read(read));
    }
}

/// All R hold the same: answer, or go on with what the read was for.
fn conclude(node: &mut Node, turn: &mut Turn<'_>, read: Read) {
    let Read { task, purpose, held, after, reports, same, cell, .. } = read;
    let reply = match purpose {
        Purpose::Command { words, .. } => run(&words, &held).map(|(reply, _)| reply),
        Purpose::Update { words } => return update(node, turn, task, cell, &words, after),
        Purpose::Siblings(_) => Ok(siblings::render(&held)),
        Purpose::Explain(key) => Ok(explain::render(node, &task, &key, &held, &same, &reports)),
        Purpose::Flush(scope) => return flush(node, turn, task, scope, &reports),
    };
    finish(node, turn, after, task, reply.unwrap_or_else(Reply::Error));
}

fn run(words: &[Bytes], entries: &Entries) -> Result<(Reply, Change), Fault> {
    let run = command::resolve(words)?.class(words).run().ok_or(Fault::Syntax)?;
    run(words, string::value(entries).as_ref())
}

/// The second half of an update. This replica holds all that was acknowledged before; what it holds *now* is
/// what counts, as a plain write may have come in since.
fn update(
    node: &mut Node,
    turn: &mut Turn<'_>,
    task: Task,
    cell: Option<Cell>,
    words: &[Bytes],
    after: Commit,
) {
    let Some(cell) = cell else { return refuse(node, turn, task, Fault::Syntax) };
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), task.partition);
    let Ok(entries) = shelf.get(&cell) else { return refuse(node, turn, task, Fault::Storage) };
    let after = after.max(shelf.after);
    match run(words, &entries) {
        Ok((reply, Change::Keep)) => finish(node, turn, after, task, reply),
        Ok((reply, change)) => write::change(node, turn, task, cell, change, reply),
        Err(fault) => finish(node, turn, after, task, Reply::Error(fault)),
    }
}

/// Removes everything that R owners have applied.
fn flush(node: &mut Node, turn: &mut Turn<'_>, task: Task, scope: Scope, reports: &[(NodeId, Report)]) {
    let replica = node.replicas.entry(task.partition).or_default();
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), task.partition);
    let Ok(sweep) = replica.map().sweep_of(scope, &mut shelf) else {
        return refuse(node, turn, task, Fault::Storage);
    };
    let mut seen = sweep.seen;
    reports.iter().for_each(|(_, report)| seen.unite(&report.found.knowledge.context));
    if seen.is_empty() {
        return finish(node, turn, Commit::default(), task, Reply::ok());
    }
    let plan = Plan { sweep: Some(Sweep { scope, seen }), ..Plan::default() };
    write::begin(node, turn, task, plan, Reply::ok());
}
