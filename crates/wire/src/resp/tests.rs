//! Whose memory the decoders take, and how much of it; and replies that are refused.

use bytes::BytesMut;

use super::{Decoder, INLINE_BYTES_MAX, ReplyDecoder, encode_request};
use crate::fault::ProtocolFault;

/// Room that a buffer may have beyond what arrived, in bytes.
const SPARE_BYTES_MAX: usize = 64 * 1024;

#[test]
fn a_header_that_claims_much_costs_nothing() {
    for header in ["*1048576\r\n", "*1\r\n$536870912\r\n"] {
        let mut buffer = BytesMut::from(header);
        assert_eq!(Decoder::default().decode(&mut buffer), Ok(None));
        assert!(buffer.capacity() <= SPARE_BYTES_MAX, "{header:?}: {}", buffer.capacity());
    }
    for header in ["*1073741824\r\n", "$1073741000\r\n", "%500000000\r\n"] {
        let mut buffer = BytesMut::from(header);
        assert_eq!(ReplyDecoder::default().decode(&mut buffer), Ok(None));
        assert!(buffer.capacity() <= SPARE_BYTES_MAX, "{header:?}: {}", buffer.capacity());
    }
}

#[test]
fn room_grows_with_what_has_arrived() {
    let (mut decoder, mut buffer) = (Decoder::default(), BytesMut::from("*1\r\n$100000000\r\n"));
    for arrived in 1..=100 {
        assert_eq!(decoder.decode(&mut buffer), Ok(None));
        buffer.extend_from_slice(&[b'v'; 10_000]);
        assert!(buffer.capacity() <= 4 * 10_000 * arrived + SPARE_BYTES_MAX, "{}", buffer.capacity());
    }
}

/// Whether the allocation of `inner` is that of `outer`.
fn within(inner: &[u8], outer: &[u8]) -> bool {
    outer.as_ptr_range().contains(&inner.as_ptr())
}

#[test]
fn a_short_argument_is_not_copied() {
    let mut buffer = BytesMut::with_capacity(4096);
    encode_request(&["SET", "k", "v"], &mut buffer);
    let read = buffer.as_ptr_range();
    let arguments = Decoder::default().decode(&mut buffer).unwrap().unwrap();
    assert!(arguments.iter().all(|argument| read.contains(&argument.as_ptr())));
}

#[test]
fn a_long_argument_shares_memory_with_no_other() {
    let mut bytes = BytesMut::new();
    encode_request(&["GET", "before"], &mut bytes);
    encode_request(&[b"SET".as_slice(), b"k", &[b'v'; 100_000], b"NX"], &mut bytes);
    encode_request(&["GET", "after"], &mut bytes);
    for read_bytes in [1000, 4096, 16 * 1024, 70_000] {
        let (mut decoder, mut buffer, mut requests) = (Decoder::default(), BytesMut::new(), Vec::new());
        for read in bytes.chunks(read_bytes) {
            buffer.extend_from_slice(read);
            while let Some(request) = decoder.decode(&mut buffer).unwrap() {
                requests.push(request);
            }
        }
        assert_eq!(requests.len(), 3);
        let long = requests[1].remove(2);
        assert_eq!(long.len(), 100_000);
        // Only the sole owner of an allocation may write to it; the other arguments are still alive.
        assert!(long.try_into_mut().is_ok(), "in reads of {read_bytes} bytes");
    }
}

#[test]
fn many_short_arguments_are_cut_off_as_they_arrive() {
    let arguments = vec![[b'a'; 100]; 10_000];
    let mut bytes = BytesMut::new();
    encode_request(&arguments, &mut bytes);
    let (mut decoder, mut buffer, mut request) = (Decoder::default(), BytesMut::new(), None);
    for read in bytes.chunks(4096) {
        assert!(request.is_none());
        buffer.extend_from_slice(read);
        request = decoder.decode(&mut buffer).unwrap();
        assert!(buffer.len() < 2 * 32 * 1024, "{}", buffer.len());
    }
    let request = request.unwrap();
    assert!(request.len() == arguments.len() && request.iter().all(|argument| argument == &arguments[0][..]));
    assert!(!within(&request[0], &request[9999]));
}

#[test]
fn an_inline_command_ends_within_its_limit() {
    for (length, end, expected) in [
        (INLINE_BYTES_MAX, "\n", Ok(1)),
        (INLINE_BYTES_MAX, "", Ok(0)),
        (INLINE_BYTES_MAX + 1, "\n", Err(ProtocolFault::InlineLength)),
        (INLINE_BYTES_MAX + 1, "", Err(ProtocolFault::InlineLength)),
    ] {
        let mut buffer = BytesMut::from(("a".repeat(length) + end).as_str());
        let decoded = Decoder::default().decode(&mut buffer);
        assert_eq!(decoded.map(|request| request.map_or(0, |words| words.len())), expected);
    }
}

#[test]
fn a_reply_may_not_nest_a_client_to_death() {
    let mut buffer = BytesMut::from("*1\r\n".repeat(1_000_000).as_str());
    assert_eq!(ReplyDecoder::default().decode(&mut buffer), Err(ProtocolFault::ReplyDepth));
}

#[test]
fn a_status_that_holds_a_line_feed_is_refused() {
    let decoded = ReplyDecoder::default().decode(&mut BytesMut::from("+OK\n+forged\r\n"));
    assert_eq!(decoded, Err(ProtocolFault::ReplyForm(b'+')));
}
