//! What a coordinator waits for: a majority of the owners, by the layout that it knows.
//!
//! A write is acknowledged, and a read answered, at a majority of owners that have learned what they should. When the owners change
//! the coordinator begins anew, under another number: what is said to the number before counts for nothing.

use crate::lapse::Lapse;
use crate::node::{Answer, Node, Writes};
use placement::NodeId;
use std::collections::BTreeSet;

/// What is asked for.
#[derive(Clone, Copy)]
pub(crate) enum Task {
    /// That these be held.
    Write(Writes),
    /// All that is held; those that were acknowledged before must be among them.
    Read { acknowledged: Writes, seen: Writes },
}

impl Task {
    /// What it brings to the owners.
    pub(crate) fn brings(self) -> Writes {
        match self {
            Self::Write(write) => write,
            Self::Read { .. } => 0,
        }
    }
}

/// A request under way.
pub(crate) struct Request {
    pub(crate) number: u64,
    /// Where among the nodes its coordinator is.
    pub(crate) at: usize,
    pub(crate) task: Task,
    /// Since when those have owned the partition that are asked.
    since: u64,
    owners: Vec<NodeId>,
    answers: BTreeSet<NodeId>,
}

impl Request {
    pub(crate) fn new(number: u64, at: usize, coordinator: &Node, task: Task) -> Self {
        let (since, owners) = (coordinator.place().since(), coordinator.place().owners().to_vec());
        Self { number, at, task, since, owners, answers: BTreeSet::new() }
    }

    /// The same by the layout that its coordinator knows now.
    pub(crate) fn anew(self, number: u64, coordinator: &Node, lapse: Option<Lapse>) -> Self {
        let anew = Self::new(number, self.at, coordinator, self.task);
        if lapse == Some(Lapse::GoesOnCounting) {
            return Self { answers: self.answers, ..anew };
        }
        let task = match self.task {
            Task::Read { acknowledged, .. } => Task::Read { acknowledged, seen: 0 },
            write @ Task::Write(_) => write,
        };
        Self { task, ..anew }
    }

    /// Who has not answered yet.
    pub(crate) fn silent(&self) -> impl Iterator<Item = NodeId> {
        self.owners.iter().copied().filter(|owner| !self.answers.contains(owner))
    }

    /// Notes an answer; says whether they are enough.
    pub(crate) fn hear(&mut self, answer: &Answer, lapse: Option<Lapse>) -> bool {
        let is_aware = answer.epoch >= self.since || lapse == Some(Lapse::AnswersUnawares);
        if answer.counts && is_aware {
            self.answers.insert(answer.by);
            if let Task::Read { seen, .. } = &mut self.task {
                *seen |= answer.writes;
            }
        }
        self.answers.len() > self.owners.len() / 2
    }

    /// What a node has answered counts no more: it has lost its disk.
    pub(crate) fn forget(&mut self, node: NodeId) {
        self.answers.remove(&node);
    }
}
