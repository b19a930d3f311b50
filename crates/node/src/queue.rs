//! One read-modify-write at a time for each key: the others wait in the order in which they came.
//!
//! This is what makes `INCR` and `SETNX` serial while the cluster is whole and all of them come to the key's
//! home. Under a network cut two nodes may each take themselves for the home; increments still add up then, and
//! of two `SETNX` both may win.

use crate::queues::WAITING_MAX;
use crate::read;
use crate::state::{Node, Turn};
use crate::task::refuse;
use crate::work::{Purpose, Task};
use bytes::Bytes;
use causal::Key;
use std::collections::VecDeque;
use wire::Fault;

/// Begins an update, or has it wait for its turn.
pub(crate) fn enter(node: &mut Node, turn: &mut Turn<'_>, task: Task, key: Key, words: Vec<Bytes>) {
    let Some(waiting) = node.queues.waiting.get_mut(&key) else {
        node.queues.waiting.insert(key.clone(), VecDeque::new());
        return read::begin(node, turn, Task { queued: Some(key), ..task }, Purpose::Update { words });
    };
    if waiting.len() >= WAITING_MAX {
        return refuse(node, turn, task, Fault::Busy);
    }
    waiting.push_back((Task { queued: Some(key), ..task }, words));
}

/// Begins those whose turn has come. A loop, because beginning one may end it and make the next ready.
pub(crate) fn run_ready(node: &mut Node, turn: &mut Turn<'_>) {
    while let Some((task, words)) = node.queues.ready.pop_front() {
        read::begin(node, turn, task, Purpose::Update { words });
    }
}
