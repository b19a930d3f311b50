//! Registers: keys that are written and read.
//!
//! Values are written once, so a value read names its write. A read may give the value of a write only if no other
//! write began after that one had ended, and was known to be there before the read began:
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
//! A write is known to be there once it was acknowledged, or once a `GET` at a quorum has given its value: the
//! second is what keeps reads from going back in time. What a `GETSET` or an `INCRBY` tells of what was there before is
//! a read, but no such promise: it may have been under way at one owner. And what is known to be there keeps an older value
//! away only until a write that need not have seen the older one takes its place: at level one, a `DEL` removes
//! the newer value, and not what lies beneath it at other owners.

use super::{Terms, read_of, written};
use crate::history::{Ask, Operation};
use bytes::Bytes;

/// A write as this checker sees it.
#[derive(Debug)]
struct Written<'a> {
    value: Option<&'a Bytes>,
    began: u64,
    /// When it was over; never, where its outcome is unknown.
    ended: Option<u64>,
    /// Of how many owners its maker has seen what they held.
    sees: usize,
    /// How it is known to be there.
    known: Vec<Known>,
    by: Option<&'a Operation>,
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
pub fn register(key: &str, operations: &[&Operation], terms: Terms) -> Result<(), String> {
    let writes = writes(operations, terms);
    for operation in terms.fresh(operations) {
        let Some((read_at, value)) = read_of(operation) else { continue };
        let is_other = |write: &&Written<'_>| !write.by.is_some_and(|by| std::ptr::eq(by, operation));
        let candidates = writes.iter().filter(|write| write.value == value && write.began <= read_at);
        let mut candidates = candidates.filter(is_other).peekable();
        if candidates.peek().is_none() {
            return Err(format!("{key}: {operation:?} gives a value that nobody wrote"));
        }
        // Whether some write may have taken the place of `newer` without having seen `older`.
        let is_replaced = |newer: &Written<'_>, older: &Written<'_>| {
            let may = |write: &Written<'_>| {
                write.began <= read_at && write.ended.is_none_or(|end| end >= newer.began)
            };
            let others =
                writes.iter().filter(|write| !std::ptr::eq(*write, newer) && !std::ptr::eq(*write, older));
            let unseen = |write: &Written<'_>| write.sees + older.held_before(write.began) <= terms.owners;
            others.into_iter().any(|write| may(write) && unseen(write))
        };
        let newer_than = |older: &Written<'_>| {
            writes.iter().find(|newer| {
                let met = |known: &Known| {
                    let is_read =
                        known.from < operation.asked_at && known.held + operation.read > terms.owners;
                    is_read && older.held_before(newer.began) + known.sees > terms.owners
                };
                newer.known.iter().any(met) && !is_replaced(newer, older)
            })
        };
        let newer: Vec<Option<&Written<'_>>> = candidates.map(newer_than).collect();
        if let Some(newer) = newer.iter().copied().collect::<Option<Vec<_>>>() {
            return Err(format!("{key}: {operation:?} gives what was superseded by {newer:?}"));
        }
    }
    Ok(())
}

impl Written<'_> {
    /// On how many owners it was for certain before some moment: a value that was shown was there, too.
    fn held_before(&self, moment: u64) -> usize {
        let known = self.known.iter().filter(|known| known.from < moment);
        known.map(|known| known.held).max().unwrap_or_default()
    }
}

fn writes<'a>(operations: &[&'a Operation], terms: Terms) -> Vec<Written<'a>> {
    let always = Known { from: 0, held: terms.owners, sees: terms.owners };
    let (sees, known) = (terms.owners, vec![always]);
    let mut writes = vec![Written { value: None, began: 0, ended: Some(0), sees, known, by: None }];
    for operation in operations.iter().copied().filter(|operation| operation.may_be_applied()) {
        let (Some(sees), held, value) = (operation.sees(), operation.write, written(operation)) else {
            continue;
        };
        let ended = operation.done_at();
        let mut known: Vec<Known> = ended.iter().map(|at| Known { from: *at, held, sees }).collect();
        if value.is_some() {
            let quorum = terms.owners / 2 + 1;
            let gets = operations.iter().filter(|read| read.ask == Ask::Get && read.read >= quorum);
            let shown = gets.filter_map(|read| read_of(read).filter(|(_, shown)| *shown == value));
            let shown = shown.map(|(from, _)| Known { from, held: quorum, sees: quorum });
            known.extend(shown);
        }
        writes.push(Written { value, began: operation.asked_at, ended, sees, known, by: Some(operation) });
    }
    writes
}
