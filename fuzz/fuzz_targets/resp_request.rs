//! Requests off the wire: nothing panics, a cut changes nothing, and what was read can be written and read again.
//!
//! The first byte says in what pieces the rest arrives.

#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use wire::fault::ProtocolFault;
use wire::resp::{Decoder, Limits, encode_request};

const LIMITS: Limits = Limits { arguments_max: 4096, bulk_bytes_max: 1 << 20, request_bytes_max: 1 << 21 };

fn read(bytes: &[u8], piece: usize) -> (Vec<Vec<Bytes>>, Option<ProtocolFault>) {
    let (mut decoder, mut buffer, mut requests) = (Decoder::new(LIMITS), BytesMut::new(), Vec::new());
    for arrived in bytes.chunks(piece) {
        buffer.extend_from_slice(arrived);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => break,
                Err(fault) => return (requests, Some(fault)),
            }
        }
        assert!(buffer.capacity() <= 4 * bytes.len() + (128 << 10), "memory follows what has arrived");
    }
    (requests, None)
}

fuzz_target!(|input: &[u8]| {
    let Some((&piece, bytes)) = input.split_first() else { return };
    let whole = read(bytes, bytes.len().max(1));
    assert_eq!(whole, read(bytes, usize::from(piece).max(1)));
    let mut written = BytesMut::new();
    for request in &whole.0 {
        assert!(!request.is_empty());
        encode_request(request, &mut written);
    }
    assert_eq!(read(&written, written.len().max(1)), (whole.0, None));
});
