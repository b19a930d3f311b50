//! What a node keeps for owners that it stands in for, and how each of them stands to it. Data alone; `handoff` tells what
//! is done about it.

use causal::Context;
use placement::{NodeId, PartitionId};
use std::collections::{BTreeMap, BTreeSet};
use wire::peer::Ticket;
use wire::peer::exchange::Hashes;

/// What a node keeps for others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandoffFigures {
    /// Bytes of operations that are kept, about.
    pub bytes: u64,
    /// Operations that were not kept because there was no room for them, since anything is kept: owners get those from each
    /// other, unless whoever asked was refused.
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

/// What an owner was offered by one that stands in for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offered {
    /// What of the last offer was missing.
    pub(crate) missing: Context,
    /// A hash of it, and whether it has been taken since.
    pub(crate) kept: u64,
    pub(crate) is_taken: bool,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Debts {
    debts: BTreeMap<(PartitionId, NodeId), Debt>,
    /// When each partition is looked at next, in both orders.
    looks: BTreeSet<(u64, PartitionId)>,
    planned: BTreeMap<PartitionId, u64>,
    /// What this node, an owner, was offered by others.
    pub(crate) offers: BTreeMap<(PartitionId, NodeId), Offered>,
    /// Those whose owners have all of it, and whose rows are being dropped.
    pub(crate) retiring: BTreeSet<PartitionId>,
    pub(crate) bytes: u64,
    pub(crate) refused: u64,
    pub(crate) handed: u64,
}

impl Debts {
    /// Notes that an owner is offered what is kept now. Gives the ticket of that: the same one as long as it is the same.
    pub(crate) fn offer(
        &mut self,
        partition: PartitionId,
        owner: NodeId,
        kept: Hashes,
        ticket: impl FnOnce() -> Ticket,
    ) -> Ticket {
        let debt = self.debts.entry((partition, owner)).or_default();
        let again = debt.offered.filter(|(_, offered)| *offered == kept);
        let offered = again.unwrap_or_else(|| (ticket(), kept));
        debt.offered = Some(offered);
        offered.0
    }

    /// Forgets what an owner has said to have: it may have come back without it.
    pub(crate) fn doubt(&mut self, owner: NodeId) {
        let debts = self.debts.iter_mut().filter(|((_, of), _)| *of == owner);
        debts.for_each(|(_, debt)| *debt = Debt::default());
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

    /// Notes that what another has offered was taken.
    pub(crate) fn took(&mut self, partition: PartitionId, from: NodeId) {
        self.offers.get_mut(&(partition, from)).into_iter().for_each(|offered| offered.is_taken = true);
    }

    /// Nothing is kept of a partition any more.
    pub(crate) fn settle(&mut self, partition: PartitionId) {
        self.debts.retain(|(of, _), _| *of != partition);
        if let Some(at) = self.planned.remove(&partition) {
            self.looks.remove(&(at, partition));
        }
        self.retiring.remove(&partition);
    }

    /// Has a partition looked at, at a time or sooner.
    pub(crate) fn look_at(&mut self, at: u64, partition: PartitionId) {
        match self.planned.get(&partition) {
            Some(planned) if *planned <= at => return,
            Some(planned) => self.looks.remove(&(*planned, partition)),
            None => false,
        };
        self.planned.insert(partition, at);
        self.looks.insert((at, partition));
    }

    /// The next partition to be looked at.
    pub(crate) fn next_look(&mut self, now: u64) -> Option<PartitionId> {
        let first = self.looks.first().copied().filter(|(at, _)| *at <= now)?;
        self.looks.remove(&first);
        self.planned.remove(&first.1);
        Some(first.1)
    }

    /// Whether a partition will be looked at.
    pub(crate) fn is_planned(&self, partition: PartitionId) -> bool {
        self.planned.contains_key(&partition)
    }

    /// When there is something to do next.
    pub(crate) fn due(&self) -> u64 {
        self.looks.first().map_or(u64::MAX, |(at, _)| *at)
    }

    /// The partitions of which something is kept.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = PartitionId> + '_ {
        self.planned.keys().copied()
    }
}
