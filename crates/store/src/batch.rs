//! A batch of row changes, and the number that a store gives it.
//!
//! Not an encoding: engines write batches in their own way.
//!
//! 1. The order of rows is the order of the calls; a later change of a row wins over an earlier one.
//! 2. `bytes` is the sum over the rows, at all times.

use bytes::Bytes;

use crate::StoreError;

/// The number of a batch in one run of one store, from 1; 0 stands for what was settled all along.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Commit(pub u64);

/// Changes of rows that take effect together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    rows: Vec<(Bytes, Option<Bytes>)>,
    bytes: usize,
    is_urgent: bool,
}

impl Batch {
    /// Shortest name of a row, bytes. Names below it are the engine's own.
    pub const ROW_BYTES_MIN: usize = 2;
    /// Longest name of a row, bytes (the LSM engine keeps the length in 16 bits).
    pub const ROW_BYTES_MAX: usize = 65_535;
    /// Longest value, bytes.
    pub const VALUE_BYTES_MAX: usize = 1 << 30;

    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty batch with room for so many changes.
    pub fn with_capacity(changes: usize) -> Self {
        Self { rows: Vec::with_capacity(changes), ..Self::default() }
    }

    /// Adds: the row takes this value.
    pub fn put(&mut self, row: Bytes, value: Bytes) {
        self.push(row, Some(value));
    }

    /// Adds: the row ceases to exist. Deleting an absent row is no error.
    pub fn delete(&mut self, row: Bytes) {
        self.push(row, None);
    }

    /// Adds a change: a value, or `None` for a delete.
    pub fn push(&mut self, row: Bytes, value: Option<Bytes>) {
        self.bytes += row.len() + value_bytes(value.as_ref());
        self.rows.push((row, value));
    }

    /// The changes, in the order in which they take effect.
    pub fn rows(&self) -> &[(Bytes, Option<Bytes>)] {
        &self.rows
    }

    /// The changes, given away.
    pub fn into_rows(self) -> Vec<(Bytes, Option<Bytes>)> {
        self.rows
    }

    /// Number of changes.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether it is to be on the disk before it is settled, however seldom others are synced.
    pub fn is_urgent(&self) -> bool {
        self.is_urgent
    }

    /// Has it be on the disk before it is settled.
    pub fn urge(&mut self) {
        self.is_urgent = true;
    }

    /// Length of all names and values together, bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether every engine can take this batch.
    ///
    /// # Errors
    /// [`StoreError::RowLength`] or [`StoreError::ValueLength`] for the first change that does not fit.
    pub fn check(&self) -> Result<(), StoreError> {
        for (row, value) in &self.rows {
            if !(Self::ROW_BYTES_MIN..=Self::ROW_BYTES_MAX).contains(&row.len()) {
                return Err(StoreError::RowLength { bytes: row.len() });
            }
            let bytes = value_bytes(value.as_ref());
            if bytes > Self::VALUE_BYTES_MAX {
                return Err(StoreError::ValueLength { bytes });
            }
        }
        Ok(())
    }

    /// Gives the change at `index` another value, in place.
    pub(crate) fn replace(&mut self, index: usize, value: Option<Bytes>) {
        let held = &mut self.rows[index].1;
        self.bytes = self.bytes - value_bytes(held.as_ref()) + value_bytes(value.as_ref());
        *held = value;
    }
}

impl AsRef<Batch> for Batch {
    fn as_ref(&self) -> &Self {
        self
    }
}

fn value_bytes(value: Option<&Bytes>) -> usize {
    value.map_or(0, Bytes::len)
}
