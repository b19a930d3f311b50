//! Exchanges of a replica with its peers: taking what it lacks, and being taken from.
//!
//! Invariant: before a cell changes, every snapshot that is open keeps it as it was.

use super::Replica;
use crate::leaves::Awaited;
use crate::rows::{RowError, Shelf, everything};
use crate::snapshot::Snapshot;
use causal::map::{Knowledge, Rows};
use causal::{Actor, Cell, Context, Delta, Entries};
use placement::NodeId;
use store::Commit;
use wire::peer::Ticket;

impl Replica {
    /// Opens an exchange with the snapshot of a peer.
    pub(crate) fn begin(
        &mut self,
        theirs: &Knowledge,
        own_actor: Actor,
        shelf: &mut Shelf<'_>,
    ) -> Result<(), RowError> {
        self.keep_waiting(shelf)?;
        self.changing(own_actor, shelf, |map, shelf| map.begin(theirs, shelf))?;
        self.awaited = Some(Awaited::default());
        Ok(())
    }

    /// What the open exchange has still to bring.
    pub(crate) fn awaited(&mut self) -> Option<&mut Awaited> {
        self.awaited.as_mut()
    }

    /// Takes one cell of the snapshot.
    pub(crate) fn take(
        &mut self,
        cell: &Cell,
        theirs: &Entries,
        knowledge: &Knowledge,
        own_actor: Actor,
        shelf: &mut Shelf<'_>,
    ) -> Result<(), RowError> {
        self.keep_cell(cell, shelf)?;
        let before = self.map.digest();
        self.map.take(cell, theirs, knowledge, shelf)?;
        if self.map.knowledge().early.taken_of(cell).is_some() {
            self.store_taken(cell, shelf);
        }
        self.store_sums(own_actor, before, shelf);
        Ok(())
    }

    /// Ends an exchange, everything taken.
    pub(crate) fn finish(
        &mut self,
        theirs: &Knowledge,
        own_actor: Actor,
        shelf: &mut Shelf<'_>,
    ) -> Result<Commit, RowError> {
        self.keep_removed(shelf)?;
        self.keep_waiting(shelf)?;
        self.awaited = None;
        self.changing(own_actor, shelf, |map, shelf| map.finish(theirs, shelf))?;
        Ok(everything(shelf.store))
    }

    /// Gives an exchange up.
    pub(crate) fn abandon(&mut self, own_actor: Actor, shelf: &mut Shelf<'_>) -> Result<(), RowError> {
        self.keep_waiting(shelf)?;
        self.awaited = None;
        self.changing(own_actor, shelf, |map, shelf| map.abandon(shelf))
    }

    /// Whether everything that it holds is said by its context again: a peer holds the same by the same operations.
    pub(crate) fn agreed(&mut self, is_ahead_there: bool, shelf: &mut Shelf<'_>) {
        if !is_ahead_there && self.map.agrees() {
            self.store_condition(shelf);
        }
    }

    // Being taken from.

    /// Keeps a snapshot for a taker, in the place of an earlier one of the same.
    pub(crate) fn open(&mut self, by: (NodeId, Ticket), name: Ticket, taker: Context, now_ms: u64) {
        self.snapshots.retain(|(node, _), _| *node != by.0);
        let held = (self.map.knowledge().clone(), self.counts());
        self.snapshots.insert(by, Snapshot::new(name, held, taker, now_ms));
    }

    /// The snapshot of a taker.
    pub(crate) fn snapshot(&mut self, by: (NodeId, Ticket), now_ms: u64) -> Option<&Snapshot> {
        let snapshot = self.snapshots.get_mut(&by)?;
        snapshot.used_at = now_ms;
        Some(snapshot)
    }

    /// Lets a snapshot go.
    pub(crate) fn close(&mut self, by: (NodeId, Ticket)) {
        self.snapshots.remove(&by);
    }

    /// Whether somebody takes from it.
    pub(crate) fn is_snapshot_open(&self) -> bool {
        !self.snapshots.is_empty()
    }

    /// Lets those snapshots go for which nobody has asked since.
    pub(crate) fn close_unused(&mut self, since_ms: u64) {
        self.snapshots.retain(|_, snapshot| snapshot.used_at >= since_ms);
    }

    pub(super) fn keep_cells(&mut self, delta: &Delta, shelf: &mut Shelf<'_>) -> Result<(), RowError> {
        if self.snapshots.is_empty() || self.map.context().contains(delta.dot) {
            return Ok(());
        }
        if delta.sweep.is_some() {
            self.snapshots.clear();
        }
        delta.edits.iter().try_for_each(|edit| self.keep_cell(&edit.cell, shelf))
    }

    /// The same for the cells that a peer's early removals are about.
    fn keep_removed(&mut self, shelf: &mut Shelf<'_>) -> Result<(), RowError> {
        let early = self.map.takes_out().filter(|_| !self.snapshots.is_empty()).cloned();
        let Some(early) = early else { return Ok(()) };
        for sweep in early.sweeps() {
            // Only what it takes out is kept: to give the snapshots up would have two that take from each other never end.
            for cell in shelf.cells(sweep.scope)? {
                if shelf.see(&cell)?.entries.dots().any(|dot| sweep.seen.contains(dot)) {
                    self.keep_cell(&cell, shelf)?;
                }
            }
        }
        let single = early.single().map(|(cell, _)| cell);
        let mut cells = single.chain(early.taken().map(|(cell, _)| cell));
        cells.try_for_each(|cell| self.keep_cell(cell, shelf))
    }

    /// The same for the operations that wait until an exchange is over.
    pub(super) fn keep_waiting(&mut self, shelf: &mut Shelf<'_>) -> Result<(), RowError> {
        if self.snapshots.is_empty() {
            return Ok(());
        }
        let waiting: Vec<Delta> = self.map.waiting().to_vec();
        waiting.iter().try_for_each(|delta| self.keep_cells(delta, shelf))
    }

    /// Keeps a cell that is about to change for the snapshots that are open.
    pub(super) fn keep_cell(&mut self, cell: &Cell, shelf: &mut Shelf<'_>) -> Result<(), RowError> {
        if self.snapshots.is_empty() {
            return Ok(());
        }
        let leaf = shelf.leaf(cell);
        let sum = self.leaves.sums(leaf.chunk(), shelf)?[leaf.number()];
        let entries = shelf.see(cell)?.entries;
        self.snapshots.retain(|_, snapshot| snapshot.keep(leaf, sum, cell, &entries));
        Ok(())
    }
}
