//! The names of the rows that are stored of where partitions are on their way to, and of who votes on that.

use crate::meta_names::Space;
use bytes::Bytes;
use causal::codec::Malformed;
use placement::PartitionId;

/// The row that keeps the step in which a replica has learned enough.
pub(crate) fn place_row(partition: PartitionId) -> Bytes {
    Space::Places.row(partition, 0).freeze()
}

/// What it names.
pub(crate) fn decode_place_row(row: Bytes) -> Result<PartitionId, Malformed> {
    let (reader, partition) = Space::Places.read(row, "row key of a place")?;
    reader.end()?;
    Ok(partition)
}

/// The row that keeps what the voter on this disk has promised and accepted.
pub(crate) fn votes_row() -> Bytes {
    Space::Votes.row(PartitionId(0), 0).freeze()
}
