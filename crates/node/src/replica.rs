//! One replica of one partition, on storage: the causal map with its rows, sums and recent operations.
//!
//! Every change to a partition on this node goes through here, and every one of them is [`Map::apply`] or
//! [`Map::mend`]: there is no other way to write a row.
//!
//! Invariants, kept by [`Replica::check`]:
//! 1. The shares of all actors add up to the map's digest and to the number of keys.
//! 2. What is stored is what is in memory: a batch holds a row's change, its actor's context and what is early together.

use crate::meta::{META_VERSION, Share, encode_context, encode_sweeps, encode_taken};
use crate::meta_names::{context_row, removal_row, sweeps_row, taken_row};
use crate::recent::Recent;
use crate::rows::{RowError, Shelf, everything};
use crate::shown::{Lately, While};
use bytes::Bytes;
use causal::context::Intervals;
use causal::map::{Applied, Knowledge, Map};
use causal::{Actor, Cell, Context, Delta, Dot, Early, Entries, Payload, string};
use placement::{NodeId, PartitionId};
use std::collections::BTreeMap;
use store::Commit;
use wire::peer::{Found, Shown};

/// One replica of one partition.
#[derive(Debug, Default)]
pub(crate) struct Replica {
    map: Map,
    shares: BTreeMap<Actor, Share>,
    recent: Recent,
    lately: Lately,
    /// What the row of early sweeps holds: it is written when it changes, and not with every operation.
    stored_sweeps: Bytes,
}

impl Replica {
    /// A replica as it was stored: what was applied of each actor with its share of the sums, what is early, and
    /// whether any cell may run ahead of the context.
    pub(crate) fn restore(
        contexts: impl IntoIterator<Item = (Actor, Intervals, Share)>,
        early: Early,
        ahead: bool,
    ) -> Self {
        let mut context = Context::default();
        let mut shares = BTreeMap::new();
        for (actor, intervals, share) in contexts {
            context.insert_all(actor, &intervals);
            shares.insert(actor, share);
        }
        let digest = shares.values().fold(0u64, |sum, share| sum.wrapping_add(share.digest));
        let map = Map::restore(Knowledge { context, early }, digest, ahead);
        let stored_sweeps = encode_sweeps(&map);
        Self { map, shares, recent: Recent::default(), lately: Lately::default(), stored_sweeps }
    }

    /// The causal map.
    pub(crate) fn map(&self) -> &Map {
        &self.map
    }

    /// The operations applied lately.
    pub(crate) fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Whether a plain write was shown to a reader since it came here.
    pub(crate) fn shown(&self, dot: Dot) -> Shown {
        self.lately.of(dot)
    }

    /// Notes that a reader is answered with what a cell holds.
    pub(crate) fn show(&mut self, entries: &Entries) {
        string::seen(entries).into_iter().for_each(|seen| self.lately.show(seen.dot));
    }

    /// Notes that another owner is told what a cell holds.
    pub(crate) fn tell(&mut self, entries: &Entries, to: NodeId) {
        self.lately.tell(entries, to);
    }

    /// The name of the next operation that `actor` makes here.
    pub(crate) fn next_dot(&self, actor: Actor) -> Dot {
        Dot::new(actor, self.map.context().of(actor).map_or(0, Intervals::greatest) + 1)
    }

    /// How many keys of `database` there are.
    pub(crate) fn keys(&self, database: u8) -> i64 {
        self.shares.values().filter_map(|share| share.keys.get(&database)).sum()
    }

    /// What the cell holds and what is known of it, at one instant, and the commit that makes it durable.
    pub(crate) fn found(&self, cell: &Cell, shelf: &mut Shelf<'_>) -> Result<(Found, Commit), RowError> {
        let entries = shelf.get(cell)?;
        let knowledge =
            Knowledge { context: self.map.context().clone(), early: self.map.knowledge().early.of(cell) };
        Ok((Found { entries, knowledge }, shelf.after))
    }

    /// The commit that makes durable what was read of the shelf, and what is known of it: what is early has rows of
    /// its own, which may be on their way to the disk when that of the cell no longer is.
    pub(crate) fn known_after(&self, shelf: &Shelf<'_>) -> Commit {
        let is_early = !self.map.knowledge().early.is_empty();
        if is_early { everything(shelf.store) } else { shelf.after }
    }

    /// Applies one operation and tells the commit that makes it durable.
    pub(crate) fn apply(
        &mut self,
        delta: &Delta,
        shelf: &mut Shelf<'_>,
    ) -> Result<(Applied, Commit), RowError> {
        let before = self.map.digest();
        let come = self.removal_rows(delta.dot, shelf.partition);
        let noted = self.noted_cells(delta);
        let applied = self.map.apply(delta, shelf)?;
        let row = context_row(shelf.partition, delta.dot.actor);
        if applied != Applied::Fresh {
            return Ok((applied, shelf.store.get(&row)?.1));
        }
        come.into_iter().for_each(|row| shelf.store.delete(row));
        noted.into_iter().for_each(|cell| self.store_taken(cell, shelf));
        self.store_removals(delta, shelf);
        self.store_sums(delta.dot.actor, before, shelf);
        Ok((applied, shelf.store.open_commit()))
    }

