//! Keys that are written at the level `sloppy`: what is promised is that all of it is there in the end.
//!
//! Not when: a read meanwhile may give less. And of two values the later by the clocks stays, which no history can tell.
//!
//! 1. A key of which a put was acknowledged, and that nothing may have removed, has a value, and it is one that was put.
//! 2. A counter is all that was added and acknowledged, and not more than all that may have been added.

use super::{read_of, written};
use crate::history::{Ask, Operation};
use bytes::Bytes;

/// Checks the history of one key that is put, given what was read of it from all owners in the calm.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn lent(key: &str, operations: &[&Operation], may_be_lost: bool) -> Result<(), String> {
    let puts = || operations.iter().filter(|operation| written(operation).is_some());
    for operation in operations.iter().filter(|operation| read_of(operation).is_some()) {
        let value = read_of(operation).and_then(|(_, value)| value);
        let was_put = |put: &&&Operation| put.may_be_applied() && written(put) == value;
        if value.is_some() && !puts().any(|put| was_put(&put)) {
            return Err(format!("{key}: {operation:?} gives what nobody put"));
        }
    }
    let is_kept = puts().any(|put| put.done_at().is_some());
    let last = operations.iter().rev().find_map(|operation| read_of(operation));
    let is_absent = last.is_some_and(|(_, value)| value.is_none());
    if is_kept && is_absent && !may_be_lost && !removes(operations) {
        return Err(format!("{key}: what was acknowledged is not there in the end: {operations:?}"));
    }
    Ok(())
}

/// Checks the history of one key that is added to, in the same way.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn owed(key: &str, operations: &[&Operation], may_be_lost: bool) -> Result<(), String> {
    let sum = |counts: &dyn Fn(&Operation) -> bool| -> i64 {
        let added = operations.iter().filter(|operation| counts(operation));
        added.map(|operation| if let Ask::Add(by) = operation.ask { by } else { 0 }).sum()
    };
    let (least, most) = (sum(&|add| add.done_at().is_some()), sum(&|add| add.may_be_applied()));
    let Some((_, value)) = operations.iter().rev().find_map(|operation| read_of(operation)) else {
        return Ok(());
    };
    let number = |value: &Bytes| std::str::from_utf8(value).ok()?.parse::<i64>().ok();
    let Some(found) = value.map_or(Some(0), number) else {
        return Err(format!("{key}: {value:?} is no sum"));
    };
    let is_less = found < least && !may_be_lost && !removes(operations);
    if is_less || found > most {
        return Err(format!("{key}: is {found} in the end, outside of {least} to {most}"));
    }
    Ok(())
}

fn removes(operations: &[&Operation]) -> bool {
    operations.iter().any(|operation| operation.ask == Ask::Flush && operation.may_be_applied())
}
