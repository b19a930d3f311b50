//! The keys of a partition in the order of their positions, some at a time: what `SCAN` and `KEYS` walk over.
//!
//! A cursor is a position. Keys of one position always come together, so a walk that goes on from where the last
//! step ended sees every key that is there throughout, whatever is written meanwhile.

use crate::rows::{RowError, Shelf};
use crate::state::{Node, Turn};
use bytes::Bytes;
use causal::{Cell, Entries};
use placement::{PartitionId, Position};
use store::Commit;
use wire::Reply;

/// The most keys that one step gives, but for those of one position.
const KEYS_MAX: usize = 10_000;

/// About `limit` keys of `database` from `from` on, behind the position to go on from (nil at the end).
pub(crate) fn keys(
    node: &Node,
    turn: &mut Turn<'_>,
    partition: PartitionId,
    database: u8,
    from: Position,
    limit: u32,
) -> Result<(Commit, Reply), RowError> {
    let keyspace = node.layout.keyspace();
    let mut shelf = Shelf::new(turn.store, keyspace, partition);
    let mut rows_max = usize::try_from(limit).unwrap_or(KEYS_MAX).clamp(1, KEYS_MAX);
    let position = |cell: &Cell| keyspace.position(cell.key.database, &cell.key.name);
    loop {
        let mut rows = shelf.scan(from, rows_max + 1)?;
        let Some((beyond, _)) = rows.get(rows_max) else {
            return Ok((shelf.after, reply(None, rows, database)));
        };
        let next = position(beyond);
        rows.retain(|(cell, _)| position(cell) < next);
        if !rows.is_empty() {
            return Ok((shelf.after, reply(Some(next), rows, database)));
        }
        rows_max *= 2;
    }
}

fn reply(next: Option<Position>, rows: Vec<(Cell, Entries)>, database: u8) -> Reply {
    let next = next.map(|position| Bytes::from(position.0.to_string()));
    let keys = rows.into_iter().map(|(cell, _)| cell.key).filter(|key| key.database == database);
    Reply::Array(std::iter::once(Reply::from(next)).chain(keys.map(|key| Reply::Bulk(key.name))).collect())
}
