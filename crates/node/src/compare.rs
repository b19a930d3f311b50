//! When owners of a partition are compared, and what follows from it.
//!
//! ```text
//! tick      every partition is compared with each of its other owners, one after another, all the time
//! compared  the same ─▶ nothing, and if this replica may have run ahead, it has not
//!           it lacks what this one has ─▶ nothing: it compares, too
//!           it has what was missing here the last time already ─▶ take it (`taker`)
//!           it has forgotten what it had ─▶ tell it
//! ```
//!
//! What another had is known from what it last said of itself, from having held the same, and from the writes that it has
//! acknowledged here since. An old copy of a directory that is put back says less.
//!
//! Operations that are under way look like a difference for a moment. So nothing is taken before it was missing twice.
//!
//! Invariant: what one compares, or takes, changes nothing but by the merge of the map.

use crate::learning;
use crate::replica::Replica;
use crate::room::Room;
use crate::rows::{Shelf, everything};
use crate::scrub;
use crate::standing;
use crate::state::{Node, Turn};
use crate::sync::{AGAIN_MS, Lag, SyncFigures, View};
use crate::taker;
use crate::task::is_reachable;
use causal::Context;
use placement::{NodeId, PartitionId};
use wire::peer::exchange::{Hashes, State, Step};
use wire::peer::quorum::Counts;
use wire::peer::{Message, Ticket};

/// How many times as often a node compares that has lost something.
const HURRY: u64 = 16;
/// How many times as often one that has a new link: whoever is there may have come back with less than it had, and votes.
const HURRY_LINKED: u64 = 128;
/// Beyond so many missing operations nothing of it is merely under way.
const UNDER_WAY_MAX: u64 = 1_000;
/// A snapshot that nobody has asked for during this time is closed, in milliseconds.
const SNAPSHOT_UNUSED_MS: u64 = 10_000;

/// Does what is due.
pub(crate) fn tick(node: &mut Node, turn: &mut Turn<'_>) {
    let now = turn.now.monotonic_ms;
    taker::tick(node, turn);
    if node.options.compare_every_ms == u64::MAX {
        return;
    }
    while let Some(partition) = node.sync.next_again(now) {
        ask_all(node, turn, partition);
    }
    if now < node.sync.compare_at {
        return;
    }
    if node.room == Room::Gone {
        // What a disk without room cannot take need not be asked for.
        node.sync.compare_at = now + AGAIN_MS;
        return;
    }
    if now >= node.sync.settled_at + node.options.settle_every_ms {
        settle(node, turn);
    }
    let mine = node.mine.len();
    if mine == 0 {
        node.sync.compare_at = now + node.options.compare_every_ms;
        return;
    }
    scrub::step(node, turn);
    // Who has lost something makes haste: until it is whole, one loss more is one too many.
    let haste = match node.sync.hurried {
        0 if node.replicas.values().any(Replica::is_learning) => HURRY,
        0 => 1,
        _ => HURRY_LINKED,
    };
    let every_ms = (node.options.compare_every_ms / haste).max(1);
    // Turns come when they come: as many as have become due since the last one.
    let due = now.saturating_sub(node.sync.compared_at).saturating_mul(mine as u64) / every_ms;
    let at_once = usize::try_from(due).unwrap_or(mine).clamp(1, mine);
    node.sync.compared_at = now;
    node.sync.hurried = node.sync.hurried.saturating_sub(at_once);
    for _ in 0..at_once {
        let at = usize::from(node.sync.cursor) % mine;
        node.sync.cursor = u16::try_from((at + 1) % mine).unwrap_or_default();
        ask_all(node, turn, node.mine[at]);
    }
    node.sync.compare_at = now + (every_ms / mine as u64).max(1);
}

/// Stores what has been quiet, and closes what is not used.
fn settle(node: &mut Node, turn: &mut Turn<'_>) {
    node.sync.settled_at = turn.now.monotonic_ms;
    let since = turn.now.monotonic_ms.saturating_sub(SNAPSHOT_UNUSED_MS);
    for (partition, replica) in &mut node.replicas {
        replica.close_unused(since);
        if !replica.is_snapshot_open() {
            let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), *partition);
            replica.leaves().settle(&mut shelf);
        }
    }
}

