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
//!    taken from a peer by an exchange not yet finished, or cut short, may run ahead of the context:
//!    [`Map::is_ahead`] says so from the first such cell on, so that a crash at any moment finds it stored.
//! 2. `digest` is the sum of the fingerprints of all entries.
//! 3. Nothing in early is in the context, but for what is noted of cells taken from a peer: that goes when an exchange ends.
//! 4. Nothing that early says was removed is in the rows.

use crate::context::Context;
use crate::delta::{Delta, Edit, Scope, Sweep};
use crate::early::Early;
use crate::entry::{Entries, Entry};
use crate::{Cell, Dot};
use std::collections::BTreeSet;

/// How many operations an open exchange keeps waiting. They matter only if it is abandoned, and whoever sent them
/// was told that they are not held: more are let go.
const WAITING_DELTAS_MAX: usize = 4_096;

/// Where the entries of cells are kept.
pub trait Rows {
    /// Why entries could not be read.
    type Error;

    /// The entries of `cell`; none where nothing is stored.
    ///
    /// # Errors
    /// Where the row could not be read. A read error is never "nothing there".
    fn entries(&mut self, cell: &Cell) -> Result<Entries, Self::Error>;

    /// From now on `cell` holds `entries`; where there are none, the row goes. `change` is by how much the sum of the
    /// fingerprints of its entries grows, wrapping.
    fn set_entries(&mut self, cell: &Cell, entries: Entries, change: u64);

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
    /// An open exchange will bring it; it is not held yet, and may never be if the exchange is abandoned.
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

impl Knowledge {
    /// Every operation of which it is known what it has left in `cell`.
    pub fn dots_of(&self, cell: &Cell) -> Context {
        let mut dots = self.early.dots_of(cell);
        dots.unite(&self.context);
        dots
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
    /// The peer's early removals of what was not applied here: they are taken over.
    early: Early,
    /// What goes at the end: that, and what the peer has swept and was perhaps never told of, so that its cell was not taken.
    gone: Early,
    waiting: Vec<Delta>,
    ahead: bool,
}

impl Session {
    fn defer(&mut self, delta: &Delta) {
        let is_known = self.waiting.iter().any(|waiting| waiting.dot == delta.dot);
        if !is_known && self.waiting.len() < WAITING_DELTAS_MAX {
            self.waiting.push(delta.clone());
        }
    }
}

/// A row about to lose some of its entries: read, and not written yet.
struct Rewrite {
    cell: Cell,
    entries: Entries,
    lost: u64,
}

impl Rewrite {
    /// The row without what `gone` says; nothing where that changes nothing.
    fn without(cell: Cell, mut entries: Entries, gone: impl Fn(&Entry) -> bool) -> Option<Self> {
        let (before, mut lost) = (entries.len(), 0u64);
        entries.retain(|entry| {
            let goes = gone(entry);
            if goes {
                lost = lost.wrapping_add(entry.fingerprint(&cell));
            }
            !goes
        });
        (entries.len() < before).then_some(Self { cell, entries, lost })
    }
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

    /// Whether some cell may say more than the context does, so that only the digest proves equality.
    pub fn is_ahead(&self) -> bool {
        self.ahead || self.session.as_ref().is_some_and(|session| session.ahead)
    }

    /// Notes that cells may say more than the context does. For whoever opens an exchange with a snapshot of a
    /// replica that was ahead itself: what its rows have already lost cannot be told from the rows.
    pub fn mark_ahead(&mut self) {
        self.ahead = true;
    }

    /// The early removals by which the end of the open exchange takes entries out.
    pub fn takes_out(&self) -> Option<&Early> {
        self.session.as_ref().map(|session| &session.gone)
    }

    /// The operations that wait until the open exchange is over.
    pub fn waiting(&self) -> &[Delta] {
        self.session.as_ref().map_or(&[], |session| &session.waiting)
    }

    /// Notes that a peer that is not ahead has applied and holds the same: no cell says more than the context does. Tells
    /// whether one might have until now.
    pub fn agrees(&mut self) -> bool {
        std::mem::take(&mut self.ahead)
    }

