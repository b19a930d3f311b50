//! What can go wrong in storage, cut by the caller's next move.
//!
//! Not a catalogue of engine errors: an engine's own words ride along as text.

use std::path::PathBuf;

/// A failure of storage. None of them means "not found".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Fix the input: the row's name is empty, too short or too long (bytes). Nothing was changed.
    #[error("a row's name has {bytes} bytes, outside the allowed range")]
    RowLength {
        /// Length of the offending name, bytes.
        bytes: usize,
    },
    /// Fix the input: the value is longer than an engine takes (bytes). Nothing was changed.
    #[error("a row's value has {bytes} bytes, more than the engine takes")]
    ValueLength {
        /// Length of the offending value, bytes.
        bytes: usize,
    },
    /// Give up: another process, or another handle of this one, has the directory open.
    #[error("{} is in use: another process has this store open", dir.display())]
    Locked {
        /// The directory asked for.
        dir: PathBuf,
    },
    /// Give up: a checkpoint goes only into an empty store.
    #[error("the target of a checkpoint already holds rows")]
    NotEmpty,
    /// Give up: the directory holds something this program cannot read.
    #[error("cannot read this store: {0}")]
    Unreadable(String),
    /// Quarantine what was being read, and repair it from a peer.
    #[error("reading failed: {0}")]
    Read(String),
    /// Stop acknowledging, wait for room, reopen: this write may or may not survive. Nothing that was synced is lost.
    #[error("the disk is full, the store must be opened again: {0}")]
    Full(String),
    /// Stop acknowledging, reopen, verify: this write may or may not survive, and later ones are refused.
    #[error("writing failed, the store must be opened again: {0}")]
    Write(String),
    /// The same as [`StoreError::Write`], for every call after the one that failed.
    #[error("an earlier write or sync failed, the store must be opened again")]
    Poisoned,
}
