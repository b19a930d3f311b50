//! One replica of one partition, on storage: the causal map with its rows, sums and recent operations.
//!
//! Every change to a partition on this node goes through here, and every one of them is the merge of [`Map`]: an operation
//! is applied, a cell is mended, an exchange brings cells (`exchange`). Only a replica that has lost something rewrites
//! what it knows ([`Replica::quarantine`]), and one that has handed over what it kept for others drops it (`lent`).
//!
//! Invariants, kept by [`Replica::check`]:
//! 1. The shares of all actors add up to the map's digest and to the number of keys.
//! 2. What is stored is what is in memory: a batch holds a row's change, its actor's context and what is early together.

use crate::hints::Hints;
use crate::leaf::CHUNKS;
use crate::leaves::{Awaited, Leaves, Sums};
use crate::lessons::{Lessons, Pupil};
use crate::meta::{Condition, META_VERSION, Share, encode_context, encode_sweeps, encode_taken};
use crate::meta_names::{context_row, removal_row, sweeps_row, taken_row};
use crate::recent::Recent;
use crate::rows::{RowError, Shelf, everything};
use crate::shown::{Lately, While};
use crate::snapshot::Snapshot;
use bytes::Bytes;
use causal::codec::Malformed;
use causal::context::Intervals;
use causal::map::{Applied, Knowledge, Map};
use causal::{Actor, Cell, Context, Delta, Dot, Early, Entries, Payload, string};
use placement::{NodeId, PartitionId};
use std::collections::{BTreeMap, BTreeSet};
use store::Commit;
use wire::peer::exchange::State;
use wire::peer::quorum::Quorums;
use wire::peer::{Found, Shown, Ticket};

mod exchange;
mod lent;
mod study;

/// One replica of one partition.
#[derive(Debug, Default)]
pub(crate) struct Replica {
    map: Map,
    shares: BTreeMap<Actor, Share>,
    recent: Recent,
    lately: Lately,
    leaves: Leaves,
    snapshots: BTreeMap<(NodeId, Ticket), Snapshot>,
    /// What an exchange that is open has still to bring.
    awaited: Option<Awaited>,
    /// What it notes where this node is no owner and stands in for some.
    hints: Option<Hints>,
    /// From whom it has learned what they know, while it is to learn what it lacks (`study`).
    lessons: Option<Lessons>,
    /// The step of its move in which it has learned enough last.
    arrived: Option<u64>,
    /// How many operations were made here since the start, or since something was dropped.
    made: u64,
    /// The commit of what was last learned without any row of a cell.
    learned: Commit,
    /// How often it has lost something, or dropped what it kept for others.
    forgotten: u32,
    /// What the row of early sweeps holds: it is written when it changes, and not with every operation.
    stored_sweeps: Bytes,
}

