//! `POST /register`: a data server is made a member, whether it runs yet or not.
//!
//! ```text
//!   {"id": "server4", "address": "10.0.0.4:7001", "weight": 2}
//!     ─▶ a member that holds data ─▶ Change::Join ─▶ the register (`node::register`), as for ARMILLA.JOIN
//! ```
//!
//! The others look after its health from then on, and it is given its share as soon as it is there: started with this `--id`, at this
//! address, and with `--join`. It may also have been started first.
//!
//! 1. Who is registered is a member when that is answered. To register again what is a member already changes nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use node::ChangeError;
use placement::layout::Basis;
use placement::member::WEIGHT_DEFAULT;
use placement::{Change, Duty, Layout, LayoutError, Member, NodeId, Zone};
use serde::Deserialize;
use tokio::time::timeout;

use super::BODY_BYTES_MAX;
use super::answer::Answer;
use super::servers;
use crate::config::{is_unspecified, peer_of, port_of};
use crate::formation::{Register, check_where};

/// How long a registration may take. The nodes that vote are asked for less.
pub(super) const REGISTER_MAX: Duration = Duration::from_secs(8);

/// How a registration is written.
const EXAMPLE: &str = r#"write it as {"id": "server4", "address": "10.0.0.4:7001", "weight": 2}, also with "zone" and "peer_address""#;

/// A server as it is registered.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    id: String,
    address: String,
    #[serde(default = "weight_default")]
    weight: u32,
    zone: Option<String>,
    peer_address: Option<String>,
}

fn weight_default() -> u32 {
    WEIGHT_DEFAULT
}

/// Makes a server a member.
pub(crate) async fn register(
    State(register): State<Arc<Register>>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body = match body {
        Ok(body) => body,
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let why = format!("a registration has at most {BODY_BYTES_MAX} bytes; {EXAMPLE}");
            return Answer::refusal(error.status(), &why);
        }
        Err(_) => return Answer::refusal(StatusCode::BAD_REQUEST, "the request was cut off: send it again"),
    };
    let member = match member(&body) {
        Ok(member) => member,
        Err(why) => return Answer::refusal(StatusCode::BAD_REQUEST, &why),
    };
    let admitted = timeout(REGISTER_MAX, admit(&register, &member)).await;
    admitted.unwrap_or_else(|_| Answer::unknown(&ChangeError::Unknown.to_string()))
}

/// What was registered, as a member.
fn member(body: &[u8]) -> Result<Member, String> {
    // Fields in an array, without their names, would be read too.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(format!("the body is no JSON object: {EXAMPLE}"));
    }
    let asked: Asked = serde_json::from_slice(body).map_err(|error| format!("{error}: {EXAMPLE}"))?;
    if asked.id.chars().any(char::is_control) {
        return Err("`id`: a name has no control characters".to_owned());
    }
    let client_addr = address("address", asked.address)?;
    let peer_addr = match asked.peer_address {
        Some(given) => address("peer_address", given)?,
        None => peer_of(&client_addr).ok_or_else(|| {
            format!("`address`: {client_addr} leaves no room for a peer port above it: give `peer_address`")
        })?,
    };
    let zone = asked.zone.map_or_else(|| Ok(Zone::default()), |zone| zone.parse());
    Ok(Member {
        id: NodeId::of_name(&asked.id),
        name: asked.id,
        client_addr,
        peer_addr,
        weight: asked.weight,
        zone: zone.map_err(|error| format!("`zone`: {error}"))?,
        duty: Duty::Store,
    })
}

/// An address, written as the server itself will write it.
fn address(field: &str, text: String) -> Result<String, String> {
    let is_odd = |letter: char| letter.is_whitespace() || letter.is_control();
    if port_of(&text).is_none() || text.contains(is_odd) {
        return Err(format!("`{field}`: write it as HOST:PORT, with a port from 1 to 65535"));
    }
    if is_unspecified(&text) {
        return Err(format!("`{field}`: {text} is every address of a machine, and others need one of them"));
    }
    Ok(text.parse().map_or(text, |address: std::net::SocketAddr| address.to_string()))
}

async fn admit(register: &Register, member: &Member) -> Answer {
    let layout = register.host.layout();
    let join = Change::Join(member.clone());
    let next = match layout.changed(&join) {
        Ok(next) => next,
        Err(LayoutError::Same) => return Answer::done(StatusCode::OK, told(&layout, member)),
        Err(error) => return refused(&error),
    };
    if let Err(nowhere) = check_where(&next) {
        return Answer::refusal(StatusCode::CONFLICT, &nowhere);
    }
    let layout = match register.made(join, Basis::Any).await {
        Ok(layout) => layout,
        Err(ChangeError::Refused(error)) => return refused(&error),
        Err(error @ ChangeError::Meanwhile(_)) => {
            return Answer::refusal(StatusCode::CONFLICT, &error.to_string());
        }
        Err(error @ ChangeError::NoQuorum) => return Answer::not_now(&error.to_string()),
        Err(error @ ChangeError::Unknown) => return Answer::unknown(&error.to_string()),
    };
    tracing::info!(id = member.name, addr = member.client_addr, "registered over HTTP");
    if let Err(reason) = register.adopt(Arc::clone(&layout)).await {
        // It is a member all the same, and this node hears of it again.
        tracing::warn!(reason, "a layout is not taken");
    }
    Answer::done(StatusCode::CREATED, told(&layout, member))
}

