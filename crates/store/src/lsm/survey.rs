//! A look at the engine's files before the engine opens them.
//!
//! `fjall` 3.1.13 opens some damaged directories as if nothing were missing, and removes what it then takes for leftovers:
//!
//! ```text
//! damage                                   what the engine does              what is done here
//! a journal that was sealed                takes it for its end and goes on  refused
//!                                          with the next: rows are missing
//! the number of a batch (no sum has it)    an older change of a row wins     refused
//! the end of the last journal              a part is dropped, or refused,    cut off behind the last whole batch; the
//!                                          or a panic                        mark says whether anything was durable
//! the list of tables (a sum is written     tables are missing; it deletes    refused
//! and never compared)                      their files
//! `current`, which names that list         deletes the whole keyspace        refused
//! ```
//!
//! Not a check of the tables: each block has a sum, which is compared whenever it is read.
//!
//! 1. Whatever passes holds, of what the engine will replay, every batch but for an end of the last journal.
//! 2. Nothing is removed but bytes behind the last whole batch, and those are kept beside it if any of them may have
//!    been durable.

use std::fs::{self, OpenOptions};
use std::io::{Error, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_128;

use super::journal::{Journal, Written};
use crate::StoreError;

/// How far a batch's number may lie above what it was expected to be at least: the engine's workers take some too.
const NUMBERS_SKIPPED_MAX: u64 = 1 << 20;
/// Read and written at a time, bytes.
const CHUNK_BYTES: usize = 1 << 20;
/// The number of the list of tables, its sum, and the kind of the sum: bytes of `current`.
const CURRENT_BYTES: usize = 8 + 16 + 1;

/// Looks at the engine's directory; gives the greatest commit that is in a journal, 0 if there is none. `mark` is what
/// was durable at least.
///
/// # Errors
/// [`StoreError::Unreadable`] where rows would be missing, or older than they were.
pub(super) fn survey(rows: &Path, mark: u64) -> Result<u64, StoreError> {
    for file in ["version", "keyspaces/0/current", "keyspaces/1/current"] {
        if !rows.join(file).try_exists().map_err(unread)? {
            return Err(StoreError::Unreadable(format!("the engine's file {file} is gone")));
        }
    }
    for keyspace in ["keyspaces/0", "keyspaces/1"] {
        tables(&rows.join(keyspace))?;
    }
    journals(rows, mark)
}

/// Compares the list of tables with its sum.
fn tables(keyspace: &Path) -> Result<(), StoreError> {
    let current = match fs::read(keyspace.join("current")) {
        Ok(current) => current,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unread(error)),
    };
    let damaged = |what: String| Err(StoreError::Unreadable(format!("the engine's list of tables {what}")));
    let (Some(number), Some(sum), CURRENT_BYTES) = (
        current.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)),
        current.get(8..).and_then(<[u8]>::first_chunk).map(|bytes| u128::from_le_bytes(*bytes)),
        current.len(),
    ) else {
        return damaged("is not named".into());
    };
    match fs::read(keyspace.join(format!("v{number}"))) {
        Ok(list) if xxh3_128(&list) == sum => Ok(()),
        Ok(_) => damaged(format!("v{number} is damaged")),
        Err(error) => damaged(format!("v{number}: {error}")),
    }
}

fn journals(rows: &Path, mark: u64) -> Result<u64, StoreError> {
    let journals = numbered(rows)?;
    let damaged =
        |path: &Path, what| StoreError::Unreadable(format!("the journal {} {what}", path.display()));
    let mut last: Option<Written> = None;
    for (at, (number, path)) in journals.iter().enumerate() {
        if at > 0 && journals[at - 1].0 + 1 != *number {
            return Err(damaged(path, "does not follow the one before"));
        }
        let mut journal = Journal::open(path).map_err(unread)?;
        let before = last;
        while let Some(written) = journal.next().map_err(unread)? {
            // Within a journal there is a gap where damage was cut off whose rows were in tables already.
            if !follows(last, written) || (last == before && leaves_gap(last, written)) {
                return Err(damaged(path, "has a batch out of its order"));
            }
            last = Some(written);
        }
        let is_blank = is_blank_from(path, journal.end).map_err(unread)?;
        match (is_blank, at + 1 == journals.len()) {
            (true, _) => {}
            (false, false) => return Err(damaged(path, "is damaged, and was whole when the next was begun")),
            (false, true) => {
                let commits = last.and_then(|written| written.commits).map_or(0, |commits| commits.count);
                cut(path, journal.end, commits < mark).map_err(unread)?;
            }
        }
    }
    Ok(last.and_then(|written| written.commits).map_or(0, |commits| commits.count))
}

