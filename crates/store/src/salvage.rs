//! What can still be read of a store of which some of it cannot: copied into another, and what was left out is told.
//!
//! ```text
//!   rows        a b c [d e f] g h          the rows of a damaged block cannot be read, nor whatever is merged with them
//!   copied      a b c         g h
//!   gap               from after c to before g
//! ```
//!
//! Of a gap nothing is copied, also where an older table still has a row of it: that would be a row as it once was, or
//! one that was deleted since.
//!
//! Scans have an end: an engine reads the first block of each table from a name on, however far behind it lies, and one that is
//! damaged there would hide everything before it.
//!
//! Not what is done about a gap: whoever knows what rows mean treats what lies there as lost.
//!
//! 1. Every row that is not in a gap is in the copy as it was; but for packs, of which one that is missing makes the others
//!    worthless: they are all there or none is.

use std::ops::ControlFlow;

use bytes::Bytes;

use crate::store::PACKS;
use crate::{Batch, Engine, StoreError};

/// The most rows that are read and copied at a time, and about the most bytes.
const PAGE_ROWS_MAX: usize = 128;
const PAGE_BYTES: usize = 4 << 20;
/// How far names are told apart when the ends of a gap are looked for, in bytes.
const NAME_BYTES: usize = 16;

/// Names of rows of which some could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first name that may be missing.
    pub from: Bytes,
    /// The first name after it that is not; nothing where it has no end.
    pub to: Option<Bytes>,
}

impl Gap {
    /// All names.
    #[must_use]
    pub fn everything() -> Self {
        Self { from: Bytes::new(), to: None }
    }

    /// Whether it has a name from one (inclusive) to another (exclusive).
    #[must_use]
    pub fn touches(&self, from: &[u8], to: &[u8]) -> bool {
        self.from[..] < *to && self.to.as_ref().is_none_or(|end| end[..] > *from)
    }
}

/// What became of a store that was salvaged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Rows that were copied.
    pub rows: u64,
    /// What was left out, in order.
    pub gaps: Vec<Gap>,
}

/// Copies every row that can be read from one engine into another, an empty one, durably. Nothing where it was told to stop,
/// which it asks between two pages.
///
/// # Errors
/// Those of writing; and of reading where it is not a row that cannot be read. The target is then of no use.
pub fn salvage(
    from: &dyn Engine,
    to: &dyn Engine,
    goes_on: &dyn Fn() -> bool,
) -> Result<Option<Salvaged>, StoreError> {
    let mut salvaged = Salvaged::default();
    let mut cursor = Bytes::new();
    loop {
        let unread = match copy(from, to, &cursor, None, &mut salvaged.rows, goes_on)? {
            ControlFlow::Continue(()) => break,
            ControlFlow::Break(None) => return Ok(None),
            ControlFlow::Break(Some(unread)) => unread,
        };
        // Up to where something cannot be read, and on from where it can.
        let until = readable_until(from, &unread)?;
        let start = match copy(from, to, &unread, Some(&until), &mut salvaged.rows, goes_on)? {
            ControlFlow::Continue(()) => until,
            ControlFlow::Break(None) => return Ok(None),
            ControlFlow::Break(Some(unread)) => unread,
        };
        let end = readable_after(from, &start)?;
        salvaged.gaps.push(Gap { from: start, to: end.clone() });
        let Some(end) = end else { break };
        cursor = end;
    }
    if salvaged.gaps.iter().any(|gap| gap.touches(&PACKS.0, &PACKS.1)) {
        drop_packs(to)?;
    }
    to.sync()?;
    Ok(Some(salvaged))
}

