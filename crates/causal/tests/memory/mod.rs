//! Rows in a map in memory, for the tests of the causal map. Not a store: nothing here is durable.
//!
//! 1. No row is kept without entries.
//! 2. Once the reads allowed are used up, every read fails.

use causal::map::Rows;
use causal::{Cell, Entries, Scope};
use std::collections::BTreeMap;

/// A read that was made to fail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// Rows in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MemoryRows {
    /// What there is.
    pub(crate) cells: BTreeMap<Cell, Entries>,
    /// How many more reads succeed; all of them where nothing is said.
    pub(crate) reads_left: Option<u32>,
}

impl MemoryRows {
    fn read(&mut self) -> Result<(), Unreadable> {
        match &mut self.reads_left {
            Some(0) => Err(Unreadable),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Rows for MemoryRows {
    type Error = Unreadable;

    fn entries(&mut self, cell: &Cell) -> Result<Entries, Unreadable> {
        self.read()?;
        Ok(self.cells.get(cell).cloned().unwrap_or_default())
    }

    fn set_entries(&mut self, cell: &Cell, entries: Entries, _change: u64) {
        if entries.is_empty() {
            self.cells.remove(cell);
        } else {
            self.cells.insert(cell.clone(), entries);
        }
    }

    fn cells(&mut self, scope: Scope) -> Result<Vec<Cell>, Unreadable> {
        self.read()?;
        Ok(self.cells.keys().filter(|cell| scope.covers(cell.key.database)).cloned().collect())
    }
}
