//! What all threads of one process share.
//!
//! Not the shards' own state, which no other thread sees. What is here is read often and changed seldom, or is a figure.
//!
//! 1. The layout here is never older than any shard's.
//! 2. A figure is published by the one shard that it is about.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use node::{Absence, HandoffFigures, Sighting, SyncFigures};
use placement::{Duty, Layout, NodeId};
use store::StoreFigures;
use tokio::sync::mpsc;

use crate::autoscale::Autoscaler;
use crate::chaos::Chaos;
use crate::clients::Clients;
use crate::clock::{self, Clock};
use crate::config::Config;
use crate::control::Control;
use crate::disk::Disk;
use crate::letter::Mailbox;
use crate::strangers::Strangers;
use crate::twins::Twins;

/// What a process is, for all of its threads.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) me: NodeId,
    /// What it was told, with the number of shards filled in.
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) mailboxes: Vec<Mailbox>,
    pub(crate) clients: Clients,
    pub(crate) disk: Disk,
    pub(crate) twins: Twins,
    pub(crate) strangers: Strangers,
    /// Whether it has founded its cluster, and not found it in its directory.
    pub(crate) has_founded: bool,
    /// When this process began, as others are told: milliseconds since 1970, and random bits below them.
    pub(crate) began: u64,
    /// What it does wrong, where it was started for that.
    pub(crate) chaos: Option<Chaos>,
    /// `maxclients`, which can be set while it runs.
    pub(crate) clients_max: AtomicUsize,
    /// Letters to the thread that keeps the layout.
    pub(crate) control: mpsc::Sender<Control>,
    layout: Mutex<Arc<Layout>>,
    figures: Vec<Mutex<ShardFigures>>,
    /// When each peer was last heard, by the monotonic clock in milliseconds.
    heard: Mutex<BTreeMap<NodeId, u64>>,
    /// How many shards have their link to each peer.
    linked: Mutex<BTreeMap<NodeId, usize>>,
    pub(crate) clients_refused: AtomicU64,
    /// How the members are, as the node sees them that speaks for this process.
    sightings: Mutex<BTreeMap<NodeId, Sighting>>,
    absences: Mutex<Vec<Absence>>,
    /// Whether it is this process that brings the layout on, as far as it knows.
    is_steward: AtomicBool,
    /// What follows the load, unless that is off.
    pub(crate) autoscaler: Option<Mutex<Autoscaler>>,
    /// Bytes that each shard's engine has on the disk.
    stored_bytes: Vec<AtomicU64>,
}

/// What a shard says of itself, a few times a second.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShardFigures {
    /// Requests that clients of this shard have sent.
    pub(crate) requests: u64,
    /// How long they have waited for their answers.
    pub(crate) waits: Waits,
    /// Requests that wait for peers.
    pub(crate) pending: usize,
    pub(crate) store: StoreFigures,
    /// Keys held here, by database.
    pub(crate) keys: Vec<i64>,
    pub(crate) links: Vec<LinkFigures>,
    /// Batches that were committed.
    pub(crate) commits: u64,
    /// How far it is from holding what other owners hold.
    pub(crate) sync: SyncFigures,
    /// What it keeps for nodes that are down.
    pub(crate) handoff: HandoffFigures,
    /// Whether its store has failed and is not open again yet.
    pub(crate) is_closed: bool,
}

/// What requests have waited, from the start of the process on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Waits {
    /// All of them together, in microseconds; what is answered in the turn that takes it up has not waited.
    pub(crate) waited_us: u64,
    /// How many were answered.
    pub(crate) answered: u64,
}

/// What a shard says of its link to a peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkFigures {
    pub(crate) peer: NodeId,
    pub(crate) is_up: bool,
    /// Bytes that wait to be sent.
    pub(crate) waiting_bytes: usize,
    /// Messages that were dropped because the link was down or full.
    pub(crate) dropped: u64,
}

impl Host {
    pub(crate) fn new(
        config: Config,
        clock: Clock,
        layout: Arc<Layout>,
        control: mpsc::Sender<Control>,
    ) -> Self {
        let shards = config.shards.unwrap_or(1);
        Self {
            me: NodeId::of_name(&config.id),
            clients_max: AtomicUsize::new(config.clients_max),
            clock,
            mailboxes: (0..shards).map(|_| Mailbox::default()).collect(),
            clients: Clients::default(),
            disk: Disk::default(),
            twins: Twins::default(),
            strangers: Strangers::default(),
            has_founded: false,
            began: began(),
            chaos: config.enable_chaos.then(Chaos::default),
            control,
            layout: Mutex::new(layout),
            figures: (0..shards).map(|_| Mutex::default()).collect(),
            heard: Mutex::default(),
            linked: Mutex::default(),
            clients_refused: AtomicU64::new(0),
            sightings: Mutex::default(),
            absences: Mutex::default(),
            is_steward: AtomicBool::new(false),
            autoscaler: config.autoscale.autoscaler().map(Mutex::new),
            stored_bytes: (0..shards).map(|_| AtomicU64::new(0)).collect(),
            config,
        }
    }

