//! Commands on one string, but for `SET` and the counters, which have files of their own.
//!
//! Not several keys: `MGET` and its kin are these commands, a key each (`each`).
//!
//! 1. No string grows beyond [`VALUE_BYTES_MAX`], where Redis has `proto-max-bulk-len`.
//! 2. A command that would leave the string as it is asks for no change.

use bytes::{Bytes, BytesMut};
use causal::limits::VALUE_BYTES_MAX;
use causal::{Change, Value};

use super::number;
use crate::fault::Fault;
use crate::reply::Reply;

/// The string that a key holds.
pub(super) fn text(value: Option<&Value>) -> Result<Option<&Bytes>, Fault> {
    Ok(value.map(|Value::String(text)| text))
}

/// `GET key`
pub(super) fn get(_: &[Bytes], value: Option<&Value>) -> Result<(Reply, Change), Fault> {
    Ok((text(value)?.cloned().into(), Change::Keep))
}

/// `SETNX key value`
pub(super) fn setnx(args: &[Bytes], value: Option<&Value>) -> Result<(Reply, Change), Fault> {
    Ok(match value {
        Some(_) => (Reply::Integer(0), Change::Keep),
        None => (Reply::Integer(1), Change::Put(args[2].clone())),
    })
}

/// `GETSET key value`
pub(super) fn getset(args: &[Bytes], value: Option<&Value>) -> Result<(Reply, Change), Fault> {
    Ok((text(value)?.cloned().into(), Change::Put(args[2].clone())))
}

/// `GETDEL key`
pub(super) fn getdel(_: &[Bytes], value: Option<&Value>) -> Result<(Reply, Change), Fault> {
    let change = if value.is_some() { Change::Delete } else { Change::Keep };
    Ok((text(value)?.cloned().into(), change))
}

/// `STRLEN key`
pub(super) fn strlen(_: &[Bytes], value: Option<&Value>) -> Result<(Reply, Change), Fault> {
    Ok((length(text(value)?.map_or(0, Bytes::len)), Change::Keep))
}

/// `APPEND key value`. An absent key becomes the value, even an empty one.
pub(super) fn append(args: &[Bytes], value: Option<&Value>) -> Result<(Reply, Change), Fault> {
    let Some(old) = text(value)? else {
        return Ok((length(args[2].len()), Change::Put(args[2].clone())));
    };
    if args[2].is_empty() {
        return Ok((length(old.len()), Change::Keep));
    }
    let new_bytes = within_limit(old.len() + args[2].len())?;
    let mut new = BytesMut::with_capacity(new_bytes);
    new.extend_from_slice(old);
    new.extend_from_slice(&args[2]);
    Ok((length(new_bytes), Change::Put(new.freeze())))
}

/// `GETRANGE key start end` and `SUBSTR`: both ends count, negative ones from the end of the string.
pub(super) fn getrange(args: &[Bytes], value: Option<&Value>) -> Result<(Reply, Change), Fault> {
    let (start, end) = (number::integer(&args[2])?, number::integer(&args[3])?);
    let range = text(value)?.map(|text| text.slice(range(start, end, text.len())));
    Ok((Reply::Bulk(range.unwrap_or_default()), Change::Keep))
}

/// `SETRANGE key offset value`. Zero bytes fill the gap; an empty value changes nothing, however large the offset.
pub(super) fn setrange(args: &[Bytes], value: Option<&Value>) -> Result<(Reply, Change), Fault> {
    let offset = number::integer(&args[2])?;
    let offset =
        usize::try_from(offset).map_err(|_| if offset < 0 { Fault::Offset } else { Fault::StringLength })?;
    let old = text(value)?.map_or(&[][..], |old| old);
    let patch = &args[3];
    if patch.is_empty() {
        return Ok((length(old.len()), Change::Keep));
    }
    let end = within_limit(offset.saturating_add(patch.len()))?;
    let mut new = BytesMut::with_capacity(end.max(old.len()));
    new.extend_from_slice(old);
    new.resize(end.max(old.len()), 0);
    new[offset..end].copy_from_slice(patch);
    Ok((length(new.len()), Change::Put(new.freeze())))
}

/// The bytes from `start` to `end`, both included, as Redis cuts what lies outside.
fn range(start: i64, end: i64, bytes: usize) -> std::ops::Range<usize> {
    let bytes_signed = i64::try_from(bytes).unwrap_or(i64::MAX);
    if start < 0 && end < 0 && start > end {
        return 0..0;
    }
    let from_start =
        |index: i64| if index < 0 { (bytes_signed + index.max(-bytes_signed)).max(0) } else { index };
    let (start, end) = (from_start(start), from_start(end).min(bytes_signed - 1));
    if start > end {
        return 0..0;
    }
    let index = |index: i64| usize::try_from(index).unwrap_or(bytes);
    index(start)..index(end + 1)
}

fn within_limit(bytes: usize) -> Result<usize, Fault> {
    if bytes > VALUE_BYTES_MAX { Err(Fault::StringLength) } else { Ok(bytes) }
}

fn length(bytes: usize) -> Reply {
    Reply::Integer(i64::try_from(bytes).unwrap_or(i64::MAX))
}
