//! A partition as it was at one instant, for an owner that takes over what it lacks.
//!
//! Nothing is copied when it is made: from then on a cell that is about to change is kept here as it was, and a leaf
//! whose sum changes with its sum. So a snapshot costs what changes while it is open. One that costs too much, or that
//! nobody asks for any more, is given up; its taker opens another.
//!
//! Invariant: what is read of a snapshot is what the replica held when it was opened.

use crate::leaf::{FANOUT, Leaf};
use crate::leaves::Sums;
use causal::map::Knowledge;
use causal::{Cell, Context, Entries};
use std::collections::BTreeMap;
use wire::peer::Ticket;
use wire::peer::quorum::Counts;

/// What one snapshot may cost, in bytes.
const SNAPSHOT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// Its name.
    pub(crate) name: Ticket,
    /// What was known.
    pub(crate) knowledge: Knowledge,
    /// For which quorums the replica counted.
    pub(crate) counts: Counts,
    /// What its taker had applied.
    pub(crate) taker: Context,
    /// When it was asked for last, in milliseconds.
    pub(crate) used_at: u64,
    sums: BTreeMap<Leaf, u64>,
    cells: BTreeMap<(Leaf, Cell), Entries>,
    bytes: usize,
}

impl Snapshot {
    pub(crate) fn new(
        name: Ticket,
        (knowledge, counts): (Knowledge, Counts),
        taker: Context,
        used_at: u64,
    ) -> Self {
        Self {
            name,
            knowledge,
            counts,
            taker,
            used_at,
            sums: BTreeMap::new(),
            cells: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// Keeps a cell that is about to change, and the sum of its leaf; tells whether there is room for it.
    pub(crate) fn keep(&mut self, leaf: Leaf, sum: u64, cell: &Cell, entries: &Entries) -> bool {
        self.sums.entry(leaf).or_insert(sum);
        self.cells.entry((leaf, cell.clone())).or_insert_with(|| {
            self.bytes += 64 + cell.key.name.len() + cell.subkey.len() + entries.bytes_about();
            entries.clone()
        });
        self.bytes <= SNAPSHOT_BYTES_MAX
    }

    /// The sums of the leaves of a chunk, from what they are now.
    pub(crate) fn sums(&self, chunk: u8, mut now: Sums) -> Sums {
        for (leaf, sum) in self.sums.range(Leaf::at(chunk, 0)..=Leaf::at(chunk, FANOUT - 1)) {
            now[leaf.number()] = *sum;
        }
        now
    }

    /// The cells of a leaf, from what they are now.
    pub(crate) fn cells(&self, leaf: Leaf, now: Vec<(Cell, Entries)>) -> BTreeMap<Cell, Entries> {
        let mut cells: BTreeMap<Cell, Entries> = now.into_iter().collect();
        for ((of, cell), entries) in &self.cells {
            if *of == leaf && entries.is_empty() {
                cells.remove(cell);
            } else if *of == leaf {
                cells.insert(cell.clone(), entries.clone());
            }
        }
        cells
    }
}
