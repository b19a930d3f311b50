//! Counters: `INCR` and its kin.
//!
//! Not the sum itself: a command answers what its replica sees and asks for the amount to be added, and concurrent
//! amounts all count wherever they were added.
//!
//! 1. A counter is a string that reads as a number; which commands made it does not matter.
//! 2. A refused increment changes nothing.

use bytes::Bytes;
use causal::{Amount, Change, Value};
use rust_decimal::Decimal;

use super::number;
use super::string::text;
use crate::fault::Fault;
use crate::reply::Reply;

/// `INCR key`
pub(super) fn incr(_: &[Bytes], value: Option<&Value>) -> Result<(Reply, Change), Fault> {
    add(value, 1)
}

/// `DECR key`
pub(super) fn decr(_: &[Bytes], value: Option<&Value>) -> Result<(Reply, Change), Fault> {
    add(value, -1)
}

/// `INCRBY key increment`
pub(super) fn incrby(args: &[Bytes], value: Option<&Value>) -> Result<(Reply, Change), Fault> {
    add(value, number::integer(&args[2])?)
}

/// `DECRBY key decrement`
pub(super) fn decrby(args: &[Bytes], value: Option<&Value>) -> Result<(Reply, Change), Fault> {
    let by = number::integer(&args[2])?.checked_neg().ok_or(Fault::DecrementOverflow)?;
    add(value, by)
}

/// `INCRBYFLOAT key increment`. Decimal arithmetic, so a tenth added ten times is one; the answer is a string.
///
/// Where the key holds a number that is not written plainly (`3.0e3`), it becomes its sum: amounts are only added to what
/// every replica reads as the same number.
pub(super) fn incrbyfloat(args: &[Bytes], value: Option<&Value>) -> Result<(Reply, Change), Fault> {
    let text = text(value)?;
    let (old, by) =
        both(text.map_or(Ok(Decimal::ZERO), |old| number::decimal(old)), number::decimal(&args[2]))?;
    let new = old.checked_add(by).ok_or(Fault::NotFinite)?;
    let shown = number::decimal_text(new);
    let adds = text.is_none_or(|old| number::is_plain(old));
    let change = if adds { Change::Add(Amount::Decimal(by)) } else { Change::Put(shown.clone()) };
    Ok((Reply::Bulk(shown), change))
}

/// Both numbers, or what is wrong with them; that one is no number at all goes before that one is infinite.
fn both(old: Result<Decimal, Fault>, by: Result<Decimal, Fault>) -> Result<(Decimal, Decimal), Fault> {
    match (old, by) {
        (Ok(old), Ok(by)) => Ok((old, by)),
        (Err(Fault::NotFinite), Err(fault)) | (Err(fault), _) | (Ok(_), Err(fault)) => Err(fault),
    }
}

fn add(value: Option<&Value>, by: i64) -> Result<(Reply, Change), Fault> {
    let old = text(value)?.map_or(Ok(0), |old| number::integer(old))?;
    let new = old.checked_add(by).ok_or(Fault::Overflow)?;
    Ok((Reply::Integer(new), Change::Add(Amount::Integer(by))))
}
