//! The replicated causal map: one replica of one partition.
//!
//! ```text
//!               apply(delta)          a quorum write, a hint, a read repair
//!   operations ──────────────┐
//!                            ▼
//!                  ┌──────────────────┐
//!                  │ rows    cell → entries        what is there
//!                  │ context dots                  what was applied
//!                  │ early   (cell, dot)           what was removed before it came
//!                  └──────────────────┘
//!                            ▲
//!   a peer's state ──────────┘
//!               begin, take, finish   anti-entropy, a rebalance, a restore
//! ```
//!
//! Both ways in are the same merge. It is idempotent and order does not matter, so every mechanism above it may
//! be interrupted, repeated and raced by any other. There are no tombstones: a dot in the context without an
//! entry *is* a removed entry. `spec/causal_map.py` of the design is this file as a page of Python; the tests
//! replay its histories here. The idea is that of optimized observed-remove sets (Bieniusa et al., 2012) and
//! dotted version vectors (Preguiça et al., 2010), with one context for a whole partition.
//!
//! The map holds the context and early removals; the rows are somebody's who implements [`Rows`].
//!
//! Invariants, kept by [`Map::check`]:
//! 1. Rows are a pure function of the operations applied, so equal contexts mean equal rows. A cell that was
//!    taken from a peer by an exchange cut short may run ahead of the context: [`Map::is_ahead`] says so.
//! 2. `digest` is the sum of the fingerprints of all entries.
//! 3. Nothing in early is in the context.

use crate::context::Context;
use crate::delta::{Delta, Edit, Scope, Sweep};
use crate::early::Early;
use crate::entry::Entries;
use crate::{Cell, Dot};

/// Where the entries of cells are kept.
pub trait Rows {
    /// Why entries could not be read.
    type Error;

    /// The entries of `cell`; none where nothing is stored.
    ///
    /// # Errors
    /// Where the row could not be read. A read error is never "nothing there".
    fn entries(&mut self, cell: &Cell) -> Result<Entries, Self::Error>;

    /// From now on `cell` holds `entries`; where there are none, the row goes.
    fn set_entries(&mut self, cell: &Cell, entries: Entries);

    /// Every cell in `scope` that holds entries.
    ///
    /// # Errors
    /// Where the rows could not be read.
    fn cells(&mut self, scope: Scope) -> Result<Vec<Cell>, Self::Error>;
}

/// What became of a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was new and is in the rows and the context now.
    Fresh,
    /// Its dot was in the context already; nothing changed.
    Known,
    /// An open exchange will bring it; it waits, and is not held yet.
    Deferred,
}

/// A replica's context and early removals at one instant: what it knows of any dot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knowledge {
    /// The operations applied.
    pub context: Context,
    /// The entries removed before their adds arrived.
    pub early: Early,
}

impl Knowledge {
    /// Whether an entry of `dot` missing from `cell` there is one that was removed, not one yet to come.
    pub fn covers(&self, cell: &Cell, dot: Dot) -> bool {
        self.context.contains(dot) || self.early.contains(cell, dot)
    }
}

/// The merge of one cell's entries on two replicas. It is symmetric: either may be "mine".
pub fn merge(
    cell: &Cell,
    mine: &Entries,
    my_knowledge: &Knowledge,
    theirs: &Entries,
    their_knowledge: &Knowledge,
) -> Entries {
    let mut merged = mine.clone();
    merged.retain(|entry| theirs.get(entry.dot).is_some() || !their_knowledge.covers(cell, entry.dot));
    for entry in theirs.iter().filter(|entry| !my_knowledge.covers(cell, entry.dot)) {
        merged.insert(entry.clone());
    }
    merged
}

/// An open state exchange.
#[derive(Clone, Debug)]
struct Session {
    brings: Context,
    waiting: Vec<Delta>,
    ahead: bool,
}

/// One replica of one partition.
#[derive(Clone, Debug, Default)]
pub struct Map {
    knowledge: Knowledge,
    digest: u64,
    ahead: bool,
    session: Option<Session>,
}

impl Map {
    /// A replica as it was stored: its knowledge, the digest of its rows, and whether any may run ahead.
    pub fn restore(knowledge: Knowledge, digest: u64, ahead: bool) -> Self {
        Self { knowledge, digest, ahead, session: None }
    }

    /// The operations applied here.
    pub fn context(&self) -> &Context {
        &self.knowledge.context
    }

    /// Context and early removals.
    pub fn knowledge(&self) -> &Knowledge {
        &self.knowledge
    }

