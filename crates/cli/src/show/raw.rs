//! Replies for pipes: the bytes and nothing around them, an item a line.
//!
//! Not reversible: a nested series is flat, and nothing is an empty line. Who needs more takes JSON.
//!
//! 1. A value is written byte for byte.

use wire::Reply;

use super::double;

/// The bytes of a reply, without a newline of ours at its end.
pub(super) fn show(reply: &Reply) -> Vec<u8> {
    match reply {
        Reply::Bulk(bytes) | Reply::Verbatim(bytes) => bytes.to_vec(),
        Reply::Simple(text) => text.as_bytes().to_vec(),
        Reply::Integer(number) => number.to_string().into_bytes(),
        Reply::Double(number) => double(*number).into_bytes(),
        Reply::Boolean(value) => value.to_string().into_bytes(),
        Reply::Nil | Reply::NilArray => Vec::new(),
        Reply::Error(fault) => fault.to_string().into_bytes(),
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => lines(items.iter().map(show)),
        Reply::Map(pairs) => lines(pairs.iter().map(|(key, value)| [show(key), show(value)].join(&b' '))),
    }
}

fn lines(items: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    items.collect::<Vec<_>>().join(&b'\n')
}
