//! How a partition lies in storage, and the causal map's view of it.
//!
//! ```text
//! 'c' partition actor                              what was applied of that actor, and its share of the sums
//! 'd' position database length key kind subkey     the entries of one cell
//! 'e' partition                                    early sweeps, and whether any row may run ahead
//! 'r' partition actor n cell                       one early removal
//! 't' partition cell                               what a cell that was taken from a peer need not wait for
//! 'h' partition                                    what is noted where this node stands in for owners (`hints`)
//! 'p' partition                                    in which step of its move it has learned enough (`moving`)
//! 'v' 0                                            what the voter on this disk has promised and accepted (`register`)
//! 'm' partition chunk                              the sums of 64 leaves, where nothing has changed since (`leaves`)
//! ```
//!
//! Numbers are big endian, so rows lie in the order of positions: a partition, a leaf of a Merkle tree and a
//! transfer are each one contiguous range. An operation changes the row of its cell and the one small row of
//! its actor, whatever the size of the context. The storage packs those small rows (`store::Store::pack`), so that a
//! batch writes one row for all of them.

use crate::leaf::Leaf;
use crate::row_names::{data_end, data_prefix, data_row, decode_data_row, row_position};
use bytes::{Bytes, BytesMut};
use causal::codec::{Malformed, Reader};
use causal::map::Rows;
use causal::{Cell, Entries, Scope};
use placement::{Keyspace, PartitionId, Position};
use std::collections::BTreeMap;
use store::{Commit, StoreError};
use thiserror::Error;

/// The storage of a shard, over whichever engine.
pub type Storage = store::Store<dyn store::Engine>;

/// How many rows one scan of the storage brings at a time.
pub(crate) const SCAN_ROWS: usize = 1024;

/// How many rows read in one event are searched one by one; beyond, their places are kept in order.
const READ_SEARCHED_MAX: usize = 16;

/// The commit that makes everything durable that was written so far.
pub(crate) fn everything(store: &Storage) -> Commit {
    let open = store.open_commit();
    if store.is_dirty() { open } else { Commit(open.0.saturating_sub(1)) }
}

/// A row that could not be read. Never to be taken for "nothing there".
#[derive(Debug, Error)]
pub enum RowError {
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The row holds something that no version of this program wrote.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl RowError {
    /// Whether something that is stored is not what was stored.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(self, Self::Malformed(_) | Self::Store(StoreError::Read(_)))
    }
}

/// A cell as it was read: its row's name and what it holds.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) cell: Cell,
    pub(crate) row: Bytes,
    pub(crate) entries: Entries,
}

/// The storage of one partition, for the length of one event.
pub(crate) struct Shelf<'a> {
    pub(crate) store: &'a mut Storage,
    pub(crate) keyspace: &'a Keyspace,
    pub(crate) partition: PartitionId,
    /// The newest commit that anything read here depends on.
    pub(crate) after: Commit,
    /// How the number of keys changed here, for each database.
    pub(crate) keys: BTreeMap<u8, i64>,
    /// Where rows changed here, and by how much the sum of their entries' fingerprints did.
    pub(crate) changes: Vec<(Position, u64)>,
    /// How many cells were read here in scans.
    pub(crate) scanned: u64,
    /// The rows read here, so that writing one again need not find its place again.
    read: Vec<(Cell, Bytes, bool)>,
    /// Where each of them is, once they are many, as in a sweep.
    places: BTreeMap<Cell, usize>,
    /// A cell that need not be read again, because nothing was written since.
    seen: Option<Seen>,
}

impl<'a> Shelf<'a> {
    pub(crate) fn new(store: &'a mut Storage, keyspace: &'a Keyspace, partition: PartitionId) -> Self {
        let keys = BTreeMap::new();
        Self {
            store,
            keyspace,
            partition,
            after: Commit::default(),
            keys,
            changes: Vec::new(),
            scanned: 0,
            read: Vec::new(),
            places: BTreeMap::new(),
            seen: None,
        }
    }

    /// The same shelf, a moment later in the same event: nothing may have been written since `seen` was read.
    pub(crate) fn with(mut self, seen: Option<Seen>) -> Self {
        self.seen = seen;
        self
    }

    /// Reads a cell that is to be changed next.
    pub(crate) fn see(&mut self, cell: &Cell) -> Result<Seen, RowError> {
        let row = data_row(self.keyspace, cell);
        let entries = self.read_row(&row)?;
        Ok(Seen { cell: cell.clone(), row, entries })
    }

    /// The entries of a cell; [`Shelf::after`] then covers them.
    pub(crate) fn get(&mut self, cell: &Cell) -> Result<Entries, RowError> {
        let known = self.seen.take_if(|seen| seen.cell == *cell);
        let Seen { cell, row, entries } = known.map_or_else(|| self.see(cell), Ok)?;
        self.note_read(cell, row, !entries.is_empty());
        Ok(entries)
    }

    fn note_read(&mut self, cell: Cell, row: Bytes, is_there: bool) {
        if let Some(at) = self.place(&cell) {
            self.read[at].2 = is_there;
            return;
        }
        if self.read.len() == READ_SEARCHED_MAX {
            self.places = self.read.iter().map(|(cell, ..)| cell.clone()).zip(0..).collect();
        }
        if self.read.len() >= READ_SEARCHED_MAX {
            self.places.insert(cell.clone(), self.read.len());
        }
        if self.read.is_empty() {
            // Nearly always there is no second one, and a vector would begin with room for four.
            self.read.reserve_exact(1);
        }
        self.read.push((cell, row, is_there));
    }

