//! What peers say, off the wire: nothing panics, a cut changes nothing, memory follows what has arrived, and what was
//! read can be written and read again.
//!
//! The first byte says in what pieces the rest arrives. The rest is read twice: as frames of a link, and as one bare
//! envelope, so that a change within an envelope need not get the length of its frame right as well.

#![no_main]

use bytes::{Bytes, BytesMut};
use causal::codec::Malformed;
use libfuzzer_sys::fuzz_target;
use peak_alloc::PeakAlloc;
use wire::peer::Envelope;
use wire::peer::frame;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// How many bytes of memory one byte off the wire may take while it is read. The dearest is a byte that stands for an
/// empty word of 32 bytes, in a list that doubles as it grows.
const MEMORY_PER_BYTE_MAX: usize = 100;
/// What any reading may take: the first nodes of a tree, and the 32 KiB that the decoder of replies reserves ahead.
const MEMORY_BYTES_MIN: usize = 40 * 1024;

/// Reads, and fails if that takes more memory than the bytes pay for.
fn frugal<T>(bytes: usize, read: impl FnOnce() -> T) -> T {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let result = read();
    let took = MEMORY.peak_usage() - before;
    assert!(took <= MEMORY_PER_BYTE_MAX * bytes + MEMORY_BYTES_MIN, "{took} bytes of memory for {bytes}");
    result
}

fn frames(bytes: &[u8], piece: usize) -> (Vec<Envelope>, Option<Malformed>) {
    let (mut buffer, mut envelopes) = (BytesMut::new(), Vec::new());
    for arrived in bytes.chunks(piece.max(1)) {
        buffer.extend_from_slice(arrived);
        loop {
            match frame::decode(&mut buffer) {
                Ok(Some(envelope)) => envelopes.push(envelope),
                Ok(None) => break,
                Err(fault) => return (envelopes, Some(fault)),
            }
        }
    }
    (envelopes, None)
}

/// Equal, but by their words: a number in a reply that is not one does not equal itself, and RESP3, in which answers
/// travel, has one nil.
fn assert_same(a: &[Envelope], b: &[Envelope]) {
    let words = |envelopes: &[Envelope]| format!("{envelopes:?}").replace("NilArray", "Nil");
    assert_eq!(words(a), words(b));
}

fn written(envelopes: &[Envelope]) -> BytesMut {
    let mut out = BytesMut::new();
    envelopes.iter().for_each(|envelope| frame::encode(envelope, &mut out).expect("it was read from a frame"));
    out
}

fuzz_target!(|input: &[u8]| {
    let Some((&piece, bytes)) = input.split_first() else { return };
    let (mut envelopes, fault) = frugal(bytes.len(), || frames(bytes, bytes.len()));
    let (cut, cut_fault) = frugal(bytes.len(), || frames(bytes, usize::from(piece)));
    assert_same(&envelopes, &cut);
    assert_eq!(fault, cut_fault);
    envelopes.extend(frugal(bytes.len(), || Envelope::decode(Bytes::copy_from_slice(bytes))).ok());
    let once = written(&envelopes);
    let (again, fault) = frames(&once, usize::from(piece));
    assert_eq!(fault, None);
    assert_same(&envelopes, &again);
    assert_eq!(once, written(&again), "what was written and read is written the same");
});
