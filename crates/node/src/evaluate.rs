//! What a command makes of what its key holds, and of the increments that wait for the same key.
//!
//! Increments that wait for each other are carried out as one operation: a hot counter costs one round of its owners
//! for all that wait, not one for each. Each has an answer of its own, as if they had come one after another. Only
//! those join that waited when the read of the first began: that read has seen whatever was acknowledged before them.

use crate::queues::Queues;
use crate::work::Task;
use bytes::Bytes;
use causal::{Amount, Change, Entries, Value, string};
use wire::command;
use wire::{Fault, Reply};

/// How many requests one operation carries out at most.
const JOINED_MAX: usize = 1_024;

/// What the command answers and what it changes, where its key holds `value`.
///
/// # Errors
/// What the command refuses.
pub(crate) fn run(words: &[Bytes], value: Option<&Value>) -> Result<(Reply, Change), Fault> {
    let run = command::resolve(words)?.class(words).run().ok_or(Fault::Syntax)?;
    run(words, value)
}

/// Takes the increments that wait behind `task` for the same key, at most `waiting` of them, out of its queue. Gives
/// the sum of theirs and `by`, and their answers.
pub(crate) fn join(
    queues: &mut Queues,
    task: &Task,
    entries: &Entries,
    mut by: Amount,
    waiting: usize,
) -> (Amount, Vec<(Task, Reply)>) {
    let mut joined = Vec::new();
    let Some(key) = &task.queued else { return (by, joined) };
    while joined.len() < waiting.min(JOINED_MAX) {
        let value = string::value_with(entries, by);
        let next = queues.next_if(key, |next, words| {
            let (reply, change) = run(words, Some(&value)).unwrap_or_else(refused);
            let sum = match change {
                Change::Keep => by,
                Change::Add(more) => by.plus(more),
                Change::Put(_) | Change::Delete => return None,
            };
            (next.level == task.level).then_some((reply, sum))
        });
        let Some((next, (reply, sum))) = next else { break };
        by = sum;
        joined.push((next, reply));
    }
    (by, joined)
}

fn refused(fault: Fault) -> (Reply, Change) {
    (Reply::Error(fault), Change::Keep)
}