    /// The sweep of everything in `scope` that is held here: what was applied, and what is there ahead of that.
    ///
    /// # Errors
    /// Where the rows could not be read.
    pub fn sweep_of<R: Rows>(&self, scope: Scope, rows: &mut R) -> Result<Sweep, R::Error> {
        let mut seen = self.context().clone();
        if self.is_ahead() {
            for cell in rows.cells(scope)? {
                rows.entries(&cell)?.dots().for_each(|dot| seen.insert(dot));
            }
        }
        Ok(Sweep { scope, seen })
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
            session.defer(delta);
            return Ok(Applied::Deferred);
        }
        if cfg!(debug_assertions) {
            delta.check();
        }
        let swept = delta.sweep.as_ref().map_or(Ok(Vec::new()), |sweep| swept(sweep, rows))?;
        let edited =
            delta.edits.iter().map(|edit| rows.entries(&edit.cell)).collect::<Result<Vec<_>, _>>()?;
        for (edit, entries) in delta.edits.iter().zip(edited) {
            self.edit(delta, edit, entries, rows);
        }
        swept.into_iter().for_each(|row| self.write(row, rows));
        self.remember(delta);
        Ok(Applied::Fresh)
    }

    fn edit<R: Rows>(&mut self, delta: &Delta, edit: &Edit, mut entries: Entries, rows: &mut R) {
        let cell = &edit.cell;
        let mut change = 0u64;
        if let Some(payload) = &edit.add
            && !self.knowledge.early.contains(cell, delta.dot)
        {
            let entry = delta.entry(payload.clone());
            let fingerprint = entry.fingerprint(cell);
            if entries.insert(entry) {
                change = change.wrapping_add(fingerprint);
            }
        }
        for removed in edit.removes.iter().filter_map(|dot| entries.remove(*dot)) {
            change = change.wrapping_sub(removed.fingerprint(cell));
        }
        self.digest = self.digest.wrapping_add(change);
        // Even where nothing changed: a reader waits for the row, and what it is told rests on this operation too.
        rows.set_entries(cell, entries, change);
    }

    /// The operation is in the context from now on, and early holds what it removed of operations still to come.
    fn remember(&mut self, delta: &Delta) {
        let Knowledge { context, early } = &mut self.knowledge;
        context.insert(delta.dot);
        early.forget(delta.dot);
        for edit in &delta.edits {
            early.prune_taken(&edit.cell, context);
        }
        for edit in &delta.edits {
            for dot in edit.removes.iter().filter(|dot| !context.contains(**dot)) {
                early.insert(&edit.cell, *dot);
            }
        }
        if let Some(sweep) = &delta.sweep {
            early.insert_sweep(sweep, context);
        }
    }

    fn write<R: Rows>(&mut self, row: Rewrite, rows: &mut R) {
        self.digest = self.digest.wrapping_sub(row.lost);
        rows.set_entries(&row.cell, row.entries, row.lost.wrapping_neg());
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
        let change = won.wrapping_sub(lost);
        self.digest = self.digest.wrapping_add(change);
        rows.set_entries(cell, after, change);
        true
    }

    /// Opens a state exchange with a peer's snapshot: from now on the operations that the snapshot brings are deferred. An
    /// exchange that is still open is abandoned.
    ///
    /// # Errors
    /// As [`Map::abandon`].
    pub fn begin<R: Rows>(&mut self, theirs: &Knowledge, rows: &mut R) -> Result<(), R::Error> {
        self.abandon(rows)?;
        let brings = theirs.context.without(self.context());
        let mut early = theirs.early.clone();
        early.prune(self.context());
        let swept = if brings.is_empty() { Early::default() } else { theirs.early.swept_alone() };
        let mut gone = early.clone();
        gone.unite(&swept);
        self.session = Some(Session { brings, early, gone, waiting: Vec::new(), ahead: false });
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
        let mine = rows.entries(cell)?;
        let merged = merge(cell, &mine, &self.knowledge, theirs, their_knowledge);
        // An entry that neither of the two has applied: the peer was ahead itself, and no exchange ends that.
        let applied = |dot| self.context().contains(dot) || their_knowledge.context.contains(dot);
        let beyond_both = !merged.dots().all(applied);
        self.ahead |= beyond_both;
        // What has removed them comes with the cell, so they are gone with it: neither sooner nor later.
        let early = self.session.as_ref().map_or(&their_knowledge.early, |session| &session.early);
        let gone = early.dots_of(cell).without(self.context());
        let noted = self.note(cell, &gone);
        let changed = self.replace(cell, &mine, merged, rows) || noted;
        match &mut self.session {
            Some(session) => session.ahead |= changed,
            None => self.ahead |= changed,
        }
        Ok(())
    }

