//! `SET` and its options.
//!
//! Not expiry: the options that ask for it are read and answered with [`Fault::Expiry`] until it exists.
//!
//! 1. `SET` without `NX`, `XX` and `GET` looks at nothing, so any owner can take it without a read.

use bytes::Bytes;
use causal::{Change, Value};

use super::row::Class;
use super::string::text;
use crate::fault::Fault;
use crate::reply::Reply;

/// What the options of one `SET` say.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Options {
    condition: Option<Condition>,
    get: bool,
    expiry: Option<&'static str>,
}

/// When a `SET` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Absent,
    Present,
}

/// A blind write unless an option needs to see what the key holds.
pub(super) fn class(args: &[Bytes]) -> Class {
    let looks = |option: &Bytes| {
        [b"nx".as_slice(), b"xx", b"get"].iter().any(|word| option.eq_ignore_ascii_case(word))
    };
    if args.iter().skip(3).any(looks) { Class::Update(set) } else { Class::Write(set) }
}

/// `SET key value [NX | XX] [GET]`
pub(super) fn set(args: &[Bytes], value: Option<&Value>) -> Result<(Reply, Change), Fault> {
    let options = options(&args[3..])?;
    let old = if options.get { Some(Reply::from(text(value)?.cloned())) } else { None };
    let writes = match options.condition {
        None => true,
        Some(Condition::Absent) => value.is_none(),
        Some(Condition::Present) => value.is_some(),
    };
    let change = if writes { Change::Put(args[2].clone()) } else { Change::Keep };
    let reply = old.unwrap_or(if writes { Reply::ok() } else { Reply::Nil });
    Ok((reply, change))
}

fn options(words: &[Bytes]) -> Result<Options, Fault> {
    let mut options = Options::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.to_ascii_lowercase().as_slice() {
            b"nx" if options.condition != Some(Condition::Present) => {
                options.condition = Some(Condition::Absent);
            }
            b"xx" if options.condition != Some(Condition::Absent) => {
                options.condition = Some(Condition::Present);
            }
            b"get" => options.get = true,
            name => {
                let (name, has_time) =
                    expiry(name).filter(|_| options.expiry.is_none()).ok_or(Fault::Syntax)?;
                if has_time {
                    words.next().ok_or(Fault::Syntax)?;
                }
                options.expiry = Some(name);
            }
        }
    }
    options.expiry.map_or(Ok(options), |name| Err(Fault::Expiry(name.into())))
}

/// The options about expiry, and whether a time follows.
fn expiry(name: &[u8]) -> Option<(&'static str, bool)> {
    match name {
        b"ex" => Some(("SET EX", true)),
        b"px" => Some(("SET PX", true)),
        b"exat" => Some(("SET EXAT", true)),
        b"pxat" => Some(("SET PXAT", true)),
        b"keepttl" => Some(("SET KEEPTTL", false)),
        _ => None,
    }
}
