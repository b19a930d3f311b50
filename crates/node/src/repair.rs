//! Read repair: owners that differ on a cell are brought together before a read answers.
//!
//! ```text
//! start   merge what all of them hold and know; this replica takes the merge, those behind are sent it
//! heard   an owner holds it: as this replica does? ─▶ it counts; all do ─▶ the read is over
//!         more than was sent, or something else here meanwhile ─▶ another round
//! ```
//!
//! Invariants:
//! 1. Each owner's report is what it holds and knows at one instant. An entry that is missing where it is known
//!    was removed; missing where it is not known, it is news. This is the merge of a state exchange, for one cell.
//! 2. What is answered is held by all that were counted, and none of them shows anything that may be older: they
//!    agree, or what is answered has been written over where it is no longer held.

use crate::handoff;
use crate::quota::Quota;
use crate::replica::Replica;
use crate::report::{self, View};
use crate::room::Room;
use crate::rows::{RowError, Shelf};
use crate::scope;
use crate::state::{Node, Turn};
use crate::tally::Standing;
use crate::task::is_live;
use crate::work::{Purpose, Read, Repair};
use causal::{Cell, Delta, Entries, Entry, Payload};
use placement::NodeId;
use wire::peer::quorum::Quorum;
use wire::peer::{Found, Message, Report, Ticket, Verdict};

/// How often owners must agree exactly before a read at a quorum of two settles for less. A key that several nodes
/// write faster than one of them reaches another never stands still: its reads would wait until their deadline. What
/// is given up then: under skewed clocks such a read may show a write whose rank is not settled yet.
const EXACT_ROUNDS_MAX: u32 = 16;

/// How a read goes on.
pub(crate) enum Next {
    /// Others have yet to answer.
    Wait,
    /// All hold what is now in `held`.
    Conclude,
    /// Compare once more.
    Again,
    /// Send this one the cell.
    SendTo(NodeId),
    /// Ask others: one that was asked takes nothing.
    Elsewhere,
}

/// What comes of comparing.
pub(crate) enum Start {
    /// Nobody that was asked is behind.
    Agreed,
    /// Some are, and what they miss is ready to be sent.
    Behind,
    /// This replica is, and has no room.
    NoRoom,
}

/// Merges what was reported and prepares what those behind are to be sent.
///
/// # Errors
/// Where a row could not be read.
pub(crate) fn start(
    node: &mut Node,
    turn: &mut Turn<'_>,
    cell: &Cell,
    read: &mut Read,
) -> Result<Start, RowError> {
    if let Some(start) = without_keeping(node, turn, cell, read)? {
        return Ok(start);
    }
    let lately = turn.lately(&node.options);
    let replica = node.replicas.entry(read.task.partition).or_default();
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), read.task.partition);
    let before = report::report(replica, cell, shelf.get(cell)?);
    for (_, theirs) in &read.reports {
        if !View::of(&before).agrees_with(&View::of(theirs), cell) {
            let after = replica.mend(cell, &theirs.found, (node.identity.actor, lately), &mut shelf)?;
            read.after = read.after.max(after);
        }
    }
    let merged = report::report(replica, cell, shelf.get(cell)?);
    read.after = read.after.max(replica.known_after(&shelf));
    read.held = merged.found.entries.clone();
    if read.sloppy.is_some() {
        // A majority of the owners cannot hold it in any case.
        return Ok(Start::Agreed);
    }
    let asker = read.base.as_deref().unwrap_or(&before);
    let same = read.same.iter().map(|owner| (*owner, asker));
    let differ = read.reports.iter().map(|(owner, theirs)| (*owner, theirs));
    let missed = |(owner, theirs): (NodeId, &Report)| Some((owner, missing(replica, cell, &merged, theirs)?));
    let sent: Vec<(NodeId, Message)> = same.chain(differ).filter_map(missed).collect();
    let heard: Vec<NodeId> = read.answered(node.identity.node).collect();
    let is_behind = |owner: NodeId| sent.iter().any(|(behind, _)| *behind == owner);
    // Where one of them is stuck those are enough that can hold it.
    let quota = if read.asks_all { at_level(node, read) } else { Quota::all_of(heard.clone()) };
    let mut tally = quota.tally();
    for owner in quota.owners().filter(|owner| !is_behind(*owner)) {
        if heard.contains(&owner) {
            tally.ack(owner)
        } else {
            tally.fail(owner)
        };
    }
    if tally.standing() == Standing::Met {
        return Ok(Start::Agreed);
    }
    let asker = node.hashes(read.task.partition, Some(cell), &read.held);
    // Those that are not behind count, and what they show is what the others must.
    let shown = (heard.len() > sent.len() + 1).then(|| read.held.clone());
    read.repair = Some(Repair { tally, sent, merged, asker, shown });
    Ok(Start::Behind)
}

/// Which owners must hold what is answered.
fn at_level(node: &Node, read: &Read) -> Quota {
    scope::to_read(node, read.task.partition, read.task.level)
}

