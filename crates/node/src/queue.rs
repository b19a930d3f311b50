//! One read-modify-write at a time for each key: the others wait in the order in which they came.
//!
//! This is what makes `INCR` and `SETNX` serial while the cluster is whole and all of them come to the key's
//! home. Under a network cut two nodes may each take themselves for the home; and while the home's disk is full or its
//! clock ahead, what it declines is done by the next owner. Increments still add up then, and of two `SETNX` both may win.

use crate::queues::Entered;
use crate::read;
use crate::standing;
use crate::state::{Node, Turn};
use crate::task::{patience_ms, refuse};
use crate::work::{Purpose, Task};
use bytes::Bytes;
use causal::Key;
use wire::Fault;

/// The part of a request's time that is left for carrying it out, as a divisor: one that has waited longer than the
/// rest is refused while its client, or the node that passed it on, still listens.
const TIME_PART: u64 = 4;

/// Begins an update, or has it wait for its turn.
pub(crate) fn enter(node: &mut Node, turn: &mut Turn<'_>, task: Task, key: Key, words: Vec<Bytes>) {
    match node.queues.enter(&key, task, words) {
        Entered::Turn(task, words) => {
            let task = Task { queued: Some(key), ..task };
            read::begin(node, turn, task, Purpose::Update { words, waiting: 0 });
        }
        Entered::Waits => {}
        Entered::Full(task) => refuse(node, turn, task, Fault::Busy),
    }
}

/// Begins those whose turn has come. A loop, because beginning one may end it and make the next ready. Gives those back, with their
/// words, whose partition has gone from this node since they came: they are to be carried out elsewhere.
#[must_use]
pub(crate) fn run_ready(node: &mut Node, turn: &mut Turn<'_>) -> Vec<(Task, Vec<Bytes>)> {
    let mut gone = Vec::new();
    while let Some((task, words)) = node.queues.next_ready() {
        let time = patience_ms(node, task.origin) / TIME_PART;
        if turn.now.monotonic_ms + time > task.deadline {
            refuse(node, turn, task, Fault::Busy);
        } else if standing::has_gone(node, &task) {
            gone.push((task, words));
        } else {
            let waiting = task.queued.as_ref().map_or(0, |key| node.queues.waiting(key));
            read::begin(node, turn, task, Purpose::Update { words, waiting });
        }
    }
    gone
}
