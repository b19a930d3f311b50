//! How a partition lies in storage, and the causal map's view of it.
//!
//! ```text
//! 'c' partition actor                              what was applied of that actor, and its share of the sums
//! 'd' position database length key kind subkey     the entries of one cell
//! 'e' partition                                    early removals, and whether any row may run ahead
//! 't' partition cell                               what a cell that was taken from a peer need not wait for
//! ```
//!
//! Numbers are big endian, so rows lie in the order of positions: a partition, a leaf of a Merkle tree and a
//! transfer are each one contiguous range. An operation changes the row of its cell and the one small row of
//! its actor, whatever the size of the context.

use bytes::{BufMut, Bytes, BytesMut};
use causal::codec::{Malformed, Reader};
use causal::{Actor, Cell, Entries, Key, Kind, Rows, Scope};
use placement::{Keyspace, PartitionId, Position};
use std::collections::BTreeMap;
use store::{Commit, StoreError};
use thiserror::Error;

const SPACE_CONTEXT: u8 = b'c';
const SPACE_DATA: u8 = b'd';
const SPACE_EARLY: u8 = b'e';
const SPACE_TAKEN: u8 = b't';
/// The storage of a shard, over whichever engine.
pub type Storage = store::Store<dyn store::Engine>;

/// How many rows one scan of the storage brings at a time.
pub(crate) const SCAN_ROWS: usize = 1024;

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
    /// The rows read here, so that writing one again need not find its place again.
    read: Vec<(Cell, Bytes, bool)>,
    /// A cell that need not be read again, because nothing was written since.
    seen: Option<Seen>,
}

impl<'a> Shelf<'a> {
    pub(crate) fn new(store: &'a mut Storage, keyspace: &'a Keyspace, partition: PartitionId) -> Self {
        let keys = BTreeMap::new();
        Self { store, keyspace, partition, after: Commit::default(), keys, read: Vec::new(), seen: None }
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
        self.read.push((cell, row, !entries.is_empty()));
        Ok(entries)
    }

    fn read_row(&mut self, row: &Bytes) -> Result<Entries, RowError> {
        let (value, after) = self.store.get(row)?;
        self.after = self.after.max(after);
        value.map_or_else(|| Ok(Entries::default()), decode_entries)
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
        let (first, last) = self.keyspace.range(self.partition);
        let (mut from, end) = (data_prefix(first), data_end(last));
        let mut all = Vec::new();
        loop {
            let rows = self.scan_rows(&from, &end, SCAN_ROWS)?;
            let Some((last, _)) = rows.last().filter(|_| rows.len() == SCAN_ROWS) else {
                for (row, value) in rows {
                    all.push((decode_data_row(row)?, decode_entries(value)?));
                }
                return Ok(all);
            };
            from = [last.as_ref(), &[0]].concat().into();
            for (row, value) in rows {
                all.push((decode_data_row(row)?, decode_entries(value)?));
            }
        }
    }
}

