//! A newer layout: what becomes of the partitions whose place it changes, and of the work on them.
//!
//! ```text
//! this node has come    it keeps a replica that learns, and does not count until it has learned enough (`lessons`)
//! it has gone           its replica stands in from now on: it teaches whoever is to learn from it, and then offers what it has
//!                       to the owners, and drops it (`handoff`)
//! others have           what is counted is counted anew, by the owners of now; reads begin again
//! ```
//!
//! The essay on why this loses nothing is in `placement::layout::place`. What has come of it here goes to the steward (`steward`).
//!
//! 1. What counts here for a partition was said since its fence.

use crate::nearby::Nearby;
use crate::standing;
use crate::state::{self, Node, Turn};
use crate::work::{Kind, Placing, Purpose, Task, Work};
use crate::{handoff, read, register, request, steering, taker, write};
use placement::{Layout, NodeId, PartitionId, Place};
use std::sync::Arc;
use wire::request::{Job, Request};

/// Goes by a newer layout.
pub(crate) fn adopt(node: &mut Node, turn: &mut Turn<'_>, layout: Arc<Layout>) {
    if layout.epoch() <= node.layout.epoch() {
        return;
    }
    let before = std::mem::replace(&mut node.layout, layout);
    node.mine = state::mine(&node.layout, node.identity.node, &node.options);
    node.nearby = Nearby::of(&node.layout, node.identity.node);
    if let Some(membership) = &mut node.membership {
        membership.adopt(&node.layout);
    }
    // Who is a member no more, and comes again one day, is somebody new.
    node.suspected.retain(|peer| node.layout.member(*peer).is_some());
    node.tidings.forget(&node.layout);
    // A link may have come up before its member was one.
    let is_new = |peer: &&NodeId| before.member(**peer).is_none() && node.layout.member(**peer).is_some();
    for peer in node.links.iter().filter(is_new).copied().collect::<Vec<_>>() {
        steering::linked(node, turn, peer, true);
    }
    register::adopted(node);
    for partition in state::of_shard(&node.layout, &node.options) {
        let was = before.place(partition);
        if was != node.layout.place(partition) {
            moved(node, turn, partition, was);
        } else if node.replicas.get(&partition).is_some_and(|replica| replica.lessons().is_some())
            && let Err(error) = standing::settle(node, turn.store, partition, false)
        {
            node.note_damage(partition, &error);
        }
    }
    // Who had nothing to compare may have something now.
    node.sync.compare_at = node.sync.compare_at.min(turn.now.monotonic_ms);
    node.tidings.hurry(turn.now.monotonic_ms);
    for (from, envelope) in node.epochs.take_kept() {
        node.hear(turn, from, envelope);
    }
}

/// A partition's place has changed.
fn moved(node: &mut Node, turn: &mut Turn<'_>, partition: PartitionId, was: &Place) {
    let (me, place) = (node.identity.node, node.layout.place(partition));
    let is_fenced = was.since() != place.since();
    let keeps_on = was.keeps(me) == place.keeps(me);
    if is_fenced || !keeps_on || standing::step(was, me) != standing::step(place, me) {
        // What it brings was perhaps noted before the fence; and it was asked for by what was held then.
        taker::abandon(node, turn, partition);
        node.sync.wanted.retain(|(of, _)| *of != partition);
    }
    let place = node.layout.place(partition);
    let is_anew = is_fenced || was.newcomer() != place.newcomer();
    let keeps = |id: &NodeId| place.keeps(*id) || place.teaches(*id);
    node.sync.views.retain(|(of, other), _| *of != partition || keeps(other));
    node.debts.offers.retain(|(of, other), _| *of != partition || !place.keeps(*other));
    if let Some(replica) = node.replicas.get_mut(&partition) {
        replica.ask_the_lame_again(is_fenced);
    }
    if let Err(error) = standing::settle(node, turn.store, partition, is_anew) {
        node.note_damage(partition, &error);
    }
    let place = node.layout.place(partition);
    if place.keeps(me) {
        node.sync.look_again(turn.now.monotonic_ms, partition);
    } else if node.replicas.contains_key(&partition) {
        node.debts.look_at(turn.now.monotonic_ms + handoff::OFFER_MS, partition);
    }
    if is_fenced {
        begin_anew(node, turn, partition);
    }
}

/// Counts anew what is counted of a partition, and has reads begin again.
fn begin_anew(node: &mut Node, turn: &mut Turn<'_>, partition: PartitionId) {
    for ticket in node.pending.tickets() {
        match node.pending.take(ticket) {
            Some(Work::Write(write)) if write.task.partition == partition => {
                write::count_by_owners(node, turn, write);
            }
            Some(Work::Read(read)) if read.task.partition == partition => {
                again(node, turn, read.task, read.purpose);
            }
            Some(other) => node.pending.put_back(ticket, other),
            None => {}
        }
    }
}

/// A read begins again, here or where its partition is now.
pub(crate) fn again(node: &mut Node, turn: &mut Turn<'_>, task: Task, purpose: Purpose) {
    let owns = !standing::has_gone(node, &task);
    let purpose = match purpose {
        Purpose::Settle(write) => return write::count_by_owners(node, turn, write),
        purpose if owns => return read::begin(node, turn, task, purpose),
        purpose => purpose,
    };
    let (kind, job) = match purpose {
        Purpose::Command { key, words } => (Kind::Read, Job::Command { key, words }),
        Purpose::Siblings(key) => (Kind::Read, Job::Siblings { key }),
        Purpose::Explain(key) => (Kind::Read, Job::Explain { key }),
        Purpose::Flush(scope) => (Kind::Write, Job::Flush { scope }),
        Purpose::Update { words, .. } => return elsewhere(node, turn, task, words),
        Purpose::Settle(_) => return,
    };
    let request = Request { level: task.level, job };
    request::place(node, turn, Placing { task, kind, request, declined: Vec::new(), refusal: None });
}

/// An update whose turn it was goes where its key is at home now; the next of its key follows.
pub(crate) fn elsewhere(node: &mut Node, turn: &mut Turn<'_>, mut task: Task, words: Vec<bytes::Bytes>) {
    let Some(key) = task.queued.take() else { return };
    node.queues.leave(&key);
    let request = Request { level: task.level, job: Job::Command { key, words } };
    let placing = Placing { task, kind: Kind::Update, request, declined: Vec::new(), refusal: None };
    request::place(node, turn, placing);
}
