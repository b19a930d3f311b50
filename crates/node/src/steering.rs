//! What is believed of the other members, and what it means for requests.
//!
//! ```text
//! the node of partition 0     membership ─▶ Action::Health ─▶ to every node of the process
//! every node                  Event::Health ─▶ whom to ask first (`preference::askable`), and reads that wait move on
//! ```
//!
//! Not how it is found out: that is `membership`. A link that is down is another thing, known at once and to each node
//! for itself.
//!
//! 1. Suspicion says only whom to ask first. It changes no owner and no count, and what can be done with a suspected
//!    owner alone is done with it.
//! 2. Operations are sent to suspected owners as to all others: one that is suspected wrongly misses nothing.

use crate::event::Action;
use crate::membership::Deed;
use crate::state::{Node, Turn};
use crate::work::Work;
use crate::{forward, read, request, taker};
use placement::{NodeId, PartitionId};
use store::Commit;
use wire::peer::Message;

/// What members say of each other is about no partition, and so goes to the node of this one.
pub(crate) const SPOKEN_OF: PartitionId = PartitionId(0);

/// A peer has said something, whatever it is.
pub(crate) fn heard(node: &mut Node, turn: &mut Turn<'_>, from: NodeId, message: &Message) {
    let Some(membership) = &mut node.membership else { return };
    let gossip = if let Message::Gossip(gossip) = message { Some(gossip) } else { None };
    membership.hear(turn.now.monotonic_ms, from, gossip);
    perform(node, turn);
}

/// A link came up or went down.
pub(crate) fn linked(node: &mut Node, turn: &mut Turn<'_>, peer: NodeId, up: bool) {
    if let Some(membership) = &mut node.membership {
        membership.linked(turn.now.monotonic_ms, peer, up);
        perform(node, turn);
    }
}

/// Time has passed.
pub(crate) fn tick(node: &mut Node, turn: &mut Turn<'_>) {
    if let Some(membership) = &mut node.membership {
        membership.tick(turn.now.monotonic_ms);
        perform(node, turn);
    }
}

fn perform(node: &mut Node, turn: &mut Turn<'_>) {
    let Some(membership) = &mut node.membership else { return };
    for deed in membership.take_deeds() {
        match deed {
            Deed::Say(to, message) => turn.send(node, to, SPOKEN_OF, message),
            Deed::Changed(sighting) => turn.out.push(Commit::default(), Action::Health(sighting)),
        }
    }
}

/// A peer is to be asked before others, or after them. Reads that wait for one that is not trusted any more move on.
pub(crate) fn trust(node: &mut Node, turn: &mut Turn<'_>, peer: NodeId, is_trusted: bool) {
    if is_trusted {
        node.suspected.remove(&peer);
        return;
    }
    if !node.suspected.insert(peer) {
        return;
    }
    taker::leave(node, turn, peer);
    for ticket in node.pending.tickets() {
        match node.pending.take(ticket) {
            Some(Work::Read(read)) => read::suspected(node, turn, ticket, read, peer),
            Some(Work::Passed(passed)) => {
                if let Some(placing) = forward::suspected(node, ticket, passed, peer) {
                    request::place(node, turn, placing);
                }
            }
            Some(other @ Work::Write(_)) => node.pending.put_back(ticket, other),
            None => {}
        }
    }
}
