//! One replica of one partition, on storage: the causal map with its rows, sums and recent operations.
//!
//! Every change to a partition on this node goes through here, and every one of them is [`Map::apply`] or
//! [`Map::mend`]: there is no other way to write a row.
//!
//! Invariants, kept by [`Replica::check`]:
//! 1. The shares of all actors add up to the map's digest and to the number of keys.
//! 2. What is stored is what is in memory: a batch holds a row's change, its actor's context and early together.

use crate::recent::Recent;
use crate::row_names::{context_row, early_row, taken_row};
use crate::rows::{RowError, Shelf, everything};
use bytes::{BufMut, Bytes, BytesMut};
use causal::codec::{Malformed, Reader, put_varint};
use causal::context::Intervals;
use causal::map::{Applied, Knowledge, Map};
use causal::{Actor, Cell, Context, Delta, Dot, Early, Entries};
use std::collections::BTreeMap;
use store::Commit;
use wire::peer::Found;

/// The version of stored contexts and early removals.
const META_VERSION: u8 = 1;

/// What one actor's operations (and, for the own actor, mended cells) have added to the partition's sums.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Share {
    digest: u64,
    keys: BTreeMap<u8, i64>,
}

/// One replica of one partition.
#[derive(Debug, Default)]
pub(crate) struct Replica {
    map: Map,
    shares: BTreeMap<Actor, Share>,
    recent: Recent,
}

impl Replica {
    /// Puts a replica together from the rows that [`Replica::apply`] stored.
    pub(crate) fn restore(
        contexts: Vec<(Actor, Bytes)>,
        early: Option<Bytes>,
        taken: Vec<(Cell, Bytes)>,
    ) -> Result<Self, Malformed> {
        let mut context = Context::default();
        let mut shares = BTreeMap::new();
        for (actor, value) in contexts {
            let (intervals, share) = decode_context(value)?;
            context.insert_all(actor, &intervals);
            shares.insert(actor, share);
        }
        let (mut early, ahead) = early.map_or(Ok((Early::default(), false)), decode_early)?;
        for (cell, value) in taken {
            early.insert_taken(&cell, &decode_taken(value)?);
        }
        let digest = shares.values().fold(0u64, |sum, share| sum.wrapping_add(share.digest));
        let map = Map::restore(Knowledge { context, early }, digest, ahead);
        Ok(Self { map, shares, recent: Recent::default() })
    }

    /// The causal map.
    pub(crate) fn map(&self) -> &Map {
        &self.map
    }

    /// The operations applied lately.
    pub(crate) fn recent(&self) -> &Recent {
        &self.recent
    }

    /// The name of the next operation that `actor` makes here.
    pub(crate) fn next_dot(&self, actor: Actor) -> Dot {
        Dot::new(actor, self.map.context().of(actor).map_or(0, Intervals::greatest) + 1)
    }

    /// How many keys of `database` there are.
    pub(crate) fn keys(&self, database: u8) -> i64 {
        self.shares.values().filter_map(|share| share.keys.get(&database)).sum()
    }

    /// What the cell holds and what is known of it, at one instant, and the commit that makes it durable.
    pub(crate) fn found(&self, cell: &Cell, shelf: &mut Shelf<'_>) -> Result<(Found, Commit), RowError> {
        let entries = shelf.get(cell)?;
        let knowledge =
            Knowledge { context: self.map.context().clone(), early: self.map.knowledge().early.of(cell) };
        Ok((Found { entries, knowledge }, shelf.after))
    }

    /// Applies one operation and tells the commit that makes it durable.
    pub(crate) fn apply(
        &mut self,
        delta: &Delta,
        shelf: &mut Shelf<'_>,
    ) -> Result<(Applied, Commit), RowError> {
        let before = (self.map.digest(), self.has_early());
        let applied = self.map.apply(delta, shelf)?;
        let row = context_row(shelf.partition, delta.dot.actor);
        if applied != Applied::Fresh {
            return Ok((applied, shelf.store.get(&row)?.1));
        }
        self.recent.push(delta);
        self.store_sums(delta.dot.actor, before, shelf);
        Ok((applied, shelf.store.open_commit()))
    }

