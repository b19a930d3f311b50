//! All values of a key, for clients that want to settle conflicts themselves, and the token that lets them.
//!
//! A token names the operations whose values were shown, in hexadecimal. A write that carries it removes exactly
//! those: what was written meanwhile stays, as a sibling.
//!
//! ```text
//!   version (1 byte) position of the key (8 bytes) count (varint) dots
//! ```
//!
//! 1. A token is good for its own key alone: the position is a hash of database and key, keyed per cluster. Under
//!    another key its dots would wait there for operations that never come.
//! 2. A token names at most [`TOKEN_DOTS_MAX`] operations. What a cell holds beyond them stays when it is settled,
//!    and the next token names it.

use bytes::{BufMut, Bytes, BytesMut};
use causal::codec::{Reader, put_varint};
use causal::{Cell, Dot, Edit, Entries, Key, Payload, Value, string};
use placement::keyspace::{Keyspace, Position};
use wire::{Fault, Reply};

/// The most operations that a token names.
const TOKEN_DOTS_MAX: usize = 1_024;
/// A token's version, position, count and dots are never longer than this in hexadecimal, in bytes.
const TOKEN_BYTES_MAX: usize = 2 * (1 + 8 + VARINT_BYTES_MAX + TOKEN_DOTS_MAX * (8 + VARINT_BYTES_MAX));
const VARINT_BYTES_MAX: usize = 10;
const TOKEN_VERSION: u8 = 1;

/// The token and then all values, newest first.
pub(crate) fn render(keyspace: &Keyspace, key: &Key, entries: &Entries) -> Reply {
    let values = string::siblings(entries).into_iter().map(|Value::String(bytes)| Reply::Bulk(bytes));
    let token = token(position(keyspace, key), entries);
    Reply::Array(vec![Reply::Bulk(token), Reply::Array(values.collect())])
}

/// The edit that puts `value` in the place of what `token` names.
///
/// # Errors
/// [`Fault::Context`] where the token is not one of ours, or of another key.
pub(crate) fn resolve(keyspace: &Keyspace, key: Key, token: &[u8], value: Bytes) -> Result<Edit, Fault> {
    if value.len() > causal::limits::VALUE_BYTES_MAX {
        return Err(Fault::StringLength);
    }
    let removes = dots(position(keyspace, &key), token).ok_or(Fault::Context)?;
    Ok(Edit { cell: Cell::string(key), add: Some(Payload::Plain(value)), removes })
}

fn position(keyspace: &Keyspace, key: &Key) -> Position {
    keyspace.position(key.database, &key.name)
}

fn token(position: Position, entries: &Entries) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(TOKEN_VERSION);
    bytes.put_u64(position.0);
    let count = entries.len().min(TOKEN_DOTS_MAX);
    put_varint(&mut bytes, count as u64);
    entries.dots().take(count).for_each(|dot| dot.encode(&mut bytes));
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect::<String>().into()
}

fn dots(position: Position, token: &[u8]) -> Option<Vec<Dot>> {
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if token.len() > TOKEN_BYTES_MAX || !token.len().is_multiple_of(2) {
        return None;
    }
    let bytes = token.chunks_exact(2).map(|pair| Some((value(pair[0])? << 4) | value(pair[1])?));
    let mut reader = Reader::new(bytes.collect::<Option<Vec<u8>>>()?.into(), "context token");
    reader.version(TOKEN_VERSION).ok()?;
    if reader.u64().ok()? != position.0 {
        return None;
    }
    let count = reader.count(Dot::BYTES_MIN).ok().filter(|count| *count <= TOKEN_DOTS_MAX)?;
    let dots = (0..count).map(|_| Dot::decode(&mut reader)).collect::<Result<_, _>>().ok()?;
    reader.end().ok()?;
    Some(dots)
}

#[cfg(test)]
mod tests {
    use super::{TOKEN_BYTES_MAX, TOKEN_DOTS_MAX, dots, token};
    use bytes::Bytes;
    use causal::{Actor, Dot, Entries, Entry, Payload, Stamp};
    use placement::keyspace::Position;

    const HERE: Position = Position(7);

    fn entries(count: usize) -> Entries {
        (0..count as u64)
            .map(|number| Entry {
                dot: Dot::new(Actor(u64::MAX - number), causal::limits::DOT_N_MAX),
                stamp: Stamp { physical_ms: number, logical: 0, actor: Actor(1) },
                payload: Payload::Plain(Bytes::from_static(b"v")),
            })
            .collect()
    }

    #[test]
    fn a_token_names_what_was_shown() {
        for count in [0, 1, 2, TOKEN_DOTS_MAX] {
            let entries = entries(count);
            assert_eq!(dots(HERE, &token(HERE, &entries)), Some(entries.dots().collect()), "{count}");
        }
    }

    #[test]
    fn a_token_of_another_key_is_none() {
        assert_eq!(dots(Position(8), &token(HERE, &entries(2))), None);
    }

    #[test]
    fn a_token_has_a_longest_length() {
        let longest = token(HERE, &entries(TOKEN_DOTS_MAX + 1));
        assert_eq!(dots(HERE, &longest).map(|dots| dots.len()), Some(TOKEN_DOTS_MAX));
        assert!(longest.len() <= TOKEN_BYTES_MAX);
        // One dot more than is allowed, and the count says so.
        let mut longer = longest.to_vec();
        longer[18..22].copy_from_slice(b"8108");
        longer.extend_from_slice(b"000000000000000101");
        assert_eq!(dots(HERE, &longer), None);
        assert_eq!(dots(HERE, &vec![b'0'; TOKEN_BYTES_MAX + 2]), None);
    }
}
