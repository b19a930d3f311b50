//! What a server says: the incremental decoder of replies, for a client and for answers that come from elsewhere.
//!
//! Not a mirror of the encoder: it reads RESP2 and RESP3 alike, and what any Redis may send. Big numbers become bulks,
//! attributes are read and dropped, streamed replies (`$?`, which no server sends) are refused.
//!
//! 1. Replies nest on a list kept here, not on the call stack, and at most [`REPLY_DEPTH_MAX`] deep.
//! 2. What has been read is off the buffer; only a line that is not complete stays, and is not searched twice.
//! 3. A reply takes at most [`REPLY_BYTES_MAX`] of memory, its nodes counted as well as its bytes.

use bytes::{Buf, BytesMut};
use memchr::memchr;

use super::number;
use crate::fault::{Fault, ProtocolFault};
use crate::reply::Reply;

/// Deepest nesting of a reply.
pub const REPLY_DEPTH_MAX: usize = 32;
/// Largest reply in bytes of memory.
pub const REPLY_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Longest line of a reply in bytes: a status, an error, a number.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// Most room reserved ahead for a bulk, in bytes, beyond as much again as has arrived.
const AHEAD_BYTES_MAX: usize = 32 * 1024;

/// Takes replies off a connection's read buffer.
#[derive(Debug, Default)]
pub struct ReplyDecoder {
    open: Vec<Open>,
    /// Type and length of a bulk whose bytes are not all there.
    bulk: Option<(u8, usize)>,
    /// How much of a line was searched for its end.
    searched: usize,
    /// What the current reply has cost so far, in bytes.
    cost: usize,
    fault: Option<ProtocolFault>,
}

/// A series whose items are still coming.
#[derive(Debug)]
struct Open {
    mark: u8,
    missing: usize,
    items: Vec<Reply>,
}

/// One step through a reply.
enum Step {
    Value(Reply),
    Open(Open),
}

impl ReplyDecoder {
    /// Takes the next reply off the front of `buffer`, or nothing until more bytes arrive.
    ///
    /// # Errors
    /// The connection has to be closed after any error.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Reply>, ProtocolFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let decoded = self.next(buffer);
        if let Err(fault) = decoded {
            self.fault = Some(fault);
        }
        decoded
    }

    fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Reply>, ProtocolFault> {
        while let Some(step) = self.step(buffer)? {
            self.pay(size_of::<Reply>())?;
            let whole = match step {
                Step::Value(value) => self.close(value),
                Step::Open(open) if open.missing > 0 => {
                    if self.open.len() == REPLY_DEPTH_MAX {
                        return Err(ProtocolFault::ReplyDepth);
                    }
                    self.open.push(open);
                    None
                }
                Step::Open(open) => finished(open).and_then(|value| self.close(value)),
            };
            if whole.is_some() {
                self.cost = 0;
                return Ok(whole);
            }
        }
        Ok(None)
    }

    /// Puts a value where it belongs: the whole reply if nothing is open.
    fn close(&mut self, mut value: Reply) -> Option<Reply> {
        loop {
            let Some(mut parent) = self.open.pop() else { return Some(value) };
            parent.items.push(value);
            parent.missing -= 1;
            if parent.missing > 0 {
                self.open.push(parent);
                return None;
            }
            value = finished(parent)?;
        }
    }

    fn step(&mut self, buffer: &mut BytesMut) -> Result<Option<Step>, ProtocolFault> {
        let (mark, length) = match self.bulk.take() {
            Some(bulk) => bulk,
            None => {
                let Some(line) = self.line(buffer)? else { return Ok(None) };
                match read_line(&line)? {
                    Line::Step(step) => return Ok(Some(step)),
                    Line::Bulk(length) => (line[0], length),
                }
            }
        };
        if self.cost.saturating_add(length) > REPLY_BYTES_MAX {
            return Err(ProtocolFault::ReplyLength);
        }
        if buffer.len() < length + 2 {
            let absent = length + 2 - buffer.len();
            buffer.reserve(absent.min(buffer.len().max(AHEAD_BYTES_MAX)));
            self.bulk = Some((mark, length));
            return Ok(None);
        }
        let bytes = buffer.split_to(length);
        if &buffer[..2] != b"\r\n" {
            return Err(ProtocolFault::ReplyForm(mark));
        }
        buffer.advance(2);
        self.pay(length)?;
        read_bulk(mark, bytes).map(|value| Some(Step::Value(value)))
    }

    /// Takes a line off the buffer, type byte included and CR LF not.
    fn line(&mut self, buffer: &mut BytesMut) -> Result<Option<BytesMut>, ProtocolFault> {
        let Some(&mark) = buffer.first() else { return Ok(None) };
        if !b"+-:$*_,#!=(%~>|".contains(&mark) {
            return Err(ProtocolFault::ReplyType(mark));
        }
        let end = memchr(b'\r', &buffer[self.searched..]).map(|found| self.searched + found);
        if end.unwrap_or(buffer.len()) > LINE_BYTES_MAX {
            return Err(ProtocolFault::ReplyLength);
        }
        self.searched = end.unwrap_or(buffer.len());
        match end.and_then(|end| buffer.get(end + 1).map(|&byte| (end, byte))) {
            None => Ok(None),
            Some((end, b'\n')) => {
                let line = buffer.split_to(end);
                buffer.advance(2);
                self.searched = 0;
                self.pay(end)?;
                Ok(Some(line))
            }
            Some(_) => Err(ProtocolFault::ReplyForm(mark)),
        }
    }

    fn pay(&mut self, bytes: usize) -> Result<(), ProtocolFault> {
        self.cost = self.cost.saturating_add(bytes);
        if self.cost > REPLY_BYTES_MAX { Err(ProtocolFault::ReplyLength) } else { Ok(()) }
    }
}

