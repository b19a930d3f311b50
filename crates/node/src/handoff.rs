//! Hinted handoff: what is kept for owners that are down, and how they get it.
//!
//! ```text
//! stand-in   an operation comes for a partition of others: it is applied here like anywhere, and its leaf is noted
//!            Offer { what is kept } to every owner that can be reached, until it says Had
//! owner      has all of it ─▶ Had; otherwise it takes those leaves (`taker`, `source`)
//! stand-in   every owner has had what is kept now ─▶ all of it is dropped
//! ```
//!
//! A stand-in keeps a replica like any other, of the few operations that it was told. So nothing here merges anything, and
//! a handoff may be interrupted, repeated and raced by anti-entropy.
//!
//! Invariants:
//! 1. What is kept is dropped when every owner of now has said that it holds it durably, and not before.
//! 2. Who has no room for an operation says so, and keeps nothing of it. Owners get it from each other then.

use crate::debts::{HandoffFigures, Offered};
use crate::hints::Hints;
use crate::preference::may_hold;
use crate::replica::Replica;
use crate::rows::{Shelf, everything};
use crate::state::{Node, Turn};
use crate::taker;
use crate::task::is_reachable;
use causal::{Context, Scope};
use placement::{NodeId, PartitionId};
use wire::peer::exchange::{Hashes, Step};
use wire::peer::{Message, Ticket};

/// How often owners are offered what is kept for them, where all of them can be reached, in milliseconds.
pub(crate) const OFFER_MS: u64 = 500;
/// The same where some of them cannot: the others need not be bothered.
const OFFER_IDLE_MS: u64 = 10_000;
/// How many partitions are looked at in one event.
const LOOKS_MAX: usize = 64;
/// Beyond so many missing operations nothing of an offer is merely under way.
const UNDER_WAY_MAX: u64 = 1_000;
/// What an operation takes beside its names and values, in bytes, about.
const OPERATION_BYTES: usize = 128;

/// Whether this node is an owner, or may keep an operation of so many bytes for one and has room; then it stands in from now on.
pub(crate) fn admits(node: &mut Node, now: u64, partition: PartitionId, bytes: usize) -> bool {
    if node.layout.place(partition).keeps(node.identity.node) {
        return true;
    }
    if !may_hold(node) {
        return false;
    }
    let bytes = (OPERATION_BYTES + bytes) as u64;
    if node.debts.bytes + bytes > node.options.handoff_bytes_max {
        node.debts.refused += 1;
        return false;
    }
    node.debts.bytes += bytes;
    node.debts.retiring.remove(&partition);
    if !node.debts.is_planned(partition) {
        node.debts.look_at(now + OFFER_MS, partition);
    }
    node.replicas.entry(partition).or_default().stand_in(bytes);
    true
}

/// Looks at what is due.
pub(crate) fn tick(node: &mut Node, turn: &mut Turn<'_>) {
    for _ in 0..LOOKS_MAX {
        let Some(partition) = node.debts.next_look(turn.now.monotonic_ms) else { return };
        look(node, turn, partition);
    }
}

/// A link has come up: its node may be waiting for what is kept here.
pub(crate) fn linked(node: &mut Node, now: u64, peer: NodeId) {
    node.debts.doubt(peer);
    let partitions: Vec<PartitionId> = node.debts.partitions().collect();
    for partition in partitions.into_iter().filter(|at| node.layout.owners(*at).contains(&peer)) {
        node.debts.look_at(now, partition);
    }
}

/// Offers the owners of a partition what they are not known to have, or drops it where there are none.
pub(crate) fn look(node: &mut Node, turn: &mut Turn<'_>, partition: PartitionId) {
    let Some(replica) = node.replicas.get(&partition).filter(|replica| replica.hints().is_some()) else {
        return node.debts.settle(partition);
    };
    if node.layout.place(partition).teaches(node.identity.node) {
        // Others are to learn from it, so it stays as it is.
        return node.debts.look_at(turn.now.monotonic_ms + OFFER_MS, partition);
    }
    let kept = hashes_of(replica);
    let owners = node.layout.owners(partition).to_vec();
    let all_up = owners.iter().all(|owner| is_reachable(node, *owner));
    let again_ms = if all_up { OFFER_MS } else { OFFER_IDLE_MS };
    node.debts.look_at(turn.now.monotonic_ms + again_ms, partition);
    let lacks = |owner: &NodeId| !node.debts.has(partition, *owner, kept);
    let lacking: Vec<NodeId> = owners.iter().copied().filter(lacks).collect();
    if node.debts.retiring.contains(&partition) || lacking.is_empty() {
        return retire(node, turn, partition);
    }
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    let seen = match replica.map().sweep_of(Scope::All, &mut shelf) {
        Ok(sweep) => sweep.seen,
        Err(error) => return node.note_damage(partition, &error),
    };
    for owner in lacking.into_iter().filter(|owner| node.links.contains(owner)) {
        let ticket = node.debts.offer(partition, owner, kept, || node.pending.ticket());
        let message = Message::Exchange { ticket, step: Step::Offer(seen.clone()) };
        turn.send_after(everything(turn.store), node, owner, partition, message);
    }
}

