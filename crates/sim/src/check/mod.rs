//! The checkers: they see what clients saw, and know nothing of the code.
//!
//! | file | what it checks |
//! |---|---|
//! | `register` | keys that are written and read |
//! | `counter` | keys that are added to, and what removes them |
//! | `siblings` | keys whose conflicts clients settle themselves |
//! | `sloppy` | keys that are written at the level `sloppy` |
//! | `serial` | any keys, where nothing breaks |
//!
//! All of them lean on the same promise. With N owners, a write acknowledged by W of them before a read of R of them
//! began is seen by it if W + R > N. Deleting is writing "absent"; so is a flush, to every key of its partition.
//!
//! 1. A rule is what the documents promise, and not what the nodes happen to do.

mod counter;
mod register;
mod serial;
mod siblings;
mod sloppy;

pub use counter::counter;
pub use register::register;
pub use serial::serial;
pub use siblings::siblings;
pub use sloppy::{lent, owed};

use crate::history::{Ask, Operation, Told};
use bytes::Bytes;

/// What a history is checked by.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The number of owners of every key.
    pub owners: usize,
    /// What was read before this time was checked already, in microseconds.
    pub since: u64,
}

impl Terms {
    /// Those by which everything that was read is checked.
    pub fn of(owners: usize) -> Self {
        Self { owners, since: 0 }
    }

    /// What was not checked yet.
    fn fresh<'a>(self, operations: &'a [&'a Operation]) -> impl Iterator<Item = &'a Operation> {
        operations.iter().copied().filter(move |operation| operation.asked_at >= self.since)
    }
}

/// What the values that are put on a number are multiples of. What is added to it stays below.
pub const NUMBER_UNIT: i64 = 1_000_000;

/// Checks the history of one key that is put, as a multiple of [`NUMBER_UNIT`], and added to: the multiple is a
/// register and what is above it a counter.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn number(key: &str, operations: &[&Operation], terms: Terms) -> Result<(), String> {
    let (mut bases, mut sums) = (Vec::new(), Vec::new());
    for operation in operations {
        let (mut base, mut sum) = ((*operation).clone(), (*operation).clone());
        if let Some((at, Told::Read(value))) = &operation.told {
            let halves =
                split(value.as_ref()).ok_or_else(|| format!("{key}: {operation:?} gives no number"))?;
            (base.told, sum.told) = (Some((*at, Told::Read(halves.0))), Some((*at, Told::Read(halves.1))));
        }
        bases.push(base);
        sums.push(sum);
    }
    register(key, &bases.iter().collect::<Vec<_>>(), terms)?;
    counter(key, &sums.iter().collect::<Vec<_>>(), terms)
}

/// What was put, and what was added to it.
fn split(value: Option<&Bytes>) -> Option<(Option<Bytes>, Option<Bytes>)> {
    let Some(value) = value else { return Some((None, None)) };
    let number: i64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    let (base, sum) = (number - number % NUMBER_UNIT, number % NUMBER_UNIT);
    let text = |number: i64| Bytes::from(number.to_string());
    Some(((base != 0).then(|| text(base)), Some(text(sum))))
}

/// What a read of one value gave, and when. A conditional write is a read of what its condition says.
fn read_of(operation: &Operation) -> Option<(u64, Option<&Bytes>)> {
    match (&operation.ask, &operation.told) {
        (Ask::Get | Ask::Swap(_) | Ask::Take | Ask::Add(_), Some((at, Told::Read(value)))) => {
            Some((*at, value.as_ref()))
        }
        (Ask::Delete, Some((at, Told::NotDone))) | (Ask::PutAbsent(_), Some((at, Told::Done))) => {
            Some((*at, None))
        }
        _ => None,
    }
}

/// The value that an operation writes, if it writes one.
fn written(operation: &Operation) -> Option<&Bytes> {
    match &operation.ask {
        Ask::Put(value) | Ask::PutAbsent(value) | Ask::Swap(value) | Ask::Resolve(value, _) => Some(value),
        Ask::Take | Ask::Delete | Ask::Flush | Ask::Get | Ask::Add(_) | Ask::Siblings => None,
    }
}
