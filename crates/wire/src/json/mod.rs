//! JSON lines: one object per line each way, for those who have a socket and no client library.
//!
//! ```text
//! {"type":"SET","key":"a","value":"1"}
//! {"type":"RESPONSE","key":"a","value":"","timestamp":"2026-01-01T00:00:00.000Z","status":"SUCCESS","error":""}
//! ```
//!
//! Six fields, all text: `type` (GET, SET, DELETE; RESPONSE in answers), `key`, `value`, `timestamp` (RFC 3339), `status`
//! (SUCCESS, ERROR), `error`. A request may leave out what it does not need, and may send `timestamp`, `status` and `error`,
//! which are not read: a client that fills one structure for both ways sends them, and the time that orders writes is the
//! cluster's own. An answer has all six. Not a second set of commands: a request becomes the same arguments as over RESP.
//!
//! What this protocol cannot carry is refused in words, never altered: a value that is not UTF-8 is answered by an error
//! that says to read it over RESP.
//!
//! 1. Every line that is not blank gets one answer, in order, and no line closes the connection.
//! 2. A field that is not one of the six is refused by its name, so a misspelt one is not taken for an absent one.

mod clock;
mod line;
mod request;
mod response;

pub use clock::rfc3339;
pub use line::{LINE_BYTES_MAX, LineDecoder};
pub use request::{Refusal, Request};
pub use response::encode;
