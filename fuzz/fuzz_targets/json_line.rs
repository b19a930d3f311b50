//! JSON lines off the wire: nothing panics, a cut changes nothing, every line that is not blank is answered by one line.
//!
//! The first byte says in what pieces the rest arrives.

#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use wire::Reply;
use wire::json::{LineDecoder, Refusal, Request, encode};

const LINE_BYTES_MAX: usize = 512;

fn read(bytes: &[u8], piece: usize) -> Vec<Result<Request, Refusal>> {
    let (mut decoder, mut buffer, mut lines) =
        (LineDecoder::new(LINE_BYTES_MAX), BytesMut::new(), Vec::new());
    for arrived in bytes.chunks(piece) {
        buffer.extend_from_slice(arrived);
        while let Some(line) = decoder.decode(&mut buffer) {
            lines.push(line);
        }
        assert!(buffer.len() <= LINE_BYTES_MAX, "a line that is too long is not kept");
    }
    lines
}

fuzz_target!(|input: &[u8]| {
    let Some((&piece, bytes)) = input.split_first() else { return };
    let lines = read(bytes, bytes.len().max(1));
    assert_eq!(lines, read(bytes, usize::from(piece).max(1)));
    let (mut out, mut raw) = (BytesMut::new(), BytesMut::new());
    for line in &lines {
        match line {
            Ok(request) => {
                let value = request.argv().pop().expect("a request has arguments");
                encode(request.key(), &Reply::Bulk(value), 0, &mut out);
            }
            Err(refusal) => encode(&refusal.key, &Reply::Error(refusal.fault.clone()), 0, &mut out),
        }
        encode("", &Reply::Bulk(Bytes::copy_from_slice(bytes)), u64::MAX, &mut raw);
    }
    for answers in [&out, &raw] {
        assert_eq!(answers.iter().filter(|&&byte| byte == b'\n').count(), lines.len());
    }
});
