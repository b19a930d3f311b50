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
use crate::replica::Replica;
use crate::report::{self, View};
use crate::rows::{RowError, Shelf};
use crate::state::{Node, Turn};
use crate::tally::{Standing, Tally};
use crate::work::{Purpose, Read, Repair};
use causal::{Cell, Delta, Entries, Entry, Payload};
use placement::NodeId;
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
}

/// Merges what was reported and prepares what those behind are to be sent; tells whether anybody is.
///
/// # Errors
/// Where a row could not be read.
pub(crate) fn start(
    node: &mut Node,
    turn: &mut Turn<'_>,
    cell: &Cell,
    read: &mut Read,
) -> Result<bool, RowError> {
    let lately = turn.lately(&node.options);
    let is_sloppy = read.sloppy.is_some();
    if is_sloppy
        && (!matches!(read.purpose, Purpose::Update { .. })
            || !handoff::admits(node, turn.now.monotonic_ms, read.task.partition, 0))
    {
        // What nobody keeps for it costs nothing.
        read.held = merged(node, read, cell);
        return Ok(false);
    }
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
    if is_sloppy {
        // A majority of the owners cannot hold it in any case.
        return Ok(false);
    }
    let asker = read.base.as_deref().unwrap_or(&before);
    let same = read.same.iter().map(|owner| (*owner, asker));
    let differ = read.reports.iter().map(|(owner, theirs)| (*owner, theirs));
    let missed = |(owner, theirs): (NodeId, &Report)| Some((owner, missing(replica, cell, &merged, theirs)?));
    let sent: Vec<(NodeId, Message)> = same.chain(differ).filter_map(missed).collect();
    if sent.is_empty() {
        return Ok(false);
    }
    let tally = Tally::new(sent.iter().map(|(owner, _)| *owner), sent.len());
    let asker = node.hashes(read.task.partition, Some(cell), &read.held);
    // Those that are not behind count, and what they show is what the others must.
    let counts = sent.len() < read.same.len() + read.reports.len();
    let shown = counts.then(|| read.held.clone());
    read.repair = Some(Repair { tally, sent, merged, asker, shown });
    Ok(true)
}

/// What all that have answered hold together, of which nothing is kept.
fn merged(node: &Node, read: &Read, cell: &Cell) -> Entries {
    let mine = node
        .replicas
        .get(&read.task.partition)
        .map(|replica| report::report(replica, cell, read.held.clone()));
    let Found { mut entries, mut knowledge } = mine.unwrap_or_default().found;
    for Found { entries: theirs, knowledge: known } in read.reports.iter().map(|(_, theirs)| &theirs.found) {
        entries = causal::map::merge(cell, &entries, &knowledge, theirs, known);
        knowledge.context.unite(&known.context);
        knowledge.early.unite(&known.early);
    }
    entries
}

/// What an owner is to be sent that holds or knows less than this one: the operations that it has missed, or the
/// cell; nothing where it is not behind.
fn missing(replica: &Replica, cell: &Cell, mine: &Report, theirs: &Report) -> Option<Message> {
    let is_behind = |theirs: &Report| {
        let same = mine.found.entries.dots().eq(theirs.found.entries.dots());
        !same || View::of(mine).knows_more_than(&View::of(theirs), cell)
    };
    if !is_behind(theirs) {
        return None;
    }
    let missed: Vec<Delta> =
        replica.recent().missed(cell, &theirs.found.knowledge.context).cloned().collect();
    if is_behind(&after_deltas(cell, theirs.clone(), &missed)) {
        return Some(mend(cell, mine));
    }
    Some(Message::Apply { ticket: Ticket(0), deltas: missed, asker: None })
}

fn mend(cell: &Cell, merged: &Report) -> Message {
    let (cell, found) = (cell.clone(), Box::new(merged.found.clone()));
    Message::Mend { ticket: Ticket(0), cell, found, deltas: Vec::new(), asker: None }
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
    let own_asker = Some(repair.asker);
    for (owner, message) in repair.sent.iter().filter(|(owner, _)| repair.tally.waiting().contains(owner)) {
        let message = match message.clone() {
            Message::Apply { deltas, .. } => Message::Apply { ticket: own, deltas, asker: own_asker },
            Message::Mend { cell, found, deltas, .. } => {
                Message::Mend { ticket: own, cell, found, deltas, asker: own_asker }
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
    if !repair.tally.waiting().contains(&from) {
        return Ok(Next::Wait);
    }
    let theirs = match verdict {
        Verdict::Held { report: Some(theirs) } => (**theirs).clone(),
        Verdict::Held { report: None } => repair.merged.clone(),
        Verdict::StampAhead { .. } | Verdict::Refused | Verdict::Learning => {
            // One that refuses a single operation gets the cell, at the next visit.
            let sent = repair.sent.iter_mut().filter(|(to, _)| *to == from);
            sent.for_each(|sent| sent.1 = mend(cell, &repair.merged));
            return Ok(Next::Wait);
        }
    };
    let lately = turn.lately(&node.options);
    let replica = node.replicas.entry(read.task.partition).or_default();
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), read.task.partition);
    let after = replica.mend(cell, &theirs.found, (node.identity.actor, lately), &mut shelf)?;
    let mine = report::report(replica, cell, shelf.get(cell)?);
    read.after = read.after.max(after).max(shelf.after);
    let is_exact = is_settled(cell, &mine, &theirs) && repair.shows(&theirs);
    let is_settled = is_exact || (read.need == 2 && read.rounds >= EXACT_ROUNDS_MAX);
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
