//! The bytes of everything causal: a writer's helpers and a bounded reader.
//!
//! Integers are LEB128 varints unless their order or fixed width matters. A reader never allocates more than
//! the bytes that are there, and every fault of the input is a [`Malformed`], never a panic.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thiserror::Error;

/// Bytes that are not what they should be: cut short, too long, or of a version this build does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("malformed {what}")]
pub struct Malformed {
    /// What was being read.
    pub what: &'static str,
}

/// Appends an unsigned integer as a varint.
pub fn put_varint(out: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8(low_bits(value) | 0x80);
        value >>= 7;
    }
    out.put_u8(low_bits(value));
}

/// Appends a length and then the bytes.
pub fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.put_slice(bytes);
}

fn low_bits(value: u64) -> u8 {
    (value & 0x7f) as u8
}

/// Reads what the writers above wrote; byte strings share the memory they were read from.
#[derive(Debug)]
pub struct Reader {
    bytes: Bytes,
    what: &'static str,
}

impl Reader {
    /// Reads `bytes`, naming `what` in faults.
    pub fn new(bytes: Bytes, what: &'static str) -> Self {
        Self { bytes, what }
    }

    /// The fault that names what is being read.
    pub fn malformed(&self) -> Malformed {
        Malformed { what: self.what }
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        if self.bytes.is_empty() { Err(self.malformed()) } else { Ok(self.bytes.get_u8()) }
    }

    /// Eight bytes, big endian.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        if self.bytes.len() < 8 { Err(self.malformed()) } else { Ok(self.bytes.get_u64()) }
    }

    /// A varint of up to 64 bits.
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(self.malformed());
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.malformed())
    }

    /// A count of things that take at least `bytes_each` bytes, so that a lie cannot make us allocate.
    pub fn count(&mut self, bytes_each: usize) -> Result<usize, Malformed> {
        let count = usize::try_from(self.varint()?).map_err(|_| self.malformed())?;
        if count > self.bytes.len() / bytes_each.max(1) { Err(self.malformed()) } else { Ok(count) }
    }

    /// A length and that many bytes.
    pub fn bytes(&mut self) -> Result<Bytes, Malformed> {
        let length = self.count(1)?;
        Ok(self.bytes.split_to(length))
    }

    /// The next `length` bytes.
    pub fn take(&mut self, length: usize) -> Result<Bytes, Malformed> {
        if length > self.bytes.len() { Err(self.malformed()) } else { Ok(self.bytes.split_to(length)) }
    }

    /// All bytes that are left.
    pub fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.bytes)
    }

    /// The version byte: only `version` is known.
    pub fn version(&mut self, version: u8) -> Result<(), Malformed> {
        if self.u8()? == version { Ok(()) } else { Err(self.malformed()) }
    }

    /// Nothing may be left.
    pub fn end(&self) -> Result<(), Malformed> {
        if self.bytes.is_empty() { Ok(()) } else { Err(self.malformed()) }
    }
}
