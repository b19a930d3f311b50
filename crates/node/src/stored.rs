//! The replicas as they were stored, put together when a node opens.
//!
//! Invariant: a row that cannot be read ends the opening. A replica that has forgotten what it applied would take
//! removed entries for news.

use crate::hints::Hints;
use crate::meta::{
    Condition, META_VERSION, Share, decode_context, decode_place, decode_sweeps, decode_taken,
};
use crate::meta_names::{
    Space, decode_context_row, decode_hints_row, decode_removal_row, decode_sweeps_row, decode_taken_row,
};
use crate::replica::Replica;
use crate::rows::{RowError, SCAN_ROWS, Storage};
use crate::step_names::decode_place_row;
use bytes::Bytes;
use causal::codec::Reader;
use causal::context::Intervals;
use causal::{Actor, Early};
use placement::PartitionId;
use std::collections::BTreeMap;

/// The parts of one replica.
#[derive(Default)]
struct Parts {
    contexts: Vec<(Actor, Intervals, Share)>,
    early: Early,
    condition: Condition,
    hints: Option<Hints>,
    arrived: Option<u64>,
}

/// Every replica of which anything is stored.
///
/// # Errors
/// Where a row cannot be read.
pub(crate) fn replicas(store: &mut Storage) -> Result<BTreeMap<PartitionId, Replica>, RowError> {
    let mut parts: BTreeMap<PartitionId, Parts> = BTreeMap::new();
    each(store, Space::Contexts.range(), |row, value| {
        let (partition, actor) = decode_context_row(row)?;
        let (intervals, share) = decode_context(value)?;
        parts.entry(partition).or_default().contexts.push((actor, intervals, share));
        Ok(())
    })?;
    each(store, Space::Sweeps.range(), |row, value| {
        let parts = parts.entry(decode_sweeps_row(row)?).or_default();
        (parts.early, parts.condition) = decode_sweeps(value)?;
        Ok(())
    })?;
    each(store, Space::Removals.range(), |row, value| {
        let (partition, cell, dot) = decode_removal_row(row)?;
        Reader::new(value, "stored early removal").version(META_VERSION)?;
        parts.entry(partition).or_default().early.insert(&cell, dot);
        Ok(())
    })?;
    each(store, Space::Taken.range(), |row, value| {
        let (partition, cell) = decode_taken_row(row)?;
        parts.entry(partition).or_default().early.insert_taken(&cell, &decode_taken(value)?);
        Ok(())
    })?;
    each(store, Space::Hints.range(), |row, value| {
        parts.entry(decode_hints_row(row)?).or_default().hints = Some(Hints::decode(value)?);
        Ok(())
    })?;
    each(store, Space::Places.range(), |row, value| {
        parts.entry(decode_place_row(row)?).or_default().arrived = Some(decode_place(value)?);
        Ok(())
    })?;
    let restore = |Parts { contexts, early, condition, hints, arrived }| {
        Replica::restore(contexts, early, condition).with_hints(hints).with_arrived(arrived)
    };
    Ok(parts.into_iter().map(|(partition, parts)| (partition, restore(parts))).collect())
}

/// Every row between two names.
fn each(
    store: &mut Storage,
    (mut from, to): (Bytes, Bytes),
    mut take: impl FnMut(Bytes, Bytes) -> Result<(), RowError>,
) -> Result<(), RowError> {
    loop {
        let (found, _) = store.scan(&from, &to, SCAN_ROWS)?;
        let Some((last, _)) = found.last() else { return Ok(()) };
        from = [last.as_ref(), &[0]].concat().into();
        found.into_iter().try_for_each(|(row, value)| take(row, value))?;
    }
}