    fn place(&self, cell: &Cell) -> Option<usize> {
        if self.read.len() <= READ_SEARCHED_MAX {
            self.read.iter().position(|(read, ..)| read == cell)
        } else {
            self.places.get(cell).copied()
        }
    }

    fn read_row(&mut self, row: &Bytes) -> Result<Entries, RowError> {
        let (value, after) = self.store.get(row)?;
        self.after = self.after.max(after);
        value.map_or_else(|| Ok(Entries::default()), decode_entries)
    }

    /// The leaf of a cell.
    pub(crate) fn leaf(&self, cell: &Cell) -> Leaf {
        self.leaf_at(self.keyspace.position(cell.key.database, &cell.key.name))
    }

    /// The leaf of a position.
    pub(crate) fn leaf_at(&self, position: Position) -> Leaf {
        Leaf::of(self.keyspace, self.partition, position)
    }

    /// Every cell between two positions, both included, in their order.
    pub(crate) fn between(
        &mut self,
        (first, last): (Position, Position),
    ) -> Result<Vec<(Cell, Entries)>, RowError> {
        let (mut from, end) = (data_prefix(first), data_end(last));
        let mut all = Vec::new();
        loop {
            let rows = self.scan_rows(&from, &end, SCAN_ROWS)?;
            let is_last = rows.len() < SCAN_ROWS;
            from = rows.last().map_or(from, |(row, _)| [row.as_ref(), &[0]].concat().into());
            for (row, value) in rows {
                all.push((decode_data_row(row)?, decode_entries(value)?));
            }
            if is_last {
                self.scanned += all.len() as u64;
                return Ok(all);
            }
        }
    }

    /// The rows of this partition's cells from `from` on, at most `limit` of them.
    pub(crate) fn scan(&mut self, from: Position, limit: usize) -> Result<Vec<(Cell, Entries)>, RowError> {
        let (first, last) = self.keyspace.range(self.partition);
        let from = data_prefix(Position(from.0.max(first.0)));
        let rows = self.scan_rows(&from, &data_end(last), limit)?;
        rows.into_iter().map(|(row, value)| Ok((decode_data_row(row)?, decode_entries(value)?))).collect()
    }

    fn scan_rows(&mut self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Bytes, Bytes)>, RowError> {
        let (rows, after) = self.store.scan(from, to, limit)?;
        self.after = self.after.max(after);
        Ok(rows)
    }

    /// Every cell of the partition, in the order of positions.
    pub(crate) fn all(&mut self) -> Result<Vec<(Cell, Entries)>, RowError> {
        self.between(self.keyspace.range(self.partition))
    }
}

impl Shelf<'_> {
    /// Every cell of the partition whose row says something; rows that do not are deleted.
    pub(crate) fn salvage(&mut self) -> Result<Vec<(Cell, Entries)>, RowError> {
        let (first, last) = self.keyspace.range(self.partition);
        let (mut from, end) = (data_prefix(first), data_end(last));
        let mut all = Vec::new();
        loop {
            let rows = self.scan_rows(&from, &end, SCAN_ROWS)?;
            let is_last = rows.len() < SCAN_ROWS;
            from = rows.last().map_or(from, |(row, _)| [row.as_ref(), &[0]].concat().into());
            for (row, value) in rows {
                match (decode_data_row(row.clone()), decode_entries(value)) {
                    (Ok(cell), Ok(entries)) if !entries.is_empty() => all.push((cell, entries)),
                    _ => self.store.delete(row),
                }
            }
            if is_last {
                return Ok(all);
            }
        }
    }
}

impl Rows for Shelf<'_> {
    type Error = RowError;

    fn entries(&mut self, cell: &Cell) -> Result<Entries, RowError> {
        self.get(cell)
    }

    fn set_entries(&mut self, cell: &Cell, entries: Entries, change: u64) {
        let at = self.place(cell);
        let (row, was_there) = at.map_or_else(
            || (data_row(self.keyspace, cell), false),
            |at| (self.read[at].1.clone(), self.read[at].2),
        );
        if change != 0 {
            self.changes.push((row_position(&row), change));
        }
        let is_there = !entries.is_empty();
        if is_there != was_there {
            *self.keys.entry(cell.key.database).or_default() += if is_there { 1 } else { -1 };
        }
        if let Some(at) = at {
            self.read[at].2 = is_there;
        }
        if is_there {
            let mut value = BytesMut::with_capacity(entries.bytes_about());
            entries.encode(&mut value);
            self.store.put(row, value.freeze());
        } else {
            self.store.delete(row);
        }
    }

    fn cells(&mut self, scope: Scope) -> Result<Vec<Cell>, RowError> {
        let cells = self.all()?.into_iter().map(|(cell, _)| cell);
        Ok(cells.filter(|cell| scope.covers(cell.key.database)).collect())
    }
}

fn decode_entries(value: Bytes) -> Result<Entries, RowError> {
    let mut reader = Reader::new(value, "entries of a row");
    let entries = Entries::decode(&mut reader)?;
    reader.end()?;
    Ok(entries)
}