    pub(crate) fn shards(&self) -> usize {
        self.mailboxes.len()
    }

    /// The shard that a partition belongs to, on this node.
    pub(crate) fn shard_of(&self, partition: placement::PartitionId) -> usize {
        usize::from(partition.0) % self.mailboxes.len()
    }

    pub(crate) fn layout(&self) -> Arc<Layout> {
        Arc::clone(&self.layout.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_layout(&self, layout: Arc<Layout>) {
        *self.layout.lock().unwrap_or_else(PoisonError::into_inner) = layout;
    }

    pub(crate) fn publish(&self, shard: usize, figures: ShardFigures) {
        *self.figures[shard].lock().unwrap_or_else(PoisonError::into_inner) = figures;
    }

    /// What each shard has published last.
    pub(crate) fn figures(&self) -> Vec<ShardFigures> {
        self.figures.iter().map(|each| each.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect()
    }

    /// Notes that a peer has said something.
    pub(crate) fn hear(&self, peer: NodeId) {
        let now = self.clock.monotonic_ms();
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).insert(peer, now);
    }

    /// When a peer was last heard, by the monotonic clock in milliseconds.
    pub(crate) fn heard(&self, peer: NodeId) -> Option<u64> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).get(&peer).copied()
    }

    /// Notes that a shard has its link to a peer now, or has it no more.
    pub(crate) fn note_link(&self, peer: NodeId, up: bool) {
        let mut linked = self.linked.lock().unwrap_or_else(PoisonError::into_inner);
        let shards = linked.entry(peer).or_default();
        *shards = if up { *shards + 1 } else { shards.saturating_sub(1) };
    }

    /// Whether a majority of the members that hold anything can be asked by every shard and can answer, this one being one
    /// of those that can.
    pub(crate) fn reaches_majority(&self) -> bool {
        let linked = self.linked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let layout = self.layout();
        let is_reached = |member: NodeId| {
            member == self.me || linked.get(&member) == Some(&self.shards()) && self.heard(member).is_some()
        };
        let holding = || layout.members().iter().filter(|member| member.duty != Duty::Route);
        let reached = holding().filter(|member| is_reached(member.id)).count();
        reached > holding().count() / 2
    }

    /// How the members are, from now on.
    pub(crate) fn set_sightings(&self, sightings: impl Iterator<Item = Sighting>) {
        let seen = sightings.map(|sighting| (sighting.member, sighting)).collect();
        *self.sightings.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    /// Who is down and will be replaced, from now on. Gives those that were not among them before.
    pub(crate) fn set_absences(&self, absences: Vec<Absence>) -> Vec<Absence> {
        let mut known = self.absences.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = |absence: &&Absence| known.iter().all(|known| known.member != absence.member);
        let new = absences.iter().filter(is_new).copied().collect();
        *known = absences;
        new
    }

    /// Who is down and will be replaced.
    pub(crate) fn absences(&self) -> Vec<Absence> {
        self.absences.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How one of them is.
    pub(crate) fn set_sighting(&self, sighting: Sighting) {
        let mut sightings = self.sightings.lock().unwrap_or_else(PoisonError::into_inner);
        sightings.insert(sighting.member, sighting);
    }

    /// How a member is; nothing where it has only just become one.
    pub(crate) fn sighting(&self, member: NodeId) -> Option<Sighting> {
        self.sightings.lock().unwrap_or_else(PoisonError::into_inner).get(&member).copied()
    }

    /// Notes whether this process is the steward.
    pub(crate) fn note_steward(&self, is_steward: bool) {
        self.is_steward.store(is_steward, Ordering::Relaxed);
    }

    pub(crate) fn is_steward(&self) -> bool {
        self.is_steward.load(Ordering::Relaxed)
    }

    /// Notes how much a shard has on the disk.
    pub(crate) fn note_stored(&self, shard: usize, bytes: u64) {
        self.stored_bytes[shard].store(bytes, Ordering::Relaxed);
    }

    /// Bytes on the disk, of all shards, as of their last commits.
    pub(crate) fn stored_bytes(&self) -> u64 {
        self.stored_bytes.iter().map(|bytes| bytes.load(Ordering::Relaxed)).sum()
    }

    /// Bytes that there is room for besides, above the reserve; nothing where the file system does not say.
    pub(crate) fn room_bytes(&self) -> Option<u64> {
        Some(self.disk.free_bytes()?.saturating_sub(self.config.disk_reserve_bytes))
    }

    pub(crate) fn clients_max(&self) -> usize {
        self.clients_max.load(Ordering::Relaxed)
    }
}

/// Two processes that begin in one millisecond differ all the same.
fn began() -> u64 {
    let ms = u64::try_from(clock::wall().as_millis()).unwrap_or_default();
    ms << 16 | getrandom::u64().unwrap_or_default() & 0xffff
}
