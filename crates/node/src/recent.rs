//! The operations that a replica has applied lately, whole, for owners that turn out to have missed them.
//!
//! In memory only and bounded: what is no longer here is mended by taking the cell instead. It is an economy,
//! not a promise: an owner that gets the operation keeps context and rows in step, one that takes the cell runs
//! ahead of its context until an exchange.

use causal::{Cell, Context, Delta, Dot, Edit};
use std::collections::{BTreeSet, VecDeque};

/// How many operations are kept for each partition.
const DELTAS_MAX: usize = 32;
/// Operations larger than this are not kept, in bytes of the values that they write.
const DELTA_BYTES_MAX: usize = 4 * 1024;

/// The last operations of one partition, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Recent(VecDeque<Delta>);

impl Recent {
    /// Keeps one more and lets the oldest go.
    pub(crate) fn push(&mut self, delta: Delta) {
        if delta.bytes_about() > DELTA_BYTES_MAX {
            return;
        }
        if self.0.len() == DELTAS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(delta);
    }

    /// The operations kept here that leave `cell` alone.
    pub(crate) fn idle(&self, cell: &Cell) -> Context {
        self.0.iter().filter(|delta| !touches(delta, cell)).map(|delta| delta.dot).collect()
    }

    /// The operations kept here that have seen the one of `dot` in `cell`: that removed it, or one that has seen it.
    pub(crate) fn seers(&self, cell: &Cell, dot: Dot) -> BTreeSet<Dot> {
        let mut seers = BTreeSet::from([dot]);
        loop {
            let sees = |edit: &Edit| edit.cell == *cell && edit.removes.iter().any(|dot| seers.contains(dot));
            let found: Vec<Dot> =
                self.0.iter().filter(|delta| delta.edits.iter().any(sees)).map(|delta| delta.dot).collect();
            let before = seers.len();
            seers.extend(found);
            if seers.len() == before {
                return seers;
            }
        }
    }

    /// Those that touch `cell` and that a replica with `context` has missed, oldest first.
    pub(crate) fn missed<'a>(
        &'a self,
        cell: &'a Cell,
        context: &'a Context,
    ) -> impl Iterator<Item = &'a Delta> {
        self.0.iter().filter(|delta| touches(delta, cell) && !context.contains(delta.dot))
    }
}

fn touches(delta: &Delta, cell: &Cell) -> bool {
    delta.sweep.is_some() || delta.edits.iter().any(|edit| edit.cell == *cell)
}
