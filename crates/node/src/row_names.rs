//! The names of the rows of cells, by which a partition, a leaf of a Merkle tree and a transfer are each one contiguous
//! range. `rows` draws them; here they are put together and taken apart. Numbers are big endian, so that rows lie in order.

use bytes::{BufMut, Bytes, BytesMut};
use causal::codec::{Malformed, Reader};
use causal::{Cell, Key, Kind};
use placement::{Keyspace, PartitionId, Position};
use store::Gap;

const SPACE_DATA: u8 = b'd';

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

/// The position of the cell of a row that [`data_row`] has named.
pub(crate) fn row_position(row: &[u8]) -> Position {
    let bytes = row.get(1..9).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    Position(bytes.map_or(0, u64::from_be_bytes))
}

/// The end of the rows whose position is at most `last`.
pub(crate) fn data_end(last: Position) -> Bytes {
    last.0
        .checked_add(1)
        .map_or_else(|| Bytes::from_static(&[SPACE_DATA + 1]), |next| data_prefix(Position(next)))
}

/// Whether there are names of nothing but cells in a gap.
pub(crate) fn is_of_cells(gap: &Gap) -> bool {
    gap.from[..] >= [SPACE_DATA][..] && gap.to.as_ref().is_some_and(|to| to[..] <= [SPACE_DATA + 1][..])
}

/// Whether there are names of cells of a partition in a gap.
pub(crate) fn touches(gap: &Gap, keyspace: &Keyspace, partition: PartitionId) -> bool {
    let (first, last) = keyspace.range(partition);
    gap.touches(&data_prefix(first), &data_end(last))
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