    /// The sum of the fingerprints of all entries.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Whether some cell may hold more than the context says, so that only the digest proves equality.
    pub fn is_ahead(&self) -> bool {
        self.ahead
    }

    /// Applies one operation. Rows, context and early change together or not at all: everything is read
    /// before anything is written.
    ///
    /// # Errors
    /// Where a row could not be read; nothing has changed then.
    pub fn apply<R: Rows>(&mut self, delta: &Delta, rows: &mut R) -> Result<Applied, R::Error> {
        if self.context().contains(delta.dot) {
            return Ok(Applied::Known);
        }
        if let Some(session) = &mut self.session
            && session.brings.contains(delta.dot)
        {
            session.waiting.push(delta.clone());
            return Ok(Applied::Deferred);
        }
        let edited =
            delta.edits.iter().map(|edit| rows.entries(&edit.cell)).collect::<Result<Vec<_>, _>>()?;
        if let Some(sweep) = &delta.sweep {
            self.sweep(sweep, rows)?;
        }
        for (edit, entries) in delta.edits.iter().zip(edited) {
            self.edit(delta, edit, entries, rows);
        }
        self.knowledge.context.insert(delta.dot);
        self.note_early(delta);
        Ok(Applied::Fresh)
    }

    fn edit<R: Rows>(&mut self, delta: &Delta, edit: &Edit, mut entries: Entries, rows: &mut R) {
        let cell = &edit.cell;
        let mut changed = false;
        if let Some(payload) = &edit.add
            && !self.knowledge.early.contains(cell, delta.dot)
        {
            let entry = delta.entry(payload.clone());
            let fingerprint = entry.fingerprint(cell);
            if entries.insert(entry) {
                self.digest = self.digest.wrapping_add(fingerprint);
                changed = true;
            }
        }
        for removed in edit.removes.iter().filter_map(|dot| entries.remove(*dot)) {
            self.digest = self.digest.wrapping_sub(removed.fingerprint(cell));
            changed = true;
        }
        if changed {
            rows.set_entries(cell, entries);
        }
    }

    fn sweep<R: Rows>(&mut self, sweep: &Sweep, rows: &mut R) -> Result<(), R::Error> {
        for (cell, before) in swept_cells(sweep, rows)? {
            let mut after = before.clone();
            after.retain(|entry| !sweep.seen.contains(entry.dot));
            self.replace(&cell, &before, after, rows);
        }
        Ok(())
    }

    fn note_early(&mut self, delta: &Delta) {
        let Knowledge { context, early } = &mut self.knowledge;
        for edit in &delta.edits {
            for dot in edit.removes.iter().filter(|dot| !context.contains(**dot)) {
                early.insert(edit.cell.clone(), *dot);
            }
        }
        if let Some(sweep) = &delta.sweep {
            early.insert_sweep(sweep, context);
        }
        early.prune(context);
    }

    /// Writes a row and keeps the digest beside it.
    fn replace<R: Rows>(&mut self, cell: &Cell, before: &Entries, after: Entries, rows: &mut R) -> bool {
        if after == *before {
            return false;
        }
        let gone = before.iter().filter(|entry| after.get(entry.dot).is_none());
        let come = after.iter().filter(|entry| before.get(entry.dot).is_none());
        let lost = gone.fold(0u64, |sum, entry| sum.wrapping_add(entry.fingerprint(cell)));
        let won = come.fold(0u64, |sum, entry| sum.wrapping_add(entry.fingerprint(cell)));
        self.digest = self.digest.wrapping_sub(lost).wrapping_add(won);
        rows.set_entries(cell, after);
        true
    }

    /// Opens a state exchange with a peer's snapshot: takes over its early removals at once, and from now on
    /// defers the operations that the snapshot brings.
    ///
    /// # Errors
    /// Where a row could not be read; nothing has changed then.
    pub fn begin<R: Rows>(&mut self, theirs: &Knowledge, rows: &mut R) -> Result<(), R::Error> {
        let mut changes = Vec::new();
        for cell in theirs.early.single().map(|(cell, _)| cell) {
            changes.push((cell.clone(), rows.entries(cell)?));
        }
        for sweep in theirs.early.sweeps() {
            for (cell, entries) in swept_cells(&sweep, rows)? {
                changes.push((cell, entries));
            }
        }
        changes.sort_by(|a, b| a.0.cmp(&b.0));
        changes.dedup_by(|a, b| a.0 == b.0);
        let mut changed = false;
        for (cell, before) in changes {
            let mut after = before.clone();
            after.retain(|entry| !theirs.early.contains(&cell, entry.dot));
            changed |= self.replace(&cell, &before, after, rows);
        }
        self.knowledge.early.unite(&theirs.early);
        self.knowledge.early.prune(&self.knowledge.context);
        let brings = theirs.context.without(self.context());
        self.session = Some(Session { brings, waiting: Vec::new(), ahead: changed });
        Ok(())
    }

