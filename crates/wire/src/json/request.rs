//! What a line asks for.
//!
//! Not an evaluation: a request is turned into the arguments of a command, [`Request::argv`].
//!
//! 1. A refusal names what to change in the line.
//! 2. A refused line's key is given back when it could be read, so that the answer can be matched to it.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;

use crate::fault::Fault;

/// A request of the JSON-lines protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Read a key.
    Get {
        /// Which.
        key: String,
    },
    /// Write a key.
    Set {
        /// Which.
        key: String,
        /// What.
        value: String,
    },
    /// Remove a key. It is no error if there is none: a repeated request must not look like a failed one.
    Delete {
        /// Which.
        key: String,
    },
}

/// A line that is not a request, and what to say to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The key of the line, empty if it could not be read.
    pub key: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// The six fields as they are sent. Those that a request does not need are named here so that they are not unknown ones.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    key: Option<String>,
    value: Option<String>,
    #[serde(rename = "timestamp")]
    _timestamp: Option<String>,
    #[serde(rename = "status")]
    _status: Option<String>,
    #[serde(rename = "error")]
    _error: Option<String>,
}

impl Request {
    /// Reads one line, without its newline.
    ///
    /// # Errors
    /// A [`Refusal`] that names what to change.
    pub fn parse(line: &[u8]) -> Result<Self, Refusal> {
        // The parser would take an array of six values too, which is not the protocol.
        if line.first() != Some(&b'{') {
            return Err(refusal(
                String::new(),
                "a line is an object such as {\"type\":\"GET\",\"key\":\"k\"}",
            ));
        }
        let line: Line<'_> =
            serde_json::from_slice(line).map_err(|error| refusal(key_alone(line), &error.to_string()))?;
        let absent = |field: &str| format!("the field \"{field}\" is missing");
        let kind = line.kind.unwrap_or_default();
        let Some(key) = line.key else { return Err(refusal(String::new(), &absent("key"))) };
        match (&*kind, line.value) {
            ("GET", _) => Ok(Self::Get { key }),
            ("DELETE", _) => Ok(Self::Delete { key }),
            ("SET", Some(value)) => Ok(Self::Set { key, value }),
            ("SET", None) => Err(refusal(key, &absent("value"))),
            _ => Err(refusal(key, "the field \"type\" is GET, SET or DELETE")),
        }
    }

    /// The key that it is about.
    pub fn key(&self) -> &str {
        match self {
            Self::Get { key } | Self::Set { key, .. } | Self::Delete { key } => key,
        }
    }

    /// The same request as the arguments of a command.
    pub fn argv(&self) -> Vec<Bytes> {
        let copy = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        match self {
            Self::Get { key } => vec![Bytes::from_static(b"GET"), copy(key)],
            Self::Set { key, value } => vec![Bytes::from_static(b"SET"), copy(key), copy(value)],
            Self::Delete { key } => vec![Bytes::from_static(b"DEL"), copy(key)],
        }
    }
}

/// The key of a line that is not a request as a whole.
fn key_alone(line: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Alone {
        key: Option<String>,
    }
    serde_json::from_slice::<Alone>(line).ok().and_then(|line| line.key).unwrap_or_default()
}

fn refusal(key: String, reason: &str) -> Refusal {
    Refusal { key, fault: Fault::JsonLine(reason.into()) }
}
