//! Whether a node that was started serves, and whether it sees the others.
//!
//! Not a health check for production: a question now and then, while a cluster starts.
//!
//! 1. No answer is an answer: no.

use std::time::Duration;

use wire::Reply;

use super::plan::PlannedNode;
use crate::client::Client;
use crate::status::Report;

/// Longest wait for an answer, in milliseconds.
const ANSWER_MS_MAX: u64 = 1_000;

/// Whether it answers `PING`.
pub(super) fn answers(node: &PlannedNode) -> bool {
    ask(node, "PING") == Some(Reply::simple("PONG"))
}

/// Whether it knows so many members, all of them are up, as seen from there, and each has its share.
pub(super) fn sees(node: &PlannedNode, members: usize) -> bool {
    let report = ask(node, "ARMILLA.STATUS").and_then(|reply| Report::of(&reply).ok());
    report.is_some_and(|report| report.members.len() == members && report.all_up() && report.is_settled)
}

fn ask(node: &PlannedNode, word: &str) -> Option<Reply> {
    let within = Some(Duration::from_millis(ANSWER_MS_MAX));
    Client::connect_within(&node.client.to_string(), within).ok()?.call(&[word]).ok()
}
