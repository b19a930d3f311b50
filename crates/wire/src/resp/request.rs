//! What a client asks: the incremental decoder of requests.
//!
//! Not a command parser: it yields byte strings. One decoder belongs to one connection and its read buffer.
//!
//! **Whose memory an argument is.** An argument is a view into the read buffer, so nothing is copied, and it keeps that
//! buffer's allocation alive. Three rules keep this harmless:
//!
//! - An argument of [`FRAME_BYTES_MAX`] or more ends with an allocation of its own, so a buffer that grew for one huge
//!   value is given up to that value and pinned by nothing else.
//! - Arguments of an unfinished request are cut off the buffer after each [`FRAME_BYTES_MAX`], so a buffer need never be
//!   larger than that for small arguments, however many there are.
//! - So a small argument pins one read buffer of the size that the connection reads with. That is right while the request
//!   lives. **Whoever keeps an argument longer (a cache, a table) copies it** (`Bytes::copy_from_slice`).
//!
//! 1. `buffer[..at]` has been read and is not read again; only a header that is not complete is (22 bytes at most).
//! 2. `missing` arguments are still to come; `spans` are the ones found in the buffer, `taken` those cut off before them.
//! 3. After a fault the same fault is answered for ever: the bytes that follow have no meaning.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

use super::inline;
use super::number::{self, Header};
use crate::fault::ProtocolFault;

/// Most arguments of one request, the command's name included (as Redis).
pub const ARGUMENTS_MAX: usize = 1024 * 1024;
/// Longest argument in bytes unless configured otherwise (Redis: `proto-max-bulk-len`).
pub const BULK_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Longest inline command in bytes, without its newline (as Redis).
pub const INLINE_BYTES_MAX: usize = 64 * 1024;
/// Longest request in bytes, headers included (Redis: `client-query-buffer-limit`).
pub const REQUEST_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// From this size in bytes on, an argument or a part of a request gets memory of its own. See the file's head.
const FRAME_BYTES_MAX: usize = 32 * 1024;

/// What one request may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most arguments.
    pub arguments_max: usize,
    /// Longest argument, in bytes.
    pub bulk_bytes_max: usize,
    /// Longest request, in bytes.
    pub request_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            arguments_max: ARGUMENTS_MAX,
            bulk_bytes_max: BULK_BYTES_MAX,
            request_bytes_max: REQUEST_BYTES_MAX,
        }
    }
}

/// Takes requests off a connection's read buffer.
#[derive(Debug, Default)]
pub struct Decoder {
    limits: Limits,
    /// Arguments still to come; 0 between requests.
    missing: usize,
    /// How much of the buffer belongs to the current request and has been read.
    at: usize,
    /// The announced length of an argument whose bytes are not all there; they begin at `at`.
    bulk: Option<usize>,
    /// Where the arguments found so far begin and end in the buffer.
    spans: Vec<(usize, usize)>,
    /// Arguments of the current request that were cut off the buffer already.
    taken: Vec<Bytes>,
    /// How many bytes were cut off the buffer for them.
    taken_bytes: usize,
    /// How much of an inline command was searched for its newline.
    searched: usize,
    fault: Option<ProtocolFault>,
}