    /// Takes a cell as it is on a peer and tells the commit that makes it durable; nothing where an exchange that
    /// is open will bring it.
    pub(crate) fn mend(
        &mut self,
        cell: &Cell,
        found: &Found,
        own_actor: Actor,
        shelf: &mut Shelf<'_>,
    ) -> Result<Option<Commit>, RowError> {
        let before = (self.map.digest(), self.has_early());
        let mended = self.map.mend(cell, &found.entries, &found.knowledge, shelf)?;
        match mended {
            Applied::Deferred => return Ok(None),
            // What was noted when it was mended first may still be on its way to the disk.
            Applied::Known => return Ok(Some(everything(shelf.store))),
            Applied::Fresh => {}
        }
        if let Some(seen) = self.map.knowledge().early.taken_of(cell) {
            shelf.store.put(taken_row(shelf.partition, cell), encode_taken(seen));
        }
        self.store_sums(own_actor, before, shelf);
        Ok(Some(shelf.store.open_commit()))
    }

    /// The invariants at the head of this file, given every row.
    pub(crate) fn check(&self, rows: &[(Cell, Entries)]) {
        self.map.check(rows.iter().map(|(cell, entries)| (cell, entries)));
        let digest = self.shares.values().fold(0u64, |sum, share| sum.wrapping_add(share.digest));
        assert_eq!(digest, self.map.digest(), "the shares do not add up to the digest");
        for database in 0..causal::limits::DATABASES_MAX {
            let keys = rows.iter().filter(|(cell, _)| cell.key.database == database).count();
            assert_eq!(i64::try_from(keys), Ok(self.keys(database)), "keys of database {database}");
        }
    }

    fn has_early(&self) -> bool {
        self.map.is_ahead() || !self.map.knowledge().early.is_empty()
    }

    fn store_sums(&mut self, actor: Actor, before: (u64, bool), shelf: &mut Shelf<'_>) {
        let share = self.shares.entry(actor).or_default();
        share.digest = share.digest.wrapping_add(self.map.digest().wrapping_sub(before.0));
        for (database, keys) in std::mem::take(&mut shelf.keys) {
            *share.keys.entry(database).or_default() += keys;
        }
        let value = encode_context(self.map.context().of(actor), share);
        shelf.store.put(context_row(shelf.partition, actor), value);
        if before.1 || self.has_early() {
            shelf.store.put(early_row(shelf.partition), encode_early(&self.map));
        }
    }
}

fn encode_context(intervals: Option<&Intervals>, share: &Share) -> Bytes {
    let mut out = BytesMut::with_capacity(32);
    out.put_u8(META_VERSION);
    intervals.unwrap_or(&Intervals::default()).encode(&mut out);
    out.put_u64(share.digest);
    put_varint(&mut out, share.keys.len() as u64);
    for (database, keys) in &share.keys {
        out.put_u8(*database);
        out.put_i64(*keys);
    }
    out.freeze()
}

fn decode_context(value: Bytes) -> Result<(Intervals, Share), Malformed> {
    let mut reader = Reader::new(value, "stored context");
    reader.version(META_VERSION)?;
    let intervals = Intervals::decode(&mut reader)?;
    let mut share = Share { digest: reader.u64()?, keys: BTreeMap::new() };
    for _ in 0..reader.count(9)? {
        share.keys.insert(reader.u8()?, reader.u64()?.cast_signed());
    }
    reader.end()?;
    Ok((intervals, share))
}

fn encode_early(map: &Map) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(META_VERSION);
    out.put_u8(u8::from(map.is_ahead()));
    map.knowledge().early.without_taken().encode(&mut out);
    out.freeze()
}

fn decode_early(value: Bytes) -> Result<(Early, bool), Malformed> {
    let mut reader = Reader::new(value, "stored early removals");
    reader.version(META_VERSION)?;
    let ahead = reader.u8()? != 0;
    let early = Early::decode(&mut reader)?;
    reader.end()?;
    Ok((early, ahead))
}

fn encode_taken(seen: &Context) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(META_VERSION);
    seen.encode(&mut out);
    out.freeze()
}

fn decode_taken(value: Bytes) -> Result<Context, Malformed> {
    let mut reader = Reader::new(value, "what is noted of a taken cell");
    reader.version(META_VERSION)?;
    let seen = Context::decode(&mut reader)?;
    reader.end()?;
    Ok(seen)
}