/// Whether a batch can stand behind another: each says what its number would be at least.
fn follows(last: Option<Written>, written: Written) -> bool {
    let Some(commits) = written.commits else { return false };
    let after =
        last.map_or((0, 0), |last| (last.number + 1, last.commits.map_or(0, |commits| commits.count)));
    let least = after.0.max(commits.number_min);
    // Written before commits said so: nothing is known of the number then but its order.
    let is_near =
        commits.number_min == 0 || written.number - least.min(written.number) <= NUMBERS_SKIPPED_MAX;
    let is_after = last.is_none_or(|last| commits.number_min == 0 || last.number < commits.number_min);
    written.number >= least && is_near && is_after && commits.count > after.1
}

fn leaves_gap(last: Option<Written>, written: Written) -> bool {
    let count = |written: Written| written.commits.map_or(0, |commits| commits.count);
    last.is_some_and(|last| count(last) + 1 != count(written))
}

/// The journals in the order in which they were written.
fn numbered(rows: &Path) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let mut journals = Vec::new();
    for entry in fs::read_dir(rows).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        if path.extension().is_some_and(|end| end == "jnl") {
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            let number = number.ok_or_else(|| StoreError::Unreadable("the name of a journal".into()))?;
            journals.push((number, path));
        }
    }
    journals.sort();
    Ok(journals)
}

/// Whether a file has nothing but zeros from a place on: a journal is as long as it may become from the beginning.
fn is_blank_from(path: &Path, from: u64) -> Result<bool, Error> {
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let (mut bytes, blank) = (vec![0; CHUNK_BYTES], vec![0; CHUNK_BYTES]);
    loop {
        let read = file.read(&mut bytes)?;
        // Compared as a whole: most of a journal is blank, and is looked at whenever its store is opened.
        if bytes[..read] != blank[..read] {
            return Ok(false);
        }
        if read == 0 {
            return Ok(true);
        }
    }
}

/// Takes away what is behind the last whole batch: a write that a crash has cut off, or damage.
fn cut(path: &Path, end: u64, keeps_copy: bool) -> Result<(), Error> {
    if keeps_copy {
        fs::copy(path, path.with_extension("damaged"))?;
    }
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(end)?;
    file.sync_all()
}

/// Writes every journal anew and puts it in the place of the old one.
pub(super) fn rewrite_journals(rows: &Path) -> Result<(), StoreError> {
    let unwritten = |error: Error| match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full(error.to_string()),
        _ => StoreError::Write(error.to_string()),
    };
    for (_, path) in numbered(rows)? {
        let beside = path.with_extension("new");
        write_anew(&path, &beside).map_err(unwritten)?;
        fs::rename(&beside, &path).map_err(unwritten)?;
    }
    fs::File::open(rows).and_then(|dir| dir.sync_all()).map_err(unwritten)
}

/// Byte for byte: a copy by the system may share what is on the disk.
fn write_anew(path: &Path, beside: &Path) -> Result<(), Error> {
    let (mut from, mut to) = (fs::File::open(path)?, fs::File::create(beside)?);
    let mut bytes = vec![0; CHUNK_BYTES];
    loop {
        match from.read(&mut bytes)? {
            0 => return to.sync_all(),
            read => to.write_all(&bytes[..read])?,
        }
    }
}

fn unread(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unreadable(error.to_string())
}