/// Tries to do with what was heard, where nothing can be kept of it here or nothing need be.
fn without_keeping(
    node: &mut Node,
    turn: &mut Turn<'_>,
    cell: &Cell,
    read: &mut Read,
) -> Result<Option<Start>, RowError> {
    let is_full = read.is_plain() && node.room == Room::Gone;
    let is_update = matches!(read.purpose, Purpose::Update { .. });
    let keeps = is_update && handoff::admits(node, turn.now.monotonic_ms, read.task.partition, 0);
    let is_sloppy = read.sloppy.is_some() && !keeps;
    if !is_full && !read.asks_all && !is_sloppy {
        return Ok(None);
    }
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), read.task.partition);
    let entries = shelf.get(cell)?;
    let replica = node.replicas.get(&read.task.partition);
    let mine = replica.map(|replica| report::report(replica, cell, entries)).unwrap_or_default();
    read.after = replica.map_or(shelf.after, |replica| replica.known_after(&shelf)).max(read.after);
    let same = read.same.iter().filter_map(|owner| Some((*owner, read.base.as_deref()?)));
    let own = (node.identity.node, &mine);
    let differ = read.reports.iter().map(|(owner, theirs)| (*owner, theirs));
    let all: Vec<(NodeId, &Report)> = std::iter::once(own).chain(same).chain(differ).collect();
    let agreed = if is_sloppy { Some(merged(cell, &all)) } else { agreed(cell, &all, &at_level(node, read)) };
    let otherwise = is_full.then_some(Start::NoRoom);
    Ok(agreed.map_or(otherwise, |held| {
        read.held = held;
        Some(Start::Agreed)
    }))
}

/// What can be answered of owners' reports as they are: what enough of them agree on, or what all owners show, whatever
/// some of them know besides. An operation that is known to too few was neither acknowledged nor answered from, so it
/// may take its place later: what it has removed is shown nowhere, and what it has put there is shown everywhere, or is
/// gone again.
fn agreed(cell: &Cell, all: &[(NodeId, &Report)], quota: &Quota) -> Option<Entries> {
    let shows = |a: &Report, b: &Report| a.found.entries.dots().eq(b.found.entries.dots());
    let agrees = |a: &Report, b: &Report| View::of(a).agrees_with(&View::of(b), cell);
    let is_enough = |one: &Report| {
        let of = |is_so: &dyn Fn(&Report) -> bool, owner: NodeId| {
            all.iter().any(|(other, report)| *other == owner && is_so(report))
        };
        quota.owners().all(|owner| of(&|other| shows(one, other), owner))
            || quota.is_met(|owner| of(&|other| agrees(one, other), owner))
    };
    all.iter().find(|(_, one)| is_enough(one)).map(|(_, one)| one.found.entries.clone())
}

/// What all that have answered hold together.
fn merged(cell: &Cell, all: &[(NodeId, &Report)]) -> Entries {
    let Found { mut entries, mut knowledge } = Found::default();
    for Found { entries: theirs, knowledge: known } in all.iter().map(|(_, report)| &report.found) {
        entries = causal::map::merge(cell, &entries, &knowledge, theirs, known);
        knowledge.context.unite(&known.context);
        knowledge.early.unite(&known.early);
    }
    entries
}

/// Whether an owner holds or knows less than `mine`.
fn is_behind(theirs: &Report, mine: &Report, cell: &Cell) -> bool {
    let same = mine.found.entries.dots().eq(theirs.found.entries.dots());
    !same || View::of(mine).knows_more_than(&View::of(theirs), cell)
}

/// What an owner is to be sent that holds or knows less than this one: the operations that it has missed, or the
/// cell; nothing where it is not behind.
fn missing(replica: &Replica, cell: &Cell, mine: &Report, theirs: &Report) -> Option<Message> {
    if !is_behind(theirs, mine, cell) {
        return None;
    }
    let missed: Vec<Delta> =
        replica.recent().missed(cell, &theirs.found.knowledge.context).cloned().collect();
    if is_behind(&after_deltas(cell, theirs.clone(), &missed), mine, cell) {
        return Some(mend(cell, mine));
    }
    let (asker, quorum) = (None, Quorum::default());
    Some(Message::Apply { ticket: Ticket(0), deltas: missed, asker, passes_on: false, quorum })
}

