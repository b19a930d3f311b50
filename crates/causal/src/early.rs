//! Early removals: entries removed here before the operation that adds them arrived.
//!
//! Nearly always empty, but where a node stands in for an owner: of what it is told to remove it has been told little. A
//! removal leaves as soon as its dot enters the context: from then on the context says it.
//!
//! A cell that was taken from a peer brings with it what the peer had applied and this replica has not: of those
//! operations, what the cell does not hold is not in it, and their deltas, when they come at last, must not put
//! it back. These are kept for each such cell until an exchange unites the contexts.

use crate::codec::{Malformed, Reader, put_varint};
use crate::context::Context;
use crate::delta::{Scope, Sweep};
use crate::{Cell, Dot, Key};
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, BTreeSet};

/// Removals that came before their adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Early {
    single: BTreeSet<(Dot, Cell)>,
    /// The same by cell: whoever stands in for an owner has many of them.
    by_cell: BTreeMap<Cell, BTreeSet<Dot>>,
    swept: BTreeMap<Scope, Context>,
    taken: BTreeMap<Cell, Context>,
}

/// The cell, without keeping in memory whatever large frame its names are part of.
fn kept(cell: &Cell) -> Cell {
    let own = Bytes::copy_from_slice;
    let key = Key { name: own(&cell.key.name), ..cell.key.clone() };
    Cell { key, kind: cell.kind, subkey: own(&cell.subkey) }
}

impl Early {
    /// Whether the entry of `dot` in `cell` was removed.
    pub fn contains(&self, cell: &Cell, dot: Dot) -> bool {
        if self.is_empty() {
            return false;
        }
        let swept =
            || self.swept.iter().any(|(scope, seen)| scope.covers(cell.key.database) && seen.contains(dot));
        let taken = || self.taken.get(cell).is_some_and(|seen| seen.contains(dot));
        taken() || swept() || self.is_noted(cell, dot)
    }

    /// Whether nothing is awaited.
    pub fn is_empty(&self) -> bool {
        self.single.is_empty() && self.swept.is_empty() && self.taken.is_empty()
    }

    /// Notes one removal.
    pub fn insert(&mut self, cell: &Cell, dot: Dot) {
        let cell = kept(cell);
        self.by_cell.entry(cell.clone()).or_default().insert(dot);
        self.single.insert((dot, cell));
    }

    fn remove(&mut self, cell: &Cell, dot: Dot) {
        self.single.remove(&(dot, cell.clone()));
        if let Some(dots) = self.by_cell.get_mut(cell) {
            dots.remove(&dot);
            if dots.is_empty() {
                self.by_cell.remove(cell);
            }
        }
    }

    /// Whether this one removal is noted.
    pub fn is_noted(&self, cell: &Cell, dot: Dot) -> bool {
        self.by_cell.get(cell).is_some_and(|dots| dots.contains(&dot))
    }

    /// The cells of which the entry of `dot` was removed, of each by itself.
    pub fn cells_of(&self, dot: Dot) -> impl Iterator<Item = &Cell> {
        let least = (dot, Cell::string(Key::new(0, Bytes::new())));
        self.single.range(least..).take_while(move |(of, _)| *of == dot).map(|(_, cell)| cell)
    }

    /// Notes a sweep, but for what `applied` holds.
    pub fn insert_sweep(&mut self, sweep: &Sweep, applied: &Context) {
        let awaited = sweep.seen.without(applied);
        if !awaited.is_empty() {
            self.swept.entry(sweep.scope).or_default().unite(&awaited);
        }
    }

    /// Notes that, of the operations in `seen`, a cell taken from a peer has all that there is.
    pub fn insert_taken(&mut self, cell: &Cell, seen: &Context) {
        match self.taken.get_mut(cell) {
            _ if seen.is_empty() => {}
            Some(noted) => noted.unite(seen),
            None => {
                self.taken.insert(kept(cell), seen.clone());
            }
        }
    }

    /// Forgets what `applied` says by now of one cell that was taken from a peer; tells whether that is anything.
    pub fn prune_taken(&mut self, cell: &Cell, applied: &Context) -> bool {
        let Some(noted) = self.taken.get_mut(cell) else { return false };
        let left = noted.without(applied);
        let is_less = left != *noted;
        if left.is_empty() {
            self.taken.remove(cell);
        } else {
            *noted = left;
        }
        is_less
    }

    /// The cells that were taken from a peer, with the operations that they had not to wait for.
    pub fn taken(&self) -> impl Iterator<Item = (&Cell, &Context)> {
        self.taken.iter()
    }

    /// What is noted of one cell that was taken from a peer.
    pub fn taken_of(&self, cell: &Cell) -> Option<&Context> {
        self.taken.get(cell)
    }

    /// The sweeps alone, for whoever keeps each of the rest in a place of its own.
    #[must_use]
    pub fn swept_alone(&self) -> Self {
        Self { swept: self.swept.clone(), ..Self::default() }
    }