/// Copies what is between two names, a page at a time. Breaks off where a row cannot be read, with the first name from which on that
/// is so, or with nothing where it is to stop.
fn copy(
    from: &dyn Engine,
    to: &dyn Engine,
    start: &[u8],
    end: Option<&[u8]>,
    copied: &mut u64,
    goes_on: &dyn Fn() -> bool,
) -> Result<ControlFlow<Option<Bytes>>, StoreError> {
    let (mut cursor, mut limit) = (Bytes::copy_from_slice(start), 1);
    while end.is_none_or(|end| cursor[..] < *end) {
        if !goes_on() {
            return Ok(ControlFlow::Break(None));
        }
        let rows = match from.scan(&cursor, end.unwrap_or_default(), limit) {
            Err(StoreError::Read(_)) if limit > 1 => {
                limit /= 2;
                continue;
            }
            Err(StoreError::Read(_)) => return Ok(ControlFlow::Break(Some(cursor))),
            rows => rows?,
        };
        let Some((last, _)) = rows.last() else { break };
        cursor = after(last);
        *copied += rows.len() as u64;
        let mut batch = Batch::with_capacity(rows.len());
        rows.into_iter().for_each(|(row, value)| batch.put(row, value));
        limit = if batch.bytes() > PAGE_BYTES { (limit / 2).max(1) } else { (limit * 2).min(PAGE_ROWS_MAX) };
        to.commit(&batch)?;
    }
    Ok(ControlFlow::Continue(()))
}

/// The name right after another.
fn after(row: &[u8]) -> Bytes {
    [row, &[0]].concat().into()
}

fn number(name: &[u8]) -> u128 {
    let mut start = [0; NAME_BYTES];
    let common = name.len().min(NAME_BYTES);
    start[..common].copy_from_slice(&name[..common]);
    u128::from_be_bytes(start)
}

fn name(number: u128) -> Bytes {
    Bytes::copy_from_slice(&number.to_be_bytes())
}

