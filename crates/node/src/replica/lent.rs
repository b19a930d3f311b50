//! A replica that stands in for owners: what it notes for them, and how it is dropped once they have all of it.
//!
//! ```text
//! told      each operation's leaves are noted with it (`hints`)
//! retire    what was applied is forgotten first, then rows are dropped, some at a time
//! ```
//!
//! Invariants:
//! 1. What is dropped is claimed no more: a context that says "applied" of a row that was merely dropped would say "removed".
//!    So after a crash half way the rows that are left are offered once more, and do no harm.
//! 2. Who has dropped or lost something makes operations under another name: an increment replaces the one before it of its actor,
//!    and an actor that does not hold that any more would have it counted no longer.

use super::Replica;
use crate::hints::Hints;
use crate::leaves::Leaves;
use crate::meta_names::{context_row, hints_row, sweeps_row};
use crate::row_names::data_row;
use crate::rows::{RowError, Shelf};
use causal::map::{Knowledge, Map};
use causal::{Actor, Delta};
use placement::PartitionId;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_64;

impl Replica {
    /// The same, with what was noted where it stands in.
    pub(crate) fn with_hints(mut self, hints: Option<Hints>) -> Self {
        self.hints = hints;
        self
    }

    /// Has it stand in from now on, if it does not, and keep so many bytes more, about.
    pub(crate) fn stand_in(&mut self, bytes: u64) {
        self.hints.get_or_insert_default().count(bytes);
    }

    /// What is noted where it stands in.
    pub(crate) fn hints(&self) -> Option<&Hints> {
        self.hints.as_ref()
    }

    /// Under which name operations are made here, of a process whose own is `own`. Like that it is 64 bits that nobody else
    /// draws, and they are gone with the process.
    pub(crate) fn maker(&self, own: Actor, partition: PartitionId) -> Actor {
        if self.forgotten == 0 {
            return own;
        }
        let mut name = [0; 14];
        name[..8].copy_from_slice(&own.0.to_be_bytes());
        name[8..10].copy_from_slice(&partition.0.to_be_bytes());
        name[10..].copy_from_slice(&self.forgotten.to_be_bytes());
        Actor(xxh3_64(&name))
    }

    /// Notes the leaves that an operation is about.
    pub(super) fn note_leaves(&mut self, delta: &Delta, shelf: &Shelf<'_>) {
        let Some(hints) = &mut self.hints else { return };
        delta.edits.iter().for_each(|edit| hints.tell(shelf.leaf(&edit.cell)));
    }

    /// Notes the leaves whose rows have changed, and stores what is noted.
    pub(super) fn store_hints(&mut self, shelf: &mut Shelf<'_>) {
        let Some(hints) = &mut self.hints else { return };
        let leaves = shelf.changes.iter().map(|(position, _)| shelf.leaf_at(*position));
        leaves.for_each(|leaf| hints.tell(leaf));
        if let Some(value) = hints.due() {
            shelf.store.put(hints_row(shelf.partition), value);
        }
    }

    /// Drops what it kept, some rows at a time; tells whether nothing is left.
    pub(crate) fn retire(
        &mut self,
        rows_max: usize,
        own_actor: Actor,
        shelf: &mut Shelf<'_>,
    ) -> Result<bool, RowError> {
        let (first, _) = shelf.keyspace.range(shelf.partition);
        let rows = shelf.scan(first, rows_max)?;
        self.disclaim(own_actor, shelf);
        let share = self.shares.entry(own_actor).or_default();
        for (cell, entries) in &rows {
            let sum = entries.iter().fold(0u64, |sum, entry| sum.wrapping_add(entry.fingerprint(cell)));
            share.digest = share.digest.wrapping_sub(sum);
            *share.keys.entry(cell.key.database).or_default() -= 1;
            shelf.store.delete(data_row(shelf.keyspace, cell));
        }
        let digest = share.digest;
        self.map = Map::restore(Knowledge::default(), digest, true);
        if rows.len() == rows_max {
            self.store_sums(own_actor, digest, shelf);
            return Ok(false);
        }
        for row in
            [context_row(shelf.partition, own_actor), sweeps_row(shelf.partition), hints_row(shelf.partition)]
        {
            shelf.store.delete(row);
        }
        *self = Self { forgotten: self.forgotten, ..Self::default() };
        Ok(true)
    }

    /// Forgets what it has applied, and all that goes with it. Its rows stay, and their sums become its own.
    fn disclaim(&mut self, own_actor: Actor, shelf: &mut Shelf<'_>) {
        if self.map.context().of(self.maker(own_actor, shelf.partition)).is_some() {
            (self.forgotten, self.made) = (self.forgotten + 1, 0);
        }
        let mut own = super::Share::default();
        for (actor, share) in std::mem::take(&mut self.shares) {
            shelf.store.delete(context_row(shelf.partition, actor));
            own.digest = own.digest.wrapping_add(share.digest);
            share.keys.iter().for_each(|(database, keys)| *own.keys.entry(*database).or_default() += keys);
        }
        self.drop_early(shelf);
        self.shares = BTreeMap::from([(own_actor, own)]);
        self.leaves = Leaves::forgotten(shelf);
        self.snapshots.clear();
    }
}
