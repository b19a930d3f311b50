//! What is encoded decodes to the same, whole; any other bytes are refused without a panic and within their means.

use super::arbitrary::{cell, context, delta, dot, early, entries, intervals, stamp};
use bytes::{Bytes, BytesMut};
use causal::codec::{Malformed, Reader, put_varint};
use causal::context::Intervals;
use causal::{Cell, Context, Delta, Dot, Early, Entries, Key, Stamp, string};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use std::fmt::Debug;

/// How many bytes decoding may allocate for each byte of input. An edit takes 6 bytes on the wire at least and about
/// 150 in memory, in a vector that may be twice as long as it need be and was copied while it grew.
const MEMORY_PER_BYTE_MAX: u64 = 100;
/// What decoding may allocate besides, for short inputs: a node of a B-tree, mostly.
const MEMORY_BYTES_MIN: u64 = 4_096;

fn encoded(encode: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = BytesMut::new();
    encode(&mut out);
    out.freeze()
}

/// Decodes all of it, and finds that every shorter prefix is refused.
fn decoded<T: Debug>(bytes: &Bytes, decode: impl Fn(&mut Reader) -> Result<T, Malformed>) -> T {
    let whole = |bytes: Bytes| {
        let mut reader = Reader::new(bytes, "test");
        let value = decode(&mut reader)?;
        reader.end().map(|()| value)
    };
    for length in 0..bytes.len() {
        assert!(whole(bytes.slice(..length)).is_err(), "{length} of {} bytes were enough", bytes.len());
    }
    whole(bytes.clone()).expect("just encoded")
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(128))]

    #[test]
    fn everything_comes_back(
        (dot, stamp, cell) in (dot(), stamp(), cell()),
        (intervals, context, early) in (intervals(), context(), early()),
        (entries, delta) in (entries(), delta()),
    ) {
        prop_assert_eq!(decoded(&encoded(|out| dot.encode(out)), Dot::decode), dot);
        prop_assert_eq!(decoded(&encoded(|out| stamp.encode(out)), Stamp::decode), stamp);
        prop_assert_eq!(decoded(&encoded(|out| cell.key.encode(out)), Key::decode), cell.key.clone());
        prop_assert_eq!(decoded(&encoded(|out| cell.encode(out)), Cell::decode), cell);
        prop_assert_eq!(decoded(&encoded(|out| intervals.encode(out)), Intervals::decode), intervals);
        prop_assert_eq!(decoded(&encoded(|out| context.encode(out)), Context::decode), context);
        prop_assert_eq!(decoded(&encoded(|out| early.encode(out)), Early::decode), early);
        prop_assert_eq!(decoded(&encoded(|out| entries.encode(out)), Entries::decode), entries);
        prop_assert_eq!(decoded(&encoded(|out| delta.encode(out)), Delta::decode), delta);
    }

    #[test]
    fn varints_come_back(value in any::<u64>()) {
        prop_assert_eq!(decoded(&encoded(|out| put_varint(out, value)), Reader::varint), value);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in hostile()) {
        let bytes = Bytes::from(bytes);
        let most = MEMORY_BYTES_MIN + MEMORY_PER_BYTE_MAX * bytes.len() as u64;
        let used = allocation_counter::measure(|| decode_all(&bytes)).bytes_max;
        prop_assert!(used <= most, "{used} bytes for {}", bytes.len());
    }
}

/// Random bytes, valid ones with a few changed, and valid ones behind the version bytes.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let changed = (delta(), vec((any::<usize>(), any::<u8>()), 0..4)).prop_map(|(delta, changes)| {
        let mut bytes = encoded(|out| delta.encode(out)).to_vec();
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        bytes
    });
    let versioned = vec(any::<u8>(), 0..400).prop_map(|mut bytes| {
        bytes.insert(0, 1);
        bytes
    });
    let low = vec(0..3u8, 0..4_000);
    prop_oneof![vec(any::<u8>(), 0..400), changed, versioned, low]
}

fn decode_all(bytes: &Bytes) {
    let reader = || Reader::new(bytes.clone(), "test");
    if let Ok(entries) = Entries::decode(&mut reader()) {
        entries.check();
        string::value(&entries);
        string::siblings(&entries);
    }
    if let Ok(delta) = Delta::decode(&mut reader()) {
        delta.check();
    }
    if let Ok(context) = Context::decode(&mut reader()) {
        context.check();
    }
    // Of these three there is nothing more to say than that they return.
    let _ = (Early::decode(&mut reader()), Cell::decode(&mut reader()), Stamp::decode(&mut reader()));
}

#[test]
fn a_delta_edits_a_cell_once() {
    // Two edits of one cell would each be worked out from the row as it was, and the digest would count both.
    let cell = Cell::string(Key::new(0, "k"));
    let edit = causal::Edit { cell, add: None, removes: Vec::new() };
    let stamp = Stamp { physical_ms: 1, logical: 0, actor: causal::Actor(1) };
    let dot = Dot::new(causal::Actor(1), 1);
    let twice = Delta { dot, stamp, edits: vec![edit.clone(), edit.clone()], sweep: None };
    let bytes = encoded(|out| twice.encode(out));
    assert!(Delta::decode(&mut Reader::new(bytes, "delta")).is_err());
    let sweep = causal::Sweep { scope: causal::Scope::All, seen: Context::default() };
    let both = Delta { dot, stamp, edits: vec![edit], sweep: Some(sweep) };
    let bytes = encoded(|out| both.encode(out));
    assert!(Delta::decode(&mut Reader::new(bytes, "delta")).is_err());
}
