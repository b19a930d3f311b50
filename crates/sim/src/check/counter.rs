//! Counters: keys that are only added to, and what removes them: a put, a delete, a flush.
//!
//! A read lies between two sums. The least: what was acknowledged before it began, but for what a removal may have taken
//! since. The most: what was asked for by its end, but for what a removal has taken for certain:
//!
//! ```text
//!   ├─ add ─┤                            the add had ended when the removal began,
//!             ├─ delete ─┤               the removal had ended when the read began,
//!                           ├─ get ─┤    and no other add was under way meanwhile
//! ```
//!
//! The last is what concurrent increments and deletes are documented to do: an increment that is under way may bring
//! back what its coordinator had added before.
//!
//! `INCRBY` gives the sum with its own amount, so it is a read as well.

use super::{Terms, read_of};
use crate::history::{Ask, Operation};

/// Something added.
struct Added<'a> {
    operation: &'a Operation,
    by: i64,
}

/// A removal, and what may undo it.
struct Removal<'a> {
    operation: &'a Operation,
    sees: usize,
    /// No add that may bring back an earlier one was under way.
    is_clean: bool,
}

/// Checks the history of one key that is a counter.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn counter(key: &str, operations: &[&Operation], terms: Terms) -> Result<(), String> {
    let applied = || operations.iter().copied().filter(|operation| operation.may_be_applied());
    let adds: Vec<Added<'_>> = applied()
        .filter_map(|operation| match operation.ask {
            Ask::Add(by) => Some(Added { operation, by }),
            _ => None,
        })
        .collect();
    let removals: Vec<Removal<'_>> = applied()
        .filter_map(|operation| {
            let sees = operation.sees()?;
            let is_clean = adds.iter().all(|add| is_settled(add.operation, operation, sees, terms));
            Some(Removal { operation, sees, is_clean })
        })
        .collect();
    for operation in terms.fresh(operations) {
        let Some((read_at, value)) = read_of(operation) else { continue };
        let text = value.map_or("0", |bytes| std::str::from_utf8(bytes).unwrap_or("?"));
        let Ok(sum) = text.parse::<i64>() else { return Err(format!("{key}: {text} is no sum")) };
        let least = least(operation, read_at, &adds, &removals, terms);
        let most = most(operation, read_at, &adds, &removals, terms);
        if sum < least || sum > most {
            return Err(format!("{key}: {operation:?} gives {sum}, outside of {least} to {most}"));
        }
    }
    Ok(())
}

/// Whether an add was over before the removal began, and seen by it, or began after it had ended, and saw it.
fn is_settled(add: &Operation, removal: &Operation, sees: usize, terms: Terms) -> bool {
    let before = add.is_done_before(removal.asked_at) && add.write + sees > terms.owners;
    let after = removal.is_done_before(add.asked_at) && removal.write + add.read > terms.owners;
    before || after
}

fn least(read: &Operation, read_at: u64, adds: &[Added<'_>], removals: &[Removal<'_>], terms: Terms) -> i64 {
    let begun = removals.iter().map(|removal| removal.operation);
    let begun = begun.filter(|removal| removal.asked_at <= read_at && !std::ptr::eq(*removal, read));
    // What began later was removed by none of them; one whose outcome is unknown may still be under way.
    let removed_until = begun.map(|removal| removal.done_at().unwrap_or(u64::MAX)).max();
    let counts = |add: &Operation| {
        let is_seen = add.is_done_before(read.asked_at) && add.write + read.read > terms.owners;
        is_seen && removed_until.is_none_or(|until| until < add.asked_at) || std::ptr::eq(add, read)
    };
    adds.iter().filter(|add| counts(add.operation)).map(|add| add.by).sum()
}

fn most(read: &Operation, read_at: u64, adds: &[Added<'_>], removals: &[Removal<'_>], terms: Terms) -> i64 {
    let is_seen = |removal: &Operation| {
        removal.is_done_before(read.asked_at) && removal.write + read.read > terms.owners
    };
    let removals: Vec<(u64, usize)> = removals
        .iter()
        .filter(|removal| removal.is_clean && is_seen(removal.operation))
        .map(|removal| (removal.operation.asked_at, removal.sees))
        .collect();
    // The last one that has seen so many owners is all that matters of those.
    let removed_until = |write: usize| {
        removals.iter().filter(|(_, sees)| write + sees > terms.owners).map(|(began, _)| *began).max()
    };
    let until: Vec<Option<u64>> = (0..=terms.owners).map(removed_until).collect();
    let is_gone = |add: &Operation| until[add.write].is_some_and(|until| add.is_done_before(until));
    let begun = adds.iter().filter(|add| add.operation.asked_at <= read_at);
    begun.filter(|add| !is_gone(add.operation)).map(|add| add.by).sum()
}
