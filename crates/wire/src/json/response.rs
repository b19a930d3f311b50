//! What is answered to a line.
//!
//! Not a general encoder: the answers to GET, SET and DELETE fit in six fields, and what does not fit is an error that
//! says so.
//!
//! 1. An answer is one line whatever the key, the value or the error hold, and has all six fields.
//! 2. A value is whole or refused, never altered.

use bytes::{BufMut, BytesMut};
use serde::Serialize;

use super::clock::rfc3339;
use crate::fault::Fault;
use crate::reply::Reply;

/// The six fields in the order in which they are written.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    key: &'a str,
    value: &'a str,
    timestamp: &'a str,
    status: &'static str,
    error: &'a str,
}

/// Appends the answer to a request for `key` to `out`, with its newline. `now_ms` is the time in milliseconds since 1970.
///
/// For a [`super::Refusal`] the reply is its fault.
pub fn encode(key: &str, reply: &Reply, now_ms: u64, out: &mut BytesMut) {
    let timestamp = rfc3339(now_ms);
    let (value, error) = match value_of(reply) {
        Ok(value) => (value, String::new()),
        Err(fault) => ("", fault.to_string()),
    };
    let status = if error.is_empty() { "SUCCESS" } else { "ERROR" };
    let line = Line { kind: "RESPONSE", key, value, timestamp: &timestamp, status, error: &error };
    // Text into memory that grows: neither can fail.
    let _ = serde_json::to_writer(out.writer(), &line);
    out.put_u8(b'\n');
}

/// The text that a reply puts into `value`.
fn value_of(reply: &Reply) -> Result<&str, Fault> {
    match reply {
        Reply::Bulk(bytes) | Reply::Verbatim(bytes) => std::str::from_utf8(bytes).map_err(|_| Fault::NotText),
        Reply::Simple(_) | Reply::Integer(_) | Reply::Boolean(_) => Ok(""),
        Reply::Nil | Reply::NilArray => Err(Fault::NoSuchKey),
        Reply::Error(fault) => Err(fault.clone()),
        _ => Err(Fault::NotOneValue),
    }
}