    /// Every operation of which nothing is awaited in `cell`.
    pub fn dots_of(&self, cell: &Cell) -> Context {
        let mut dots: Context = self.by_cell.get(cell).into_iter().flatten().copied().collect();
        let swept = self.swept.iter().filter(|(scope, _)| scope.covers(cell.key.database));
        swept.for_each(|(_, seen)| dots.unite(seen));
        self.taken.get(cell).into_iter().for_each(|seen| dots.unite(seen));
        dots
    }

    /// Takes over everything that `other` awaits.
    pub fn unite(&mut self, other: &Self) {
        other.single.iter().for_each(|(dot, cell)| self.insert(cell, *dot));
        for (scope, seen) in &other.swept {
            self.swept.entry(*scope).or_default().unite(seen);
        }
        other.taken.iter().for_each(|(cell, seen)| self.insert_taken(cell, seen));
    }

    /// Forgets the removals of one operation's entries: it has been applied, and the context says it.
    pub fn forget(&mut self, dot: Dot) {
        if self.is_empty() {
            return;
        }
        for cell in self.cells_of(dot).cloned().collect::<Vec<_>>() {
            self.remove(&cell, dot);
        }
        let applied = Context::from_iter([dot]);
        for seen in self.swept.values_mut().filter(|seen| seen.contains(dot)) {
            *seen = seen.without(&applied);
        }
        self.swept.retain(|_, seen| !seen.is_empty());
    }

    /// Forgets what `applied` says by now.
    pub fn prune(&mut self, applied: &Context) {
        let known = self.single.iter().filter(|(dot, _)| applied.contains(*dot)).cloned();
        for (dot, cell) in known.collect::<Vec<_>>() {
            self.remove(&cell, dot);
        }
        self.swept.values_mut().for_each(|seen| *seen = seen.without(applied));
        self.swept.retain(|_, seen| !seen.is_empty());
        self.taken.values_mut().for_each(|seen| *seen = seen.without(applied));
        self.taken.retain(|_, seen| !seen.is_empty());
    }

    /// Nothing here may be said by `applied`, and no sweep is kept that awaits nothing.
    pub fn check(&self, applied: &Context) {
        let known = self.single.iter().find(|(dot, _)| applied.contains(*dot));
        assert!(known.is_none(), "early keeps what the context says: {known:?}");
        for (scope, seen) in &self.swept {
            seen.check();
            assert!(
                !seen.is_empty() && seen.without(applied) == *seen,
                "early keeps a sweep of {scope:?}: {seen:?}"
            );
        }
    }

    /// What concerns one cell.
    #[must_use]
    pub fn of(&self, cell: &Cell) -> Self {
        let covers = |(scope, _): &(&Scope, &Context)| scope.covers(cell.key.database);
        let swept = self.swept.iter().filter(covers).map(|(scope, seen)| (*scope, seen.clone())).collect();
        let taken = self.taken.get(cell).map(|seen| (cell.clone(), seen.clone())).into_iter().collect();
        let mut early = Self { swept, taken, ..Self::default() };
        self.by_cell.get(cell).into_iter().flatten().for_each(|dot| early.insert(cell, *dot));
        early
    }

    /// The single removals.
    pub fn single(&self) -> impl Iterator<Item = (&Cell, &Dot)> {
        self.single.iter().map(|(dot, cell)| (cell, dot))
    }

    /// The sweeps.
    pub fn sweeps(&self) -> impl Iterator<Item = Sweep> {
        self.swept.iter().map(|(scope, seen)| Sweep { scope: *scope, seen: seen.clone() })
    }

    /// Appends everything awaited.
    pub fn encode(&self, out: &mut BytesMut) {
        put_varint(out, self.single.len() as u64);
        for (dot, cell) in &self.single {
            cell.encode(out);
            dot.encode(out);
        }
        put_varint(out, self.swept.len() as u64);
        for (scope, seen) in &self.swept {
            scope.encode(out);
            seen.encode(out);
        }
        put_varint(out, self.taken.len() as u64);
        for (cell, seen) in &self.taken {
            cell.encode(out);
            seen.encode(out);
        }
    }

    /// Reads it back.
    pub fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let mut early = Self::default();
        for _ in 0..reader.count(Cell::BYTES_MIN + Dot::BYTES_MIN)? {
            let cell = Cell::decode(reader)?;
            early.insert(&cell, Dot::decode(reader)?);
        }
        for _ in 0..reader.count(2)? {
            let scope = Scope::decode(reader)?;
            let seen = Context::decode(reader)?;
            if seen.is_empty() || early.swept.insert(scope, seen).is_some() {
                return Err(reader.malformed());
            }
        }
        for _ in 0..reader.count(Cell::BYTES_MIN + 2)? {
            let cell = Cell::decode(reader)?;
            let seen = Context::decode(reader)?;
            if seen.is_empty() || early.taken.insert(cell, seen).is_some() {
                return Err(reader.malformed());
            }
        }
        Ok(early)
    }
}
