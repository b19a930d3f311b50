//! Giving another owner what it lacks: answers about a snapshot of a partition.
//!
//! Invariants:
//! 1. Everything said of a snapshot is as it was when it was opened, and was durable here before it is said.
//! 2. Nothing is remembered between two questions but the snapshot, so each may come twice.
//! 3. A question about a snapshot is answered of that one or not at all. Who has started again since, having lost something
//!    perhaps, may have opened another for the same taker: of that one it would be said what was taken out was removed.

use crate::hints::Hints;
use crate::leaf::{CHUNKS, FANOUT, LEAVES, Leaf};
use crate::leaves::{Sums, group_of, groups};
use crate::replica::Replica;
use crate::rows::{RowError, Shelf, everything};
use crate::state::{Node, Turn};
use causal::codec::Malformed;
use causal::{Cell, Context, Entries};
use placement::{NodeId, PartitionId};
use wire::peer::exchange::{ChunkSums, GROUPS, LeafCells, Step};
use wire::peer::{Message, Ticket};

/// About how many bytes of cells one answer has.
const CELLS_BYTES_MAX: usize = 256 * 1024;

/// Answers a taker.
pub(crate) fn asked(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    partition: PartitionId,
    ticket: Ticket,
    step: Step,
) {
    let by = (from, ticket);
    let keeps = node.replicas.get(&partition).is_some_and(|replica| replica.hints().is_some());
    if !keeps && !node.layout.place(partition).teaches(node.identity.node) {
        let step = Step::Gone;
        return turn.send(node, from, partition, Message::Exchange { ticket, step });
    }
    let name = match &step {
        Step::Descend { snapshot, .. } | Step::Take { snapshot, .. } => Some(*snapshot),
        _ => None,
    };
    let now = turn.now.monotonic_ms;
    let replica = node.replicas.entry(partition).or_default();
    let is_there = |name| replica.snapshot(by, now).is_some_and(|snapshot| snapshot.name == name);
    let answer = match step {
        _ if !name.is_none_or(is_there) => Ok(Step::Gone),
        Step::Open(taker) => open(node, turn, partition, by, taker),
        Step::Descend { chunks, .. } => descend(node, turn, partition, by, &chunks),
        Step::Take { leaves, skip, .. } => take(node, turn, partition, by, (&leaves, skip)),
        Step::Close => {
            node.replicas.entry(partition).or_default().close(by);
            return;
        }
        _ => return,
    };
    // A row that cannot be read is none of the taker's: it turns to another owner.
    let step = answer.unwrap_or_else(|error| {
        node.note_damage(partition, &error);
        Step::Gone
    });
    turn.send_after(everything(turn.store), node, from, partition, Message::Exchange { ticket, step });
}

fn open(
    node: &mut Node,
    turn: &mut Turn<'_>,
    partition: PartitionId,
    by: (NodeId, Ticket),
    taker: Context,
) -> Result<Step, RowError> {
    let (name, teaches) = (node.pending.ticket(), node.layout.place(partition).teaches(node.identity.node));
    let replica = node.replicas.entry(partition).or_default();
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    if replica.snapshot(by, turn.now.monotonic_ms).is_some() {
        // It was asked before: the taker may have had the first answer, and must not get another snapshot under it.
        return opened(replica, teaches, by, &mut shelf, turn.now.monotonic_ms);
    }
    if node.sync.given.get(&(partition, by.0)) == Some(&by.1) {
        return Ok(Step::Gone);
    }
    // Who has owned it until a moment ago, and is learned from, has all of it.
    if replica.hints().is_some() && !teaches {
        replica.open(by, name, taker, turn.now.monotonic_ms);
        node.sync.given.insert((partition, by.0), by.1);
        return opened(replica, teaches, by, &mut shelf, turn.now.monotonic_ms);
    }
    for chunk in replica.leaves().unknown(&mut shelf) {
        if shelf.scanned > node.options.scan_cells_max {
            // It is to be asked again.
            node.sync.read += shelf.scanned;
            return Ok(Step::Later);
        }
        replica.leaves().sums(chunk, &mut shelf)?;
    }
    node.sync.read += shelf.scanned;
    replica.totals(&mut shelf)?;
    replica.open(by, name, taker, turn.now.monotonic_ms);
    node.sync.given.insert((partition, by.0), by.1);
    opened(replica, teaches, by, &mut shelf, turn.now.monotonic_ms)
}

