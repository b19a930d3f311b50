//! Lines of a connection, one at a time.
//!
//! Not JSON: a line is cut off here and read in `request`.
//!
//! 1. `buffer[..searched]` holds no newline and is not searched again.
//! 2. A line beyond the limit is answered once, as soon as it is known to be too long, and then dropped as it arrives.

use bytes::{Buf, BytesMut};
use memchr::memchr;

use super::request::{Refusal, Request};
use crate::fault::Fault;

/// Longest line in bytes, without its newline, unless configured otherwise. Larger values travel over RESP.
pub const LINE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Takes requests off a connection's read buffer.
#[derive(Debug)]
pub struct LineDecoder {
    line_bytes_max: usize,
    searched: usize,
    /// Whether the bytes up to the next newline belong to a line that was refused.
    skipping: bool,
}

impl Default for LineDecoder {
    fn default() -> Self {
        Self::new(LINE_BYTES_MAX)
    }
}

impl LineDecoder {
    /// A decoder that refuses lines longer than this many bytes.
    pub fn new(line_bytes_max: usize) -> Self {
        Self { line_bytes_max, searched: 0, skipping: false }
    }

    /// Takes the next request off the front of `buffer`, or nothing until more bytes arrive. A refusal is answered and the
    /// connection goes on. Between calls the buffer may only be appended to.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Option<Result<Request, Refusal>> {
        loop {
            let Some(found) = memchr(b'\n', &buffer[self.searched..]) else { return self.wait(buffer) };
            let length = self.searched + found;
            self.searched = 0;
            let line = buffer.split_to(length + 1);
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            if length > self.line_bytes_max {
                return Some(Err(self.too_long()));
            }
            let line = line[..length].trim_ascii();
            if !line.is_empty() {
                return Some(Request::parse(line));
            }
        }
    }

    fn wait(&mut self, buffer: &mut BytesMut) -> Option<Result<Request, Refusal>> {
        self.searched = buffer.len();
        if !self.skipping && self.searched <= self.line_bytes_max {
            return None;
        }
        buffer.advance(self.searched);
        self.searched = 0;
        let known = std::mem::replace(&mut self.skipping, true);
        (!known).then(|| Err(self.too_long()))
    }

    fn too_long(&self) -> Refusal {
        let bytes_max = u64::try_from(self.line_bytes_max).unwrap_or(u64::MAX);
        Refusal { key: String::new(), fault: Fault::JsonLineLength { bytes_max } }
    }
}
