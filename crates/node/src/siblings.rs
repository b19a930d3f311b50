//! All values of a key, for clients that want to settle conflicts themselves, and the token that lets them.
//!
//! A token names the operations whose values were shown, in hexadecimal. A write that carries it removes exactly
//! those: what was written meanwhile stays, as a sibling.

use bytes::{BufMut, Bytes, BytesMut};
use causal::codec::{Reader, put_varint};
use causal::{Cell, Dot, Edit, Entries, Payload, Value, string};
use wire::{Fault, Reply};

const TOKEN_VERSION: u8 = 1;

/// The token and then all values, newest first.
pub(crate) fn render(entries: &Entries) -> Reply {
    let values = string::siblings(entries).into_iter().map(|Value::String(bytes)| Reply::Bulk(bytes));
    Reply::Array(vec![Reply::Bulk(token(entries)), Reply::Array(values.collect())])
}

/// The edit that puts `value` in the place of what `token` names.
///
/// # Errors
/// [`Fault::Context`] where the token is not one of ours.
pub(crate) fn resolve(cell: Cell, token: &[u8], value: Bytes) -> Result<Edit, Fault> {
    if value.len() > causal::limits::VALUE_BYTES_MAX {
        return Err(Fault::StringLength);
    }
    let removes = dots(token).ok_or(Fault::Context)?;
    Ok(Edit { cell, add: Some(Payload::Plain(value)), removes })
}

fn token(entries: &Entries) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(TOKEN_VERSION);
    put_varint(&mut bytes, entries.len() as u64);
    entries.dots().for_each(|dot| dot.encode(&mut bytes));
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect::<String>().into()
}

fn dots(token: &[u8]) -> Option<Vec<Dot>> {
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if !token.len().is_multiple_of(2) {
        return None;
    }
    let bytes = token.chunks_exact(2).map(|pair| Some((value(pair[0])? << 4) | value(pair[1])?));
    let mut reader = Reader::new(bytes.collect::<Option<Vec<u8>>>()?.into(), "context token");
    reader.version(TOKEN_VERSION).ok()?;
    let count = reader.count(Dot::BYTES_MIN).ok()?;
    let dots = (0..count).map(|_| Dot::decode(&mut reader)).collect::<Result<_, _>>().ok()?;
    reader.end().ok()?;
    Some(dots)
}