fn mend(cell: &Cell, merged: &Report) -> Message {
    let (cell, found) = (cell.clone(), Box::new(merged.found.clone()));
    Message::Mend {
        ticket: Ticket(0),
        cell,
        found,
        deltas: Vec::new(),
        asker: None,
        quorum: Quorum::default(),
    }
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

/// Sends those that have not answered what they miss, under the read's ticket.
pub(crate) fn send(node: &Node, turn: &mut Turn<'_>, own: Ticket, read: &Read) {
    let Some(repair) = &read.repair else { return };
    for (owner, _) in repair.sent.iter().filter(|(owner, _)| repair.tally.awaits(*owner)) {
        send_to(node, turn, own, read, *owner);
    }
}

/// Sends one of them what it misses.
pub(crate) fn send_to(node: &Node, turn: &mut Turn<'_>, own: Ticket, read: &Read, to: NodeId) {
    let Some(repair) = &read.repair else { return };
    let (asker, quorum) = (Some(repair.asker), scope::quorum(read.task.level));
    for (owner, message) in repair.sent.iter().filter(|(owner, _)| *owner == to) {
        let message = match message.clone() {
            Message::Apply { deltas, passes_on, .. } => {
                Message::Apply { ticket: own, deltas, asker, passes_on, quorum }
            }
            Message::Mend { cell, found, deltas, .. } => {
                Message::Mend { ticket: own, cell, found, deltas, asker, quorum }
            }
            other => other,
        };
        // What is passed on must be durable here first: an operation may be known to nobody else.
        turn.send_after(read.after, node, *owner, read.task.partition, message);
    }
}

/// An owner has answered what it was sent.
///
/// # Errors
/// Where a row could not be read.
pub(crate) fn heard(
    node: &mut Node,
    turn: &mut Turn<'_>,
    read: &mut Read,
    from: NodeId,
    verdict: &Verdict,
) -> Result<Next, RowError> {
    let (Some(repair), Some(cell)) = (&mut read.repair, &read.cell) else { return Ok(Next::Wait) };
    if !repair.tally.awaits(from) {
        return Ok(Next::Wait);
    }
    let theirs = match verdict {
        Verdict::Held { report: Some(theirs) } => (**theirs).clone(),
        Verdict::Held { report: None } => repair.merged.clone(),
        Verdict::StampAhead { .. } | Verdict::Refused | Verdict::Learning => {
            return Ok(refused(node, read, from));
        }
    };
    let lately = turn.lately(&node.options);
    let replica = node.replicas.entry(read.task.partition).or_default();
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), read.task.partition);
    let after = replica.mend(cell, &theirs.found, (node.identity.actor, lately), &mut shelf)?;
    let mine = report::report(replica, cell, shelf.get(cell)?);
    read.after = read.after.max(after).max(shelf.after);
    let is_exact = is_settled(cell, &mine, &theirs) && repair.shows(&theirs);
    let is_settled = is_exact || (read.quota.need() == 2 && read.rounds >= EXACT_ROUNDS_MAX);
    let is_whole = includes(cell, &theirs, &repair.merged);
    read.same.retain(|owner| *owner != from);
    read.reports.retain(|(owner, _)| *owner != from);
    read.reports.push((from, theirs.clone()));
    if !is_whole || !is_settled {
        (read.repair, read.rounds) = (None, read.rounds + 1);
        return Ok(Next::Again);
    }
    read.held = theirs.found.entries.clone();
    repair.shown = Some(theirs.found.entries);
    Ok(if repair.tally.ack(from) == Standing::Met { Next::Conclude } else { Next::Wait })
}

/// An owner does not take what it has missed. One that refuses single operations gets the cell. One that refuses that, too,
/// is left out, where there are enough others.
fn refused(node: &Node, read: &mut Read, from: NodeId) -> Next {
    let (Some(repair), Some(cell)) = (&mut read.repair, &read.cell) else { return Next::Wait };
    let Some((_, sent)) = repair.sent.iter_mut().find(|(to, _)| *to == from) else { return Next::Wait };
    if !matches!(sent, Message::Mend { .. }) {
        *sent = mend(cell, &repair.merged);
        return Next::SendTo(from);
    }
    read.is_stuck = true;
    if read.refusers.contains(&from) {
        return Next::Wait;
    }
    read.refusers.push(from);
    let takes = |owner: NodeId| is_live(node, owner) && !read.refusers.contains(&owner);
    if read.quota.is_met(takes) { Next::Elsewhere } else { Next::Wait }
}

impl Repair {
    /// Whether an owner shows what those before it did.
    fn shows(&self, theirs: &Report) -> bool {
        self.shown.as_ref().is_none_or(|shown| shown.dots().eq(theirs.found.entries.dots()))
    }
}

/// Whether `theirs` holds or knows everything that is in `merged`.
fn includes(cell: &Cell, theirs: &Report, merged: &Report) -> bool {
    let Found { entries, knowledge } = &theirs.found;
    let has = |dot| entries.get(dot).is_some() || knowledge.covers(cell, dot);
    merged.found.entries.dots().all(has) && !View::of(merged).knows_more_than(&View::of(theirs), cell)
}

/// Whether what an owner shows may be answered beside what is here, which has taken in all of it: both agree, or it
/// was written over here since by something that had seen it. Where either holds siblings, an older one may be
/// among them; increments are no siblings, they add up in any order.
fn is_settled(cell: &Cell, mine: &Report, theirs: &Report) -> bool {
    let is_plain = |entry: &&Entry| matches!(entry.payload, Payload::Plain(_));
    let is_single = |report: &Report| report.found.entries.iter().filter(is_plain).count() <= 1;
    // An owner that shows nothing may have a removal and not what it was made for.
    let shows = !theirs.found.entries.is_empty() || mine.found.entries.is_empty();
    View::of(mine).agrees_with(&View::of(theirs), cell) || (shows && is_single(mine) && is_single(theirs))
}
