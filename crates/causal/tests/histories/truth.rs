//! What replicas must hold, worked out from the operations alone: no contexts, no merges, no order.
//!
//! An operation adds entries, and each entry is removed by some later operations; a replica is the set of operations
//! that reached it. An entry is due where its operation did and none of those that remove it.

use causal::map::Map;
use causal::{Delta, Dot, Scope};

use super::world::{Place, database_of, place_of};
use crate::memory::MemoryRows;

type Entry = (Place, Dot);

struct Operation {
    dot: Dot,
    adds: Vec<Added>,
}

/// An entry that an operation adds to a place, and the operations that remove it.
struct Added {
    place: Place,
    removers: Vec<usize>,
}

/// Every operation of a history, in the order in which they were made.
#[derive(Default)]
pub(crate) struct Truth(Vec<Operation>);

/// Which operations of a history reached a replica.
#[derive(Clone, Default)]
pub(crate) struct Reached(Vec<bool>);

impl Reached {
    /// The operation of that number got there.
    pub(crate) fn insert(&mut self, number: usize) {
        if self.0.len() <= number {
            self.0.resize(number + 1, false);
        }
        self.0[number] = true;
    }

    /// So did all of `other`.
    pub(crate) fn unite(&mut self, other: &Self) {
        (0..other.0.len()).filter(|number| other.0[*number]).for_each(|number| self.insert(number));
    }

    fn has(&self, number: usize) -> bool {
        self.0.get(number).copied().unwrap_or(false)
    }
}

impl Truth {
    /// Notes an operation, made after all those noted before, and tells its number.
    pub(crate) fn note(&mut self, delta: &Delta) -> usize {
        let number = self.0.len();
        for operation in &mut self.0 {
            let dot = operation.dot;
            for added in &mut operation.adds {
                let edits = delta.edits.iter().filter(|edit| place_of(&edit.cell) == added.place);
                let sweep = delta.sweep.iter().find(|sweep| is_in(sweep.scope, added.place));
                if edits.flat_map(|edit| &edit.removes).any(|removed| *removed == dot)
                    || sweep.is_some_and(|sweep| sweep.seen.contains(dot))
                {
                    added.removers.push(number);
                }
            }
        }
        let adds = delta.edits.iter().filter(|edit| edit.add.is_some());
        let adds = adds.map(|edit| Added { place: place_of(&edit.cell), removers: Vec::new() }).collect();
        self.0.push(Operation { dot: delta.dot, adds });
        number
    }

    /// Every operation.
    pub(crate) fn everything(&self) -> Reached {
        Reached(vec![true; self.0.len()])
    }

    /// What a replica that the operations `reached` must hold, in whatever order they came.
    pub(crate) fn rows(&self, reached: &Reached) -> Vec<Entry> {
        let mut rows = Vec::new();
        for (number, operation) in self.0.iter().enumerate() {
            if reached.has(number) {
                let due =
                    operation.adds.iter().filter(|added| !added.removers.iter().any(|at| reached.has(*at)));
                rows.extend(due.map(|added| (added.place, operation.dot)));
            }
        }
        rows.sort_unstable();
        rows
    }

    /// Whether `map` and `rows` are what they must be after the operations `reached`; otherwise what is wrong.
    pub(crate) fn judge(&self, map: &Map, rows: &MemoryRows, reached: &Reached) -> Result<(), String> {
        map.check(&rows.cells);
        let mut count = 0;
        for (number, operation) in self.0.iter().enumerate().filter(|(number, _)| reached.has(*number)) {
            count += 1;
            if !map.context().contains(operation.dot) {
                return Err(format!("the context lacks {}, operation {number}", operation.dot));
            }
        }
        if map.context().len() != count {
            return Err(format!("{count} operations were applied, not {}", map.context().len()));
        }
        let (held, due) = (entries_of(rows), self.rows(reached));
        if map.is_ahead() {
            self.judge_ahead(map, &held, &due)
        } else if held == due {
            Ok(())
        } else {
            Err(format!("rows are {held:?}, should be {due:?}"))
        }
    }

    /// A replica that runs ahead may hold what it has not applied and lack what something unapplied removed. What it
    /// has applied and seen removed never comes back, and nothing goes without being removed by some operation.
    fn judge_ahead(&self, map: &Map, held: &[Entry], due: &[Entry]) -> Result<(), String> {
        let is_back = |entry: &&Entry| map.context().contains(entry.1) && due.binary_search(entry).is_err();
        let is_gone = |entry: &&Entry| held.binary_search(entry).is_err() && !self.is_removed_by_any(**entry);
        match (held.iter().find(is_back), due.iter().find(is_gone)) {
            (None, None) => Ok(()),
            (Some(entry), _) => Err(format!("{entry:?} came back")),
            (_, Some(entry)) => Err(format!("{entry:?} went and nothing removed it")),
        }
    }

    fn is_removed_by_any(&self, (place, dot): Entry) -> bool {
        let adds =
            self.0.iter().filter(|operation| operation.dot == dot).flat_map(|operation| &operation.adds);
        adds.filter(|added| added.place == place).any(|added| !added.removers.is_empty())
    }
}

/// Whether a place is in the scope: said once more here, so that the crate's own word for it is not believed.
fn is_in(scope: Scope, place: Place) -> bool {
    match scope {
        Scope::All => true,
        Scope::Database(database) => database == database_of(place),
    }
}

fn entries_of(rows: &MemoryRows) -> Vec<Entry> {
    let mut held = Vec::new();
    for (cell, entries) in &rows.cells {
        held.extend(entries.dots().map(|dot| (place_of(cell), dot)));
    }
    held.sort_unstable();
    held
}
