//! One ordered answer out of two: what the engine holds, and the changes that it does not hold yet.
//!
//! Not an iterator over the store: it gathers one bounded answer and ends.
//!
//! 1. A change hides the engine's row of the same name, whether it puts or deletes.
//! 2. The answer has `limit` rows if there are so many, however many deletes lie between them.

use std::iter::Peekable;
use std::vec::IntoIter;

use bytes::Bytes;

use super::pending::Change;
use crate::{Commit, Engine, StoreError};

pub(super) struct Merge<'a> {
    changes: Peekable<IntoIter<Change<'a>>>,
    limit: usize,
    rows: Vec<(Bytes, Bytes)>,
    commit: Commit,
}

impl<'a> Merge<'a> {
    /// The changes are in the order of their rows, each row once.
    pub(super) fn new(changes: Vec<Change<'a>>, limit: usize) -> Self {
        Self { changes: changes.into_iter().peekable(), limit, rows: Vec::new(), commit: Commit(0) }
    }

    /// Asks the engine for as many rows as are wanted, and for more, twice as many each time, only while deletes
    /// hide what it gave.
    pub(super) fn over<E: Engine + ?Sized>(
        mut self,
        engine: &E,
        from: &[u8],
        to: &[u8],
    ) -> Result<(Vec<(Bytes, Bytes)>, Commit), StoreError> {
        let mut start = from.to_vec();
        let mut page_rows = self.limit;
        while !self.is_full() {
            let page = engine.scan(&start, to, page_rows)?;
            let is_last = page.len() < page_rows;
            if let Some((row, _)) = page.last() {
                start.clear();
                start.extend_from_slice(row);
                start.push(0);
            }
            self.take(page);
            if is_last {
                self.take_changes(|_| true);
                break;
            }
            page_rows = page_rows.saturating_mul(2);
        }
        Ok((self.rows, self.commit))
    }

    fn take(&mut self, page: Vec<(Bytes, Bytes)>) {
        for (row, value) in page {
            self.take_changes(|change| change.row < &row);
            if self.is_full() {
                return;
            }
            match self.changes.next_if(|change| change.row == &row) {
                Some(change) => self.take_change(&change),
                None => self.rows.push((row, value)),
            }
        }
    }

    fn take_changes(&mut self, wanted: impl Fn(&Change<'_>) -> bool) {
        while !self.is_full() {
            let Some(change) = self.changes.next_if(&wanted) else { return };
            self.take_change(&change);
        }
    }

    fn take_change(&mut self, change: &Change<'_>) {
        self.commit = self.commit.max(change.commit);
        if let Some(value) = change.value {
            self.rows.push((change.row.clone(), value.clone()));
        }
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= self.limit
    }
}
