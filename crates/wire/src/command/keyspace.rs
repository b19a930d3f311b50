//! Commands about all keys: what they ask of every partition.
//!
//! Not how partitions are walked or their answers put together: the server does that, in the order that suits it.
//!
//! 1. What a client sends as a cursor is any 64-bit number; the server decides which ones mean something.

use bytes::Bytes;
use causal::Value;

use super::glob;
use super::number;
use crate::fault::Fault;

/// Keys that one `SCAN` looks at if its client does not say how many.
pub const SCAN_COUNT_DEFAULT: u64 = 10;

/// A request about all keys of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keyspace {
    /// `DBSIZE`: how many there are.
    Size,
    /// `CLUSTER COUNTKEYSINSLOT`: how many there are in a Redis Cluster slot.
    SizeOfSlot(u16),
    /// `KEYS`: those that match a glob pattern.
    Keys(Bytes),
    /// `SCAN`: the next few.
    Scan(Scan),
    /// `RANDOMKEY`: any one.
    Random,
    /// `FLUSHDB`: remove those of the selected database. `ASYNC` and `SYNC` are taken and mean the same here.
    FlushDatabase,
    /// `FLUSHALL`: remove those of all databases.
    FlushAll,
}

/// One step of a walk over all keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Where the last step ended; 0 begins.
    pub cursor: u64,
    /// Keys to look at, about, at least 1.
    pub count: u64,
    /// Show only keys that match; none: all.
    pub pattern: Option<Bytes>,
    /// Show only keys of the type with this name, in any case; a name of no type shows none.
    pub kind: Option<Bytes>,
}

impl Scan {
    /// Whether a key with a value of this type (see [`type_name`]) is to be shown.
    pub fn shows(&self, key: &[u8], kind: &str) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| glob::matches(pattern, key))
            && self.kind.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(kind.as_bytes()))
    }
}

/// Redis's name for the type of what a key holds, `none` for nothing.
pub fn type_name(value: Option<&Value>) -> &'static str {
    match value {
        None => "none",
        Some(Value::String(_)) => "string",
    }
}

/// `DBSIZE`
pub(super) fn dbsize(_: &[Bytes]) -> Result<Keyspace, Fault> {
    Ok(Keyspace::Size)
}

/// `KEYS pattern`
pub(super) fn keys(args: &[Bytes]) -> Result<Keyspace, Fault> {
    Ok(Keyspace::Keys(args[1].clone()))
}

/// `RANDOMKEY`
pub(super) fn randomkey(_: &[Bytes]) -> Result<Keyspace, Fault> {
    Ok(Keyspace::Random)
}

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`
pub(super) fn scan(args: &[Bytes]) -> Result<Keyspace, Fault> {
    let (options, rest) = args[2..].as_chunks::<2>();
    let mut scan = Scan { cursor: cursor(&args[1])?, count: SCAN_COUNT_DEFAULT, pattern: None, kind: None };
    for [name, value] in options {
        match name.to_ascii_lowercase().as_slice() {
            b"match" => scan.pattern = Some(value.clone()),
            b"type" => scan.kind = Some(value.clone()),
            b"count" => {
                let count = u64::try_from(number::integer(value)?).map_err(|_| Fault::Syntax)?;
                scan.count = Some(count).filter(|&count| count > 0).ok_or(Fault::Syntax)?;
            }
            _ => return Err(Fault::Syntax),
        }
    }
    if rest.is_empty() { Ok(Keyspace::Scan(scan)) } else { Err(Fault::Syntax) }
}

/// `FLUSHDB [ASYNC | SYNC]`
pub(super) fn flushdb(args: &[Bytes]) -> Result<Keyspace, Fault> {
    flush_mode(args).map(|()| Keyspace::FlushDatabase)
}

/// `FLUSHALL [ASYNC | SYNC]`
pub(super) fn flushall(args: &[Bytes]) -> Result<Keyspace, Fault> {
    flush_mode(args).map(|()| Keyspace::FlushAll)
}

fn flush_mode(args: &[Bytes]) -> Result<(), Fault> {
    match args {
        [_] => Ok(()),
        [_, mode] if mode.eq_ignore_ascii_case(b"async") || mode.eq_ignore_ascii_case(b"sync") => Ok(()),
        _ => Err(Fault::Syntax),
    }
}

fn cursor(text: &[u8]) -> Result<u64, Fault> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let number = digits.then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten();
    number.ok_or(Fault::Cursor)
}
