//! What holds where nothing breaks: whatever is asked is done, and updates of a key come one after another.
//!
//! 1. Nothing is refused and nothing is unknown, but for a `SET` or `GETSET` that meets another write of its key: which came
//!    first may be unknown. It keeps its turn until its time is over, and an update that waits for its own behind it is refused;
//!    or unknown, where it waits at another node than the one that was asked, and that one's patience ends first.
//! 2. What `INCRBY` gives on a key that is only added to is a chain: each sum is the one before it and its own amount, and one
//!    that had ended before another began comes before it.
//! 3. Of all `SETNX` of a key that nobody removes one alone has set it.

use crate::history::{Ask, Operation, Told};
use bytes::Bytes;

/// Checks the history of one key.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn serial(key: &str, operations: &[&Operation]) -> Result<(), String> {
    let is_vain = |operation: &&&Operation| {
        // Somebody else's token, or one that was used before, is no fault of the cluster's.
        let is_resolve = matches!(operation.ask, Ask::Resolve(..));
        !is_resolve
            && !meets(operation, operations)
            && !waits_behind(operation, operations)
            && matches!(operation.told, None | Some((_, Told::Refused | Told::Unknown)))
    };
    if let Some(operation) = operations.iter().find(is_vain) {
        return Err(format!("{key}: nothing has broken, and {operation:?} was not done"));
    }
    match key.split('-').next() {
        Some("counter") => chain(key, operations),
        Some("absent") => one_alone(key, operations),
        _ => Ok(()),
    }
}

/// Whether the outcome of an operation is unknown that puts a value where others write at that time.
fn meets(operation: &Operation, operations: &[&Operation]) -> bool {
    let (Ask::Put(_) | Ask::Swap(_), Some((told_at, Told::Unknown))) = (&operation.ask, &operation.told)
    else {
        return false;
    };
    let mut others = operations.iter().filter(|other| !std::ptr::eq(**other, operation));
    others.any(|other| other.may_be_applied() && overlaps(other, operation.asked_at, *told_at))
}

/// Whether an update was not done while another operation had its turn that ended unknown.
fn waits_behind(operation: &Operation, operations: &[&Operation]) -> bool {
    let waits =
        matches!(operation.ask, Ask::Add(_) | Ask::PutAbsent(_) | Ask::Swap(_) | Ask::Take | Ask::Delete);
    let Some((told_at, Told::Refused | Told::Unknown)) = &operation.told else { return false };
    let mut unknown = operations.iter().filter(|other| meets(other, operations));
    waits && unknown.any(|other| overlaps(other, operation.asked_at, *told_at))
}

/// Whether an operation may have been under way between two times.
fn overlaps(operation: &Operation, from: u64, to: u64) -> bool {
    operation.asked_at <= to && operation.done_at().unwrap_or(u64::MAX) >= from
}

fn chain(key: &str, operations: &[&Operation]) -> Result<(), String> {
    let mut sums: Vec<(i64, i64, &Operation)> = operations
        .iter()
        .filter_map(|operation| Some((sum(operation)?, amount(operation)?, *operation)))
        .collect();
    sums.sort_by_key(|(sum, _, _)| *sum);
    let (mut before, mut began) = (0, 0);
    for (sum, by, operation) in sums {
        if before + by != sum {
            return Err(format!("{key}: {operation:?} gives {sum} after {before}"));
        }
        if operation.done_at().is_some_and(|ended| ended < began) {
            return Err(format!("{key}: {operation:?} had ended before one that comes before it began"));
        }
        (before, began) = (sum, began.max(operation.asked_at));
    }
    Ok(())
}

fn sum(operation: &Operation) -> Option<i64> {
    let Some((_, Told::Read(Some(sum)))) = &operation.told else { return None };
    std::str::from_utf8(sum).ok()?.parse().ok()
}

fn amount(operation: &Operation) -> Option<i64> {
    if let Ask::Add(by) = operation.ask { Some(by) } else { None }
}

fn one_alone(key: &str, operations: &[&Operation]) -> Result<(), String> {
    let value = |operation: &&Operation| -> Option<Bytes> {
        match &operation.ask {
            Ask::PutAbsent(value) => operation.done_at().map(|_| value.clone()),
            _ => None,
        }
    };
    let set: Vec<Bytes> = operations.iter().filter_map(value).collect();
    if set.len() > 1 { Err(format!("{key}: set where it was absent, by {set:?}")) } else { Ok(()) }
}