/// What a line is: a step by itself, or the length of the bulk behind it.
enum Line {
    Step(Step),
    Bulk(usize),
}

fn read_line(line: &[u8]) -> Result<Line, ProtocolFault> {
    let (mark, rest) = (line[0], &line[1..]);
    let wrong = ProtocolFault::ReplyForm(mark);
    let text = || std::str::from_utf8(rest).map_err(|_| wrong);
    let value = match (mark, rest) {
        (b'$', b"-1") | (b'_', b"") => Reply::Nil,
        (b'*', b"-1") => Reply::NilArray,
        (b'$' | b'=' | b'!', _) => return Ok(Line::Bulk(count(mark, rest)?)),
        (b'*' | b'~' | b'>' | b'%' | b'|', _) => {
            let pairs = matches!(mark, b'%' | b'|');
            let missing = count(mark, rest)?.checked_mul(if pairs { 2 } else { 1 }).ok_or(wrong)?;
            return Ok(Line::Step(Step::Open(Open { mark, missing, items: Vec::new() })));
        }
        // A status holds no LF, and must not when it is passed on: it would end its line.
        (b'+', _) if memchr(b'\n', rest).is_some() => return Err(wrong),
        (b'+', _) => Reply::Simple(String::from_utf8_lossy(rest).into_owned().into()),
        (b'-', _) => Reply::Error(Fault::from_line(rest)),
        (b':', _) => Reply::Integer(number::integer(rest).ok_or(wrong)?),
        (b'#', b"t") => Reply::Boolean(true),
        (b'#', b"f") => Reply::Boolean(false),
        (b',', _) => Reply::Double(text()?.parse().map_err(|_| wrong)?),
        (b'(', [b'-' | b'0'..=b'9', ..]) => Reply::Bulk(rest.to_vec().into()),
        _ => return Err(wrong),
    };
    Ok(Line::Step(Step::Value(value)))
}

fn count(mark: u8, digits: &[u8]) -> Result<usize, ProtocolFault> {
    let count = number::integer(digits).and_then(|count| usize::try_from(count).ok());
    count.filter(|&count| count <= REPLY_BYTES_MAX).ok_or(ProtocolFault::ReplyForm(mark))
}

fn read_bulk(mark: u8, mut bytes: BytesMut) -> Result<Reply, ProtocolFault> {
    match mark {
        b'!' => Ok(Reply::Error(Fault::from_line(&bytes))),
        b'=' if bytes.get(3) == Some(&b':') => {
            bytes.advance(4);
            Ok(Reply::Verbatim(bytes.freeze()))
        }
        b'=' => Err(ProtocolFault::ReplyForm(mark)),
        _ => Ok(Reply::Bulk(bytes.freeze())),
    }
}

/// A series all of whose items have come; nothing for an attribute, which belongs to no reply.
fn finished(open: Open) -> Option<Reply> {
    match open.mark {
        b'|' => None,
        b'~' => Some(Reply::Set(open.items)),
        b'>' => Some(Reply::Push(open.items)),
        b'%' => Some(Reply::Map(pairs(open.items))),
        _ => Some(Reply::Array(open.items)),
    }
}

fn pairs(items: Vec<Reply>) -> Vec<(Reply, Reply)> {
    let mut pairs = Vec::with_capacity(items.len() / 2);
    let mut items = items.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        pairs.push((key, value));
    }
    pairs
}