    /// Takes one cell as it is on a peer at some instant, outside of any exchange. From then on the cell may
    /// run ahead of the context.
    ///
    /// `is_brought` says whether an exchange that is open has brought the cell already: then it is as its snapshot says,
    /// and what the snapshot's replica had applied counts as known here. Otherwise the exchange may still take out again
    /// what is taken now.
    ///
    /// # Errors
    /// Where the row could not be read; nothing has changed then.
    pub fn mend<R: Rows>(
        &mut self,
        cell: &Cell,
        theirs: &Entries,
        their_knowledge: &Knowledge,
        is_brought: bool,
        rows: &mut R,
    ) -> Result<Applied, R::Error> {
        let mine = rows.entries(cell)?;
        let merged = match self.session.as_ref().filter(|_| is_brought) {
            Some(session) => {
                let mut knowledge = self.knowledge.clone();
                knowledge.context.unite(&session.brings);
                merge(cell, &mine, &knowledge, theirs, their_knowledge)
            }
            None => merge(cell, &mine, &self.knowledge, theirs, their_knowledge),
        };
        let noted = self.note_taken(cell, &merged, their_knowledge);
        let changed = self.replace(cell, &mine, merged, rows) || noted;
        self.ahead |= changed;
        Ok(if changed { Applied::Fresh } else { Applied::Known })
    }

    /// Remembers that what the peer had applied, and this replica has not, is in a cell just mended or never will
    /// be. A reader may have been told so already, and a late operation must not put back what it was told is gone.
    /// An exchange needs no such note of what its snapshot brings: it defers those operations.
    fn note_taken(&mut self, cell: &Cell, merged: &Entries, theirs: &Knowledge) -> bool {
        let mut seen = theirs.early.dots_of(cell);
        seen.unite(&theirs.context);
        let seen = seen.without(self.context()).without(&merged.dots().collect());
        self.note(cell, &seen)
    }

    /// Notes that of these operations a cell has all that there is; tells whether that is news.
    fn note(&mut self, cell: &Cell, seen: &Context) -> bool {
        let is_noted = |noted: &Context| seen.without(noted).is_empty();
        if seen.is_empty() || self.knowledge.early.taken_of(cell).is_some_and(is_noted) {
            return false;
        }
        self.knowledge.early.insert_taken(cell, seen);
        true
    }

    /// Ends an exchange in which every cell that differs was taken: takes over the peer's early removals, unites the
    /// contexts and applies what waited. Where none is open (it was abandoned meanwhile) nothing happens: contexts unite
    /// only over cells taken.
    ///
    /// Early removals come last, together with what has removed: taken over at once, they would show a cell without what
    /// was put there in the place of what they remove.
    ///
    /// # Errors
    /// Where a row could not be read: either nothing has changed and the exchange is open, or what could not be applied
    /// of what waited is still to come.
    pub fn finish<R: Rows>(&mut self, theirs: &Knowledge, rows: &mut R) -> Result<(), R::Error> {
        let Some(session) = &self.session else { return Ok(()) };
        let removed = removed_early(&session.gone, rows)?;
        removed.into_iter().for_each(|row| self.write(row, rows));
        let Some(session) = self.session.take() else { return Ok(()) };
        self.knowledge.early.unite(&session.early);
        let brought = session.brings.without(&theirs.context);
        debug_assert!(
            brought.is_empty(),
            "an exchange was finished with another snapshot than it began with"
        );
        self.knowledge.context.unite(&session.brings);
        self.knowledge.early.prune(&self.knowledge.context);
        self.release(&session.waiting, rows)
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
                let known = self.is_ahead() || self.context().contains(entry.dot);
                assert!(known, "{cell:?} holds {} that was never applied", entry.dot);
                let removed = self.knowledge.early.contains(cell, entry.dot);
                assert!(!removed, "{cell:?} holds {} that early says was removed", entry.dot);
            }
        }
        assert_eq!(digest, self.digest, "the digest is not that of the rows");
        self.knowledge.early.check(self.context());
    }
}

/// Every row that these early removals take something out of.
fn removed_early<R: Rows>(early: &Early, rows: &mut R) -> Result<Vec<Rewrite>, R::Error> {
    let mut cells: BTreeSet<Cell> = early.single().map(|(cell, _)| cell.clone()).collect();
    cells.extend(early.taken().map(|(cell, _)| cell.clone()));
    for sweep in early.sweeps() {
        cells.extend(rows.cells(sweep.scope)?);
    }
    let mut removed = Vec::new();
    for cell in cells {
        let entries = rows.entries(&cell)?;
        removed.extend(Rewrite::without(cell.clone(), entries, |entry| early.contains(&cell, entry.dot)));
    }
    Ok(removed)
}

/// Every row that the sweep takes something out of. Only what stays is kept in memory, mostly nothing.
fn swept<R: Rows>(sweep: &Sweep, rows: &mut R) -> Result<Vec<Rewrite>, R::Error> {
    let mut swept = Vec::new();
    for cell in rows.cells(sweep.scope)? {
        let entries = rows.entries(&cell)?;
        swept.extend(Rewrite::without(cell, entries, |entry| sweep.seen.contains(entry.dot)));
    }
    Ok(swept)
}
