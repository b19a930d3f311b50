//! How envelopes lie on a link: a length and then the bytes, after one greeting.
//!
//! ```text
//! greeting   "ARML" version cluster from to began
//! refusal    one byte, the other way: a process that began earlier is this member, the listener is not who is meant, or the
//!            caller is no member any more
//! frame      length (4 bytes, big endian) envelope
//! ```

use super::Envelope;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use causal::codec::{Malformed, Reader};
use causal::limits::VALUE_BYTES_MAX;
use placement::NodeId;

/// The longest envelope, in bytes: the longest value, twice for siblings, and room for everything around it.
pub const FRAME_BYTES_MAX: usize = 2 * VALUE_BYTES_MAX + 1024 * 1024;
/// How long a greeting is, in bytes.
pub const GREETING_BYTES: usize = 4 + 1 + 8 + 8 + 8 + 8;
/// What a listener says before it ends a link, where another process that it hears is the same member and began earlier.
pub const TWIN: u8 = b'2';

/// What a listener says before it ends a link, where it is not the member that is meant, or of another cluster.
pub const STRANGER: u8 = b'?';

/// What a listener says before it ends a link, where whoever calls is no member of the cluster any more.
pub const FORGOTTEN: u8 = b'-';

const MAGIC: &[u8; 4] = b"ARML";
const LINK_VERSION: u8 = 5;
const LENGTH_BYTES: usize = 4;
/// Frames up to this long are copied out of the read buffer, in bytes.
const COPIED_BYTES_MAX: usize = 16 * 1024;

/// The first thing said on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The cluster that the speaker is a member of.
    pub cluster: u64,
    /// Who speaks.
    pub from: NodeId,
    /// Who is meant to listen.
    pub to: NodeId,
    /// When its process began, for telling two processes apart that are one member: the greater number began later.
    pub began: u64,
}

impl Greeting {
    /// The bytes of the greeting.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_slice(MAGIC);
        out.put_u8(LINK_VERSION);
        out.put_u64(self.cluster);
        out.put_u64(self.from.0);
        out.put_u64(self.to.0);
        out.put_u64(self.began);
    }

    /// Reads a greeting of [`GREETING_BYTES`].
    ///
    /// # Errors
    /// Where it is not one, or of another version of the link.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "greeting of a peer");
        for expected in MAGIC {
            reader.version(*expected)?;
        }
        reader.version(LINK_VERSION)?;
        let (cluster, from, to) = (reader.u64()?, NodeId(reader.u64()?), NodeId(reader.u64()?));
        let greeting = Self { cluster, from, to, began: reader.u64()? };
        reader.end()?;
        Ok(greeting)
    }
}

/// An envelope that is longer than a frame may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of {bytes} bytes, and a peer takes up to {FRAME_BYTES_MAX}")]
pub struct FrameTooLong {
    /// How long it is, in bytes.
    pub bytes: usize,
}

/// Appends an envelope in its frame.
///
/// # Errors
/// Where it is longer than [`FRAME_BYTES_MAX`]: then nothing is appended. The peer would give the whole link up for it,
/// and again each time it is sent.
pub fn encode(envelope: &Envelope, out: &mut BytesMut) -> Result<(), FrameTooLong> {
    let at = out.len();
    out.put_u32(0);
    envelope.encode(out);
    let bytes = out.len() - at - LENGTH_BYTES;
    match u32::try_from(bytes) {
        Ok(length) if bytes <= FRAME_BYTES_MAX => {
            out[at..at + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
            Ok(())
        }
        _ => {
            out.truncate(at);
            Err(FrameTooLong { bytes })
        }
    }
}

/// Takes the next whole frame off `buffer`, if it is all there.
///
/// # Errors
/// Where a frame says that it is longer than [`FRAME_BYTES_MAX`] or holds no envelope: the link is of no more use.
pub fn decode(buffer: &mut BytesMut) -> Result<Option<Envelope>, Malformed> {
    let Some(length) = buffer.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(Malformed { what: "length of a peer frame" });
    }
    if buffer.len() < LENGTH_BYTES + length {
        return Ok(None);
    }
    buffer.advance(LENGTH_BYTES);
    let frame = buffer.split_to(length);
    // A small frame is copied, so that a value kept from it does not keep the whole read buffer.
    let frame = if length <= COPIED_BYTES_MAX { Bytes::copy_from_slice(&frame) } else { frame.freeze() };
    Envelope::decode(frame).map(Some)
}
