//! The checkers: they see what clients saw, and know nothing of the code.
//!
//! Registers. Values are written once, so a value read names its write. With N owners, a write acknowledged by W
//! of them before a read of R of them began is seen by it if W + R > N. A read may therefore give the value of a
//! write only if no other write began after that one had ended, and was known to be there before the read began:
//!
//! ```text
//!   ├─ put a ─┤                                a is superseded by b,
//!              ├─ put b ─┤                     and b is known before the read begins:
//!                          ├─ get ─┤           a is stale
//! ```
//!
//! A write supersedes one that ended before it only where their owners overlap: at level one, each may have gone to
//! a different owner, and a delete removes what its maker has seen.
//!
//! A write is known to be there once it was acknowledged, or once a read at a quorum has given its value: the
//! second is what keeps reads from going back in time. Deleting is writing "absent".
//!
//! Counters only grow here, so a read lies between what was acknowledged before it and what was asked for by its end.

use crate::history::{Ask, Operation, Told};
use bytes::Bytes;

/// The number of owners of every key.
#[derive(Clone, Copy, Debug)]
pub struct Owners(pub usize);

/// A write as the register checker sees it.
#[derive(Debug)]
struct Written<'a> {
    value: Option<&'a Bytes>,
    began: u64,
    /// When it was over; never, where its outcome is unknown.
    ended: Option<u64>,
    /// How many owners it was put on.
    held: usize,
    /// How it is known to be there.
    known: Vec<Known>,
}

/// One way in which a write is known to be there.
#[derive(Debug)]
struct Known {
    from: u64,
    /// On how many owners it is from then on.
    held: usize,
    /// Of how many owners it has seen, by then, what they held.
    sees: usize,
}

/// Checks the history of one key that is a register.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn register(key: &str, operations: &[&Operation], owners: Owners) -> Result<(), String> {
    let writes = writes(operations, owners);
    for operation in operations {
        let Some((read_at, value)) = read_of(operation) else { continue };
        let mut candidates =
            writes.iter().filter(|write| write.value == value && write.began <= read_at).peekable();
        if candidates.peek().is_none() {
            return Err(format!("{key}: {operation:?} gives a value that nobody wrote"));
        }
        let newer_than = |older: &Written<'_>| {
            writes.iter().find(|newer| {
                let follows = older.ended.is_some_and(|end| end < newer.began);
                let met = |known: &Known| {
                    let is_read = known.from < operation.asked_at && known.held + operation.read > owners.0;
                    is_read && older.held + known.sees > owners.0
                };
                follows && newer.known.iter().any(met)
            })
        };
        let newer: Vec<Option<&Written<'_>>> = candidates.map(newer_than).collect();
        if let Some(newer) = newer.iter().copied().collect::<Option<Vec<_>>>() {
            return Err(format!("{key}: {operation:?} gives what was superseded by {newer:?}"));
        }
    }
    Ok(())
}

/// When a read ended and what it gave. A conditional write is a read of what its condition says.
fn read_of(operation: &Operation) -> Option<(u64, Option<&Bytes>)> {
    match (&operation.ask, &operation.told) {
        (Ask::Get, Some((at, Told::Read(value)))) => Some((*at, value.as_ref())),
        (Ask::Delete, Some((at, Told::NotDone))) | (Ask::PutAbsent(_), Some((at, Told::Done))) => {
            Some((*at, None))
        }
        _ => None,
    }
}

fn writes<'a>(operations: &[&'a Operation], owners: Owners) -> Vec<Written<'a>> {
    let always = Known { from: 0, held: owners.0, sees: owners.0 };
    let absent = Written { value: None, began: 0, ended: Some(0), held: owners.0, known: vec![always] };
    let mut writes = vec![absent];
    for operation in operations.iter().filter(|operation| operation.may_be_applied()) {
        let Operation { read, write, .. } = **operation;
        let (value, sees) = match &operation.ask {
            Ask::Put(value) => (Some(value), write),
            Ask::PutAbsent(value) => (Some(value), read.max(write)),
            Ask::Delete => (None, read),
            Ask::Get | Ask::Add(_) | Ask::Sum => continue,
        };
        let ended = operation.done_at();
        let mut known: Vec<Known> = ended.iter().map(|at| Known { from: *at, held: write, sees }).collect();
        if value.is_some() {
            let quorum = owners.0 / 2 + 1;
            let shown = operations.iter().filter(|read| read.read >= quorum);
            let shown = shown.filter_map(|read| read_of(read).filter(|(_, shown)| *shown == value));
            known.extend(shown.map(|(from, _)| Known { from, held: quorum, sees: quorum }));
        }
        writes.push(Written { value, began: operation.asked_at, ended, held: write, known });
    }
    writes
}

/// Checks the history of one key that is a counter.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn counter(key: &str, operations: &[&Operation], owners: Owners) -> Result<(), String> {
    let adds = || {
        operations.iter().filter_map(|operation| match operation.ask {
            Ask::Add(by) if operation.may_be_applied() => Some((operation, by)),
            _ => None,
        })
    };
    for operation in operations.iter().filter(|operation| operation.ask == Ask::Sum) {
        let Some((read_at, Told::Read(value))) = &operation.told else { continue };
        let text = value.as_ref().map_or("0", |bytes| std::str::from_utf8(bytes).unwrap_or("?"));
        let Ok(sum) = text.parse::<i64>() else { return Err(format!("{key}: {text} is no sum")) };
        let held = |add: &Operation| add.write + operation.read > owners.0;
        let before = |add: &Operation| held(add) && add.done_at().is_some_and(|at| at < operation.asked_at);
        let least: i64 = adds().filter(|(add, _)| before(add)).map(|(_, by)| by).sum();
        let most: i64 = adds().filter(|(add, _)| add.asked_at <= *read_at).map(|(_, by)| by).sum();
        if sum < least || sum > most {
            return Err(format!("{key}: {operation:?} gives {sum}, outside of {least} to {most}"));
        }
    }
    Ok(())
}
