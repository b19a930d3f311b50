//! The mark: how many commits were durable when it was last written.
//!
//! Not the truth about what is durable, only a lower bound of it, and that without a sync of its own: it is written
//! after the journal's sync, in place, within one disk sector, so a power cut leaves this mark or an earlier one.
//!
//! ```text
//!   byte 0       version, 1
//!   bytes 1..9   commits, big endian
//!   bytes 9..17  XXH3 of bytes 0..9, big endian
//! ```

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Result as IoResult, Seek, SeekFrom, Write};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use crate::StoreError;

const VERSION: u8 = 1;
const BODY_BYTES: usize = 9;
const MARK_BYTES: usize = BODY_BYTES + 8;

#[derive(Debug)]
pub(super) struct Mark {
    file: File,
    commits: u64,
}

impl Mark {
    /// `None` if it is open elsewhere, in this process or another.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        let unreadable = |error: std::io::Error| StoreError::Unreadable(error.to_string());
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = options.map_err(unreadable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(unreadable(error)),
        }
        let mut bytes = Vec::with_capacity(MARK_BYTES);
        // One byte more than a mark has, so that a longer file is noticed and not read whole.
        (&mut file).take(MARK_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        Ok(Some(Self { commits: decode(&bytes)?, file }))
    }

    pub(super) fn commits(&self) -> u64 {
        self.commits
    }

    /// Writes a later mark; an earlier one changes nothing, unless what it said was durable is known to be lost.
    pub(super) fn set(&mut self, commits: u64, is_loss_known: bool) -> IoResult<()> {
        if commits == self.commits || (commits < self.commits && !is_loss_known) {
            return Ok(());
        }
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&encode(commits))?;
        self.commits = commits;
        Ok(())
    }
}

fn encode(commits: u64) -> [u8; MARK_BYTES] {
    let mut bytes = [0; MARK_BYTES];
    bytes[0] = VERSION;
    bytes[1..BODY_BYTES].copy_from_slice(&commits.to_be_bytes());
    let sum = xxh3_64(&bytes[..BODY_BYTES]);
    bytes[BODY_BYTES..].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// An empty file is the mark of a store that never synced.
fn decode(bytes: &[u8]) -> Result<u64, StoreError> {
    let unreadable = |what: &str| Err(StoreError::Unreadable(format!("its mark {what}")));
    match bytes {
        [] => Ok(0),
        [version, ..] if *version != VERSION => unreadable("is of an unknown version"),
        [_, commits @ ..] if bytes.len() == MARK_BYTES => {
            let commits = commits.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
            if encode(commits) == bytes { Ok(commits) } else { unreadable("is damaged") }
        }
        _ => unreadable("has the wrong length"),
    }
}

#[cfg(test)]
mod tests {
    use super::{MARK_BYTES, decode, encode};

    #[test]
    fn a_mark_reads_back() {
        for commits in [1, 0x0102_0304_0506_0708, u64::MAX] {
            assert_eq!(decode(&encode(commits)), Ok(commits));
        }
        assert_eq!(decode(&[]), Ok(0));
    }

    #[test]
    fn a_damaged_mark_is_refused() {
        let good = encode(77);
        for at in 0..MARK_BYTES {
            let mut bad = good;
            bad[at] ^= 1;
            assert!(decode(&bad).is_err(), "byte {at}");
            assert!(decode(&good[..at]).is_err() || at == 0, "cut at {at}");
        }
    }
}
