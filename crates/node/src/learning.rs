//! A replica that may have lost something: it says so, and does not count until it has learned what.
//!
//! ```text
//! quarantine   a row that cannot be read, a context that has gone back, a disk that is not the one it was: the replica
//!              forgets what it has applied and keeps what rows it has
//! meanwhile    it takes writes, which do not count here; it answers no reader, and passes on what clients ask of it
//! whole again  after exchanges with so many other owners that everything acknowledged by a majority is among theirs
//! ```
//!
//! Invariant: what this replica has acknowledged before is not relied upon any more, here or by whoever waits.

use crate::event::Action;
use crate::rows::{RowError, Shelf};
use crate::state::{Node, Turn};
use crate::task::refuse;
use crate::work::{Purpose, Work};
use crate::write;
use placement::PartitionId;
use store::Commit;
use wire::Fault;

/// Has replicas forget what they have applied of which something could not be read.
pub(crate) fn heed(node: &mut Node, turn: &mut Turn<'_>) {
    while let Some(partition) = node.damaged.pop_first() {
        quarantine(node, turn, partition);
    }
}

/// Has a replica forget what it has applied. What nobody else owns is not forgotten: there is nobody to learn it from.
pub(crate) fn quarantine(node: &mut Node, turn: &mut Turn<'_>, partition: PartitionId) {
    if node.layout.place(partition).is_alone(node.identity.node) {
        return;
    }
    if !node.layout.place(partition).keeps(node.identity.node) {
        // What is left of it is offered.
        node.debts.look_at(turn.now.monotonic_ms, partition);
    }
    node.debts.offers.retain(|(of, _), _| *of != partition);
    node.sync.takes.remove(&partition);
    match forget(node, turn.store, partition) {
        Ok(()) => end_work(node, turn, partition),
        // Its rows cannot even be looked through.
        Err(_) => turn.out.push(Commit::default(), Action::Renew),
    }
}

/// The same, of a node that is being opened: nobody waits for anything.
pub(crate) fn forget(
    node: &mut Node,
    store: &mut crate::rows::Storage,
    partition: PartitionId,
) -> Result<(), RowError> {
    let mut shelf = Shelf::new(store, node.layout.keyspace(), partition);
    let replica = node.replicas.entry(partition).or_default();
    node.sync.quarantines += 1;
    let place = node.layout.place(partition);
    if !place.keeps(node.identity.node) {
        replica.stand_in(0);
    }
    replica.quarantine(node.identity.actor, place.teaches(node.identity.node), &mut shelf)
}

/// Whoever waits for work that counts this replica is told that it is not known what came of it.
fn end_work(node: &mut Node, turn: &mut Turn<'_>, partition: PartitionId) {
    for ticket in node.pending.tickets() {
        match node.pending.take(ticket) {
            Some(Work::Write(write)) if write.task.partition == partition => {
                write::give_up(node, turn, *write);
            }
            Some(Work::Read(read)) if read.task.partition == partition => match read.purpose {
                Purpose::Settle(write) => write::give_up(node, turn, *write),
                _ => refuse(node, turn, read.task, Fault::Storage),
            },
            Some(other) => node.pending.put_back(ticket, other),
            None => {}
        }
    }
}
