//! What is under way between the nodes of a script: a queue for each direction of each link.
//!
//! Invariant: only whole, decoded messages arrive, and in the order in which they were sent.

use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wire::peer::Envelope;

/// From whom to whom, as places in the list of machines.
pub(crate) type Direction = (usize, usize);

/// The queues, what keeps them from moving, and what arrived last.
#[derive(Default)]
pub(crate) struct Network {
    queues: BTreeMap<Direction, VecDeque<Bytes>>,
    held: BTreeSet<Direction>,
    down: BTreeSet<Direction>,
    arrived: BTreeMap<Direction, Vec<Bytes>>,
}

impl Network {
    /// Puts a message under way; tells whether the link is up.
    pub(crate) fn send(&mut self, direction: Direction, envelope: &Envelope) -> bool {
        if self.down.contains(&direction) {
            return false;
        }
        let mut bytes = BytesMut::new();
        envelope.encode(&mut bytes);
        self.queues.entry(direction).or_default().push_back(bytes.freeze());
        true
    }

    /// Some direction in which something can arrive now.
    pub(crate) fn next(&self) -> Option<Direction> {
        let mut waiting = self.queues.iter().filter(|(_, queue)| !queue.is_empty());
        waiting.find(|(direction, _)| !self.held.contains(direction)).map(|(direction, _)| *direction)
    }

    /// How much is under way in a direction.
    pub(crate) fn len(&self, direction: Direction) -> usize {
        self.queues.get(&direction).map_or(0, VecDeque::len)
    }

    /// Takes the first message of a direction.
    pub(crate) fn take(&mut self, direction: Direction) -> Option<Envelope> {
        let bytes = self.queues.get_mut(&direction)?.pop_front()?;
        self.arrived.entry(direction).or_default().push(bytes.clone());
        Some(decoded(bytes))
    }

    /// Loses everything in a direction.
    pub(crate) fn drop(&mut self, direction: Direction) -> Vec<Envelope> {
        self.queues.remove(&direction).unwrap_or_default().into_iter().map(decoded).collect()
    }

    /// The message that arrived last in a direction, or so many before it.
    pub(crate) fn arrived(&self, direction: Direction, before: usize) -> Option<Envelope> {
        self.arrived.get(&direction)?.iter().nth_back(before).cloned().map(decoded)
    }

    /// Keeps what goes in a direction under way, or lets it arrive again.
    pub(crate) fn hold(&mut self, direction: Direction, holds: bool) {
        if holds {
            self.held.insert(direction);
        } else {
            self.held.remove(&direction);
        }
    }

    /// Breaks both directions of a link or mends them; what was under way is lost.
    pub(crate) fn link(&mut self, (a, b): Direction, up: bool) {
        for direction in [(a, b), (b, a)] {
            self.queues.remove(&direction);
            if up {
                self.down.remove(&direction);
            } else {
                self.down.insert(direction);
            }
        }
    }
}

fn decoded(bytes: Bytes) -> Envelope {
    Envelope::decode(bytes).expect("what was encoded can be decoded")
}
