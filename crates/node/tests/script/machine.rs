//! One machine of a script: a node, its storage and a disk that outlives it.
//!
//! Invariant: an action leaves once its commit is settled, and no action to a peer leaves before an earlier one.

use causal::Actor;
use node::{Action, Event, Identity, Node, Now, Options, Outbox, Storage, Trust};
use placement::{Layout, NodeId};
use std::collections::{BTreeSet, VecDeque};
use std::error::Error;
use std::sync::Arc;
use store::{Batch, Commit, Engine, Memory, StoreOptions, commit_group};

/// A machine and, while it runs, what runs on it.
pub(crate) struct Machine {
    pub(crate) name: char,
    pub(crate) id: NodeId,
    pub(crate) layout: Arc<Layout>,
    pub(crate) skew_ms: i64,
    pub(crate) is_slow: bool,
    /// How often its node compares what it holds with others; never at `u64::MAX`.
    pub(crate) compare_every_ms: u64,
    pub(crate) running: Option<Running>,
    starts: u64,
    disk: Arc<Memory>,
    /// The disk as it was once.
    copy: Option<Memory>,
}

/// A node with its storage, and what waits for the disk.
pub(crate) struct Running {
    pub(crate) node: Node,
    pub(crate) store: Storage,
    sealed: Vec<(Commit, Arc<Batch>)>,
    held_back: VecDeque<(Commit, Action)>,
}

impl Machine {
    /// A machine with an empty disk that was not started yet.
    pub(crate) fn new(name: char, id: NodeId, layout: Arc<Layout>) -> Self {
        let disk = Arc::new(Memory::new());
        let compare_every_ms = u64::MAX;
        Self {
            name,
            id,
            layout,
            skew_ms: 0,
            is_slow: false,
            compare_every_ms,
            running: None,
            starts: 0,
            disk,
            copy: None,
        }
    }

    /// Starts a node on what the disk holds.
    pub(crate) fn start(&mut self) -> Result<(), Box<dyn Error>> {
        let engine: Arc<dyn Engine> = Arc::clone(&self.disk) as Arc<dyn Engine>;
        let mut store =
            Storage::new(engine, StoreOptions { cache_bytes: 1 << 20, hash_seed: 7, packed_changes_max: 8 });
        let identity = Identity { node: self.id, actor: actor(self.name, self.starts) };
        let node = Node::open(
            identity,
            Options { compare_every_ms: self.compare_every_ms, ..Options::default() },
            Arc::clone(&self.layout),
            &mut store,
            Trust::Whole,
        )?;
        self.starts += 1;
        self.running = Some(Running { node, store, sealed: Vec::new(), held_back: VecDeque::new() });
        Ok(())
    }

    /// Keeps a copy of the disk as it is.
    pub(crate) fn copy_disk(&mut self) {
        self.copy = Some(self.disk.copy());
    }

    /// Puts the copy in the place of the disk.
    pub(crate) fn put_back(&mut self) -> Result<(), Box<dyn Error>> {
        if self.running.is_some() {
            return Err("it runs".into());
        }
        self.disk = Arc::new(self.copy.take().ok_or("no copy was made")?);
        Ok(())
    }

    /// The process and all that was not synced are gone.
    pub(crate) fn crash(&mut self) {
        self.running = None;
        self.disk.crash(0);
    }

    /// The disk fails with all that was not synced, and is opened again by another node of the same process.
    pub(crate) fn fail(&mut self, now: Now) -> Result<Vec<Action>, Box<dyn Error>> {
        let Some(Running { mut node, mut store, held_back, .. }) = self.running.take() else {
            return Ok(Vec::new());
        };
        let mut out = Outbox::default();
        node.abandon(now, &mut store, held_back.into_iter().map(|(_, action)| action), &mut out);
        self.disk.crash(0);
        self.start()?;
        Ok(out.drain().map(|(_, action)| action).collect())
    }

    /// Hands the node an event; what need not wait for the disk comes back.
    pub(crate) fn handle(&mut self, now: Now, event: Event) -> Result<Vec<Action>, Box<dyn Error>> {
        let Some(running) = &mut self.running else { return Ok(Vec::new()) };
        let mut out = Outbox::default();
        running.node.handle(now, event, &mut running.store, &mut out);
        running.sealed.extend(running.store.seal());
        running.held_back.extend(out.drain());
        running.node.check(&mut running.store)?;
        if self.is_slow { Ok(running.released()) } else { self.settle() }
    }

    /// The disk writes and syncs everything that waits; what waited for it comes back.
    pub(crate) fn settle(&mut self) -> Result<Vec<Action>, Box<dyn Error>> {
        let Some(running) = &mut self.running else { return Ok(Vec::new()) };
        let (commits, batches): (Vec<Commit>, Vec<Arc<Batch>>) = running.sealed.drain(..).unzip();
        commit_group(&*self.disk, &batches, true)?;
        commits.last().into_iter().for_each(|last| running.store.settled(*last));
        Ok(running.released())
    }
}

impl Running {
    fn released(&mut self) -> Vec<Action> {
        let settled = self.store.settled_commit();
        let mut stuck = BTreeSet::new();
        let mut released = Vec::new();
        for (after, action) in std::mem::take(&mut self.held_back) {
            let peer = match &action {
                Action::Send { to, .. } => Some(*to),
                Action::Answer { .. }
                | Action::Adopt(_)
                | Action::Changed { .. }
                | Action::Health(_)
                | Action::Renew => None,
            };
            if after <= settled && peer.is_none_or(|peer| !stuck.contains(&peer)) {
                released.push(action);
            } else {
                stuck.extend(peer);
                self.held_back.push_back((after, action));
            }
        }
        released
    }
}

/// The actor of the node of that name at its so-manyth start, from 0.
fn actor(name: char, starts: u64) -> Actor {
    Actor(u64::from(name) << 8 | starts)
}

/// The name of an actor: that of its node, with a mark for each earlier start. One that a node has taken since is `?`.
pub(crate) fn actor_text(actor: Actor) -> String {
    let starts = usize::try_from(actor.0 & 0xff).unwrap_or(0);
    u8::try_from(actor.0 >> 8)
        .map_or("?".into(), |name| format!("{}{}", char::from(name), "'".repeat(starts)))
}
