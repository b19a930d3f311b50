//! The names of the rows that are stored of a partition beside its cells. `rows` draws them; `meta` has their values.
//! Numbers are big endian, so that those of a partition lie together.

use bytes::{BufMut, Bytes, BytesMut};
use causal::codec::{Malformed, Reader};
use causal::{Actor, Cell, Dot};
use placement::PartitionId;

/// The rows of one kind, of all partitions.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Space {
    /// What was applied of each actor. Each operation changes one of these rows, so the storage packs them.
    Contexts = b'c',
    /// Early sweeps.
    Sweeps = b'e',
    /// Early removals.
    Removals = b'r',
    /// What is noted of cells that were taken from a peer.
    Taken = b't',
    /// What is noted where this node stands in for owners.
    Hints = b'h',
    /// The sums of leaves.
    Leaves = b'm',
    /// In which step of its move a replica has learned enough.
    Places = b'p',
    /// What the voter on this disk has promised and accepted.
    Votes = b'v',
}

impl Space {
    /// Where they begin and end.
    pub(crate) fn range(self) -> (Bytes, Bytes) {
        (Bytes::copy_from_slice(&[self as u8]), Bytes::copy_from_slice(&[self as u8 + 1]))
    }

    /// The beginning of the name of a row of a partition, with room for more.
    pub(crate) fn row(self, partition: PartitionId, more: usize) -> BytesMut {
        let mut row = BytesMut::with_capacity(3 + more);
        row.put_u8(self as u8);
        row.put_u16(partition.0);
        row
    }

    /// What follows the beginning of a name, and the partition.
    pub(crate) fn read(self, row: Bytes, what: &'static str) -> Result<(Reader, PartitionId), Malformed> {
        let mut reader = Reader::new(row, what);
        reader.version(self as u8)?;
        let partition = PartitionId(u16::from_be_bytes([reader.u8()?, reader.u8()?]));
        Ok((reader, partition))
    }
}

/// The row that keeps what was applied of one actor.
pub(crate) fn context_row(partition: PartitionId, actor: Actor) -> Bytes {
    let mut row = Space::Contexts.row(partition, 8);
    row.put_u64(actor.0);
    row.freeze()
}

/// What it names.
pub(crate) fn decode_context_row(row: Bytes) -> Result<(PartitionId, Actor), Malformed> {
    let (mut reader, partition) = Space::Contexts.read(row, "row key of a context")?;
    let actor = Actor(reader.u64()?);
    reader.end()?;
    Ok((partition, actor))
}

/// The row that keeps the sums of a chunk of leaves.
pub(crate) fn leaves_row(partition: PartitionId, chunk: u8) -> Bytes {
    let mut row = Space::Leaves.row(partition, 1);
    row.put_u8(chunk);
    row.freeze()
}

/// The row that keeps what is noted where this node stands in for owners.
pub(crate) fn hints_row(partition: PartitionId) -> Bytes {
    Space::Hints.row(partition, 0).freeze()
}

/// What it names.
pub(crate) fn decode_hints_row(row: Bytes) -> Result<PartitionId, Malformed> {
    let (reader, partition) = Space::Hints.read(row, "row key of hints")?;
    reader.end()?;
    Ok(partition)
}

/// The row that keeps early sweeps, and whether any cell runs ahead.
pub(crate) fn sweeps_row(partition: PartitionId) -> Bytes {
    Space::Sweeps.row(partition, 0).freeze()
}

/// What it names.
pub(crate) fn decode_sweeps_row(row: Bytes) -> Result<PartitionId, Malformed> {
    let (reader, partition) = Space::Sweeps.read(row, "row key of early sweeps")?;
    reader.end()?;
    Ok(partition)
}

/// The row that keeps one early removal.
pub(crate) fn removal_row(partition: PartitionId, cell: &Cell, dot: Dot) -> Bytes {
    let mut row = Space::Removals.row(partition, 32 + cell.key.name.len());
    row.put_u64(dot.actor.0);
    row.put_u64(dot.n);
    cell.encode(&mut row);
    row.freeze()
}

/// What it names.
pub(crate) fn decode_removal_row(row: Bytes) -> Result<(PartitionId, Cell, Dot), Malformed> {
    let (mut reader, partition) = Space::Removals.read(row, "row key of an early removal")?;
    let dot = Dot::new(Actor(reader.u64()?), reader.u64()?);
    let cell = Cell::decode(&mut reader)?;
    reader.end()?;
    Ok((partition, cell, dot))
}

/// The row that keeps what is noted of a cell that was taken from a peer.
pub(crate) fn taken_row(partition: PartitionId, cell: &Cell) -> Bytes {
    let mut row = Space::Taken.row(partition, 16 + cell.key.name.len());
    cell.encode(&mut row);
    row.freeze()
}

/// What it names.
pub(crate) fn decode_taken_row(row: Bytes) -> Result<(PartitionId, Cell), Malformed> {
    let (mut reader, partition) = Space::Taken.read(row, "row key of a taken cell")?;
    let cell = Cell::decode(&mut reader)?;
    reader.end()?;
    Ok((partition, cell))
}
