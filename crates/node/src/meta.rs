//! What is stored of a partition beside its cells: the values of those rows.
//!
//! Every one opens with its version. What no version of this program wrote is an error, never "nothing there".

use crate::lessons::Pupil;
use bytes::{BufMut, Bytes, BytesMut};
use causal::codec::{Malformed, Reader, put_varint};
use causal::context::Intervals;
use causal::map::Map;
use causal::{Context, Early};
use std::collections::BTreeMap;

/// The version of stored contexts and of what is early.
pub(crate) const META_VERSION: u8 = 1;

/// What one actor's operations (and, for the own actor, mended cells) have added to the partition's sums.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) digest: u64,
    /// Keys of each database.
    pub(crate) keys: BTreeMap<u8, i64>,
}

pub(crate) fn encode_context(intervals: Option<&Intervals>, share: &Share) -> Bytes {
    let mut out = BytesMut::with_capacity(32);
    out.put_u8(META_VERSION);
    intervals.unwrap_or(&Intervals::default()).encode(&mut out);
    out.put_u64(share.digest);
    put_varint(&mut out, share.keys.len() as u64);
    for (database, keys) in &share.keys {
        out.put_u8(*database);
        out.put_i64(*keys);
    }
    // One allocation and not two: the count of its sharers is added only where it comes to be shared.
    Bytes::from(Vec::from(out).into_boxed_slice())
}

pub(crate) fn decode_context(value: Bytes) -> Result<(Intervals, Share), Malformed> {
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

/// Some cell may run ahead of the context.
const FLAG_AHEAD: u8 = 1;
/// The replica has lost something, or come anew, and is learning what it lacks.
const FLAG_LEARNING: u8 = 2;
/// It has come anew, and has lost nothing.
const FLAG_NEW: u8 = 4;

/// How a replica stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    /// Whether any cell may run ahead of the context.
    pub(crate) is_ahead: bool,
    /// Why it is learning what it lacks, if it is.
    pub(crate) learning: Option<Pupil>,
}

/// The sweeps that wait for operations, and how the replica stands; nothing where there is nothing to say.
pub(crate) fn encode_sweeps(map: &Map, learning: Option<Pupil>) -> Bytes {
    let sweeps = map.knowledge().early.swept_alone();
    if sweeps.is_empty() && !map.is_ahead() && learning.is_none() {
        return Bytes::new();
    }
    let mut out = BytesMut::new();
    out.put_u8(META_VERSION);
    let flag = |is_set, flag| if is_set { flag } else { 0 };
    let learns = flag(learning.is_some(), FLAG_LEARNING) | flag(learning == Some(Pupil::New), FLAG_NEW);
    out.put_u8(flag(map.is_ahead(), FLAG_AHEAD) | learns);
    sweeps.encode(&mut out);
    out.freeze()
}

pub(crate) fn decode_sweeps(value: Bytes) -> Result<(Early, Condition), Malformed> {
    if value.is_empty() {
        return Ok((Early::default(), Condition::default()));
    }
    let mut reader = Reader::new(value, "stored early sweeps");
    reader.version(META_VERSION)?;
    let flags = reader.u8()?;
    let is_set = |flag| flags & flag != 0;
    let pupil = if is_set(FLAG_NEW) { Pupil::New } else { Pupil::Lost };
    let learning = is_set(FLAG_LEARNING).then_some(pupil);
    let condition = Condition { is_ahead: is_set(FLAG_AHEAD), learning };
    let early = Early::decode(&mut reader)?;
    reader.end()?;
    Ok((early, condition))
}

pub(crate) fn encode_place(epoch: u64) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(META_VERSION);
    put_varint(&mut out, epoch);
    out.freeze()
}

pub(crate) fn decode_place(value: Bytes) -> Result<u64, Malformed> {
    let mut reader = Reader::new(value, "place of a replica");
    reader.version(META_VERSION)?;
    let epoch = reader.varint()?;
    reader.end()?;
    Ok(epoch)
}

pub(crate) fn encode_taken(seen: &Context) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(META_VERSION);
    seen.encode(&mut out);
    out.freeze()
}

pub(crate) fn decode_taken(value: Bytes) -> Result<Context, Malformed> {
    let mut reader = Reader::new(value, "what is noted of a taken cell");
    reader.version(META_VERSION)?;
    let seen = Context::decode(&mut reader)?;
    reader.end()?;
    Ok(seen)
}
