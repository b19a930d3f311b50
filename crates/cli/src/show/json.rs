//! Replies as JSON, for scripts.
//!
//! | reply | JSON |
//! |---|---|
//! | status, bulk, text | a string; `{"bytes_hex": "..."}` if it is not UTF-8, so that nothing is lost |
//! | integer, double, boolean, nothing | number, number (`"inf"`, `"-inf"`, `"nan"` as strings), boolean, `null` |
//! | array, set, push | an array |
//! | map | an object in the server's order; a key that is no string is its raw text |
//! | error | `{"error": "ERR ..."}` |
//!
//! Not the JSON-lines protocol, which is another door of the server.
//!
//! 1. One reply is one line.

use serde::ser::{Serialize, SerializeMap, Serializer};
use wire::Reply;

use super::{double, raw};

/// The JSON text of a reply.
pub(super) fn show(reply: &Reply) -> String {
    serde_json::to_string(&Json(reply)).expect("keys are strings and memory does not fail to be written")
}

struct Json<'a>(&'a Reply);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Reply::Simple(text) => out.serialize_str(text),
            Reply::Integer(number) => out.serialize_i64(*number),
            Reply::Bulk(bytes) | Reply::Verbatim(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => out.serialize_str(text),
                Err(_) => one(out, "bytes_hex", &hex(bytes)),
            },
            Reply::Nil | Reply::NilArray => out.serialize_unit(),
            Reply::Double(number) if number.is_finite() => out.serialize_f64(*number),
            Reply::Double(number) => out.serialize_str(&double(*number)),
            Reply::Boolean(value) => out.serialize_bool(*value),
            Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => {
                out.collect_seq(items.iter().map(Json))
            }
            Reply::Map(pairs) => out.collect_map(pairs.iter().map(|(key, value)| (text(key), Json(value)))),
            Reply::Error(fault) => one(out, "error", &fault.to_string()),
        }
    }
}

fn one<S: Serializer>(out: S, key: &str, value: &str) -> Result<S::Ok, S::Error> {
    let mut map = out.serialize_map(Some(1))?;
    map.serialize_entry(key, value)?;
    map.end()
}

fn text(key: &Reply) -> String {
    String::from_utf8_lossy(&raw::show(key)).into_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