fn hashes_of(replica: &Replica) -> Hashes {
    Hashes { held: replica.map().digest(), applied: replica.map().context().fingerprint() }
}

/// Drops what all owners have, a part of it at a time.
fn retire(node: &mut Node, turn: &mut Turn<'_>, partition: PartitionId) {
    let Some(replica) = node.replicas.get_mut(&partition) else { return };
    let bytes = replica.hints().map_or(0, Hints::bytes);
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    match replica.retire(node.options.handoff_drops_rows, node.identity.actor, &mut shelf) {
        Ok(true) => {
            node.debts.bytes = node.debts.bytes.saturating_sub(bytes);
            node.debts.handed += 1;
            if node.debts.bytes == 0 {
                node.debts.refused = 0;
            }
            node.debts.settle(partition);
        }
        Ok(false) => {
            node.debts.retiring.insert(partition);
            node.debts.look_at(turn.now.monotonic_ms + 1, partition);
        }
        Err(error) => node.note_damage(partition, &error),
    }
}

/// Another node keeps something for this owner: it is taken, unless it is here already.
pub(crate) fn offered(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    partition: PartitionId,
    ticket: Ticket,
    kept: &Context,
) {
    if node.sync.takes.get(&partition).is_some_and(|take| take.source == from) {
        // What is being taken is an earlier state: this one is heard when it is offered again.
        return;
    }
    let replica = node.replicas.entry(partition).or_default();
    let mut missing = kept.without(replica.map().context());
    if !missing.is_empty() && replica.map().is_ahead() {
        let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
        match replica.map().sweep_of(Scope::All, &mut shelf) {
            Ok(sweep) => missing = missing.without(&sweep.seen),
            Err(error) => return node.note_damage(partition, &error),
        }
    }
    let offered = node.debts.offers.entry((partition, from)).or_default();
    let was_taken = offered.is_taken && offered.kept == kept.fingerprint();
    if !missing.is_empty() && !was_taken {
        // What is missing once may be under way; what is missing again is taken.
        let stays = !missing.without(&missing.without(&offered.missing)).is_empty();
        let is_owed = stays || missing.len() > UNDER_WAY_MAX;
        *offered = Offered { missing, kept: kept.fingerprint(), is_taken: false };
        if is_owed {
            taker::begin(node, turn, partition, from);
        }
        return;
    }
    // All of it was taken, also what it held ahead of what it had applied, and what was removed here since is not missing.
    let after = everything(turn.store);
    turn.send_after(after, node, from, partition, Message::Exchange { ticket, step: Step::Had });
}

/// An owner has ended an exchange: what it has by now is asked at once.
pub(crate) fn taken(node: &mut Node, turn: &mut Turn<'_>, partition: PartitionId) {
    if node.replicas.get(&partition).is_some_and(|replica| replica.hints().is_some()) {
        look(node, turn, partition);
    }
}

/// An owner has what it was offered.
pub(crate) fn had(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    partition: PartitionId,
    ticket: Ticket,
) {
    node.debts.had(partition, from, ticket);
    let Some(replica) = node.replicas.get(&partition) else { return };
    let kept = hashes_of(replica);
    if node.layout.owners(partition).iter().all(|owner| node.debts.has(partition, *owner, kept)) {
        look(node, turn, partition);
    }
}

impl Node {
    /// What this node keeps for owners that it stands in for.
    pub fn handoff(&self) -> HandoffFigures {
        let mut figures = HandoffFigures {
            bytes: self.debts.bytes,
            refused: self.debts.refused,
            handed: self.debts.handed,
            ..HandoffFigures::default()
        };
        for partition in self.debts.partitions() {
            let Some(replica) = self.replicas.get(&partition) else { continue };
            let (kept, bytes) = (hashes_of(replica), replica.hints().map_or(0, Hints::bytes));
            let lacks = |owner: &&NodeId| !self.debts.has(partition, **owner, kept);
            let lacking: Vec<NodeId> = self.layout.owners(partition).iter().filter(lacks).copied().collect();
            // While some are down it is for those: the others were sent it as well, and have not been asked.
            let down = |owner: &NodeId| !is_reachable(self, *owner);
            let some_down = lacking.iter().any(down);
            for owner in lacking.iter().filter(|owner| !some_down || down(owner)) {
                let target = figures.targets.entry(*owner).or_default();
                *target = (target.0 + 1, target.1 + bytes);
            }
        }
        figures
    }
}
