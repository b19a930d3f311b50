//! Actions that wait for their commit to settle.
//!
//! 1. An action is given out when its commit has settled, and not before.
//! 2. Those of one commit come out in the order in which they were decided, and earlier commits first.

use std::collections::VecDeque;

use node::Action;
use store::Commit;

/// The actions that wait, by commit.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// The commit of the front.
    first: u64,
    commits: VecDeque<Vec<Action>>,
    /// Emptied lists, kept for their room.
    spare: Vec<Vec<Action>>,
}

impl Held {
    /// Keeps an action until `after`, which is later than `settled`, has settled.
    pub(crate) fn push(&mut self, settled: Commit, after: Commit, action: Action) {
        debug_assert!(after > settled);
        if self.commits.is_empty() {
            self.first = settled.0 + 1;
        }
        let index = usize::try_from(after.0 - self.first).expect("commits that wait fit in memory");
        while self.commits.len() <= index {
            self.commits.push_back(self.spare.pop().unwrap_or_default());
        }
        self.commits[index].push(action);
    }

    /// Moves what waited for commits up to `upto` into `out`.
    pub(crate) fn release(&mut self, upto: Commit, out: &mut Vec<Action>) {
        while self.first <= upto.0
            && let Some(mut actions) = self.commits.pop_front()
        {
            self.first += 1;
            out.append(&mut actions);
            if self.spare.len() < 8 {
                self.spare.push(actions);
            }
        }
    }
}
