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
//! Not what is done about a gap: whoever knows what rows mean treats what lies there as lost.
//!
//! 1. Every row that is not in a gap is in the copy as it was.

use bytes::Bytes;

use crate::{Batch, Engine, StoreError};

/// Rows that are read and copied at a time.
const PAGE_ROWS: usize = 1024;
/// How far names are told apart when the end of a gap is looked for, in bytes.
const NAME_BYTES: usize = 16;

/// Names of rows of which some could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first name that may be missing.
    pub from: Bytes,
    /// The first name after it that is not; nothing where it has no end.
    pub to: Option<Bytes>,
}

/// What became of a store that was salvaged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Rows that were copied.
    pub rows: u64,
    /// What was left out, in order.
    pub gaps: Vec<Gap>,
}

/// Copies every row that can be read from one engine into another, an empty one, durably.
///
/// # Errors
/// Those of writing; and of reading where it is not a row that cannot be read. The target is then of no use.
pub fn salvage(from: &dyn Engine, to: &dyn Engine) -> Result<Salvaged, StoreError> {
    let mut salvaged = Salvaged::default();
    let (mut cursor, mut limit) = (Bytes::new(), PAGE_ROWS);
    loop {
        match from.scan(&cursor, &[], limit) {
            Ok(rows) => {
                let Some((last, _)) = rows.last() else { break };
                cursor = after(last);
                salvaged.rows += rows.len() as u64;
                let mut batch = Batch::with_capacity(rows.len());
                rows.into_iter().for_each(|(row, value)| batch.put(row, value));
                to.commit(&batch)?;
                limit = (limit * 2).min(PAGE_ROWS);
            }
            Err(StoreError::Read(_)) if limit > 1 => limit /= 2,
            Err(StoreError::Read(_)) => {
                let end = readable_after(from, &cursor)?;
                salvaged.gaps.push(Gap { from: cursor, to: end.clone() });
                let Some(end) = end else { break };
                cursor = end;
            }
            Err(error) => return Err(error),
        }
    }
    to.sync()?;
    Ok(salvaged)
}

/// The name right after another.
fn after(row: &[u8]) -> Bytes {
    [row, &[0]].concat().into()
}

/// The first name after one that cannot be read from which on it can: looked for in longer and longer steps, and then
/// between the last two. A second gap right behind the first may be taken for a part of it.
fn readable_after(from: &dyn Engine, unreadable: &[u8]) -> Result<Option<Bytes>, StoreError> {
    let is_readable = |name: u128| match from.scan(&name.to_be_bytes(), &[], 1) {
        Ok(_) => Ok(true),
        Err(StoreError::Read(_)) => Ok(false),
        Err(error) => Err(error),
    };
    let mut start = [0; NAME_BYTES];
    let common = unreadable.len().min(NAME_BYTES);
    start[..common].copy_from_slice(&unreadable[..common]);
    let mut low = u128::from_be_bytes(start);
    let mut step = 1u128;
    let mut high = loop {
        let Some(name) = low.checked_add(step) else { return Ok(None) };
        if is_readable(name)? {
            break name;
        }
        (low, step) = (name, step.saturating_mul(2));
    };
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if is_readable(middle)? { high = middle } else { low = middle }
    }
    Ok(Some(Bytes::copy_from_slice(&high.to_be_bytes())))
}

#[cfg(test)]
mod tests {
    use super::{PAGE_ROWS, salvage};
    use crate::{Batch, Engine, Memory};
    use bytes::Bytes;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use std::collections::BTreeSet;

    fn name(number: u64) -> Bytes {
        format!("row {number:012} and more").into()
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
        let rows = 3 * PAGE_ROWS as u64 + 7;
        let (from, to) = (engine(rows), Memory::new());
        let salvaged = salvage(&from, &to).unwrap();
        assert_eq!((salvaged.rows, salvaged.gaps.len()), (rows, 0));
        assert_eq!(from.scan(&[], &[], usize::MAX), to.scan(&[], &[], usize::MAX));
        assert_eq!(to.unsynced(), 0, "it is durable");
    }

    #[test]
    fn an_end_that_cannot_be_read_is_a_gap_without_end() {
        let (from, to) = (engine(10), Memory::new());
        assert!(from.damage(&name(9)));
        let salvaged = salvage(&from, &to).unwrap();
        assert_eq!(salvaged.rows, 9);
        assert!(matches!(&salvaged.gaps[..], [gap] if gap.from > name(8) && gap.from <= name(9)));
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
            let salvaged = salvage(&from, &to).unwrap();
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