impl Replica {
    /// A replica as it was stored: what was applied of each actor with its share of the sums, what is early, and
    /// whether any cell may run ahead of the context.
    pub(crate) fn restore(
        contexts: impl IntoIterator<Item = (Actor, Intervals, Share)>,
        early: Early,
        condition: Condition,
    ) -> Self {
        let mut context = Context::default();
        let mut shares = BTreeMap::new();
        for (actor, intervals, share) in contexts {
            context.insert_all(actor, &intervals);
            shares.insert(actor, share);
        }
        let digest = shares.values().fold(0u64, |sum, share| sum.wrapping_add(share.digest));
        let map = Map::restore(Knowledge { context, early }, digest, condition.is_ahead);
        let stored_sweeps = encode_sweeps(&map, condition.learning);
        let lessons = condition.learning.map(Lessons::of);
        Self { map, shares, leaves: Leaves::stored(), lessons, stored_sweeps, ..Self::default() }
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

    /// Notes that a write has come, or was heard of.
    pub(crate) fn note_come(&mut self, lately: While, dot: Dot) {
        self.lately.note(lately, dot);
    }

    /// Notes that a reader is answered with what a cell holds, on which these have agreed.
    pub(crate) fn show(&mut self, entries: &Entries, by: Quorums) {
        string::seen(entries).into_iter().for_each(|seen| self.lately.show(seen.dot, by));
    }

    /// Notes that another owner is told what a cell holds.
    pub(crate) fn tell(&mut self, entries: &Entries, to: NodeId) {
        self.lately.tell(entries, to);
    }

    /// The name of the next operation that `actor` makes here.
    pub(crate) fn next_dot(&mut self, actor: Actor) -> Dot {
        // What was lost of the context must not have a name given twice.
        self.made = self.made.max(self.map.context().of(actor).map_or(0, Intervals::greatest)) + 1;
        Dot::new(actor, self.made)
    }

    /// The sum of each chunk of its Merkle tree.
    ///
    /// # Errors
    /// Also where they do not add up to the digest: then a row was lost in silence.
    pub(crate) fn totals(&mut self, shelf: &mut Shelf<'_>) -> Result<Vec<u64>, RowError> {
        let totals = self.leaves.totals(shelf)?;
        let sum = totals.iter().fold(0u64, |sum, total| sum.wrapping_add(*total));
        if sum != self.map.digest() {
            return Err(Malformed { what: "rows of a partition: they do not add up to its digest" }.into());
        }
        Ok(totals)
    }

    /// What it has applied and holds, in short.
    pub(crate) fn state(&self) -> State {
        State {
            context: self.map.context().clone(),
            digest: self.map.digest(),
            is_ahead: self.map.is_ahead(),
            counts: self.counts(),
        }
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
        if is_early { everything(shelf.store) } else { shelf.after.max(self.learned) }
    }

    /// Applies one operation and tells the commit that makes it durable; notes that it has come, where somebody may ask.
    pub(crate) fn apply(
        &mut self,
        delta: &Delta,
        lately: Option<While>,
        shelf: &mut Shelf<'_>,
    ) -> Result<(Applied, Commit), RowError> {
        self.keep_cells(delta, shelf)?;
        let is_new = lately.is_some() && !self.runs_ahead_with(delta, shelf)?;
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
        self.note_leaves(delta, shelf);
        self.store_sums(delta.dot.actor, before, shelf);
        if delta.edits.iter().any(|edit| is_new && matches!(edit.add, Some(Payload::Plain(_)))) {
            lately.into_iter().for_each(|lately| self.lately.note(lately, delta.dot));
        }
        Ok((applied, shelf.store.open_commit()))
    }

    /// Whether a cell holds already what an operation adds to it: then it has come before, and perhaps in an earlier start.
    fn runs_ahead_with(&self, delta: &Delta, shelf: &mut Shelf<'_>) -> Result<bool, RowError> {
        if !self.map.is_ahead() {
            return Ok(false);
        }
        for edit in &delta.edits {
            if shelf.see(&edit.cell)?.entries.get(delta.dot).is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Keeps an operation that was just applied, for owners that turn out to have missed it.
    pub(crate) fn keep(&mut self, delta: Delta) {
        self.recent.push(delta);
    }

    /// Takes a cell as it is on a peer and tells the commit that makes it durable.
    pub(crate) fn mend(
        &mut self,
        cell: &Cell,
        found: &Found,
        (own_actor, lately): (Actor, While),
        shelf: &mut Shelf<'_>,
    ) -> Result<Commit, RowError> {
        let (before, held) = (self.map.digest(), shelf.get(cell)?);
        self.keep_cell(cell, shelf)?;
        let leaf = shelf.leaf(cell);
        let is_brought = self.awaited.as_ref().is_some_and(|awaited| !awaited.has(leaf));
        if let Some(awaited) = &mut self.awaited
            && awaited.leaves.front() == Some(&leaf.0)
        {
            // Half of it has been brought, and perhaps this cell: all of it is brought again.
            awaited.skip = 0;
        }
        let mended = self.map.mend(cell, &found.entries, &found.knowledge, is_brought, shelf)?;
        if mended == Applied::Known {
            // What was noted when it was mended first may still be on its way to the disk.
            return Ok(everything(shelf.store));
        }
        let come = found.entries.dots().filter(|dot| held.get(*dot).is_none());
        come.for_each(|dot| self.lately.note(lately, dot));
        if self.map.knowledge().early.taken_of(cell).is_some() {
            self.store_taken(cell, shelf);
        }
        self.store_sums(own_actor, before, shelf);
        Ok(shelf.store.open_commit())
    }

    /// Changes the map as a whole and stores whatever that has changed.
    fn changing(
        &mut self,
        own_actor: Actor,
        shelf: &mut Shelf<'_>,
        change: impl FnOnce(&mut Map, &mut Shelf<'_>) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        let (before, digest) = (self.map.knowledge().clone(), self.map.digest());
        let done = change(&mut self.map, shelf);
        let Knowledge { context, early } = self.map.knowledge();
        for (actor, intervals) in
            context.actors().filter(|(actor, all)| before.context.of(*actor) != Some(*all))
        {
            let value = encode_context(Some(intervals), self.shares.entry(actor).or_default());
            shelf.store.put(context_row(shelf.partition, actor), value);
        }
        for (cell, dot) in before.early.single().filter(|(cell, dot)| !early.is_noted(cell, **dot)) {
            shelf.store.delete(removal_row(shelf.partition, cell, *dot));
        }
        for (cell, dot) in early.single().filter(|(cell, dot)| !before.early.is_noted(cell, **dot)) {
            let row = removal_row(shelf.partition, cell, *dot);
            shelf.store.put(row, Bytes::from_static(&[META_VERSION]));
        }
        let cells: BTreeSet<&Cell> =
            before.early.taken().chain(early.taken()).map(|(cell, _)| cell).collect();
        let changed = |cell: &&&Cell| before.early.taken_of(cell) != early.taken_of(cell);
        cells.iter().filter(changed).for_each(|cell| self.store_taken(cell, shelf));
        self.store_sums(own_actor, digest, shelf);
        self.learned = everything(shelf.store);
        done
    }

    /// The Merkle tree.
    pub(crate) fn leaves(&mut self) -> &mut Leaves {
        &mut self.leaves
    }

    /// The sums of a chunk's leaves.
    pub(crate) fn sums(&mut self, chunk: u8, shelf: &mut Shelf<'_>) -> Result<Sums, RowError> {
        self.leaves.sums(chunk, shelf).copied()
    }

    // Having lost something.

    /// Forgets what it has applied, for it cannot be sure of it: its rows stay, as they may be the only copy of
    /// something, but for those that cannot be read. It does not count until it has learned from enough others.
    pub(crate) fn quarantine(
        &mut self,
        own_actor: Actor,
        teaches: bool,
        shelf: &mut Shelf<'_>,
    ) -> Result<(), RowError> {
        let rows = shelf.salvage()?;
        let known = self.map.knowledge().context.actors().map(|(actor, _)| actor);
        for actor in known.chain(self.shares.keys().copied()) {
            shelf.store.delete(context_row(shelf.partition, actor));
        }
        let mut share = Share::default();
        for (cell, entries) in &rows {
            *share.keys.entry(cell.key.database).or_default() += 1;
            for entry in entries.iter() {
                share.digest = share.digest.wrapping_add(entry.fingerprint(cell));
            }
        }
        // What was removed early has been removed by something that may be among what is lost.
        self.drop_early(shelf);
        let digest = share.digest;
        let map = Map::restore(Knowledge::default(), digest, true);
        let (shares, leaves) = (BTreeMap::from([(own_actor, share)]), Leaves::forgotten(shelf));
        let mut hints = self.hints.take();
        let leaves_left = rows.iter().map(|(cell, _)| shelf.leaf(cell));
        hints.iter_mut().for_each(|hints| leaves_left.clone().for_each(|leaf| hints.tell(leaf)));
        // Who stands in votes for nothing, and so has nothing to learn for it, unless others learn from it.
        let lessons = (hints.is_none() || teaches).then(|| Lessons::of(Pupil::Lost));
        let forgotten = self.forgotten + 1;
        let (lately, arrived) = (std::mem::take(&mut self.lately), self.arrived);
        *self = Self { map, shares, leaves, lessons, arrived, forgotten, hints, lately, ..Self::default() };
        shelf.keys.clear();
        self.store_sums(own_actor, digest, shelf);
        Ok(())
    }

    /// Deletes the rows of what is early.
    fn drop_early(&self, shelf: &mut Shelf<'_>) {
        let early = &self.map.knowledge().early;
        let single = early.single().map(|(cell, dot)| removal_row(shelf.partition, cell, *dot));
        let taken = early.taken().map(|(cell, _)| taken_row(shelf.partition, cell));
        single.chain(taken).for_each(|row| shelf.store.delete(row));
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

    /// Invariants 1 and 2 of `leaves`.
    pub(crate) fn check_sums(&self, shelf: &mut Shelf<'_>) -> Result<(), RowError> {
        let mut leaves = self.leaves.clone();
        for chunk in CHUNKS {
            assert!(leaves.verify(chunk, shelf)?, "the sums of chunk {chunk} are not those of its rows");
        }
        Ok(())
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
        self.store_hints(shelf);
        self.leaves.note(shelf);
        self.store_condition(shelf);
    }

    /// Stores how it stands; tells whether that has changed.
    fn store_condition(&mut self, shelf: &mut Shelf<'_>) -> bool {
        let learning = self.lessons.as_ref().filter(|lessons| lessons.lacks()).map(Lessons::later);
        let sweeps = encode_sweeps(&self.map, learning);
        let is_new = sweeps != self.stored_sweeps;
        if is_new {
            shelf.store.put(sweeps_row(shelf.partition), sweeps.clone());
            self.stored_sweeps = sweeps;
        }
        is_new
    }
}