    /// Keeps an operation that was just applied, for owners that turn out to have missed it.
    pub(crate) fn keep(&mut self, delta: Delta, lately: While) {
        if delta.edits.iter().any(|edit| matches!(edit.add, Some(Payload::Plain(_)))) {
            self.lately.note(lately, delta.dot);
        }
        self.recent.push(delta);
    }

    /// Takes a cell as it is on a peer and tells the commit that makes it durable; nothing where an exchange that
    /// is open will bring it.
    pub(crate) fn mend(
        &mut self,
        cell: &Cell,
        found: &Found,
        (own_actor, lately): (Actor, While),
        shelf: &mut Shelf<'_>,
    ) -> Result<Option<Commit>, RowError> {
        let (before, held) = (self.map.digest(), shelf.get(cell)?);
        let mended = self.map.mend(cell, &found.entries, &found.knowledge, shelf)?;
        match mended {
            Applied::Deferred => return Ok(None),
            // What was noted when it was mended first may still be on its way to the disk.
            Applied::Known => return Ok(Some(everything(shelf.store))),
            Applied::Fresh => {}
        }
        let come = found.entries.dots().filter(|dot| held.get(*dot).is_none());
        come.for_each(|dot| self.lately.note(lately, dot));
        if self.map.knowledge().early.taken_of(cell).is_some() {
            self.store_taken(cell, shelf);
        }
        self.store_sums(own_actor, before, shelf);
        Ok(Some(shelf.store.open_commit()))
    }

    /// The invariants at the head of this file, given every row.
    pub(crate) fn check(&self, rows: &[(Cell, Entries)]) {
        self.map.check(rows.iter().map(|(cell, entries)| (cell, entries)));
        let digest = self.shares.values().fold(0u64, |sum, share| sum.wrapping_add(share.digest));
        assert_eq!(digest, self.map.digest(), "the shares do not add up to the digest");
        for database in 0..causal::limits::DATABASES_MAX {
            let keys = rows.iter().filter(|(cell, _)| cell.key.database == database).count();
            assert_eq!(i64::try_from(keys), Ok(self.keys(database)), "keys of database {database}");
        }
    }

    /// The rows of the removals that waited for this operation.
    fn removal_rows(&self, dot: Dot, partition: PartitionId) -> Vec<Bytes> {
        let early = &self.map.knowledge().early;
        early.cells_of(dot).map(|cell| removal_row(partition, cell, dot)).collect()
    }

    /// The cells that the operation touches and of which something is noted.
    fn noted_cells<'a>(&self, delta: &'a Delta) -> Vec<&'a Cell> {
        let early = &self.map.knowledge().early;
        let cells = delta.edits.iter().map(|edit| &edit.cell);
        cells.filter(|cell| early.taken_of(cell).is_some()).collect()
    }

    /// Stores the removals of what is still to come, a row each.
    fn store_removals(&self, delta: &Delta, shelf: &mut Shelf<'_>) {
        let early = &self.map.knowledge().early;
        for edit in &delta.edits {
            for dot in edit.removes.iter().filter(|dot| early.is_noted(&edit.cell, **dot)) {
                let row = removal_row(shelf.partition, &edit.cell, *dot);
                shelf.store.put(row, Bytes::from_static(&[META_VERSION]));
            }
        }
    }

    fn store_taken(&self, cell: &Cell, shelf: &mut Shelf<'_>) {
        let row = taken_row(shelf.partition, cell);
        match self.map.knowledge().early.taken_of(cell) {
            Some(seen) => shelf.store.put(row, encode_taken(seen)),
            None => shelf.store.delete(row),
        }
    }

    fn store_sums(&mut self, actor: Actor, before: u64, shelf: &mut Shelf<'_>) {
        let share = self.shares.entry(actor).or_default();
        share.digest = share.digest.wrapping_add(self.map.digest().wrapping_sub(before));
        for (database, keys) in std::mem::take(&mut shelf.keys) {
            *share.keys.entry(database).or_default() += keys;
        }
        let value = encode_context(self.map.context().of(actor), share);
        shelf.store.put(context_row(shelf.partition, actor), value);
        let sweeps = encode_sweeps(&self.map);
        if sweeps != self.stored_sweeps {
            shelf.store.put(sweeps_row(shelf.partition), sweeps.clone());
            self.stored_sweeps = sweeps;
        }
    }
}
