//! What an epoch that is not this node's means for a message.
//!
//! ```text
//! older than the partition's fence   not heard: it was said by who counts other owners. It is told the layout, and begins anew
//! newer than this node's layout      kept until that is here, and asked for
//! otherwise                          heard, and who is behind is told
//! ```
//!
//! The fence is the epoch since which a partition has its owners (`placement::Place::since`). What is about no partition, and answers
//! to requests that were passed on, are heard whatever the epoch: they count nobody.
//!
//! 1. Nothing is applied, shown or counted that was said by a layout with other owners of the partition.
//! 2. What is kept is bounded; what finds no room is asked again by whoever waits for it.

use crate::state::{Node, Turn};
use bytes::Bytes;
use placement::NodeId;
use wire::peer::{Envelope, Message};

/// The same node is not told the same layout again for this time, in milliseconds.
const TOLD_MS: u64 = 250;

/// What is to be done with a message.
pub(crate) enum Hearing {
    Now(Envelope),
    /// Not now, and perhaps never.
    NotNow,
}

/// Whether a message is heard now; tells and asks for layouts as is needed for that.
pub(crate) fn hearing(node: &mut Node, turn: &mut Turn<'_>, from: NodeId, envelope: Envelope) -> Hearing {
    let (mine, theirs) = (node.layout.epoch(), envelope.epoch);
    let is_of_layout = matches!(envelope.message, Message::Layout { .. } | Message::LayoutWanted);
    if theirs < mine && !is_of_layout {
        tell(node, turn, from);
    }
    if theirs > mine && !is_of_layout {
        ask(node, turn, from);
    }
    if is_of_any_epoch(&envelope.message) {
        return Hearing::Now(envelope);
    }
    // Who is gone for good is told so, and not heard.
    if theirs <= mine && node.layout.is_lost(from) {
        return Hearing::NotNow;
    }
    if theirs > mine {
        node.epochs.keep(from, envelope);
        return Hearing::NotNow;
    }
    if u32::from(envelope.partition.0) >= node.layout.keyspace().partition_count() {
        return Hearing::NotNow;
    }
    // Whoever gets a request that was passed on carries it out by its own layout.
    let is_fenced = theirs < node.layout.place(envelope.partition).since();
    if is_fenced && !matches!(envelope.message, Message::Ask { .. }) {
        return Hearing::NotNow;
    }
    Hearing::Now(envelope)
}

fn is_of_any_epoch(message: &Message) -> bool {
    matches!(
        message,
        Message::Layout { .. }
            | Message::LayoutWanted
            | Message::Alive
            | Message::Gossip(_)
            | Message::Vote(_)
            | Message::Progress(_)
            | Message::Answer { .. }
    )
}

/// Tells a node this layout, unless it was told a moment ago.
pub(crate) fn tell(node: &mut Node, turn: &mut Turn<'_>, to: NodeId) {
    let (epoch, now) = (node.layout.epoch(), turn.now.monotonic_ms);
    let told = node.epochs.told.get(&to);
    if told.is_some_and(|(what, when)| *what == epoch && now < when + TOLD_MS) {
        return;
    }
    node.epochs.told.insert(to, (epoch, now));
    give(node, turn, to);
}

/// Gives a node this layout, as it has asked.
pub(crate) fn give(node: &Node, turn: &mut Turn<'_>, to: NodeId) {
    let layout = Bytes::from(node.layout.encode());
    turn.send(node, to, crate::steering::SPOKEN_OF, Message::Layout { layout });
}

fn ask(node: &mut Node, turn: &mut Turn<'_>, from: NodeId) {
    let now = turn.now.monotonic_ms;
    if node.epochs.asked.get(&from).is_none_or(|asked| now >= asked + TOLD_MS / 2) {
        node.epochs.asked.insert(from, now);
        turn.send(node, from, crate::steering::SPOKEN_OF, Message::LayoutWanted);
    }
}
