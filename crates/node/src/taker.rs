//! Taking from another owner, or from whoever stands in for one, what this one lacks: one exchange, from its opening to its
//! end.
//!
//! ```text
//! begin     ask for a snapshot
//! opened    compare the sums of chunks
//! lent      ... or take all leaves that it names
//! leaves    compare the sums of leaves of those that differ, group by group
//! cells     take the cells of those that differ, leaf by leaf
//! finish    take over what it knows to be gone, and unite the contexts
//! ```
//!
//! One question is under way at a time, and the next waits until the throttle lets it. An exchange that gets no answer for
//! long is given up: what was taken stays, and the next one finds less to do.
//!
//! Invariants:
//! 1. Contexts are united only when every leaf that differed was taken.
//! 2. An exchange is of one snapshot; if that is gone, it is given up.

use crate::leaf::{FANOUT, LEAVES, Leaf};
use crate::leaves::{Awaited, Sums, group_of, groups};
use crate::replica::Replica;
use crate::room::Room;
use crate::rows::{RowError, Shelf};
use crate::standing;
use crate::state::{Node, Turn};
use crate::sync::{AGAIN_MS, Take};
use crate::throttle::Throttle;
use causal::map::Knowledge;
use causal::{Cell, Entries};
use placement::{NodeId, PartitionId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wire::peer::exchange::{ChunkSums, GROUPS, LeafCells, Step, TAKEN_LEAVES_MAX};
use wire::peer::quorum::Counts;
use wire::peer::{Message, Ticket};

/// How many chunks one question is about.
const CHUNKS_AT_ONCE: usize = FANOUT;
/// How many leaves one question is about. Its answer has no more than a source sends at once; with too few, who has missed
/// a lot waits for answers most of the time.
const LEAVES_AT_ONCE: usize = TAKEN_LEAVES_MAX;
/// An exchange without an answer for this time is given up, in milliseconds.
const SILENCE_MS_MAX: u64 = 10_000;
/// After how many times the interval of requests a question is asked again: a busy source answers late, and would do all of
/// it twice, and send it twice.
const RETRIES_WAITED: u64 = 4;
/// With as many requests waiting for other nodes moves have half of their bytes a second, with twice as many a third, and so on.
const WAITING_REQUESTS: u64 = 64;
/// Bytes that a fingerprint or a sum takes on the wire.
const SUM_BYTES: usize = 8;

/// Opens an exchange, or does so later where there is one of this partition or there are enough of them.
pub(crate) fn begin(node: &mut Node, turn: &mut Turn<'_>, partition: PartitionId, source: NodeId) {
    if node.room == Room::Gone {
        return;
    }
    if node.sync.takes.contains_key(&partition) {
        return node.sync.look_again(turn.now.monotonic_ms + AGAIN_MS, partition);
    }
    if node.sync.takes.len() >= node.options.exchanges_max {
        node.sync.wanted.insert((partition, source));
        return;
    }
    let context = node.replicas.entry(partition).or_default().map().context().clone();
    let (ticket, now) = (node.pending.ticket(), turn.now.monotonic_ms);
    let take = Take {
        source,
        ticket,
        snapshot: None,
        knowledge: None,
        counts: Counts::default(),
        is_lent: false,
        question: Some(Step::Open(context)),
        ask_at: now,
        heard_at: now,
        began_at: now,
    };
    node.sync.takes.insert(partition, take);
    ask(node, turn, partition);
}

/// Opens those that have waited, as far as there is room for them.
fn begin_wanted(node: &mut Node, turn: &mut Turn<'_>) {
    while node.sync.takes.len() < node.options.exchanges_max
        && let Some((partition, source)) = node.sync.wanted.pop_first()
    {
        if node.links.contains(&source) {
            begin(node, turn, partition, source);
        }
    }
}

/// Asks what is due, and gives up what gets no answer.
pub(crate) fn tick(node: &mut Node, turn: &mut Turn<'_>) {
    let now = turn.now.monotonic_ms;
    let due = node.sync.takes.iter().filter(|(_, take)| take.ask_at <= now);
    for partition in due.map(|(partition, _)| *partition).collect::<Vec<_>>() {
        let is_silent =
            node.sync.takes.get(&partition).is_some_and(|take| now >= take.heard_at + SILENCE_MS_MAX);
        if is_silent { abandon(node, turn, partition) } else { ask(node, turn, partition) }
    }
    begin_wanted(node, turn);
}

/// A source is gone, or does not answer: another may know as much, and operations need not wait for what it would have brought.
pub(crate) fn leave(node: &mut Node, turn: &mut Turn<'_>, source: NodeId) {
    let takes = node.sync.takes.iter().filter(|(_, take)| take.source == source);
    for partition in takes.map(|(partition, _)| *partition).collect::<Vec<_>>() {
        abandon(node, turn, partition);
    }
}

/// Asks the question, and again if there is no answer by then.
fn ask(node: &mut Node, turn: &mut Turn<'_>, partition: PartitionId) {
    let Some(take) = node.sync.takes.get_mut(&partition) else { return };
    take.ask_at = turn.now.monotonic_ms + node.options.retry_ms * RETRIES_WAITED;
    let Some(step) = take.question.clone() else { return };
    let (to, ticket) = (take.source, take.ticket);
    turn.send(node, to, partition, Message::Exchange { ticket, step });
}

/// The source has answered.
pub(crate) fn answered(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    partition: PartitionId,
    ticket: Ticket,
    step: Step,
) {
    let now = turn.now.monotonic_ms;
    let Some(take) = node.sync.takes.get_mut(&partition) else { return };
    if take.source != from || take.ticket != ticket {
        return;
    }
    take.heard_at = now;
    if node.room == Room::Gone {
        // There is nowhere to put it.
        return abandon(node, turn, partition);
    }
    let went = match (step, take.question.take()) {
        (Step::Opened { snapshot, knowledge, chunks, counts }, Some(Step::Open(_))) => {
            (take.snapshot, take.counts) = (Some(snapshot), counts);
            opened(node, turn, partition, knowledge, &chunks)
        }
        (Step::Lent { snapshot, knowledge, leaves }, Some(Step::Open(_))) => {
            (take.snapshot, take.is_lent) = (Some(snapshot), true);
            lent(node, turn, partition, knowledge, leaves)
        }
        (Step::Leaves(chunks), Some(Step::Descend { chunks: asked, .. })) => {
            leaves(node, turn, partition, &asked, &chunks)
        }
        (Step::Cells { leaves, more }, Some(Step::Take { .. })) => cells(node, turn, partition, leaves, more),
        (Step::Gone, _) => return abandon(node, turn, partition),
        (Step::Later, question) => {
            // It has done a part of what it has to, and has others to answer.
            (take.question, take.ask_at) = (question, now + node.options.retry_ms);
            return;
        }
        (_, question) => {
            take.question = question;
            return;
        }
    };
    match went {
        Ok(()) => go_on(node, turn, partition),
        Err(error) => {
            node.note_damage(partition, &error);
            abandon(node, turn, partition);
        }
    }
}

/// The snapshot is open.
fn opened(
    node: &mut Node,
    turn: &mut Turn<'_>,
    partition: PartitionId,
    knowledge: Box<Knowledge>,
    chunks: &[u64],
) -> Result<(), RowError> {
    let replica = node.replicas.entry(partition).or_default();
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    let mine = replica.totals(&mut shelf)?;
    replica.begin(&knowledge, node.identity.actor, &mut shelf)?;
    let pairs = (0u8..).zip(mine.iter().zip(chunks));
    let differ = pairs.filter(|(_, (mine, theirs))| mine != theirs).map(|(chunk, _)| chunk);
    replica.awaited().into_iter().for_each(|awaited| awaited.chunks = differ.clone().collect());
    node.sync.read += shelf.scanned;
    let Some(take) = node.sync.takes.get_mut(&partition) else { return Ok(()) };
    take.knowledge = Some(knowledge);
    pay(node, turn, partition, chunks.len() * SUM_BYTES);
    Ok(())
}

/// The snapshot of one that stands in is open: it tells by itself which leaves matter.
fn lent(
    node: &mut Node,
    turn: &mut Turn<'_>,
    partition: PartitionId,
    knowledge: Box<Knowledge>,
    leaves: Vec<u16>,
) -> Result<(), RowError> {
    let replica = node.replicas.entry(partition).or_default();
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    replica.begin(&knowledge, node.identity.actor, &mut shelf)?;
    let leaves: VecDeque<u16> = leaves.into_iter().filter(|leaf| *leaf < LEAVES).collect();
    replica.awaited().into_iter().for_each(|awaited| awaited.leaves.clone_from(&leaves));
    if let Some(take) = node.sync.takes.get_mut(&partition) {
        take.knowledge = Some(knowledge);
    }
    pay(node, turn, partition, leaves.len() * 2);
    Ok(())
}

/// The sums of leaves have come.
fn leaves(
    node: &mut Node,
    turn: &mut Turn<'_>,
    partition: PartitionId,
    asked: &[(u8, [u64; GROUPS])],
    chunks: &[ChunkSums],
) -> Result<(), RowError> {
    let replica = node.replicas.entry(partition).or_default();
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    for theirs in chunks.iter().filter(|theirs| usize::from(theirs.chunk) < FANOUT) {
        let mine = replica.sums(theirs.chunk, &mut shelf)?;
        let Some(awaited) = replica.awaited() else { return Ok(()) };
        let said = asked.iter().find(|(chunk, _)| *chunk == theirs.chunk);
        if said.is_some_and(|(_, said)| is_of_now(theirs, said, &mine))
            && awaited.chunks.contains(&theirs.chunk)
        {
            let differ = (0..FANOUT).filter(|leaf| {
                theirs.groups >> group_of(*leaf) & 1 == 1 && theirs.sums.get(*leaf) != Some(&mine[*leaf])
            });
            awaited.leaves.extend(differ.map(|number| Leaf::at(theirs.chunk, number).0));
            awaited.chunks.retain(|chunk| *chunk != theirs.chunk);
        }
    }
    node.sync.read += shelf.scanned;
    let sums = chunks.iter().flat_map(|theirs| &theirs.sums).filter(|sum| **sum != 0).count();
    let bytes = (sums + chunks.len() * (1 + GROUPS)) * SUM_BYTES;
    pay(node, turn, partition, bytes);
    Ok(())
}

/// Whether an answer about a chunk is one to these sums of groups, and those that the source found equal are still what
/// they were: otherwise the chunk is asked for again. What has changed meanwhile differs then, so that has an end.
fn is_of_now(theirs: &ChunkSums, said: &[u64; GROUPS], mine: &Sums) -> bool {
    let total = said.iter().fold(0u64, |total, sum| total.wrapping_add(*sum));
    let mut pairs = groups(mine).into_iter().zip(said).enumerate();
    theirs.asked == total
        && pairs.all(|(group, (mine, said))| theirs.groups >> group & 1 == 1 || mine == *said)
}

/// Cells have come.
fn cells(
    node: &mut Node,
    turn: &mut Turn<'_>,
    partition: PartitionId,
    parts: Vec<LeafCells>,
    more: Option<u32>,
) -> Result<(), RowError> {
    let Some(take) = node.sync.takes.get_mut(&partition) else { return Ok(()) };
    let Some(knowledge) = take.knowledge.as_deref() else { return Ok(()) };
    let replica = node.replicas.entry(partition).or_default();
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    let last = parts.last().map(|part| part.leaf);
    let mut bytes = 0;
    for part in parts {
        // The first part of a leaf has its fingerprints; later ones, and they alone, were asked for with a skip.
        let is_awaited = |awaited: &mut Awaited| {
            awaited.leaves.front() == Some(&part.leaf) && part.fingerprints.is_some() == (awaited.skip == 0)
        };
        if !replica.awaited().is_some_and(is_awaited) {
            // An answer to the question before, come late.
            break;
        }
        bytes += bytes_of(&part);
        drop_gone(replica, &part, knowledge, node.identity.actor, &mut shelf)?;
        for (cell, theirs) in &part.cells {
            replica.take(cell, theirs, knowledge, node.identity.actor, &mut shelf)?;
            node.sync.cells += 1;
        }
        let Some(awaited) = replica.awaited() else { break };
        if let Some(more) = more.filter(|_| Some(part.leaf) == last) {
            awaited.skip = more;
        } else {
            awaited.skip = 0;
            awaited.leaves.pop_front();
        }
    }
    node.sync.read += shelf.scanned;
    pay(node, turn, partition, bytes);
    Ok(())
}

/// Takes out what the source has applied and does not hold any more.
fn drop_gone(
    replica: &mut Replica,
    part: &LeafCells,
    knowledge: &Knowledge,
    own_actor: causal::Actor,
    shelf: &mut Shelf<'_>,
) -> Result<(), RowError> {
    let Some(fingerprints) = &part.fingerprints else { return Ok(()) };
    let there: BTreeSet<u64> = fingerprints.iter().copied().collect();
    let sent: BTreeMap<&Cell, &Entries> = part.cells.iter().map(|(cell, entries)| (cell, entries)).collect();
    let mine = shelf.between(Leaf(part.leaf).range(shelf.keyspace, shelf.partition))?;
    for (cell, entries) in mine.into_iter().filter(|(cell, _)| !sent.contains_key(cell)) {
        let is_there = |entry: &&causal::Entry| there.contains(&entry.fingerprint(&cell));
        let theirs: Entries = entries.iter().filter(is_there).cloned().collect();
        if theirs.len() < entries.len() {
            replica.take(&cell, &theirs, knowledge, own_actor, shelf)?;
        }
    }
    Ok(())
}

fn bytes_of(part: &LeafCells) -> usize {
    let cell = |(cell, entries): &(Cell, Entries)| 16 + cell.key.name.len() + entries.bytes_about();
    SUM_BYTES * part.fingerprints.as_ref().map_or(0, Vec::len) + part.cells.iter().map(cell).sum::<usize>()
}

/// The throttle that something of a partition is taken by.
fn throttle(node: &mut Node, partition: PartitionId) -> &mut Throttle {
    if standing::is_moving(node, partition) { &mut node.sync.moving } else { &mut node.sync.mending }
}

/// Has the throttle wait for as long as what has come is to take. What moves gives way to requests that wait.
fn pay(node: &mut Node, turn: &Turn<'_>, partition: PartitionId, bytes: usize) {
    let (now, bytes) = (turn.now.monotonic_ms, bytes as u64);
    let rate = if standing::is_moving(node, partition) {
        node.options.move_bytes_per_second / (1 + node.pending.len() as u64 / WAITING_REQUESTS)
    } else {
        node.options.exchange_bytes_per_second
    };
    node.sync.bytes += bytes;
    throttle(node, partition).pay(now, bytes, rate);
}

/// Asks for what is next, or ends the exchange.
fn go_on(node: &mut Node, turn: &mut Turn<'_>, partition: PartitionId) {
    let question = match next_question(node, turn, partition) {
        Ok(Some(question)) => question,
        Ok(None) => return finish(node, turn, partition),
        Err(error) => {
            node.note_damage(partition, &error);
            return abandon(node, turn, partition);
        }
    };
    let free_at = throttle(node, partition).free_at();
    let Some(take) = node.sync.takes.get_mut(&partition) else { return };
    take.question = Some(question);
    if free_at <= turn.now.monotonic_ms {
        return ask(node, turn, partition);
    }
    take.ask_at = free_at;
}

/// What is to be asked next, if anything is.
fn next_question(
    node: &mut Node,
    turn: &mut Turn<'_>,
    partition: PartitionId,
) -> Result<Option<Step>, RowError> {
    let Some(snapshot) = node.sync.takes.get(&partition).and_then(|take| take.snapshot) else {
        return Ok(None);
    };
    let replica = node.replicas.entry(partition).or_default();
    let Some(awaited) = replica.awaited() else { return Ok(None) };
    if !awaited.leaves.is_empty() {
        let leaves = awaited.leaves.iter().copied().take(LEAVES_AT_ONCE).collect();
        return Ok(Some(Step::Take { snapshot, leaves, skip: awaited.skip }));
    }
    let chunks: Vec<u8> = awaited.chunks.iter().copied().take(CHUNKS_AT_ONCE).collect();
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    let mut asked = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        asked.push((chunk, groups(&replica.sums(chunk, &mut shelf)?)));
    }
    node.sync.read += shelf.scanned;
    Ok((!asked.is_empty()).then_some(Step::Descend { snapshot, chunks: asked }))
}

