//! What a client is told: replies as bytes, and requests as a client of ours sends them.
//!
//! Not a decision about what to say: every reply can be said in both protocols, RESP2 getting what Redis would send it.
//!
//! 1. No formatting machinery on the way of a value or a number; only errors and doubles are formatted.
//! 2. A line that is written here never holds a CR or LF of somebody else's.

use std::fmt::Write;

use bytes::{BufMut, BytesMut};

use super::Protocol;
use super::number;
use crate::fault::Fault;
use crate::reply::Reply;

/// Appends `reply` to `out`.
pub fn encode(reply: &Reply, protocol: Protocol, out: &mut BytesMut) {
    let three = protocol == Protocol::Resp3;
    match reply {
        Reply::Simple(text) => line(b'+', text, out),
        Reply::Integer(number) => header(b':', *number, out),
        Reply::Bulk(bytes) => bulk(bytes, out),
        Reply::Nil | Reply::NilArray if three => out.put_slice(b"_\r\n"),
        Reply::Nil => out.put_slice(b"$-1\r\n"),
        Reply::NilArray => out.put_slice(b"*-1\r\n"),
        Reply::Array(items) => series(b'*', items, protocol, out),
        Reply::Set(items) => series(if three { b'~' } else { b'*' }, items, protocol, out),
        Reply::Push(items) => series(if three { b'>' } else { b'*' }, items, protocol, out),
        Reply::Map(pairs) => map(pairs, protocol, out),
        Reply::Double(number) => double(*number, protocol, out),
        Reply::Boolean(value) if three => out.put_slice(if *value { b"#t\r\n" } else { b"#f\r\n" }),
        Reply::Boolean(value) => header(b':', i64::from(*value), out),
        Reply::Verbatim(text) if three => verbatim(text, out),
        Reply::Verbatim(text) => bulk(text, out),
        Reply::Error(fault) => error(fault, out),
    }
}

/// Appends a request of these arguments to `out`, as an array of bulk strings.
pub fn encode_request<A: AsRef<[u8]>>(arguments: &[A], out: &mut BytesMut) {
    size(b'*', arguments.len(), out);
    for argument in arguments {
        bulk(argument.as_ref(), out);
    }
}

fn bulk(bytes: &[u8], out: &mut BytesMut) {
    out.reserve(bytes.len() + number::HEADER_BYTES_MAX + 3);
    size(b'$', bytes.len(), out);
    out.put_slice(bytes);
    out.put_slice(b"\r\n");
}

fn verbatim(text: &[u8], out: &mut BytesMut) {
    size(b'=', text.len() + 4, out);
    out.put_slice(b"txt:");
    out.put_slice(text);
    out.put_slice(b"\r\n");
}

fn series(mark: u8, items: &[Reply], protocol: Protocol, out: &mut BytesMut) {
    size(mark, items.len(), out);
    for item in items {
        encode(item, protocol, out);
    }
}

fn map(pairs: &[(Reply, Reply)], protocol: Protocol, out: &mut BytesMut) {
    match protocol {
        Protocol::Resp2 => size(b'*', pairs.len() * 2, out),
        Protocol::Resp3 => size(b'%', pairs.len(), out),
    }
    for (key, value) in pairs {
        encode(key, protocol, out);
        encode(value, protocol, out);
    }
}

fn double(number: f64, protocol: Protocol, out: &mut BytesMut) {
    let text = number::shown(number);
    match protocol {
        Protocol::Resp2 => bulk(text.as_bytes(), out),
        Protocol::Resp3 => line(b',', &text, out),
    }
}

fn error(fault: &Fault, out: &mut BytesMut) {
    let start = out.len();
    out.put_u8(b'-');
    // Writing to memory that grows cannot fail.
    let _ = write!(out, "{fault}");
    end_line(start, out);
}

fn line(mark: u8, text: &str, out: &mut BytesMut) {
    let start = out.len();
    out.reserve(text.len() + 3);
    out.put_u8(mark);
    out.put_slice(text.as_bytes());
    end_line(start, out);
}

/// Ends the line that began at `start`; a CR or LF within it would let its author forge the next reply.
fn end_line(start: usize, out: &mut BytesMut) {
    for byte in &mut out[start..] {
        if matches!(*byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
    out.put_slice(b"\r\n");
}

#[inline]
fn size(mark: u8, count: usize, out: &mut BytesMut) {
    header(mark, i64::try_from(count).expect("nothing in memory is longer than i64::MAX"), out);
}

#[inline]
fn header(mark: u8, number: i64, out: &mut BytesMut) {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(number).as_bytes();
    // One write of one short array costs less than three.
    let mut bytes = [0; number::HEADER_BYTES_MAX + 1];
    let end = digits.len() + 1;
    bytes[0] = mark;
    bytes[1..end].copy_from_slice(digits);
    bytes[end] = b'\r';
    bytes[end + 1] = b'\n';
    out.put_slice(&bytes[..end + 2]);
}
