//! Who waits for the turn of a key. Data alone; `queue` tells what it is for.

use crate::work::Task;
use bytes::Bytes;
use causal::Key;
use std::collections::{BTreeMap, VecDeque};

/// How many may wait for one key.
pub(crate) const WAITING_MAX: usize = 10_000;

/// The keys that are being updated, with those who wait.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    pub(crate) waiting: BTreeMap<Key, VecDeque<(Task, Vec<Bytes>)>>,
    pub(crate) ready: VecDeque<(Task, Vec<Bytes>)>,
}

impl Queues {
    /// The one whose turn it was is done: the next may begin once the current step is over.
    pub(crate) fn leave(&mut self, key: &Key) {
        match self.waiting.get_mut(key).and_then(VecDeque::pop_front) {
            Some(next) => self.ready.push_back(next),
            None => {
                self.waiting.remove(key);
            }
        }
    }
}