fn opened(
    replica: &mut Replica,
    teaches: bool,
    by: (NodeId, Ticket),
    shelf: &mut Shelf<'_>,
    now_ms: u64,
) -> Result<Step, RowError> {
    if let Some(leaves) = replica.hints().filter(|_| !teaches).map(Hints::leaves) {
        let Some(snapshot) = replica.snapshot(by, now_ms) else { return Ok(Step::Gone) };
        let (snapshot, knowledge) = (snapshot.name, Box::new(snapshot.knowledge.clone()));
        return Ok(Step::Lent { snapshot, knowledge, leaves });
    }
    let mut chunks = Vec::with_capacity(FANOUT);
    for chunk in CHUNKS {
        let now = replica.sums(chunk, shelf)?;
        let Some(snapshot) = replica.snapshot(by, now_ms) else { return Ok(Step::Gone) };
        chunks.push(snapshot.sums(chunk, now).iter().fold(0u64, |total, sum| total.wrapping_add(*sum)));
    }
    let Some(snapshot) = replica.snapshot(by, now_ms) else { return Ok(Step::Gone) };
    let (knowledge, counts) = (Box::new(snapshot.knowledge.clone()), snapshot.counts);
    Ok(Step::Opened { snapshot: snapshot.name, knowledge, chunks, counts })
}

fn descend(
    node: &mut Node,
    turn: &mut Turn<'_>,
    partition: PartitionId,
    by: (NodeId, Ticket),
    chunks: &[(u8, [u64; GROUPS])],
) -> Result<Step, RowError> {
    let replica = node.replicas.entry(partition).or_default();
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    let mut found = Vec::new();
    for (chunk, theirs) in chunks.iter().filter(|(chunk, _)| usize::from(*chunk) < FANOUT) {
        let now = replica.sums(*chunk, &mut shelf)?;
        let Some(snapshot) = replica.snapshot(by, turn.now.monotonic_ms) else { return Ok(Step::Gone) };
        found.push(differing(*chunk, snapshot.sums(*chunk, now), theirs));
    }
    node.sync.read += shelf.scanned;
    Ok(Step::Leaves(found))
}

/// What a taker needs of a chunk's sums, who has these for its groups.
fn differing(chunk: u8, mut sums: Sums, theirs: &[u64; GROUPS]) -> ChunkSums {
    let pairs = groups(&sums).into_iter().zip(theirs);
    let groups = pairs.rev().fold(0u8, |bits, (mine, theirs)| bits << 1 | u8::from(mine != *theirs));
    for (number, sum) in sums.iter_mut().enumerate() {
        if groups >> group_of(number) & 1 == 0 {
            *sum = 0;
        }
    }
    let asked = theirs.iter().fold(0u64, |total, sum| total.wrapping_add(*sum));
    ChunkSums { chunk, asked, groups, sums: sums.to_vec() }
}

fn sum_of(cells: &[(Cell, Entries)]) -> u64 {
    let entries = cells.iter().flat_map(|(cell, entries)| entries.iter().map(move |entry| (cell, entry)));
    entries.fold(0u64, |sum, (cell, entry)| sum.wrapping_add(entry.fingerprint(cell)))
}

fn take(
    node: &mut Node,
    turn: &mut Turn<'_>,
    partition: PartitionId,
    by: (NodeId, Ticket),
    (leaves, skip): (&[u16], u32),
) -> Result<Step, RowError> {
    let replica = node.replicas.entry(partition).or_default();
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    let (mut parts, mut bytes) = (Vec::new(), 0);
    let mut more = None;
    for (at, leaf) in leaves.iter().enumerate() {
        let leaf = Leaf(leaf % LEAVES);
        let skip = if at == 0 { usize::try_from(skip).unwrap_or(usize::MAX) } else { 0 };
        let sum = replica.sums(leaf.chunk(), &mut shelf)?[leaf.number()];
        let now = shelf.between(leaf.range(shelf.keyspace, partition))?;
        if sum_of(&now) != sum {
            // A taker would hear that what was lost in silence was removed.
            return Err(Malformed { what: "rows of a leaf: they do not add up to its sum" }.into());
        }
        let Some(snapshot) = replica.snapshot(by, turn.now.monotonic_ms) else { return Ok(Step::Gone) };
        let cells = snapshot.cells(leaf, now);
        let is_news = |entries: &Entries| entries.dots().any(|dot| !snapshot.taker.contains(dot));
        let mut part = LeafCells { leaf: leaf.0, ..LeafCells::default() };
        if skip == 0 {
            let sums = cells.iter().flat_map(|(cell, entries)| entries.iter().map(|e| e.fingerprint(cell)));
            let mut sums: Vec<u64> = sums.collect();
            sums.sort_unstable();
            bytes += sums.len() * size_of::<u64>();
            part.fingerprints = Some(sums);
        }
        let news: Vec<(Cell, Entries)> = cells.into_iter().filter(|(_, entries)| is_news(entries)).collect();
        let count = news.len();
        for (cell, entries) in news.into_iter().skip(skip) {
            if bytes > CELLS_BYTES_MAX {
                break;
            }
            bytes += entries.bytes_about() + cell.key.name.len();
            part.cells.push((cell, entries));
        }
        let sent = skip + part.cells.len();
        parts.push(part);
        if sent < count {
            more = u32::try_from(sent).ok();
            break;
        }
        if bytes > CELLS_BYTES_MAX {
            break;
        }
    }
    node.sync.read += shelf.scanned;
    Ok(Step::Cells { leaves: parts, more })
}
