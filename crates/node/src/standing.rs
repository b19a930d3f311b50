//! What the replica of a partition is by the layout: an owner's, one that learns, one that stands in for the owners; and what has come
//! of its learning.
//!
//! Not when a layout comes, and not the work on it: that is `moving`.
//!
//! 1. That a replica has learned enough is stored, and on the disk whatever the policy, before anybody is told.

use crate::hints::Hints;
use crate::lessons::{Lessons, Pupil, Wanted};
use crate::replica::Replica;
use crate::rows::{RowError, Shelf, Storage};
use crate::state::Node;
use crate::work::Task;
use placement::layout::{Advance, Move, Step};
use placement::{NodeId, PartitionId, Place};
use wire::Level;

/// Has the replica of a partition be what the layout makes of it.
pub(crate) fn settle(
    node: &mut Node,
    store: &mut Storage,
    partition: PartitionId,
    is_anew: bool,
) -> Result<(), RowError> {
    let (me, actor) = (node.identity.node, node.identity.actor);
    let place = node.layout.place(partition);
    let mut shelf = Shelf::new(store, node.layout.keyspace(), partition);
    if !place.keeps(me) {
        let Some(replica) = node.replicas.get_mut(&partition) else { return Ok(()) };
        if replica.hints().is_none() {
            replica.stand_in_wholly(actor, &mut shelf);
        }
        return Ok(());
    }
    let begins = place.newcomer() == Some(me) || place.to_come().contains(&me);
    if !begins && !node.replicas.contains_key(&partition) {
        return Ok(());
    }
    let replica = node.replicas.entry(partition).or_default();
    if let Some(hints) = replica.hints() {
        let bytes = hints.bytes();
        node.debts.bytes = node.debts.bytes.saturating_sub(bytes);
        node.debts.settle(partition);
        replica.own(actor, &mut shelf);
    }
    let step = step(place, me);
    match step {
        Some(step) if replica.arrived() == Some(step) => {}
        Some(_) if is_anew || replica.lessons().is_none() => {
            let is_new = place.newcomer() == Some(me) || node.layout.is_new(partition, me);
            let pupil = if is_new { Pupil::New } else { Pupil::Stays };
            let has_owned = place.teachers().iter().any(|owners| owners.contains(&me));
            replica.study(pupil, has_owned, actor, &mut shelf);
        }
        Some(_) => {}
        None => replica.study_no_more(actor, &mut shelf),
    }
    // There may be nobody to learn from, and of those that there were some may be lost by now.
    if let Some(pupil) = replica.lessons().map(|lessons| lessons.pupil) {
        let wanted = Wanted::of(&node.layout, partition, me, pupil);
        replica.learned(&wanted, step, actor, &mut shelf);
    }
    Ok(())
}

/// The epoch of the step in which a node takes part as one that learns.
pub(crate) fn step(place: &Place, me: NodeId) -> Option<u64> {
    match place.step() {
        Step::Copying { newcomer, began } if *newcomer == me => Some(*began),
        Step::Settling { to_come, .. } if to_come.contains(&me) => Some(place.since()),
        _ => None,
    }
}

/// Whether this node takes what it is to own from now on, or has come to own.
pub(crate) fn is_moving(node: &Node, partition: PartitionId) -> bool {
    step(node.layout.place(partition), node.identity.node).is_some()
}

/// Of whom a replica of this node is to learn.
pub(crate) fn wanted(node: &Node, partition: PartitionId, lessons: &Lessons) -> Wanted {
    Wanted::of(&node.layout, partition, node.identity.node, lessons.pupil)
}

/// Whether the partition of a task has gone from this node since the task came, so that it is to be carried out elsewhere.
pub(crate) fn has_gone(node: &Node, task: &Task) -> bool {
    task.level != Level::Sloppy && !node.layout.owners(task.partition).contains(&node.identity.node)
}

/// What has come of the moves that this node takes part in.
pub(crate) fn moves(node: &Node) -> Vec<Move> {
    let me = node.identity.node;
    let come = |partition: &PartitionId| {
        let place = node.layout.place(*partition);
        let epoch = step(place, me)?;
        let replica = node.replicas.get(partition)?;
        if replica.arrived() != Some(epoch) || replica.lessons().is_some() {
            return None;
        }
        let advance = if place.newcomer() == Some(me) {
            Advance::Copied { newcomer: me, began: epoch }
        } else {
            Advance::Arrived { owner: me, since: epoch }
        };
        Some(Move { partition: *partition, advance })
    };
    node.mine.iter().filter_map(come).collect()
}

/// Of how many partitions something is kept here that others own.
pub(crate) fn kept(node: &Node) -> u64 {
    let owns = |partition: &PartitionId| node.mine.binary_search(partition).is_ok();
    let kept = |(partition, replica): &(&PartitionId, &Replica)| {
        !owns(partition) && replica.hints().is_some_and(|hints: &Hints| !hints.leaves().is_empty())
    };
    node.replicas.iter().filter(kept).count() as u64
}