/// Asks every other owner whether it holds the same, and whoever else there is to learn from.
fn ask_all(node: &mut Node, turn: &mut Turn<'_>, partition: PartitionId) {
    let (me, place) = (node.identity.node, node.layout.place(partition));
    let mut others: Vec<NodeId> = place.owners().iter().copied().filter(|owner| *owner != me).collect();
    if let Some(replica) = node.replicas.get_mut(&partition) {
        replica.begin_learning(turn.now.monotonic_ms, node.options.waited_for_ms());
    }
    if let Some(lessons) = node.replicas.get(&partition).and_then(Replica::lessons) {
        let teachers = standing::wanted(node, partition, lessons).teachers();
        others.extend(teachers.into_iter().filter(|teacher| !place.owners().contains(teacher)));
    }
    others.into_iter().for_each(|owner| ask(node, turn, partition, owner));
}

fn ask(node: &mut Node, turn: &mut Turn<'_>, partition: PartitionId, owner: NodeId) {
    if node.links.contains(&owner) {
        let hashes = hashes_of(node.replicas.entry(partition).or_default());
        let step = Step::Compare(hashes);
        let ticket = node.pending.ticket();
        node.sync.views.entry((partition, owner)).or_default().asked = Some((ticket, hashes));
        turn.send(node, owner, partition, Message::Exchange { ticket, step });
    }
}

fn hashes_of(replica: &Replica) -> Hashes {
    let map = replica.map();
    Hashes { held: map.digest(), applied: map.context().fingerprint() }
}

/// Another owner asks whether this one holds the same.
pub(crate) fn asked(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    partition: PartitionId,
    ticket: Ticket,
    theirs: Hashes,
) {
    let view = node.sync.views.get(&(partition, from));
    let they_learn = view.and_then(|view| view.counts).is_some_and(|counts| counts < Counts::Everywhere);
    let replica = node.replicas.entry(partition).or_default();
    let is_whole = !replica.is_learning();
    let is_same = hashes_of(replica) == theirs;
    let step = if is_same && is_whole && !replica.map().is_ahead() {
        Step::Same
    } else {
        Step::Differs(Box::new(replica.state()))
    };
    // What is said to have been applied must be there after a crash.
    let after = everything(turn.store);
    turn.send_after(after, node, from, partition, Message::Exchange { ticket, step });
    if they_learn && is_whole && node.layout.place(partition).keeps(node.identity.node) {
        // It counts soon, and requests may be waiting for that. Two that learn ask each other often enough.
        ask(node, turn, partition, from);
    }
}

/// It holds the same.
pub(crate) fn same(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    partition: PartitionId,
    ticket: Ticket,
) {
    let replica = node.replicas.entry(partition).or_default();
    // Of what it has applied only that is known which it has said: this replica has gone on meanwhile.
    let view = node.sync.views.entry((partition, from)).or_default();
    (view.missing, view.is_same, view.counts) = (Context::default(), true, Some(Counts::Everywhere));
    let has_learned = replica.has_learned_from(from, Counts::Everywhere, turn.now.monotonic_ms);
    // An answer that comes late is about something else.
    let is_still = view.asked == Some((ticket, hashes_of(replica)));
    if is_still {
        view.context = replica.map().context().clone();
    }
    if is_still && !replica.is_learning() {
        let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
        replica.agreed(false, &mut shelf);
    }
    if !has_learned {
        taker::begin(node, turn, partition, from);
    }
}

