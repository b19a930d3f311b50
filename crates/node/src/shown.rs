//! Plain writes whose makers may still wait for their answer, and whether they have been shown.
//!
//! A write that waits may have to be put above others that it finds beside it. Once it was shown to a reader that must
//! not happen any more: what comes beside it from then on may have been written by somebody who was told of it. What has
//! been shown is in its place already: a quorum agreed that it is what is seen, so nothing older can be seen instead.
//!
//! Who has shown it knows that it has; an owner that another has asked knows whom it told. So a maker that has heard of a
//! quorum, and of all whom these have told, knows.
//!
//! Kept in memory only, and as long as a maker may wait. What is not here is not known.

use causal::{Dot, Entries};
use placement::NodeId;
use std::collections::{BTreeMap, VecDeque};
use wire::peer::Shown;
use wire::peer::quorum::Quorums;

/// Now, and how long before it the makers of writes may have begun that still wait. Milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct While {
    pub(crate) now_ms: u64,
    pub(crate) memory_ms: u64,
}

/// The writes of the last while in one partition.
#[derive(Debug, Default)]
pub(crate) struct Lately {
    shown: BTreeMap<Dot, Shown>,
    by_time: VecDeque<(u64, Dot)>,
}

impl Lately {
    /// Notes that a write has come, and forgets those whose makers wait no more.
    pub(crate) fn note(&mut self, While { now_ms, memory_ms }: While, dot: Dot) {
        while let Some((_, old)) = self.by_time.pop_front_if(|(at, _)| *at + memory_ms < now_ms) {
            self.shown.remove(&old);
        }
        // It may come twice, by a read and then by itself: it has been shown for all that.
        self.shown.entry(dot).or_insert_with(|| {
            self.by_time.push_back((now_ms, dot));
            Shown::default()
        });
    }

    /// Notes that a reader was answered with a write on which these agreed.
    pub(crate) fn show(&mut self, dot: Dot, by: Quorums) {
        if let Some(shown) = self.shown.get_mut(&dot) {
            let before = if let Shown::Yes(before) = shown { *before } else { Quorums::default() };
            *shown = Shown::Yes(one_of(before, by));
        }
    }

    /// Notes that another owner was told of these entries.
    pub(crate) fn tell(&mut self, entries: &Entries, to: NodeId) {
        for dot in entries.dots() {
            if let Some(Shown::No { told }) = self.shown.get_mut(&dot)
                && !told.contains(&to)
            {
                told.push(to);
            }
        }
    }

    /// Whether a write was shown since it came.
    pub(crate) fn of(&self, dot: Dot) -> Shown {
        self.shown.get(&dot).cloned().unwrap_or(Shown::Forgotten)
    }
}

fn one_of(one: Quorums, other: Quorums) -> Quorums {
    Quorums { all: one.all || other.all, local: one.local || other.local }
}

/// What is known after one more owner has answered.
pub(crate) fn both(one: Shown, other: Shown) -> Shown {
    match (one, other) {
        (Shown::Yes(one), Shown::Yes(other)) => Shown::Yes(one_of(one, other)),
        (Shown::Yes(by), _) | (_, Shown::Yes(by)) => Shown::Yes(by),
        (Shown::Forgotten, _) | (_, Shown::Forgotten) => Shown::Forgotten,
        (Shown::No { mut told }, Shown::No { told: more }) => {
            told.extend(more);
            Shown::No { told }
        }
    }
}
