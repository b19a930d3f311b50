//! An answer to a client, in no protocol's words.
//!
//! Not bytes: the doors encode it ([`crate::resp::encode`], [`crate::json::encode`]) and decide what a client of theirs
//! can read. A command returns one of these and never writes to a connection.
//!
//! 1. It is a value: cloning shares payloads, and nothing in it refers to a connection or a request.
//! 2. A [`Reply::Simple`] holds neither CR nor LF.

use std::borrow::Cow;

use bytes::Bytes;

use crate::fault::Fault;

/// What is said to a client. The names are those of RESP3; RESP2 gets what Redis would send it instead.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// A short status such as `OK`, without CR or LF.
    Simple(Cow<'static, str>),
    /// A 64-bit integer.
    Integer(i64),
    /// Any bytes.
    Bulk(Bytes),
    /// No value.
    Nil,
    /// No array: what RESP2 tells apart from [`Reply::Nil`] and RESP3 does not.
    NilArray,
    /// Values in order.
    Array(Vec<Reply>),
    /// Pairs, in the order in which they are to be shown.
    Map(Vec<(Reply, Reply)>),
    /// Values without order.
    Set(Vec<Reply>),
    /// A floating-point number.
    Double(f64),
    /// True or false.
    Boolean(bool),
    /// Text for people (RESP3 verbatim string, format `txt`).
    Verbatim(Bytes),
    /// Something that answers no request.
    Push(Vec<Reply>),
    /// It went wrong.
    Error(Fault),
}

impl Reply {
    /// `OK`.
    pub const fn ok() -> Self {
        Self::Simple(Cow::Borrowed("OK"))
    }

    /// A status known when the program was written. It must hold neither CR nor LF.
    pub const fn simple(text: &'static str) -> Self {
        Self::Simple(Cow::Borrowed(text))
    }

    /// A bulk string of any bytes. Static slices are not copied when passed as `Bytes::from_static`.
    pub fn bulk(bytes: impl Into<Bytes>) -> Self {
        Self::Bulk(bytes.into())
    }

    /// The fault, if this is one.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Error(fault) => Some(fault),
            _ => None,
        }
    }
}

impl From<Fault> for Reply {
    fn from(fault: Fault) -> Self {
        Self::Error(fault)
    }
}

impl From<i64> for Reply {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<Bytes> for Reply {
    fn from(bytes: Bytes) -> Self {
        Self::Bulk(bytes)
    }
}

impl From<Option<Bytes>> for Reply {
    fn from(value: Option<Bytes>) -> Self {
        value.map_or(Self::Nil, Self::Bulk)
    }
}

impl From<Result<Reply, Fault>> for Reply {
    fn from(result: Result<Self, Fault>) -> Self {
        result.unwrap_or_else(Self::Error)
    }
}