/// It does not, and says what it has.
pub(crate) fn differs(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    partition: PartitionId,
    ticket: Ticket,
    state: State,
) {
    let replica = node.replicas.entry(partition).or_default();
    let missing = state.context.without(replica.map().context());
    let is_equal = missing.is_empty() && replica.map().context().len() == state.context.len();
    let holds_same = is_equal && replica.map().digest() == state.digest;
    let view = node.sync.views.entry((partition, from)).or_default();
    let gone = view.context.without(&state.context);
    let was_missing = std::mem::replace(&mut view.missing, missing.clone());
    let they_learn = state.counts != Counts::Everywhere;
    view.is_same = holds_same && !they_learn;
    view.counts = Some(state.counts);
    let forgotten = std::mem::replace(&mut view.context, state.context);
    let is_learning = replica.is_learning();
    let has_learned = replica.has_learned_from(from, state.counts, turn.now.monotonic_ms);
    if holds_same && !they_learn && !is_learning {
        let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
        replica.agreed(state.is_ahead, &mut shelf);
    }
    if !gone.is_empty() && !they_learn {
        let step = Step::Forgotten(forgotten);
        turn.send(node, from, partition, Message::Exchange { ticket, step });
    }
    let stays_missing = was_missing.without(&was_missing.without(&missing));
    let is_owed = !has_learned || !stays_missing.is_empty() || missing.len() > UNDER_WAY_MAX;
    // By the same operations something else is held: somebody has taken cells that run ahead.
    let is_odd = is_equal && !holds_same;
    if is_owed || is_odd && !is_taught_by_others(node, partition, from, turn.now.monotonic_ms) {
        taker::begin(node, turn, partition, from);
    } else if !missing.is_empty() {
        node.sync.look_again(turn.now.monotonic_ms + AGAIN_MS, partition);
    }
}

/// Whether others than this one can be asked and have something to teach: they are asked before it is found out who has run ahead, for
/// with one of them that may have no end.
fn is_taught_by_others(node: &Node, partition: PartitionId, this: NodeId, now: u64) -> bool {
    let Some(lessons) = node.replicas.get(&partition).and_then(Replica::lessons) else { return false };
    let teaches = |other: NodeId| {
        let view = node.sync.views.get(&(partition, other));
        let counts = view.and_then(|view| view.counts).unwrap_or_default();
        other != this && is_reachable(node, other) && !lessons.has_heard(other, counts, now)
    };
    standing::wanted(node, partition, lessons).teachers().into_iter().any(teaches)
}

/// A link has come up: one round is made in haste, for the two may have missed a lot of each other.
pub(crate) fn linked(node: &mut Node, now: u64) {
    node.sync.compare_at = now;
    node.sync.hurried = node.mine.len();
}

/// A co-owner has seen here what is not here any more.
pub(crate) fn forgotten(node: &mut Node, turn: &mut Turn<'_>, partition: PartitionId, context: &Context) {
    let Some(replica) = node.replicas.get(&partition) else { return };
    if !replica.is_learning() && !context.without(replica.map().context()).is_empty() {
        learning::quarantine(node, turn, partition);
    }
}

impl Node {
    /// How far this node is from holding what its co-owners hold.
    pub fn sync(&self) -> SyncFigures {
        let mut figures = SyncFigures {
            open: self.sync.takes.len() as u64,
            finished: self.sync.finished,
            abandoned: self.sync.abandoned,
            cells: self.sync.cells,
            bytes: self.sync.bytes,
            read: self.sync.read,
            scrubs: self.scrub.rounds,
            scrubbed_percent: self.scrub.percent(self.mine.len()),
            damaged: self.scrub.damaged,
            quarantines: self.sync.quarantines,
            ..SyncFigures::default()
        };
        let shared = self.mine.iter().filter(|at| self.layout.owners(**at).len() > 1);
        for lag in shared.map(|partition| self.lag(*partition)) {
            figures.partitions += 1;
            figures.unequal += u64::from(lag.is_unequal);
            figures.behind += lag.behind;
            let is_learning = lag.counts != Counts::Everywhere;
            figures.learning += u64::from(is_learning);
            figures.counting_locally += u64::from(lag.counts == Counts::Locally);
            if lag.is_unequal || is_learning || lag.behind > 0 {
                figures.lagging.push(lag);
            }
        }
        figures
    }

    fn lag(&self, partition: PartitionId) -> Lag {
        let others = self.layout.owners(partition).iter().filter(|owner| **owner != self.identity.node);
        let views: Vec<Option<&View>> =
            others.map(|owner| self.sync.views.get(&(partition, *owner))).collect();
        let replica = self.replicas.get(&partition);
        // What was missing when they were compared may have come since.
        let lacks = |view: &&View| match replica {
            Some(replica) if !view.missing.is_empty() => view.missing.without(replica.map().context()).len(),
            _ => view.missing.len(),
        };
        Lag {
            partition,
            behind: views.iter().flatten().map(lacks).max().unwrap_or(0),
            is_unequal: !views.iter().all(|view| view.is_some_and(|view| view.is_same)),
            counts: replica.map_or(Counts::Everywhere, Replica::counts),
        }
    }
}
