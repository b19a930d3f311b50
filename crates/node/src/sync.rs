//! Anti-entropy: what a node knows of how its co-owners stand, and what it takes from them. Data alone; `compare` tells
//! when owners are compared, `taker` and `source` how the difference is closed.

use crate::leaf::CHUNKS;
use crate::throttle::Throttle;
use causal::map::Knowledge;
use causal::{Context, Dot};
use placement::{NodeId, PartitionId};
use std::collections::{BTreeMap, BTreeSet};
use wire::peer::Ticket;
use wire::peer::exchange::{Hashes, Step};
use wire::peer::quorum::Counts;

/// A partition in which something is missing is compared again after this time, in milliseconds.
pub(crate) const AGAIN_MS: u64 = 500;

/// How another owner of a partition stood when it was compared last.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// What it had applied, as far as it has said so since.
    pub(crate) context: Context,
    /// What of that is missing here.
    pub(crate) missing: Context,
    /// Whether it held the same.
    pub(crate) is_same: bool,
    /// For which quorums it counted, once it has said so.
    pub(crate) counts: Option<Counts>,
    /// What it was compared with last, and under which ticket.
    pub(crate) asked: Option<(Ticket, Hashes)>,
}

/// How far a node is from holding what its co-owners hold, and what it has done about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncFigures {
    /// Operations that co-owners had applied when they were compared last, and this node had not.
    pub behind: u64,
    /// Partitions of this node that others own too.
    pub partitions: u64,
    /// Those of which some co-owner did not hold the same when it was compared last, or was never compared.
    pub unequal: u64,
    /// Those that have lost something, or have come anew, and do not count for every quorum yet.
    pub learning: u64,
    /// Those of them that count in their datacenter already.
    pub counting_locally: u64,
    /// Exchanges under way.
    pub open: u64,
    /// Exchanges that were finished.
    pub finished: u64,
    /// Exchanges that were given up.
    pub abandoned: u64,
    /// Cells taken from others.
    pub cells: u64,
    /// Bytes of them and of what was compared, about.
    pub bytes: u64,
    /// Cells read here to compare them, and to know their sums.
    pub read: u64,
    /// How often everything stored was read and checked.
    pub scrubs: u64,
    /// How much of it is read for the next time, in percent.
    pub scrubbed_percent: u64,
    /// Partitions that were found damaged by that.
    pub damaged: u64,
    /// How often a partition was found to have lost something, and began to learn.
    pub quarantines: u64,
    /// Those partitions that do not hold, as far as this node knows, what their other owners hold.
    pub lagging: Vec<Lag>,
}

/// How far a partition is from holding what its other owners hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Which.
    pub partition: PartitionId,
    /// Operations that another owner had applied when they were compared last, and that have not come here since.
    pub behind: u64,
    /// Whether some other owner did not hold the same when it was compared last, or was never compared.
    pub is_unequal: bool,
    /// For which quorums it counts here.
    pub counts: Counts,
}

/// An exchange under way.
#[derive(Debug)]
pub(crate) struct Take {
    /// What the source calls the snapshot that it keeps, once it has said so.
    pub(crate) snapshot: Option<Ticket>,
    pub(crate) source: NodeId,
    pub(crate) ticket: Ticket,
    /// What the snapshot knows; nothing until it is open.
    pub(crate) knowledge: Option<Box<Knowledge>>,
    /// For which quorums the source counted.
    pub(crate) counts: Counts,
    /// Whether the source stands in, and gives what it was told and no more.
    pub(crate) is_lent: bool,
    pub(crate) question: Option<Step>,
    /// When the question is asked, for the first time or again.
    pub(crate) ask_at: u64,
    pub(crate) heard_at: u64,
    pub(crate) began_at: u64,
}

/// How far a node is with reading everything.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scrub {
    pub(crate) at: usize,
    pub(crate) chunk: u8,
    pub(crate) next_at: u64,
    /// How often everything was read.
    pub(crate) rounds: u64,
    /// How many partitions were found damaged.
    pub(crate) damaged: u64,
}

impl Scrub {
    /// How much of so many partitions was read, in percent.
    pub(crate) fn percent(&self, partitions: usize) -> u64 {
        let chunks = |partitions: usize| partitions as u64 * (u64::from(*CHUNKS.end()) + 1);
        (chunks(self.at) + u64::from(self.chunk)) * 100 / chunks(partitions).max(1)
    }
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Sync {
    pub(crate) views: BTreeMap<(PartitionId, NodeId), View>,
    pub(crate) takes: BTreeMap<PartitionId, Take>,
    /// The ticket of the last snapshot that each taker was given: it is not given another under the same.
    pub(crate) given: BTreeMap<(PartitionId, NodeId), Ticket>,
    /// When the next partitions are compared, and from which on.
    pub(crate) compare_at: u64,
    pub(crate) cursor: u16,
    /// When partitions were compared last.
    pub(crate) compared_at: u64,
    /// How many partitions are still to be compared in haste.
    pub(crate) hurried: usize,
    /// Exchanges that are to be opened once there are fewer.
    pub(crate) wanted: BTreeSet<(PartitionId, NodeId)>,
    /// Partitions to be compared again sooner, and when.
    again: BTreeSet<(u64, PartitionId)>,
    /// What is taken to hold the same as others, and what is taken to own it from then on.
    pub(crate) mending: Throttle,
    pub(crate) moving: Throttle,
    /// When quiet leaves were stored last and unused snapshots closed.
    pub(crate) settled_at: u64,
    pub(crate) finished: u64,
    pub(crate) abandoned: u64,
    pub(crate) cells: u64,
    pub(crate) bytes: u64,
    pub(crate) read: u64,
    pub(crate) quarantines: u64,
}

impl Sync {
    /// Notes that another owner holds an operation: should it not have it one day, it has forgotten something.
    pub(crate) fn acknowledged(&mut self, partition: PartitionId, by: NodeId, dot: Dot) {
        if let Some(view) = self.views.get_mut(&(partition, by)) {
            view.context.insert(dot);
        }
    }

    /// Has a partition compared again at a time, before its turn comes.
    pub(crate) fn look_again(&mut self, at: u64, partition: PartitionId) {
        if self.again.iter().all(|(planned, known)| *known != partition || *planned > at) {
            self.again.retain(|(_, known)| *known != partition);
            self.again.insert((at, partition));
        }
    }

    /// The next partition to be compared again.
    pub(crate) fn next_again(&mut self, now: u64) -> Option<PartitionId> {
        let first = self.again.first().copied().filter(|(at, _)| *at <= now)?;
        self.again.remove(&first);
        Some(first.1)
    }

    /// When there is something to do next.
    pub(crate) fn due(&self, compares: bool) -> u64 {
        let again = self.again.first().map_or(u64::MAX, |(at, _)| *at);
        let asked = self.takes.values().map(|take| take.ask_at).min().unwrap_or(u64::MAX);
        let compared = if compares { self.compare_at.min(again) } else { u64::MAX };
        compared.min(asked)
    }
}
