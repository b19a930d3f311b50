//! One machine: a disk that outlives crashes and, while it runs, a node on it.
//!
//! The disk works as the server's committer does: it takes all batches that wait, writes them as one, and syncs;
//! what happened before a crash between the two may or may not be there afterwards.

use crate::rng::Rng;
use causal::map::Knowledge;
use causal::{Actor, Cell, Entries};
use node::{Action, Event, Identity, Node, Now, Options, Outbox, Room, RowError, Storage, Trust};
use placement::{Layout, NodeId, PartitionId};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Batch, Commit, Engine, Memory, StoreError, StoreOptions, commit_group};

/// How many names a store learns at a time: few, so that runs end with some learned and some not.
const NAMES_LEARNED: usize = 16;

/// How many changes a store packs before it folds them: few, so that a run has folds and crashes on both sides of them.
const PACKED_CHANGES: usize = 24;

/// A machine and its disk.
#[derive(Debug)]
pub(crate) struct Machine {
    /// The member that it is.
    pub id: NodeId,
    /// How far its clock is off, in milliseconds.
    pub skew_ms: i64,
    /// How often it was started.
    pub starts: u64,
    /// The newest layout that it has kept.
    pub layout: Arc<Layout>,
    /// What runs on it.
    pub running: Option<Running>,
    /// What the next node on it is told of the disk.
    trust: Trust,
    room: Room,
    disk: Arc<Memory>,
}

/// What runs on a machine between two crashes.
#[derive(Debug)]
pub(crate) struct Running {
    /// The node.
    pub node: Node,
    /// Its storage.
    pub store: Storage,
    /// When its next tick comes, in microseconds of virtual time.
    pub ticks_at: Option<u64>,
    held_back: BTreeMap<(Commit, u64), Action>,
    /// Actions decided so far, which numbers those that are held back.
    decided: u64,
    queued: Vec<(Commit, Arc<Batch>)>,
    writing: Option<Commit>,
}

