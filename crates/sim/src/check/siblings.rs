//! Siblings: keys whose conflicts clients settle themselves.
//!
//! `ARMILLA.SIBLINGS` gives all values of a key and a token that names them; `ARMILLA.RESOLVE` puts one in the place of
//! exactly those. So of what it gives
//!
//! 1. nothing is made up: each value was written by somebody who had begun;
//! 2. nothing is missing that is known to be there (acknowledged, or given to a reader before) and that nobody may have
//!    removed: a resolve whose token names it, or a put, delete or flush that had not ended when it was written;
//! 3. nothing comes back that was removed for certain: by a resolve whose token was given out by a read that saw the
//!    acknowledged value, or by a put, delete or flush that began then; acknowledged before the read began. A put
//!    looks at one owner only before it writes, so what others held may stay behind its value, but not in front of it.
//!
//! A `GET` gives one of the values, so it is held to 1 and 3, and to 2 where it gives none. And a token of another key is
//! refused. Overlapping owners are asked for everywhere, as elsewhere.

use super::{Terms, read_of, written};
use crate::history::{Ask, Operation, Token, Told};
use bytes::Bytes;

/// Checks the history of one key that holds siblings.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn siblings(key: &str, operations: &[&Operation], terms: Terms) -> Result<(), String> {
    let foreign = |operation: &Operation| matches!(&operation.ask, Ask::Resolve(_, token) if token.of != key);
    if let Some(wrong) =
        operations.iter().find(|operation| foreign(operation) && operation.done_at().is_some())
    {
        return Err(format!("{key}: {wrong:?} was done with a token of another key"));
    }
    let applied =
        operations.iter().copied().filter(|operation| operation.may_be_applied() && !foreign(operation));
    let applied: Vec<&Operation> = applied.collect();
    let history = History { key, operations, applied, terms };
    terms.fresh(operations).try_for_each(|read| match values(read) {
        Some((read_at, values)) => history.check(read, read_at, &values),
        None => Ok(()),
    })
}

/// The values that an operation gave, and when.
fn values(operation: &Operation) -> Option<(u64, Vec<&Bytes>)> {
    match &operation.told {
        Some((at, Told::Values(values))) => Some((*at, values.iter().collect())),
        _ => read_of(operation).map(|(at, value)| (at, value.into_iter().collect())),
    }
}

struct History<'a> {
    key: &'a str,
    operations: &'a [&'a Operation],
    /// Operations that may have written something.
    applied: Vec<&'a Operation>,
    terms: Terms,
}

impl History<'_> {
    fn check(&self, read: &Operation, read_at: u64, shown: &[&Bytes]) -> Result<(), String> {
        for (rank, value) in shown.iter().enumerate() {
            let writes = || self.applied.iter().filter(|write| written(write) == Some(*value));
            if !writes().any(|write| write.asked_at <= read_at && !std::ptr::eq(*write, read)) {
                return Err(format!("{}: {read:?} gives a value that nobody wrote", self.key));
            }
            if let Some(removal) = writes().find_map(|write| self.removal_of(write, read, rank == 0)) {
                return Err(format!("{}: {read:?} gives {value:?}, which {removal:?} removed", self.key));
            }
        }
        if read.ask != Ask::Siblings && !shown.is_empty() {
            return Ok(());
        }
        let missing = self.applied.iter().find(|write| {
            let value = written(write).filter(|value| !shown.contains(value));
            value.is_some_and(|value| {
                self.is_known(write, value, read) && !self.may_be_removed(write, value, read_at)
            })
        });
        missing
            .map_or(Ok(()), |missing| Err(format!("{}: {read:?} misses the value of {missing:?}", self.key)))
    }

    fn meets(&self, write: usize, read: usize) -> bool {
        write + read > self.terms.owners
    }

    /// Whether the value of a write is known to be on owners that a read asks.
    fn is_known(&self, write: &Operation, value: &Bytes, read: &Operation) -> bool {
        let quorum = self.terms.owners / 2 + 1;
        let gave = |earlier: &Operation| {
            let is_read = matches!(earlier.ask, Ask::Get | Ask::Siblings) && earlier.read >= quorum;
            let given =
                || values(earlier).is_some_and(|(at, all)| at < read.asked_at && all.contains(&value));
            is_read && self.meets(quorum, read.read) && given()
        };
        write.is_done_before(read.asked_at) && self.meets(write.write, read.read)
            || self.operations.iter().any(|earlier| gave(earlier))
    }

    /// Whether somebody who began before the read ended may have removed the value of a write.
    fn may_be_removed(&self, write: &Operation, value: &Bytes, read_at: u64) -> bool {
        self.applied.iter().filter(|removal| removal.asked_at <= read_at).any(|removal| match &removal.ask {
            Ask::Resolve(_, token) => token.values.contains(value),
            _ => {
                let is_other = removal.sees().is_some() && !std::ptr::eq(*removal, write);
                is_other && !removal.is_done_before(write.asked_at)
            }
        })
    }

    fn has_seen(&self, token: &Token, write: &Operation) -> bool {
        write.is_done_before(token.asked_at) && self.meets(write.write, token.read)
    }

    /// Who has removed the value of a write for certain, before a read began.
    fn removal_of(&self, write: &Operation, read: &Operation, is_newest: bool) -> Option<&Operation> {
        let value = written(write)?;
        self.applied.iter().copied().find(|removal| {
            let is_seen = removal.is_done_before(read.asked_at) && self.meets(removal.write, read.read);
            is_seen
                && match &removal.ask {
                    Ask::Resolve(_, token) => token.values.contains(value) && self.has_seen(token, write),
                    Ask::Put(_) if !is_newest => false,
                    _ => removal.sees().is_some_and(|sees| {
                        write.is_done_before(removal.asked_at) && self.meets(write.write, sees)
                    }),
                }
        })
    }
}
