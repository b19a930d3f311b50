//! What a node keeps for owners that it stands in for, and how each of them stands to it. Data alone; `handoff` tells what
//! is done about it.

use placement::{NodeId, PartitionId};
use std::collections::{BTreeMap, BTreeSet};
use wire::peer::Ticket;
use wire::peer::exchange::Hashes;

/// What a node keeps for others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandoffFigures {
    /// Bytes of operations that are kept, about.
    pub bytes: u64,
    /// Operations that were not kept because there was no room for them: owners get those from each other.
    pub refused: u64,
    /// Partitions whose owners have all of it by now.
    pub handed: u64,
    /// For each owner that is not known to have all of it: of how many partitions, and how many bytes.
    pub targets: BTreeMap<NodeId, (u64, u64)>,
}

/// How an owner stands to what is kept for it.
#[derive(Clone, Debug, Default)]
struct Debt {
    /// What it was offered last, as hashes.
    offered: Option<(Ticket, Hashes)>,
    /// What it has said to have.
    has: Option<Hashes>,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Debts {
    debts: BTreeMap<(PartitionId, NodeId), Debt>,
    /// When each partition is looked at next.
    looks: BTreeSet<(u64, PartitionId)>,
    /// Those whose owners have all of it, and whose rows are being dropped.
    pub(crate) retiring: BTreeSet<PartitionId>,
    pub(crate) bytes: u64,
    pub(crate) refused: u64,
    pub(crate) handed: u64,
}

impl Debts {
    /// Notes what an owner is offered.
    pub(crate) fn offer(&mut self, partition: PartitionId, owner: NodeId, offered: (Ticket, Hashes)) {
        self.debts.entry((partition, owner)).or_default().offered = Some(offered);
    }

    /// Notes that an owner has what it was offered under that ticket.
    pub(crate) fn had(&mut self, partition: PartitionId, owner: NodeId, ticket: Ticket) {
        if let Some(debt) = self.debts.get_mut(&(partition, owner))
            && let Some((of, hashes)) = debt.offered
            && of == ticket
        {
            debt.has = Some(hashes);
        }
    }

    /// Whether an owner has all of it, as it is now.
    pub(crate) fn has(&self, partition: PartitionId, owner: NodeId, now: Hashes) -> bool {
        self.debts.get(&(partition, owner)).is_some_and(|debt| debt.has == Some(now))
    }

    /// Nothing is kept of a partition any more.
    pub(crate) fn settle(&mut self, partition: PartitionId) {
        self.debts.retain(|(of, _), _| *of != partition);
        self.looks.retain(|(_, of)| *of != partition);
        self.retiring.remove(&partition);
    }

    /// Has a partition looked at, at a time or sooner.
    pub(crate) fn look_at(&mut self, at: u64, partition: PartitionId) {
        if self.looks.iter().all(|(planned, known)| *known != partition || *planned > at) {
            self.looks.retain(|(_, known)| *known != partition);
            self.looks.insert((at, partition));
        }
    }

    /// The next partition to be looked at.
    pub(crate) fn next_look(&mut self, now: u64) -> Option<PartitionId> {
        let first = self.looks.first().copied().filter(|(at, _)| *at <= now)?;
        self.looks.remove(&first);
        Some(first.1)
    }

    /// When there is something to do next.
    pub(crate) fn due(&self) -> u64 {
        self.looks.first().map_or(u64::MAX, |(at, _)| *at)
    }

    /// The partitions of which something is kept.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = PartitionId> + '_ {
        self.looks.iter().map(|(_, partition)| *partition)
    }
}
