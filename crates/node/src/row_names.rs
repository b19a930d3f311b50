//! The names of rows, by which a partition, a leaf of a Merkle tree and a transfer are each one contiguous range.
//! `rows` draws them; here they are put together and taken apart. Numbers are big endian, so that rows lie in order.

use bytes::{BufMut, Bytes, BytesMut};
use causal::codec::{Malformed, Reader};
use causal::{Actor, Cell, Key, Kind};
use placement::{Keyspace, PartitionId, Position};

const SPACE_CONTEXT: u8 = b'c';
const SPACE_DATA: u8 = b'd';
const SPACE_EARLY: u8 = b'e';
const SPACE_TAKEN: u8 = b't';

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

/// The row of a cell.
pub(crate) fn data_row(keyspace: &Keyspace, cell: &Cell) -> Bytes {
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

/// Where the rows of a position begin.
pub(crate) fn data_prefix(position: Position) -> Bytes {
    let mut row = BytesMut::with_capacity(9);
    row.put_u8(SPACE_DATA);
    row.put_u64(position.0);
    row.freeze()
}

/// The end of the rows whose position is at most `last`.
pub(crate) fn data_end(last: Position) -> Bytes {
    last.0
        .checked_add(1)
        .map_or_else(|| Bytes::from_static(&[SPACE_DATA + 1]), |next| data_prefix(Position(next)))
}

/// The cell of a row.
pub(crate) fn decode_data_row(row: Bytes) -> Result<Cell, Malformed> {
    let mut reader = Reader::new(row, "row key of a cell");
    reader.version(SPACE_DATA)?;
    reader.u64()?;
    let database = reader.u8()?;
    let length = usize::from(u16::from_be_bytes([reader.u8()?, reader.u8()?]));
    let name = reader.take(length)?;
    let kind = Kind::of(reader.u8()?).ok_or(reader.malformed())?;
    Ok(Cell { key: Key { database, name }, kind, subkey: reader.rest() })
}