impl Decoder {
    /// A decoder with limits of its own. `Decoder::default()` has Redis's.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes the next request off the front of `buffer`: its arguments, never empty, or nothing until more bytes arrive.
    ///
    /// Call it until it gives nothing, then read more and append. Between calls the buffer may only be appended to. For an
    /// argument of 32 KiB and more it reserves room in the buffer, never more than as much again as has arrived.
    ///
    /// # Errors
    /// The connection has to be closed after any error; its text is Redis's.
    #[inline]
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Vec<Bytes>>, ProtocolFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let decoded = self.next(buffer);
        if let Err(fault) = decoded {
            self.fault = Some(fault);
        }
        decoded
    }

    /// Whether a request has been begun and is not complete: what a timeout for slow senders asks.
    pub fn is_midway(&self, buffer: &BytesMut) -> bool {
        self.missing > 0 || !buffer.is_empty()
    }

    fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Vec<Bytes>>, ProtocolFault> {
        while self.missing == 0 {
            match buffer.first() {
                None => return Ok(None),
                Some(b'*') => match number::header(buffer, 1) {
                    Header::Number(count, next) if count > 0 => self.begin(count, next)?,
                    // `*0` and `*-1` ask for nothing and are answered by nothing.
                    Header::Number(_, next) => buffer.advance(next),
                    Header::Partial => return Ok(None),
                    Header::Wrong => return Err(ProtocolFault::ArgumentCount),
                },
                Some(_) => match self.inline(buffer)? {
                    None => return Ok(None),
                    Some(words) if words.is_empty() => {}
                    Some(words) => return Ok(Some(words)),
                },
            }
        }
        self.arguments(buffer)
    }

    fn begin(&mut self, count: i64, next: usize) -> Result<(), ProtocolFault> {
        self.missing = usize::try_from(count)
            .ok()
            .filter(|&count| count <= self.limits.arguments_max)
            .ok_or(ProtocolFault::ArgumentCount)?;
        self.at = next;
        Ok(())
    }

    fn arguments(&mut self, buffer: &mut BytesMut) -> Result<Option<Vec<Bytes>>, ProtocolFault> {
        while self.missing > 0 {
            let length = match self.bulk.take() {
                Some(length) => length,
                None => match self.bulk_length(buffer)? {
                    Some(length) => length,
                    None => {
                        self.wait(buffer, 0);
                        return Ok(None);
                    }
                },
            };
            let end = self.at + length;
            let Some(after) = buffer.get(end..end + 2) else {
                self.bulk = Some(length);
                self.wait(buffer, length);
                return Ok(None);
            };
            if after != b"\r\n" {
                return Err(ProtocolFault::BulkEnd);
            }
            self.missing -= 1;
            if length >= FRAME_BYTES_MAX {
                self.take_alone(buffer, length);
            } else {
                self.spans.push((self.at, end));
                self.at = end + 2;
            }
        }
        Ok(Some(self.finish(buffer)))
    }

    /// Reads the header of the next argument at `at`, and puts `at` where its bytes begin.
    #[inline]
    fn bulk_length(&mut self, buffer: &BytesMut) -> Result<Option<usize>, ProtocolFault> {
        match buffer.get(self.at) {
            None => return Ok(None),
            Some(b'$') => {}
            Some(&other) => return Err(ProtocolFault::ExpectedBulk(other)),
        }
        let (length, next) = match number::header(buffer, self.at + 1) {
            Header::Number(length, next) => (length, next),
            Header::Partial => return Ok(None),
            Header::Wrong => return Err(ProtocolFault::BulkLength),
        };
        let length = usize::try_from(length)
            .ok()
            .filter(|&length| length <= self.limits.bulk_bytes_max)
            .ok_or(ProtocolFault::BulkLength)?;
        if self.taken_bytes.saturating_add(next).saturating_add(length) > self.limits.request_bytes_max {
            return Err(ProtocolFault::RequestLength);
        }
        self.at = next;
        Ok(Some(length))
    }

    /// Prepares for more bytes, of which `length` belong to one argument.
    fn wait(&mut self, buffer: &mut BytesMut, length: usize) {
        if self.at >= FRAME_BYTES_MAX || length >= FRAME_BYTES_MAX {
            self.cut(buffer);
        }
        if length >= FRAME_BYTES_MAX {
            let absent = (length + 2).saturating_sub(buffer.len());
            buffer.reserve(absent.min(buffer.len().max(FRAME_BYTES_MAX)));
        }
    }

    /// Takes everything that has been read off the buffer.
    fn cut(&mut self, buffer: &mut BytesMut) {
        self.taken_bytes += self.at;
        let mut gone = 0;
        for (start, end) in self.spans.drain(..) {
            buffer.advance(start - gone);
            self.taken.push(buffer.split_to(end - start).freeze());
            gone = end;
        }
        buffer.advance(self.at - gone);
        self.at = 0;
    }

    /// Takes a long argument, all of whose bytes are there, so that it shares memory with nothing: the shorter one of it and
    /// the bytes behind it is copied.
    fn take_alone(&mut self, buffer: &mut BytesMut, length: usize) {
        self.cut(buffer);
        self.taken_bytes += length + 2;
        if buffer.len() - length <= length {
            let argument = buffer.split_to(length).freeze();
            *buffer = BytesMut::from(&buffer[2..]);
            self.taken.push(argument);
        } else {
            self.taken.push(Bytes::copy_from_slice(&buffer[..length]));
            buffer.advance(length + 2);
        }
    }

    fn finish(&mut self, buffer: &mut BytesMut) -> Vec<Bytes> {
        self.taken.reserve_exact(self.spans.len());
        self.cut(buffer);
        self.taken_bytes = 0;
        std::mem::take(&mut self.taken)
    }

    fn inline(&mut self, buffer: &mut BytesMut) -> Result<Option<Vec<Bytes>>, ProtocolFault> {
        let Some(found) = memchr(b'\n', &buffer[self.searched..]) else {
            self.searched = buffer.len();
            return if buffer.len() > INLINE_BYTES_MAX { Err(ProtocolFault::InlineLength) } else { Ok(None) };
        };
        let length = self.searched + found;
        self.searched = 0;
        if length > INLINE_BYTES_MAX {
            return Err(ProtocolFault::InlineLength);
        }
        let line = buffer.split_to(length + 1);
        let line = &line[..length];
        inline::split(line.strip_suffix(b"\r").unwrap_or(line)).map(Some)
    }
}