/// Every leaf that differed was taken.
fn finish(node: &mut Node, turn: &mut Turn<'_>, partition: PartitionId) {
    let Some(take) = node.sync.takes.remove(&partition) else { return };
    let Some(knowledge) = take.knowledge else { return };
    // Who stands in teaches nothing: what it knows is little.
    let teaches = node.layout.place(partition).teaches(take.source) && !take.is_lent;
    let replica = node.replicas.entry(partition).or_default();
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    match replica.finish(&knowledge, node.identity.actor, &mut shelf) {
        Ok(_) => {
            node.sync.finished += 1;
            node.debts.took(partition, take.source);
            if teaches {
                replica.note_lesson(take.source, take.counts, take.began_at);
            }
            if let Err(error) = standing::settle(node, turn.store, partition, false) {
                node.note_damage(partition, &error);
            }
            node.tidings.hurry(turn.now.monotonic_ms);
        }
        Err(error) => {
            let _ = replica.abandon(node.identity.actor, &mut shelf);
            node.note_damage(partition, &error);
        }
    }
    let ticket = take.ticket;
    turn.send(node, take.source, partition, Message::Exchange { ticket, step: Step::Close });
    // Whether both are equal now.
    node.sync.look_again(turn.now.monotonic_ms, partition);
    begin_wanted(node, turn);
}

/// Gives an exchange up; the partition is compared again soon.
pub(crate) fn abandon(node: &mut Node, turn: &mut Turn<'_>, partition: PartitionId) {
    let Some(take) = node.sync.takes.remove(&partition) else { return };
    node.sync.abandoned += 1;
    if take.knowledge.is_some() {
        let replica = node.replicas.entry(partition).or_default();
        let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
        // What waited is sent again by whoever waits for it.
        let _ = replica.abandon(node.identity.actor, &mut shelf);
    }
    node.sync.look_again(turn.now.monotonic_ms + AGAIN_MS, partition);
    begin_wanted(node, turn);
}
