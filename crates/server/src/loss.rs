//! The note that a shard's store may have forgotten something, `DIR/shard-<i>.lost`.
//!
//! Not the store and not what is learned: a file that is there or not. Who opens a store that has lost something begins with
//! little in it, and a process that ended then would leave a sound store that looks whole.
//!
//! 1. It is there, durably, before the store is opened with the loss, and until the node's first batch has settled.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::StartError;

/// The note that a shard's store may have forgotten something.
#[derive(Debug)]
pub(crate) struct Loss(PathBuf);

impl Loss {
    /// That of shard `index` in a directory.
    pub(crate) fn of(dir: &Path, index: usize) -> Self {
        Self(dir.join(format!("shard-{index}.lost")))
    }

    /// Whether it is there.
    pub(crate) fn is_noted(&self) -> bool {
        self.0.exists()
    }

    /// Notes it, durably.
    ///
    /// # Errors
    /// Where the directory cannot be written.
    pub(crate) fn note(&self) -> Result<(), StartError> {
        let unusable = |error| StartError::Directory { dir: self.0.clone(), error };
        let made = File::create(&self.0).and_then(|file| file.sync_all());
        let named = || self.0.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all());
        made.and_then(|()| named()).map_err(unusable)
    }

    /// Whoever opened the store has made durable what there is to be known of the loss.
    pub(crate) fn forget(&self) {
        if let Err(error) = std::fs::remove_file(&self.0)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(path = %self.0.display(), %error, "a note cannot be removed: the shard learns again at its next start");
        }
    }
}
