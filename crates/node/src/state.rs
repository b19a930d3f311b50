//! The node: what it owns. There is no logic here; `dispatch` tells which file each event goes to.
//!
//! Invariants, kept by [`Node::check`]:
//! 1. There are replicas of partitions of its shard alone: of those that the layout gives it, and of those of which it
//!    keeps something for others.
//! 2. Every replica's sums are those of its rows.

use crate::away::Away;
use crate::debts::Debts;
use crate::event::{Action, Now, Outbox};
use crate::heard::Heard;
use crate::membership::{Membership, Sighting, Speaker};
use crate::nearby::Nearby;
use crate::pending::Pending;
use crate::queues::Queues;
use crate::replica::Replica;
use crate::report::dots_hash;
use crate::room::Room;
use crate::rows::{RowError, Shelf, Storage};
use crate::shown::While;
use crate::sync::{Scrub, Sync};
use crate::tidings::Tidings;
use crate::unheard::Epochs;
use crate::voting::Voting;
use causal::{Actor, Cell, Clock};
use placement::{Layout, NodeId, PartitionId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::Commit;
use wire::peer::exchange::Hashes;
use wire::peer::gossip::Load;
use wire::peer::{Envelope, Message};

/// How a node behaves. Times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long a request may take before its client is told.
    pub request_timeout_ms: u64,
    /// How long a peer may take before it is asked again.
    pub retry_ms: u64,
    /// How many requests may wait at once.
    pub requests_max: usize,
    /// How often each partition is compared with each of its other owners; never at `u64::MAX`.
    pub compare_every_ms: u64,
    /// How often the sums of leaves are stored in which nothing has changed since the last time.
    pub settle_every_ms: u64,
    /// How many partitions may take from other owners at once.
    pub exchanges_max: usize,
    /// How many bytes may be taken from other owners each second, about.
    pub exchange_bytes_per_second: u64,
    /// How many bytes may be taken each second, about, to own what others own; fewer while many requests wait.
    pub move_bytes_per_second: u64,
    /// About how many cells are read for one question of another owner, where sums are not known.
    pub scan_cells_max: u64,
    /// How many bytes of operations may be kept for owners that are down, about.
    pub handoff_bytes_max: u64,
    /// How many rows are dropped at a time once their owners have them.
    pub handoff_drops_rows: usize,
    /// How long after one chunk of a partition (a 64th of it) the next is read and checked.
    pub scrub_chunk_ms: u64,
    /// How often the steward is told what has come of moves, at least while there are any; never at `u64::MAX`.
    pub tell_every_ms: u64,
    /// How long a member is down before it is replaced without a person; never at `u64::MAX`.
    pub replace_after_ms: u64,
    /// Which shard of its process this is, and how many there are: a partition is one's whose number leaves that rest.
    pub shard: (u16, u16),
    /// Whether this node is the one of its process that speaks with other members of how they are: that of partition 0.
    pub speaker: Option<Speaker>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            request_timeout_ms: 2_000,
            retry_ms: 250,
            requests_max: 100_000,
            compare_every_ms: 10_000,
            settle_every_ms: 15_000,
            exchanges_max: 32,
            exchange_bytes_per_second: 32 * 1024 * 1024,
            move_bytes_per_second: 32 * 1024 * 1024,
            scan_cells_max: 4_096,
            handoff_bytes_max: 1024 * 1024 * 1024,
            handoff_drops_rows: 1024,
            scrub_chunk_ms: 100,
            tell_every_ms: 1_000,
            replace_after_ms: u64::MAX,
            shard: (0, 1),
            speaker: None,
        }
    }
}

/// Who a node is, for one start of its process.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The member of the layout that it is.
    pub node: NodeId,
    /// 64 random bits, drawn at this start and never again.
    pub actor: Actor,
}

/// What is known of a node's storage when it is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// It holds everything that was acknowledged from it.
    #[default]
    Whole,
    /// It may have forgotten something: every partition begins as learning.
    Lost,
}

/// One shard of one member: a deterministic state machine over its partitions.
#[derive(Debug)]
pub struct Node {
    pub(crate) identity: Identity,
    pub(crate) options: Options,
    pub(crate) layout: Arc<Layout>,
    /// Those in the same datacenter.
    pub(crate) nearby: Nearby,
    pub(crate) clock: Clock,
    pub(crate) replicas: BTreeMap<PartitionId, Replica>,
    pub(crate) pending: Pending,
    pub(crate) queues: Queues,
    pub(crate) heard: Heard,
    pub(crate) links: BTreeSet<NodeId>,
    pub(crate) sync: Sync,
    pub(crate) debts: Debts,
    pub(crate) scrub: Scrub,
    /// Partitions of which something could not be read in this event.
    pub(crate) damaged: BTreeSet<PartitionId>,
    /// The partitions of this shard that the layout gives this node.
    pub(crate) mine: Vec<PartitionId>,
    /// Those that are asked after all others.
    pub(crate) suspected: BTreeSet<NodeId>,
    /// How the members are, at the node that speaks for its process.
    pub(crate) membership: Option<Membership>,
    /// Until when a clock that runs ahead keeps this node from coordinating writes, and how far ahead it is.
    pub(crate) ahead: Option<(u64, u64)>,
    /// What was said by newer layouts.
    pub(crate) epochs: Epochs,
    /// The register of the layout, at the node that speaks for its process.
    pub(crate) voting: Option<Voting>,
    /// What members have told, for whoever is the steward.
    pub(crate) tidings: Tidings,
    /// How long others have been down, at the node that speaks for its process.
    pub(crate) away: Away,
    pub(crate) room: Room,
}

