//! Replies off the wire: nothing panics, a cut changes nothing, and what was read can be written and read again.
//!
//! The first byte says in what pieces the rest arrives.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use wire::Reply;
use wire::fault::ProtocolFault;
use wire::resp::{Protocol, ReplyDecoder, encode};

fn read(bytes: &[u8], piece: usize) -> (Vec<Reply>, Option<ProtocolFault>) {
    let (mut decoder, mut buffer, mut replies) = (ReplyDecoder::default(), BytesMut::new(), Vec::new());
    for arrived in bytes.chunks(piece) {
        buffer.extend_from_slice(arrived);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(fault) => return (replies, Some(fault)),
            }
        }
        assert!(buffer.capacity() <= 4 * bytes.len() + (128 << 10), "memory follows what has arrived");
    }
    (replies, None)
}

fuzz_target!(|input: &[u8]| {
    let Some((&piece, bytes)) = input.split_first() else { return };
    let (replies, fault) = read(bytes, bytes.len().max(1));
    let cut = read(bytes, usize::from(piece).max(1));
    // Text form, since a NaN is not equal to itself.
    assert_eq!(format!("{replies:?} {fault:?}"), format!("{:?} {:?}", cut.0, cut.1));
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let mut written = BytesMut::new();
        for reply in &replies {
            encode(reply, protocol, &mut written);
        }
        let (again, fault) = read(&written, written.len().max(1));
        assert_eq!((again.len(), fault), (replies.len(), None));
    }
});