    /// Takes one cell of the snapshot of the open exchange.
    ///
    /// # Errors
    /// Where the row could not be read; nothing has changed then.
    pub fn take<R: Rows>(
        &mut self,
        cell: &Cell,
        theirs: &Entries,
        their_knowledge: &Knowledge,
        rows: &mut R,
    ) -> Result<(), R::Error> {
        let changed = self.merge_cell(cell, theirs, their_knowledge, rows)?;
        match &mut self.session {
            Some(session) => session.ahead |= changed,
            None => self.ahead |= changed,
        }
        Ok(())
    }

    /// Takes one cell as it is on a peer at some instant, outside of any exchange. From then on the cell may
    /// run ahead of the context.
    ///
    /// # Errors
    /// Where the row could not be read; nothing has changed then.
    pub fn mend<R: Rows>(
        &mut self,
        cell: &Cell,
        theirs: &Entries,
        their_knowledge: &Knowledge,
        rows: &mut R,
    ) -> Result<(), R::Error> {
        self.ahead |= self.merge_cell(cell, theirs, their_knowledge, rows)?;
        Ok(())
    }

    fn merge_cell<R: Rows>(
        &mut self,
        cell: &Cell,
        theirs: &Entries,
        their_knowledge: &Knowledge,
        rows: &mut R,
    ) -> Result<bool, R::Error> {
        let mine = rows.entries(cell)?;
        let merged = merge(cell, &mine, &self.knowledge, theirs, their_knowledge);
        Ok(self.replace(cell, &mine, merged, rows))
    }

    /// Ends an exchange in which every cell that differs was taken: unites the contexts and applies what waited.
    ///
    /// # Errors
    /// Where a row could not be read while applying what waited; those operations are then still to come.
    pub fn finish<R: Rows>(&mut self, theirs: &Knowledge, rows: &mut R) -> Result<(), R::Error> {
        self.knowledge.context.unite(&theirs.context);
        self.knowledge.early.unite(&theirs.early);
        self.knowledge.early.prune(&self.knowledge.context);
        let waiting = self.session.take().map_or_else(Vec::new, |session| session.waiting);
        self.release(&waiting, rows)
    }

    /// Gives up an exchange and applies what waited: cells already taken may run ahead of the context.
    ///
    /// # Errors
    /// As [`Map::finish`].
    pub fn abandon<R: Rows>(&mut self, rows: &mut R) -> Result<(), R::Error> {
        let Some(session) = self.session.take() else { return Ok(()) };
        self.ahead |= session.ahead;
        self.release(&session.waiting, rows)
    }

    fn release<R: Rows>(&mut self, waiting: &[Delta], rows: &mut R) -> Result<(), R::Error> {
        waiting.iter().try_for_each(|delta| self.apply(delta, rows).map(|_| ()))
    }

    /// The invariants at the head of this file, given every row.
    pub fn check<'a>(&self, rows: impl IntoIterator<Item = (&'a Cell, &'a Entries)>) {
        self.context().check();
        let mut digest = 0u64;
        for (cell, entries) in rows {
            entries.check();
            assert!(!entries.is_empty(), "an empty row is kept for {cell:?}");
            for entry in entries.iter() {
                digest = digest.wrapping_add(entry.fingerprint(cell));
                let known = self.ahead || self.context().contains(entry.dot);
                assert!(known, "{cell:?} holds {} that was never applied", entry.dot);
            }
        }
        assert_eq!(digest, self.digest, "the digest is not that of the rows");
        let mut early = self.knowledge.early.clone();
        assert!(!early.prune(self.context()), "early keeps what the context says");
    }
}

fn swept_cells<R: Rows>(sweep: &Sweep, rows: &mut R) -> Result<Vec<(Cell, Entries)>, R::Error> {
    let cells = rows.cells(sweep.scope)?;
    let mut swept = Vec::new();
    for cell in cells {
        let entries = rows.entries(&cell)?;
        if entries.dots().any(|dot| sweep.seen.contains(dot)) {
            swept.push((cell, entries));
        }
    }
    Ok(swept)
}