/// What an event is handled with: the time, the storage and where actions go.
pub(crate) struct Turn<'a> {
    pub(crate) now: Now,
    pub(crate) store: &'a mut Storage,
    pub(crate) out: &'a mut Outbox,
}

impl Options {
    /// How long somebody may be waiting for something, here or at another node: twice as long as a request may take, for clocks do
    /// not run alike. In milliseconds.
    pub(crate) fn waited_for_ms(&self) -> u64 {
        2 * self.request_timeout_ms
    }
}

impl Turn<'_> {
    /// Since when makers of writes may still wait.
    pub(crate) fn lately(&self, options: &Options) -> While {
        While { now_ms: self.now.monotonic_ms, memory_ms: options.waited_for_ms() }
    }

    pub(crate) fn send(&mut self, node: &Node, to: NodeId, partition: PartitionId, message: Message) {
        self.send_after(Commit::default(), node, to, partition, message);
    }

    pub(crate) fn send_after(
        &mut self,
        after: Commit,
        node: &Node,
        to: NodeId,
        partition: PartitionId,
        message: Message,
    ) {
        let envelope = Envelope { epoch: node.layout.epoch(), partition, message };
        self.out.push(after, Action::Send { to, envelope });
    }
}

/// The partitions of a shard, ascending.
pub(crate) fn of_shard(layout: &Layout, options: &Options) -> Vec<PartitionId> {
    let (shard, shards) = options.shard;
    layout.keyspace().partitions().filter(|at| at.0 % shards.max(1) == shard).collect()
}

/// The partitions of a shard that a layout gives a node, or is to give it, ascending.
pub(crate) fn mine(layout: &Layout, node: NodeId, options: &Options) -> Vec<PartitionId> {
    let mut mine = of_shard(layout, options);
    mine.retain(|at| layout.place(*at).keeps(node));
    mine
}

impl Node {
    /// Has a partition learn anew, once this event is over, of which something could not be read.
    pub(crate) fn note_damage(&mut self, partition: PartitionId, error: &RowError) {
        if error.is_damage() {
            self.damaged.insert(partition);
        }
    }

    /// Notes how much room the disk has from now on.
    pub fn set_room(&mut self, room: Room) {
        self.room = room;
    }

    /// What this node knows in a partition, of one cell of it, and what it holds there, as hashes.
    pub(crate) fn hashes(
        &self,
        partition: PartitionId,
        cell: Option<&Cell>,
        held: &causal::Entries,
    ) -> Hashes {
        let knowledge = self.replicas.get(&partition).map(|replica| replica.map().knowledge());
        let applied = knowledge.map(|knowledge| match cell {
            Some(cell) if !knowledge.early.is_empty() => knowledge.dots_of(cell).fingerprint(),
            _ => knowledge.context.fingerprint(),
        });
        Hashes { held: dots_hash(held), applied: applied.unwrap_or_default() }
    }

    /// When the next [`crate::Event::Tick`] is due, by the monotonic clock.
    pub fn next_deadline(&self) -> Option<u64> {
        let visit = self.pending.next_visit().unwrap_or(u64::MAX);
        let look = self.membership.as_ref().map_or(u64::MAX, Membership::next_look);
        let sync = self.sync.due(self.options.compare_every_ms < u64::MAX);
        let voting = self.voting.as_ref().map_or(u64::MAX, Voting::due);
        let due = [
            visit,
            look,
            sync,
            self.debts.due(),
            voting,
            self.tidings.due(self.options.tell_every_ms, self.voting.is_some()),
        ];
        due.into_iter().min().filter(|due| *due < u64::MAX)
    }

    /// Every member as this node sees it, where it speaks for its process.
    pub fn sightings(&self) -> impl Iterator<Item = Sighting> {
        self.membership.iter().flat_map(Membership::sightings)
    }

    /// What this process has to do now, for others to know; `beat` is counted here.
    pub fn set_load(&mut self, load: Load) {
        if let Some(membership) = &mut self.membership {
            membership.set_load(load);
        }
    }

    /// The layout that it goes by.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// How many requests wait for peers.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The keys of a database in all partitions that this node owns.
    pub fn keys(&self, database: u8) -> i64 {
        let kept = self.mine.iter().filter_map(|partition| self.replicas.get(partition));
        kept.map(|replica| replica.keys(database)).sum()
    }

    /// Each replica's context, digest, and whether some row may run ahead of the context.
    pub fn replicas(&self) -> impl Iterator<Item = (PartitionId, &causal::map::Map)> {
        self.replicas.iter().map(|(partition, replica)| (*partition, replica.map()))
    }

    /// Every cell of a partition as it is here.
    ///
    /// # Errors
    /// Where a row cannot be read.
    pub fn rows(
        &self,
        partition: PartitionId,
        store: &mut Storage,
    ) -> Result<Vec<(Cell, causal::Entries)>, RowError> {
        Shelf::new(store, self.layout.keyspace(), partition).all()
    }

    /// The invariants at the head of this file.
    ///
    /// # Errors
    /// Where a row cannot be read.
    pub fn check(&self, store: &mut Storage) -> Result<(), RowError> {
        for (partition, replica) in &self.replicas {
            replica.check(&self.rows(*partition, store)?);
        }
        Ok(())
    }

    /// Whether the sums that are kept of rows are those of the rows.
    ///
    /// # Errors
    /// Where a row cannot be read.
    pub fn check_sums(&self, store: &mut Storage) -> Result<(), RowError> {
        for (partition, replica) in &self.replicas {
            replica.check_sums(&mut Shelf::new(store, self.layout.keyspace(), *partition))?;
        }
        Ok(())
    }
}