impl Machine {
    /// Whether something is not on its disk yet.
    pub(crate) fn is_writing(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.writing.is_some() || !running.queued.is_empty())
    }

    /// What it would be if all that is plugged in lost power now: mostly nothing survives that was not synced, sometimes as
    /// much as chance has it.
    pub(crate) fn without_power(&self, rng: &mut Rng) -> Self {
        let disk = Arc::new(self.disk.copy());
        if rng.chance(700) {
            disk.crash(0);
        }
        let layout = Arc::clone(&self.layout);
        let mut machine = Self { disk, layout, running: None, skew_ms: 0, room: Room::Enough, ..*self };
        machine.crash(rng);
        machine.disk.mend();
        machine
    }

    /// Whether it runs and nobody is going to look at its clock.
    pub(crate) fn is_unclocked(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.ticks_at.is_none())
    }

    /// A machine with an empty disk.
    pub(crate) fn new(id: NodeId, layout: Arc<Layout>) -> Self {
        Self {
            id,
            layout,
            skew_ms: 0,
            starts: 0,
            running: None,
            trust: Trust::Whole,
            room: Room::Enough,
            disk: Arc::new(Memory::new()),
        }
    }

    /// The two clocks of this machine at a virtual time in microseconds.
    pub(crate) fn now(&self, at_us: u64) -> Now {
        const EPOCH_MS: i64 = 1_700_000_000_000;
        let monotonic_ms = at_us / 1000;
        let wall = EPOCH_MS + i64::try_from(monotonic_ms).unwrap_or(0) + self.skew_ms;
        Now { monotonic_ms, wall_ms: u64::try_from(wall).unwrap_or(0) }
    }

    /// Starts a node on what the disk holds.
    ///
    /// # Errors
    /// Where the disk cannot be read.
    pub(crate) fn start(
        &mut self,
        options: Options,
        cache_bytes: usize,
        rng: &mut Rng,
    ) -> Result<(), String> {
        let is_lost = self.trust == Trust::Lost || self.disk.commits_lost() > 0;
        let trust = if is_lost { Trust::Lost } else { Trust::Whole };
        let opened = self.open(options, cache_bytes, trust, rng);
        let (node, store) = match opened {
            // A store that cannot be opened is begun anew.
            Err(_) => {
                self.wipe();
                self.open(options, cache_bytes, Trust::Lost, rng)?
            }
            Ok(opened) => opened,
        };
        self.starts += 1;
        let (held_back, queued) = (BTreeMap::new(), Vec::new());
        self.running =
            Some(Running { node, store, ticks_at: None, held_back, decided: 0, queued, writing: None });
        Ok(())
    }

    fn open(
        &mut self,
        options: Options,
        cache_bytes: usize,
        trust: Trust,
        rng: &mut Rng,
    ) -> Result<(Node, Storage), String> {
        let engine: Arc<dyn Engine> = Arc::clone(&self.disk) as Arc<dyn Engine>;
        let options_of_store = StoreOptions { cache_bytes, hash_seed: 7, packed_changes_max: PACKED_CHANGES };
        let mut store = Storage::new(engine, options_of_store);
        let identity = Identity { node: self.id, actor: Actor(rng.bits()) };
        let mut node = Node::open(identity, options, Arc::clone(&self.layout), &mut store, trust)
            .map_err(|e| e.to_string())?;
        node.set_room(self.room);
        Ok((node, store))
    }

    /// How many operations wait in a partition for an exchange that brings them.
    pub(crate) fn waiting(&self, partition: PartitionId) -> usize {
        let mut replicas = self.running.iter().flat_map(|running| running.node.replicas());
        replicas.find(|(at, _)| *at == partition).map_or(0, |(_, map)| map.waiting().len())
    }

    /// Whether the sums that its node keeps are those of the rows on its disk.
    ///
    /// # Errors
    /// Where a row cannot be read.
    pub(crate) fn check_sums(&mut self) -> Result<(), RowError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        running.node.check_sums(&mut running.store)
    }

    /// What the disk holds of a partition, as a node finds it that is started on a copy of it after a power cut.
    pub(crate) fn durable(
        &self,
        options: Options,
        partition: PartitionId,
        rng: &mut Rng,
    ) -> Option<(Vec<(Cell, Entries)>, Knowledge)> {
        let mut machine = self.without_power(rng);
        machine.start(options, 0, rng).ok()?;
        let mut running = machine.running?;
        let rows = running.node.rows(partition, &mut running.store).ok()?;
        let map = running.node.replicas().find(|(at, _)| *at == partition).map(|(_, map)| map);
        Some((rows, map.map(|map| map.knowledge().clone()).unwrap_or_default()))
    }

    /// Its disk.
    pub(crate) fn disk(&self) -> &Memory {
        &self.disk
    }

    /// The disk has so much room, as the node is told, and none at all if it is full.
    pub(crate) fn set_room(&mut self, room: Room, is_full: bool) {
        self.room = room;
        self.disk.set_full(is_full);
        if let Some(running) = &mut self.running {
            running.node.set_room(room);
        }
    }

    /// It is begun anew, with an empty disk, by a layout that has it.
    pub(crate) fn begin_anew(&mut self, layout: Arc<Layout>) {
        self.wipe();
        self.layout = layout;
    }

    /// The disk is another one, with nothing on it.
    pub(crate) fn wipe(&mut self) {
        self.disk.wipe();
        self.trust = Trust::Lost;
    }

    /// The disk has failed: gives what is to be done for those who wait. Of what was not synced the first `keep` commits
    /// survive.
    pub(crate) fn fail(&mut self, at_us: u64, keep: usize) -> Vec<Action> {
        let now = self.now(at_us);
        let Some(Running { mut node, mut store, held_back, .. }) = self.running.take() else {
            return Vec::new();
        };
        let mut out = Outbox::default();
        let mut held_back: Vec<_> = held_back.into_iter().map(|((_, at), action)| (at, action)).collect();
        held_back.sort_unstable_by_key(|(at, _)| *at);
        node.abandon(now, &mut store, held_back.into_iter().map(|(_, action)| action), &mut out);
        self.disk.crash(keep);
        out.drain().map(|(_, action)| action).collect()
    }

    /// The machine stops between two instructions. Commits that were not synced survive as far as chance has it.
    pub(crate) fn crash(&mut self, rng: &mut Rng) {
        self.running = None;
        let unsynced = self.disk.unsynced() as u64;
        let keep = usize::try_from(rng.below(unsynced + 1)).unwrap_or(0);
        self.disk.crash(keep);
    }

    /// Hands the node an event and returns the actions that need not wait for the disk.
    pub(crate) fn handle(&mut self, at_us: u64, event: Event) -> Vec<Action> {
        let now = self.now(at_us);
        let Some(running) = &mut self.running else { return Vec::new() };
        let mut out = Outbox::default();
        // As on a server a name that cannot be learned now is learned later.
        let _ = running.store.learn(NAMES_LEARNED);
        running.node.handle(now, event, &mut running.store, &mut out);
        if let Some((commit, batch)) = running.store.seal() {
            running.queued.push((commit, batch));
        }
        for (after, action) in out.drain() {
            running.held_back.insert((after, running.decided), action);
            running.decided += 1;
        }
        running.released()
    }

    /// When a tick has to be put onto the agenda so that the node's next deadline is not missed; nothing where one
    /// comes in time anyway. The node is looked at half a millisecond from now at the earliest.
    pub(crate) fn next_tick(&mut self, now_us: u64) -> Option<u64> {
        let running = self.running.as_mut()?;
        let at = (running.node.next_deadline()? * 1000).max(now_us + 500);
        if running.ticks_at.is_some_and(|planned| planned > now_us && planned <= at) {
            return None;
        }
        running.ticks_at = Some(at);
        Some(at)
    }

    /// Begins to write what waits, if the disk is idle; tells whether it has begun.
    ///
    /// # Errors
    /// Where the disk fails.
    pub(crate) fn begin_writing(&mut self) -> Result<bool, StoreError> {
        let Some(running) = &mut self.running else { return Ok(false) };
        let Some((last, _)) = running.queued.last().filter(|_| running.writing.is_none()) else {
            return Ok(false);
        };
        running.writing = Some(*last);
        let batches: Vec<Arc<Batch>> = running.queued.drain(..).map(|(_, batch)| batch).collect();
        commit_group(&*self.disk, &batches, false)?;
        Ok(true)
    }

    /// What was being written is durable: returns the actions that waited for it.
    ///
    /// # Errors
    /// Where the disk fails.
    pub(crate) fn end_writing(&mut self) -> Result<Vec<Action>, StoreError> {
        let Some(running) = &mut self.running else { return Ok(Vec::new()) };
        let Some(commit) = running.writing.take() else { return Ok(Vec::new()) };
        self.disk.sync()?;
        running.store.settled(commit);
        // That a loss is to be learned is stored with the first batch; a server keeps a note of it until then.
        self.trust = Trust::Whole;
        Ok(running.released())
    }
}

impl Running {
    /// The actions whose commit is durable, in the order in which they were decided.
    fn released(&mut self) -> Vec<Action> {
        let settled = self.store.settled_commit();
        let later = self.held_back.split_off(&(Commit(settled.0 + 1), 0));
        let now = std::mem::replace(&mut self.held_back, later);
        let mut now: Vec<_> = now.into_iter().map(|((_, at), action)| (at, action)).collect();
        now.sort_unstable_by_key(|(at, _)| *at);
        now.into_iter().map(|(_, action)| action).collect()
    }
}
