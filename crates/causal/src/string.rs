//! Strings and counters: a view over the one cell of a string.
//!
//! ```text
//! cell ── Plain "40"      a SET: of several, the greatest stamp is seen
//!      ├─ Increment +2    all that one node has added since: every one counts
//!      └─ Increment -1
//!      value: "41"
//! ```
//!
//! An increment replaces the entry of its own actor and no other, so a counter has at most one entry for each
//! start of a process that has counted it. A `SET` or `DEL` removes every entry that it has seen.
//!
//! What this does not give: a `SET` or `DEL` that runs *concurrently* with an increment by the same key's other
//! writers may bring back what that one writer had added before. While the cluster is whole, increments and
//! deletes of a key run one after another at its home, so it takes a network cut or a plain `SET` in flight.

use crate::dot::Actor;
use crate::entry::{Entries, Entry, Payload};
use crate::value::{Amount, Change, Value};
use crate::{Cell, Dot, Edit};
use bytes::Bytes;
use rust_decimal::Decimal;
use std::collections::BTreeSet;

/// What the entries of a string's cell say, all together; nothing where there are none.
pub fn value(entries: &Entries) -> Option<Value> {
    let sum = newest_increments(entries).map(|(_, by)| by).reduce(Amount::plus);
    match (newest_plain(entries), sum) {
        (None, None) => None,
        (Some(bytes), None) => Some(Value::String(bytes.clone())),
        (None, Some(sum)) => Some(Value::String(render(sum))),
        (Some(bytes), Some(sum)) => Some(Value::String(plus(bytes, sum))),
    }
}

/// What they say once `by` has been added.
pub fn value_with(entries: &Entries, by: Amount) -> Value {
    let sum = newest_increments(entries).map(|(_, by)| by).fold(by, Amount::plus);
    Value::String(newest_plain(entries).map_or_else(|| render(sum), |bytes| plus(bytes, sum)))
}

/// Every value that a reader of siblings sees: the plain ones, newest first, or the counter alone.
pub fn siblings(entries: &Entries) -> Vec<Value> {
    let mut plain: Vec<&Entry> = entries.iter().filter(|entry| is_plain(entry)).collect();
    if plain.len() < 2 {
        return value(entries).into_iter().collect();
    }
    plain.sort_by_key(|entry| std::cmp::Reverse(entry.stamp));
    let text = |entry: &&Entry| match &entry.payload {
        Payload::Plain(bytes) => Some(Value::String(bytes.clone())),
        Payload::Increment(_) => None,
    };
    plain.iter().filter_map(text).collect()
}

/// What `change` does to the cell when its maker, `actor`, has seen `entries`; nothing where it keeps them.
pub fn edit(cell: Cell, change: Change, entries: &Entries, actor: Actor) -> Option<Edit> {
    match change {
        Change::Keep => None,
        Change::Put(bytes) => {
            Some(Edit { cell, add: Some(Payload::Plain(bytes)), removes: entries.dots().collect() })
        }
        Change::Delete if entries.is_empty() => None,
        Change::Delete => Some(Edit { cell, add: None, removes: entries.dots().collect() }),
        Change::Add(by) => {
            let before =
                newest_increments(entries).find(|(dot, _)| dot.actor == actor).map(|(_, before)| before);
            let sum = before.map_or(by, |before| before.plus(by));
            let mine = entries.iter().filter(|entry| entry.dot.actor == actor && !is_plain(entry));
            let removes = mine.map(|entry| entry.dot).collect();
            Some(Edit { cell, add: Some(Payload::Increment(sum)), removes })
        }
    }
}

/// Which of `others` keep a plain write from being what is seen: those with greater stamps, and increments, which would
/// add to it. Lesser ones need not go: two writes that are told of each other at once would remove both.
pub fn above(entries: &Entries, write: &Entry, others: &BTreeSet<Dot>) -> Vec<Dot> {
    let is_above = |entry: &&Entry| !is_plain(entry) || entry.stamp > write.stamp;
    let others = others.iter().filter_map(|dot| entries.get(*dot));
    others.filter(is_above).map(|entry| entry.dot).collect()
}

/// Which of `others` add to a plain write and were made by somebody who had not seen it: increments with lesser stamps.
/// Nothing where one has a greater stamp, for of that it cannot be told.
pub fn added(entries: &Entries, write: &Entry, others: &BTreeSet<Dot>) -> Option<Vec<Dot>> {
    let increments = others.iter().filter_map(|dot| entries.get(*dot)).filter(|entry| !is_plain(entry));
    increments.map(|entry| (entry.stamp < write.stamp).then_some(entry.dot)).collect()
}

/// Whether the value that is seen is one of `others`, or one of those adds to it.
pub fn gives(entries: &Entries, others: &BTreeSet<Dot>) -> bool {
    let adds = |dot: &Dot| entries.get(*dot).is_some_and(|entry| !is_plain(entry));
    seen(entries).is_some_and(|seen| others.contains(&seen.dot)) || others.iter().any(adds)
}

/// The plain entry whose value is seen.
pub fn seen(entries: &Entries) -> Option<&Entry> {
    entries.iter().filter(|entry| is_plain(entry)).max_by_key(|entry| entry.stamp)
}

/// The newest increment of each actor. It holds all that the actor has added, so an older one that is still here,
/// because the operation between the two has not come yet, does not count.
fn newest_increments(entries: &Entries) -> impl Iterator<Item = (Dot, Amount)> {
    let is_last = |at: usize, dot: Dot| {
        !entries.iter().skip(at + 1).any(|later| later.dot.actor == dot.actor && !is_plain(later))
    };
    entries.iter().enumerate().filter_map(move |(at, entry)| match entry.payload {
        Payload::Increment(by) if is_last(at, entry.dot) => Some((entry.dot, by)),
        _ => None,
    })
}

fn is_plain(entry: &Entry) -> bool {
    matches!(entry.payload, Payload::Plain(_))
}

fn newest_plain(entries: &Entries) -> Option<&Bytes> {
    match &seen(entries)?.payload {
        Payload::Plain(bytes) => Some(bytes),
        Payload::Increment(_) => None,
    }
}

fn render(amount: Amount) -> Bytes {
    match amount {
        Amount::Integer(sum) => Bytes::from(sum.to_string()),
        Amount::Decimal(sum) => Bytes::from(sum.normalize().to_string()),
    }
}

/// A base that is not a number (a concurrent `SET` of some text) is seen as it is: there is nothing to add to.
fn plus(base: &Bytes, sum: Amount) -> Bytes {
    let Ok(text) = std::str::from_utf8(base) else { return base.clone() };
    let number = text.parse::<i64>().map(Amount::Integer);
    let number = number.or_else(|_| {
        text.parse::<Decimal>().or_else(|_| Decimal::from_scientific(text)).map(Amount::Decimal)
    });
    number.map_or_else(|_| base.clone(), |number| render(number.plus(sum)))
}
