//! RESP2 and RESP3, Redis's protocols.
//!
//! `request` and `inline` read what a client asks, `encode` writes what it is told; `reply` and [`encode_request`] are the
//! client's own side of the same wire. Not commands: a request here is a list of byte strings, whatever they mean.
//!
//! ```text
//! *3\r\n $3\r\nSET\r\n $1\r\nk\r\n $1\r\nv\r\n    a request: an array of bulk strings
//! SET k "a value"\r\n                            the same by hand: an inline command
//! ```
//!
//! 1. A request never nests, so nothing that a client sends can recurse.
//! 2. Memory grows with the bytes that arrived, never with what a header claims.
//! 3. The texts of protocol errors are Redis's.

mod encode;
mod inline;
mod number;
mod reply;
mod request;

pub use encode::{encode, encode_request};
pub use reply::{REPLY_BYTES_MAX, REPLY_DEPTH_MAX, ReplyDecoder};
pub use request::{ARGUMENTS_MAX, BULK_BYTES_MAX, Decoder, INLINE_BYTES_MAX, Limits, REQUEST_BYTES_MAX};

/// Which of the two a connection speaks; it begins with RESP2 and `HELLO` changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Protocol {
    /// Understood by every client.
    #[default]
    Resp2,
    /// Tells maps, sets, booleans, doubles and pushes apart.
    Resp3,
}

#[cfg(test)]
mod tests;