fn is_readable(from: &dyn Engine, start: &[u8], end: &[u8]) -> Result<bool, StoreError> {
    match from.scan(start, end, 1) {
        Ok(_) => Ok(true),
        Err(StoreError::Read(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The last name up to which the row after `start` can be looked for, if there is none before; at least `start`. So far nothing is
/// damaged that lies there.
fn readable_until(from: &dyn Engine, start: &[u8]) -> Result<Bytes, StoreError> {
    let (mut low, mut high) = (number(start), u128::MAX);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        // A row before that is no matter: up to it everything can be read, and the rest is looked at again.
        if is_readable(from, start, &name(middle))? { low = middle } else { high = middle }
    }
    Ok(if low == number(start) { Bytes::copy_from_slice(start) } else { name(low) })
}

/// The first name after one that cannot be read from which on it can: looked for in longer and longer steps, and then
/// between the last two. A second gap right behind the first may be taken for a part of it.
fn readable_after(from: &dyn Engine, unreadable: &[u8]) -> Result<Option<Bytes>, StoreError> {
    let at = |number: u128| is_readable(from, &name(number), &name(number.saturating_add(1)));
    let mut low = number(unreadable);
    let mut step = 1u128;
    let mut high = loop {
        let Some(next) = low.checked_add(step) else { return Ok(None) };
        if at(next)? {
            break next;
        }
        (low, step) = (next, step.saturating_mul(2));
    };
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if at(middle)? { high = middle } else { low = middle }
    }
    Ok(Some(name(high)))
}

/// Takes the packs out of a copy.
fn drop_packs(to: &dyn Engine) -> Result<(), StoreError> {
    loop {
        let rows = to.scan(&PACKS.0, &PACKS.1, PAGE_ROWS_MAX)?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::with_capacity(rows.len());
        rows.into_iter().for_each(|(row, _)| batch.delete(row));
        to.commit(&batch)?;
    }
}

#[cfg(test)]
mod tests {
    use super::{Gap, PACKS, PAGE_ROWS_MAX, Salvaged, after};
    use crate::{Batch, Engine, Memory};
    use bytes::Bytes;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use std::collections::BTreeSet;

    fn name(number: u64) -> Bytes {
        format!("row {number:012} and more").into()
    }

    fn salvage(from: &Memory, to: &Memory) -> Salvaged {
        super::salvage(from, to, &|| true).unwrap().expect("it was not told to stop")
    }

    fn engine(rows: u64) -> Memory {
        let engine = Memory::new();
        let mut batch = Batch::new();
        (0..rows).for_each(|number| batch.put(name(number), Bytes::from(number.to_string())));
        engine.commit(&batch).unwrap();
        engine
    }

    #[test]
    fn a_sound_store_is_copied_whole() {
        let rows = 3 * PAGE_ROWS_MAX as u64 + 7;
        let (from, to) = (engine(rows), Memory::new());
        let salvaged = salvage(&from, &to);
        assert_eq!((salvaged.rows, salvaged.gaps.len()), (rows, 0));
        assert_eq!(from.scan(&[], &[], usize::MAX), to.scan(&[], &[], usize::MAX));
        assert_eq!(to.unsynced(), 0, "it is durable");
    }

    #[test]
    fn an_end_that_cannot_be_read_is_a_gap_without_end() {
        let (from, to) = (engine(10), Memory::new());
        assert!(from.damage(&name(9)));
        let salvaged = salvage(&from, &to);
        assert_eq!(salvaged.rows, 9);
        assert!(matches!(&salvaged.gaps[..], [gap] if gap.from > name(8) && gap.from <= name(9)));
    }

    #[test]
    fn packs_are_saved_all_or_none() {
        let pack = |number: u8| [&PACKS.0[..], &[0, 0, 0, 0, 0, 0, 0, number]].concat();
        for damaged in [None, Some(3)] {
            let (from, to) = (engine(10), Memory::new());
            let mut batch = Batch::new();
            (0..6).for_each(|number| batch.put(pack(number).into(), Bytes::from_static(b"changes")));
            from.commit(&batch).unwrap();
            damaged.iter().for_each(|number| assert!(from.damage(&pack(*number))));
            let salvaged = salvage(&from, &to);
            let packs = to.scan(&PACKS.0, &PACKS.1, usize::MAX).unwrap().len();
            assert_eq!((packs, salvaged.gaps.len()), if damaged.is_none() { (6, 0) } else { (0, 1) });
            assert_eq!(to.scan(&after(&PACKS.1), &[], usize::MAX).unwrap().len(), 10, "the rows stay");
        }
    }

    #[test]
    fn it_stops_where_it_is_told() {
        let (from, to) = (engine(10), Memory::new());
        assert_eq!(super::salvage(&from, &to, &|| false), Ok(None));
    }

    #[test]
    fn a_gap_touches_what_is_in_it() {
        let gap =
            |from: &'static str, to: Option<&'static str>| Gap { from: from.into(), to: to.map(Bytes::from) };
        assert!(gap("b", Some("d")).touches(b"a", b"c") && gap("b", Some("d")).touches(b"c", b"z"));
        assert!(!gap("b", Some("d")).touches(b"a", b"b") && !gap("b", Some("d")).touches(b"d", b"z"));
        assert!(gap("b", None).touches(b"x", b"z") && Gap::everything().touches(b"x", b"z"));
    }

    proptest! {
        #[test]
        fn what_is_not_in_a_gap_is_in_the_copy(
            rows in 1..3000u64, damaged in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
        ) {
            let (from, to) = (engine(rows), Memory::new());
            let count = usize::try_from(rows).unwrap();
            let damaged: BTreeSet<u64> = damaged.iter().map(|at| at.index(count) as u64).collect();
            damaged.iter().for_each(|number| assert!(from.damage(&name(*number))));
            let salvaged = salvage(&from, &to);
            let in_gap = |row: &Bytes| {
                salvaged.gaps.iter().any(|gap| *row >= gap.from && gap.to.as_ref().is_none_or(|to| row < to))
            };
            for number in 0..rows {
                let row = name(number);
                let copied = to.get(&row).unwrap();
                prop_assert_eq!(copied.is_none(), in_gap(&row), "{}", number);
                prop_assert!(!damaged.contains(&number) || in_gap(&row));
            }
            // Names that begin alike are told apart no further, so some are left out beside the damaged ones.
            let left_out = rows - salvaged.rows;
            prop_assert!(left_out <= 2 * damaged.len() as u64 * 10, "{left_out} for {damaged:?}");
        }
    }
}
