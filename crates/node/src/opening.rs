//! A node from what its storage holds.
//!
//! Invariant: a storage that may have forgotten something is not believed: every partition that others own too begins
//! as learning.

use crate::away::Away;
use crate::debts::Debts;
use crate::heard::Heard;
use crate::hints::Hints;
use crate::learning;
use crate::membership::Membership;
use crate::meta_names::Space;
use crate::nearby::Nearby;
use crate::pending::Pending;
use crate::queues::Queues;
use crate::replica::Replica;
use crate::room::Room;
use crate::row_names::{is_of_cells, touches};
use crate::rows::{RowError, Shelf, Storage};
use crate::standing;
use crate::state::{Identity, Node, Options, Trust, mine, of_shard};
use crate::step_names::votes_row;
use crate::stored;
use crate::sync::{Scrub, Sync};
use crate::tidings::Tidings;
use crate::unheard::Epochs;
use crate::voting::Voting;
use causal::Clock;
use placement::{Layout, PartitionId};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::Gap;

impl Node {
    /// A node with what its storage holds. The storage is new and packs the rows of contexts from now on.
    ///
    /// # Errors
    /// Where what is stored cannot be read.
    pub fn open(
        identity: Identity,
        options: Options,
        layout: Arc<Layout>,
        store: &mut Storage,
        trust: Trust,
    ) -> Result<Self, RowError> {
        store.pack(Space::Contexts as u8)?;
        let mut node = Self {
            identity,
            options,
            clock: Clock::new(identity.actor),
            replicas: stored::replicas(store)?,
            pending: Pending::new(identity.actor.0.rotate_left(32)),
            queues: Queues::default(),
            heard: Heard::default(),
            links: BTreeSet::new(),
            suspected: BTreeSet::new(),
            membership: options.speaker.map(|speaker| Membership::new(identity.node, speaker, &layout)),
            sync: Sync::default(),
            debts: Debts::default(),
            scrub: Scrub::default(),
            damaged: BTreeSet::new(),
            mine: mine(&layout, identity.node, &options),
            ahead: None,
            epochs: Epochs::default(),
            voting: None,
            tidings: Tidings::default(),
            away: Away::default(),
            room: Room::default(),
            nearby: Nearby::of(&layout, identity.node),
            layout,
        };
        if options.speaker.is_some() && options.tell_every_ms < u64::MAX {
            let (identity, is_whole) = ((identity.node, identity.actor), trust == Trust::Whole);
            node.voting = Some(Voting::open(&node.layout, identity, store, is_whole)?);
        }
        keep_on(&mut node, store, trust)?;
        for partition in node.mine.clone() {
            if trust == Trust::Lost && !node.layout.place(partition).is_alone(identity.node) {
                learning::forget(&mut node, store, partition)?;
            }
            count_hints(&mut node, partition);
            standing::settle(&mut node, store, partition, false)?;
        }
        Ok(node)
    }
}

impl Node {
    /// Of the rows with these names some may be missing from its storage: the partitions that they are of have lost
    /// something. To be said before anything is handled.
    ///
    /// # Errors
    /// Where what is stored cannot be read.
    pub fn lose(&mut self, gaps: &[Gap], store: &mut Storage) -> Result<(), RowError> {
        let (votes, next) = (votes_row(), [&votes_row()[..], &[0]].concat());
        if self.voting.is_some() && gaps.iter().any(|gap| gap.touches(&votes, &next)) {
            // It does not know any more what it has promised.
            let identity = (self.identity.node, self.identity.actor);
            self.voting = Some(Voting::open(&self.layout, identity, store, false)?);
        }
        let is_whole = gaps.iter().all(is_of_cells);
        for partition in in_charge_of(self) {
            let is_hit = gaps.iter().any(|gap| touches(gap, self.layout.keyspace(), partition));
            if !is_hit && is_whole {
                continue;
            }
            learning::forget(self, store, partition)?;
            if self.layout.place(partition).is_alone(self.identity.node) {
                let mut shelf = Shelf::new(store, self.layout.keyspace(), partition);
                let replica = self.replicas.entry(partition).or_default();
                replica.learn_no_more(self.identity.actor, &mut shelf);
            }
        }
        Ok(())
    }
}

/// Goes on keeping what was kept for others. What a storage has forgotten of it is claimed no more; what is left is
/// offered.
fn keep_on(node: &mut Node, store: &mut Storage, trust: Trust) -> Result<(), RowError> {
    let is_lost = trust == Trust::Lost;
    let mut lent = if is_lost { in_charge_of(node) } else { node.replicas.keys().copied().collect() };
    lent.retain(|partition| node.mine.binary_search(partition).is_err());
    for partition in lent {
        if is_lost {
            learning::forget(node, store, partition)?;
        }
        // Where a layout was kept by which it has gone, and nothing of that was stored.
        standing::settle(node, store, partition, false)?;
        count_hints(node, partition);
        node.debts.look_at(0, partition);
    }
    Ok(())
}

fn count_hints(node: &mut Node, partition: PartitionId) {
    let hints = node.replicas.get(&partition).and_then(Replica::hints);
    node.debts.bytes += hints.map_or(0, Hints::bytes);
}

/// The partitions of which a node holds something, or is asked by whoever learns though it may hold nothing any more.
fn in_charge_of(node: &Node) -> Vec<PartitionId> {
    let me = node.identity.node;
    let is_named = |at: &PartitionId| node.layout.place(*at).keeps(me) || node.layout.place(*at).teaches(me);
    let mut partitions = of_shard(&node.layout, &node.options);
    partitions.retain(|at| is_named(at) || node.replicas.contains_key(at));
    partitions
}
