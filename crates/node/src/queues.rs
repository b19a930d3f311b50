//! Who waits for the turn of a key. Data alone; `queue` tells what it is for.

use crate::work::Task;
use bytes::Bytes;
use causal::Key;
use std::collections::{BTreeMap, VecDeque};

/// How many may wait for one key.
const WAITING_MAX: usize = 10_000;

/// What became of a task that wants to update a key.
pub(crate) enum Entered {
    /// It is its turn.
    Turn(Task, Vec<Bytes>),
    /// Its turn will come.
    Waits,
    /// Too many wait already.
    Full(Task),
}

/// The keys that are being updated, with those who wait.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    waiting: BTreeMap<Key, VecDeque<(Task, Vec<Bytes>)>>,
    ready: VecDeque<(Task, Vec<Bytes>)>,
    len: usize,
}

impl Queues {
    /// Gives a task the turn of its key if nobody has it, and has it wait for that otherwise.
    pub(crate) fn enter(&mut self, key: &Key, task: Task, words: Vec<Bytes>) -> Entered {
        let Some(waiting) = self.waiting.get_mut(key) else {
            self.waiting.insert(key.clone(), VecDeque::new());
            return Entered::Turn(task, words);
        };
        if waiting.len() >= WAITING_MAX {
            return Entered::Full(task);
        }
        waiting.push_back((task, words));
        self.len += 1;
        Entered::Waits
    }

    /// The one whose turn it was is done: the next may begin once the current step is over.
    pub(crate) fn leave(&mut self, key: &Key) {
        match self.waiting.get_mut(key).and_then(VecDeque::pop_front) {
            Some((task, words)) => {
                self.ready.push_back((Task { queued: Some(key.clone()), ..task }, words));
            }
            None => {
                self.waiting.remove(key);
            }
        }
    }

    /// The next whose turn has come.
    pub(crate) fn next_ready(&mut self) -> Option<(Task, Vec<Bytes>)> {
        let next = self.ready.pop_front()?;
        self.len -= 1;
        Some(next)
    }

    /// Takes the first that waits for a key if it `fits`, together with what that says of it: it has no turn of
    /// its own then.
    pub(crate) fn next_if<T>(
        &mut self,
        key: &Key,
        fits: impl FnOnce(&Task, &[Bytes]) -> Option<T>,
    ) -> Option<(Task, T)> {
        let waiting = self.waiting.get_mut(key)?;
        let (task, words) = waiting.front()?;
        let found = fits(task, words)?;
        let (task, _) = waiting.pop_front()?;
        self.len -= 1;
        Some((task, found))
    }

    /// How many wait for a key.
    pub(crate) fn waiting(&self, key: &Key) -> usize {
        self.waiting.get(key).map_or(0, VecDeque::len)
    }

    /// How many wait for any.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}