/// Why the cluster does not take it: for what it is, or for who is there already.
fn refused(error: &LayoutError) -> Answer {
    let status = match error {
        LayoutError::Member { .. } => StatusCode::BAD_REQUEST,
        _ => StatusCode::CONFLICT,
    };
    Answer::refusal(status, &error.to_string())
}

fn told(layout: &Layout, member: &Member) -> serde_json::Value {
    let mut told = servers::described(member);
    told["epoch"] = layout.epoch().into();
    told["members"] = layout.members().len().into();
    told
}

#[cfg(test)]
mod tests {
    use super::{member, refused};
    use placement::{Duty, LayoutError};

    #[test]
    fn what_is_not_said_follows() {
        let read = member(br#"{"id": "server4", "address": "10.0.0.4:7001", "weight": 2}"#).unwrap();
        assert_eq!((read.name.as_str(), read.weight, read.duty), ("server4", 2, Duty::Store));
        assert_eq!((read.client_addr.as_str(), read.peer_addr.as_str()), ("10.0.0.4:7001", "10.0.0.4:10001"));
        assert_eq!(read.zone.to_string(), "dc1/rack1");
        let all = br#"{"zone": "a/b", "peer_address": "p:9", "address": "h:1", "id": "s"}"#;
        let read = member(all).unwrap();
        assert_eq!((read.zone.to_string().as_str(), read.peer_addr.as_str(), read.weight), ("a/b", "p:9", 1));
        let read = member(br#"{"id": "s", "address": "[0:0::1]:7001"}"#).unwrap();
        assert_eq!((read.client_addr.as_str(), read.peer_addr.as_str()), ("[::1]:7001", "[::1]:10001"));
    }

    #[test]
    fn what_is_wrong_is_said_in_words() {
        let cases = [
            ("", "no JSON object: write it as {\"id\""),
            (r#"["s", "h:1", 1, null, null]"#, "no JSON object"),
            ("{", "EOF while parsing an object"),
            (r#"{"id": "s", "address": "h:1"} {}"#, "trailing characters"),
            (r#"{"id": "s"}"#, "missing field `address`"),
            (r#"{"address": "h:1"}"#, "missing field `id`"),
            (r#"{"id": "s", "address": "h:1", "wieght": 2}"#, "unknown field `wieght`"),
            (r#"{"id": "s", "address": "h:1", "weight": -1}"#, "integer `-1`"),
            (r#"{"id": "s", "address": "h:1", "weight": 1e99}"#, "expected u32"),
            (r#"{"id": "s", "address": "h:1", "weight": "2"}"#, "expected u32"),
            (r#"{"id": "s", "id": "s", "address": "h:1"}"#, "duplicate field `id`"),
            (r#"{"id": "a\u0000b", "address": "h:1"}"#, "control characters"),
            (r#"{"id": "s", "address": "h"}"#, "`address`: write it as HOST:PORT"),
            (r#"{"id": "s", "address": "h:0"}"#, "`address`: write it as HOST:PORT"),
            (r#"{"id": "s", "address": ":1"}"#, "`address`: write it as HOST:PORT"),
            (r#"{"id": "s", "address": "a b:1"}"#, "`address`: write it as HOST:PORT"),
            (r#"{"id": "s", "address": "0.0.0.0:1"}"#, "every address of a machine"),
            (r#"{"id": "s", "address": "h:65000"}"#, "give `peer_address`"),
            (r#"{"id": "s", "address": "h:1", "peer_address": "h"}"#, "`peer_address`: write it"),
            (r#"{"id": "s", "address": "h:1", "zone": "here"}"#, "`zone`: `here` is not a zone"),
        ];
        for (body, why) in cases {
            let error = member(body.as_bytes()).expect_err(body);
            assert!(error.contains(why), "{body}: {error}");
        }
        assert!(member(&[0xff, 0xfe]).is_err());
        assert!(member("[".repeat(60_000).as_bytes()).is_err());
    }

    #[test]
    fn what_it_is_and_who_is_there_are_refused_apart() {
        let bad = LayoutError::Member { name: "s".into(), why: "its weight".into() };
        let taken = LayoutError::AddressTaken { address: "h:1".into(), other: "o".into() };
        assert_eq!((refused(&bad).status.as_u16(), refused(&taken).status.as_u16()), (400, 409));
    }
}
