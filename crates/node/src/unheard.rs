//! What was said by layouts that are not here yet, and who was told of this one. Data alone; `epochs` tells what is made of it.
//!
//! Invariant: what is kept is bounded; what finds no room is asked again by whoever waits for it.

use bytes::Bytes;
use placement::NodeId;
use std::collections::BTreeMap;
use wire::peer::exchange::Step;
use wire::peer::{Envelope, Message};
use wire::request::Job;

/// How many bytes of messages are kept until a newer layout is here, about.
const KEPT_BYTES_MAX: usize = 1 << 20;
/// What a message takes beside names and values, in bytes, about.
const MESSAGE_BYTES: usize = 256;

/// What has been said by newer layouts, and who was told of this one.
#[derive(Debug, Default)]
pub(crate) struct Epochs {
    kept: Vec<(NodeId, Envelope)>,
    kept_bytes: usize,
    /// The epoch that a node was told last, and when.
    pub(crate) told: BTreeMap<NodeId, (u64, u64)>,
    /// When a node was asked for its layout.
    pub(crate) asked: BTreeMap<NodeId, u64>,
}

impl Epochs {
    /// Keeps a message, if there is room.
    pub(crate) fn keep(&mut self, from: NodeId, envelope: Envelope) {
        let Some(bytes) = bytes_about(&envelope.message) else { return };
        if self.kept_bytes + bytes <= KEPT_BYTES_MAX {
            self.kept_bytes += bytes;
            self.kept.push((from, envelope));
        }
    }

    /// What was kept, once a newer layout is here.
    pub(crate) fn take_kept(&mut self) -> Vec<(NodeId, Envelope)> {
        self.kept_bytes = 0;
        std::mem::take(&mut self.kept)
    }
}

/// About how much a message takes; nothing where it is asked again anyway.
fn bytes_about(message: &Message) -> Option<usize> {
    let more = match message {
        Message::Apply { deltas, .. } => deltas.iter().map(causal::Delta::bytes_about).sum(),
        Message::Mend { deltas, found, .. } => {
            let deltas: usize = deltas.iter().map(causal::Delta::bytes_about).sum();
            deltas + found.entries.bytes_about()
        }
        Message::Ask { request, .. } => match &request.job {
            Job::Command { words, .. } => words.iter().map(Bytes::len).sum(),
            Job::Resolve { token, value, .. } => token.len() + value.len(),
            _ => 0,
        },
        Message::Fetched { report: Some(report), .. } => report.found.entries.bytes_about(),
        Message::Exchange { step: Step::Opened { .. } | Step::Leaves(_) | Step::Cells { .. }, .. } => {
            return None;
        }
        _ => 0,
    };
    Some(MESSAGE_BYTES + more)
}
