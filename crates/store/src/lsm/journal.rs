//! What a journal of the engine holds, read without the engine.
//!
//! Not a recovery: nothing is applied. `survey` asks this before the engine opens the files, because what the engine makes
//! of a damaged journal depends on which byte is damaged. The form is that of `fjall` 3 (`journal/entry.rs` there), and
//! every batch in it is one of our commits.
//!
//! ```text
//!   batch   start: 1, items (4), number (8)   items   end: 3, XXH3 of the items (8), "FJL" 3
//!   item    2, type, compression, keyspace (8), key bytes (2), value bytes (4), stored bytes (4), key, value
//! ```
//!
//! Numbers are little endian. The sum covers the items and **not the batch's number**, by which the engine orders what was
//! written to one row: see `survey` for what is done about that.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Result as IoResult};
use std::path::Path;

use xxhash_rust::xxh3::Xxh3Default;

use super::{COMMITS_ROW, Commits};

const TAG_START: u8 = 1;
const TAG_ITEM: u8 = 2;
const TAG_END: u8 = 3;
const TRAILER: [u8; 4] = [b'F', b'J', b'L', 3];
/// An item's lengths and what comes before them, without its tag: bytes.
const ITEM_HEAD_BYTES: usize = 1 + 1 + 8 + 2 + 4 + 4;

/// One whole batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    /// The number by which the engine orders it.
    pub(super) number: u64,
    /// What it says of itself; nothing where it is none of our commits.
    pub(super) commits: Option<Commits>,
}

/// A journal, read from its beginning.
#[derive(Debug)]
pub(super) struct Journal {
    file: BufReader<File>,
    at: u64,
    /// Where the last whole batch ends, bytes.
    pub(super) end: u64,
    item: Vec<u8>,
}

impl Journal {
    pub(super) fn open(path: &Path) -> IoResult<Self> {
        Ok(Self {
            file: BufReader::with_capacity(1 << 20, File::open(path)?),
            at: 0,
            end: 0,
            item: Vec::new(),
        })
    }

    /// The next batch; nothing where no whole one follows.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub(super) fn next(&mut self) -> IoResult<Option<Written>> {
        let found = self.batch();
        match found {
            Ok(Some(written)) => {
                self.end = self.at;
                Ok(Some(written))
            }
            Ok(None) => Ok(None),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn batch(&mut self) -> IoResult<Option<Written>> {
        let [tag] = self.read()?;
        if tag != TAG_START {
            return Ok(None);
        }
        let items = u32::from_le_bytes(self.read()?);
        let number = u64::from_le_bytes(self.read()?);
        let mut sum = Xxh3Default::new();
        let mut commits = None;
        for _ in 0..items {
            let [tag] = self.read()?;
            if tag != TAG_ITEM {
                return Ok(None);
            }
            sum.update(&[tag]);
            commits = self.item(&mut sum)?.or(commits);
        }
        let [tag] = self.read()?;
        let expected = u64::from_le_bytes(self.read()?);
        let trailer: [u8; 4] = self.read()?;
        let is_whole = tag == TAG_END && expected == sum.digest() && trailer == TRAILER;
        Ok(is_whole.then_some(Written { number, commits }))
    }

    /// Reads one item; gives what it says if it is the row of commits.
    fn item(&mut self, sum: &mut Xxh3Default) -> IoResult<Option<Commits>> {
        let head: [u8; ITEM_HEAD_BYTES] = self.read()?;
        let [.., k0, k1, _, _, _, _, s0, s1, s2, s3] = head;
        let key_bytes = usize::from(u16::from_le_bytes([k0, k1]));
        let stored_bytes = u32::from_le_bytes([s0, s1, s2, s3]);
        let bytes = key_bytes as u64 + u64::from(stored_bytes);
        self.item.clear();
        // Grows with what is there, so a length that is wrong costs no memory.
        let read = (&mut self.file).take(bytes).read_to_end(&mut self.item)? as u64;
        self.at += read;
        if read < bytes {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        sum.update(&head);
        sum.update(&self.item);
        let (key, value) = self.item.split_at(key_bytes);
        Ok(if key == COMMITS_ROW { Commits::decode(value) } else { None })
    }

    fn read<const BYTES: usize>(&mut self) -> IoResult<[u8; BYTES]> {
        let mut bytes = [0; BYTES];
        self.file.read_exact(&mut bytes)?;
        self.at += BYTES as u64;
        Ok(bytes)
    }
}
