//! `GET /servers`: who is a member, and how it is.
//!
//! 1. A state is this gateway's view, in the words of `ARMILLA.STATUS`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use placement::Member;
use serde_json::{Value, json};

use super::answer::Answer;
use crate::formation::Register;
use crate::host::Host;
use crate::session;

/// Lists the members.
pub(crate) async fn servers(State(register): State<Arc<Register>>) -> Answer {
    let host = &register.host;
    let layout = host.layout();
    let servers: Vec<Value> = layout.members().iter().map(|member| row(host, member)).collect();
    Answer::done(StatusCode::OK, json!({ "epoch": layout.epoch(), "servers": servers }))
}

fn row(host: &Host, member: &Member) -> Value {
    let since = |since_ms| host.clock.monotonic_ms().saturating_sub(since_ms);
    let mut row = described(member);
    row["duty"] = member.duty.word().into();
    row["state"] = session::member_state(host, member).into();
    row["since_ms_ago"] = host.sighting(member.id).map(|seen| since(seen.since_ms)).into();
    row
}

/// What a member has said of itself.
pub(super) fn described(member: &Member) -> Value {
    json!({
        "id": member.name,
        "address": member.client_addr,
        "peer_address": member.peer_addr,
        "weight": member.weight,
        "zone": member.zone.to_string(),
    })
}