impl Rows for Shelf<'_> {
    type Error = RowError;

    fn entries(&mut self, cell: &Cell) -> Result<Entries, RowError> {
        self.get(cell)
    }

    fn set_entries(&mut self, cell: &Cell, entries: Entries) {
        let at = self.read.iter().rposition(|(read, _, _)| read == cell);
        let (row, was_there) = at.map_or_else(
            || (data_row(self.keyspace, cell), false),
            |at| (self.read[at].1.clone(), self.read[at].2),
        );
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

/// The row that keeps what was applied of one actor.
pub(crate) fn context_row(partition: PartitionId, actor: Actor) -> Bytes {
    let mut row = BytesMut::with_capacity(11);
    row.put_u8(SPACE_CONTEXT);
    row.put_u16(partition.0);
    row.put_u64(actor.0);
    row.freeze()
}

/// The row that keeps early removals.
pub(crate) fn early_row(partition: PartitionId) -> Bytes {
    let mut row = BytesMut::with_capacity(3);
    row.put_u8(SPACE_EARLY);
    row.put_u16(partition.0);
    row.freeze()
}

/// The row that keeps what is noted of a cell that was taken from a peer.
pub(crate) fn taken_row(partition: PartitionId, cell: &Cell) -> Bytes {
    let mut row = BytesMut::with_capacity(16 + cell.key.name.len());
    row.put_u8(SPACE_TAKEN);
    row.put_u16(partition.0);
    cell.encode(&mut row);
    row.freeze()
}

/// Where the rows of a partition's taken cells begin and end.
pub(crate) fn taken_space(partition: PartitionId) -> (Bytes, Bytes) {
    let mut from = BytesMut::with_capacity(3);
    from.put_u8(SPACE_TAKEN);
    from.put_u16(partition.0);
    let to = partition.0.checked_add(1).map_or_else(
        || Bytes::from_static(&[SPACE_TAKEN + 1]),
        |next| {
            let mut to = BytesMut::with_capacity(3);
            to.put_u8(SPACE_TAKEN);
            to.put_u16(next);
            to.freeze()
        },
    );
    (from.freeze(), to)
}

/// The cell of a taken cell's row.
pub(crate) fn decode_taken_row(row: Bytes) -> Result<Cell, Malformed> {
    let mut reader = Reader::new(row, "row key of a taken cell");
    reader.version(SPACE_TAKEN)?;
    reader.take(2)?;
    let cell = Cell::decode(&mut reader)?;
    reader.end()?;
    Ok(cell)
}

/// Where the rows of all contexts begin and end.
pub(crate) fn context_space() -> (Bytes, Bytes) {
    (Bytes::from_static(&[SPACE_CONTEXT]), Bytes::from_static(&[SPACE_CONTEXT + 1]))
}

/// The partition and actor of a context's row.
pub(crate) fn decode_context_row(row: Bytes) -> Result<(PartitionId, Actor), Malformed> {
    let mut reader = Reader::new(row, "row key of a context");
    reader.version(SPACE_CONTEXT)?;
    let partition = PartitionId(u16::from_be_bytes([reader.u8()?, reader.u8()?]));
    let actor = Actor(reader.u64()?);
    reader.end()?;
    Ok((partition, actor))
}

fn data_row(keyspace: &Keyspace, cell: &Cell) -> Bytes {
    let Key { database, name } = &cell.key;
    let mut row = BytesMut::with_capacity(13 + name.len() + cell.subkey.len());
    row.put_u8(SPACE_DATA);
    row.put_u64(keyspace.position(*database, name).0);
    row.put_u8(*database);
    row.put_u16(u16::try_from(name.len()).unwrap_or(u16::MAX));
    row.put_slice(name);
    row.put_u8(cell.kind as u8);
    row.put_slice(&cell.subkey);
    row.freeze()
}

fn data_prefix(position: Position) -> Bytes {
    let mut row = BytesMut::with_capacity(9);
    row.put_u8(SPACE_DATA);
    row.put_u64(position.0);
    row.freeze()
}

/// The end of the rows whose position is at most `last`.
fn data_end(last: Position) -> Bytes {
    last.0
        .checked_add(1)
        .map_or_else(|| Bytes::from_static(&[SPACE_DATA + 1]), |next| data_prefix(Position(next)))
}

fn decode_data_row(row: Bytes) -> Result<Cell, Malformed> {
    let mut reader = Reader::new(row, "row key of a cell");
    reader.version(SPACE_DATA)?;
    reader.u64()?;
    let database = reader.u8()?;
    let length = usize::from(u16::from_be_bytes([reader.u8()?, reader.u8()?]));
    let name = reader.take(length)?;
    let kind = Kind::of(reader.u8()?).ok_or(reader.malformed())?;
    Ok(Cell { key: Key { database, name }, kind, subkey: reader.rest() })
}

fn decode_entries(value: Bytes) -> Result<Entries, RowError> {
    let mut reader = Reader::new(value, "entries of a row");
    let entries = Entries::decode(&mut reader)?;
    reader.end()?;
    Ok(entries)
}
