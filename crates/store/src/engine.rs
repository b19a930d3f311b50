//! The narrow edge to whatever keeps rows: five calls, synchronous, usable from several threads.
//!
//! Not a cache and not a queue: those are `Store` above it. `tests/conformance.rs` is the meaning of this trait.
//!
//! 1. Rows are ordered by their bytes; names are `Batch::ROW_BYTES_MIN` to `Batch::ROW_BYTES_MAX` long.
//! 2. A commit that returned is seen whole by every later `get` and `scan`, from any thread. Of one that is being
//!    made another thread may see some rows: `Store` never asks for those.
//! 3. A crash leaves a prefix of the commits, whole ones, at least up to the last `sync` that returned.

use bytes::Bytes;

use crate::{Batch, StoreError};

/// Something that keeps rows.
pub trait Engine: std::fmt::Debug + Send + Sync {
    /// The value of a row, or `None` if there is no such row.
    ///
    /// # Errors
    /// [`StoreError::Read`] if the row cannot be read, which says nothing about whether it exists.
    fn get(&self, row: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// Up to `limit` rows from `from` (inclusive) to `to` (exclusive) in order; an empty `to` sets no end. A range
    /// whose end is not after its start is empty. What is kept for long is to be copied: it may be part of a block.
    ///
    /// # Errors
    /// [`StoreError::Read`] if any row of the answer cannot be read.
    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Bytes, Bytes)>, StoreError>;

    /// Makes a batch visible and hands it to the operating system: it survives the end of the process, not yet a
    /// power cut. May block while the engine catches up with its own work.
    ///
    /// # Errors
    /// [`StoreError::RowLength`] and [`StoreError::ValueLength`] change nothing; [`StoreError::Write`] and
    /// [`StoreError::Full`] poison the engine, and [`StoreError::Poisoned`] says that it is.
    fn commit(&self, batch: &Batch) -> Result<(), StoreError>;

    /// Returns when everything committed before the call is durable.
    ///
    /// # Errors
    /// [`StoreError::Write`] and [`StoreError::Full`] poison the engine: what was not durable before may be lost, even if a second sync
    /// would succeed. [`StoreError::Poisoned`] says that it is.
    fn sync(&self) -> Result<(), StoreError>;

    /// Copies all rows of one instant, in order, into an empty engine of the same kind, durably. Commits may go on
    /// meanwhile and are not in the copy. Returns the number of rows.
    ///
    /// # Errors
    /// [`StoreError::NotEmpty`] if the target holds rows; reading errors of this engine, writing errors of that one
    /// (the target is then to be thrown away).
    fn checkpoint(&self, target: &Self) -> Result<u64, StoreError>
    where
        Self: Sized;
}

/// What a committer does with the batches that wait: one commit, and with `sync` one sync. The order of the slice
/// is the order of the writes. Ten batches so cost hardly more than one, because an engine's durable commit holds
/// its journal while the disk works.
///
/// # Errors
/// Those of [`Engine::commit`] and [`Engine::sync`]; after any of them none of the batches may be reported settled.
pub fn commit_group<E: Engine + ?Sized, B: AsRef<Batch>>(
    engine: &E,
    batches: &[B],
    sync: bool,
) -> Result<(), StoreError> {
    match batches {
        [] => {}
        [one] => engine.commit(one.as_ref())?,
        several => engine.commit(&merged(several))?,
    }
    let is_urgent = batches.iter().any(|batch| batch.as_ref().is_urgent());
    if sync || is_urgent { engine.sync() } else { Ok(()) }
}

/// One batch out of several. A row that every batch rewrites, a context say, is written once.
fn merged<B: AsRef<Batch>>(batches: &[B]) -> Batch {
    let mut changes: Vec<_> = batches.iter().flat_map(|batch| batch.as_ref().rows()).collect();
    // Stable, so that of equal names the last stays last.
    changes.sort_by(|(left, _), (right, _)| left.cmp(right));
    let mut all = Batch::with_capacity(changes.len());
    for (at, (row, value)) in changes.iter().enumerate() {
        if changes.get(at + 1).is_none_or(|(next, _)| next != row) {
            all.push(row.clone(), value.clone());
        }
    }
    all
}
