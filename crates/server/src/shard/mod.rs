//! A shard: the partitions of one thread, with their storage, and the clients and links that this thread serves.
//!
//! ```text
//!   sessions ──┐                                 ┌─▶ connections   answers
//!   links ─────┼─▶ inbox ─▶ turn: node.handle ───┼─▶ links         messages, once settled
//!   mailbox ───┘                  │              └─▶ other shards
//!                                 └─ one batch ─▶ committer ─▶ mailbox: settled
//! ```
//!
//! Not the thread (`worker`) and not what clients mean (`session`). `turn` tells what happens in one turn.
//!
//! 1. Only the thread of a shard touches it; nothing in it is locked.
//! 2. A partition belongs to the shard with its number modulo the shards, on every node for itself.
//! 3. No borrow of a cell is held while something outside of this module is called that may come back.

mod asks;
mod committer;
mod core;
mod held;
mod recovery;
mod reopening;
mod speaking;
#[cfg(test)]
mod tests;
mod turn;
mod wishes;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use node::{Event, RequestId};
use placement::{Layout, NodeId, PartitionId};
use wire::request::Request;
use wire::{Fault, Reply};

pub(crate) use asks::{Ask, SHARDS_MAX, shard_of};
pub(crate) use turn::Arrival;

use crate::chaos::{Fate, LATE_MAX};
use crate::connection::Connection;
use crate::error::StartError;
use crate::host::{Host, ShardFigures};
use crate::letter::Letter;
use crate::link::Link;
use crate::opened::Opened;
use asks::Asks;
use core::Core;
use reopening::Reopening;
use wishes::Wishes;

/// Databases that figures are published of.
const DATABASES: u8 = causal::limits::DATABASES_MAX;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) index: usize,
    pub(crate) host: Arc<Host>,
    layout: RefCell<Arc<Layout>>,
    inbox: RefCell<Vec<Event>>,
    letters: RefCell<Vec<Letter>>,
    asks: RefCell<Asks>,
    outgoing: RefCell<Vec<Vec<Letter>>>,
    dirty: RefCell<Vec<Rc<Connection>>>,
    links: RefCell<BTreeMap<NodeId, Rc<Link>>>,
    /// Nothing while the store is opened again.
    core: RefCell<Option<Core>>,
    reopening: Reopening,
    /// Who waits for what comes of a change of the layout.
    wishes: RefCell<Wishes>,
    /// Sessions that wait until the disk has caught up.
    stalled: RefCell<Vec<Rc<Connection>>>,
    rung: Cell<bool>,
    requests: Cell<u64>,
    ending: Cell<bool>,
    looked: speaking::Looked,
    /// Messages that leave late on purpose.
    late: Rc<Cell<usize>>,
}

impl Shard {
    /// The shard over what was opened for it.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(crate) fn open(host: Arc<Host>, index: usize, opened: Opened) -> Result<Self, StartError> {
        let core = Core::start(Arc::clone(&host), index, opened)?;
        Ok(Self {
            index,
            layout: RefCell::new(host.layout()),
            inbox: RefCell::default(),
            letters: RefCell::default(),
            asks: RefCell::new(Asks::new(index)),
            outgoing: RefCell::new((0..host.shards()).map(|_| Vec::new()).collect()),
            dirty: RefCell::default(),
            links: RefCell::default(),
            core: RefCell::new(Some(core)),
            reopening: Reopening::default(),
            wishes: RefCell::default(),
            stalled: RefCell::default(),
            rung: Cell::new(false),
            requests: Cell::new(0),
            ending: Cell::new(false),
            looked: speaking::Looked::default(),
            late: Rc::default(),
            host,
        })
    }

    /// The layout that requests are placed by.
    pub(crate) fn layout(&self) -> Arc<Layout> {
        Arc::clone(&self.layout.borrow())
    }

    /// Has a part of a client's request worked on by the shard of its partition.
    pub(crate) fn submit(&self, ask: Ask, partition: PartitionId, request: Request) {
        let target = self.host.shard_of(partition);
        if target != self.index && !self.host.mailboxes[target].has_room() {
            ask.connection.fill(ask.slot, ask.part, Reply::Error(Fault::Busy));
            return self.list(&ask.connection);
        }
        let connection = Rc::clone(&ask.connection);
        let (slot, part) = (ask.slot, ask.part);
        let Some(id) = self.asks.borrow_mut().enter(ask) else {
            connection.fill(slot, part, Reply::Error(Fault::Busy));
            return self.list(&connection);
        };
        if target == self.index {
            self.inbox.borrow_mut().push(Event::Request { id, partition, request });
        } else {
            self.outgoing.borrow_mut()[target].push(Letter::Request { id, partition, request });
        }
        self.ring();
    }

    /// An id for a question that another thread answers by a letter.
    pub(crate) fn enter(&self, ask: Ask) -> Option<RequestId> {
        self.asks.borrow_mut().enter(ask)
    }

    /// Gives the node something to handle in its next turn.
    pub(crate) fn push(&self, event: Event) {
        self.inbox.borrow_mut().push(event);
        self.ring();
    }

    /// Whether whoever says something by the layout of an epoch was a member then, and is none by the one that there is.
    pub(crate) fn has_forgotten(&self, from: NodeId, epoch: u64) -> bool {
        let layout = self.layout.borrow();
        epoch < layout.epoch() && layout.member(from).is_none()
    }

    /// A peer has said something: it goes to the shard of its partition.
    pub(crate) fn hear(&self, from: NodeId, envelope: wire::peer::Envelope) {
        if u32::from(envelope.partition.0) >= self.layout.borrow().keyspace().partition_count() {
            return tracing::warn!(peer = %from, "a peer speaks of a partition that does not exist");
        }
        let is_peer = from != self.host.me;
        if is_peer && self.host.chaos.as_ref().is_some_and(|chaos| chaos.loses(from)) {
            return;
        }
        let target = self.host.shard_of(envelope.partition);
        if target == self.index {
            self.inbox.borrow_mut().push(Event::Message { from, envelope });
        } else if self.host.mailboxes[target].has_room() {
            self.outgoing.borrow_mut()[target].push(Letter::Envelope { from, envelope });
        }
        self.ring();
    }

    /// Says something to a peer, unless this process was told to fail at that.
    pub(crate) fn say(&self, link: &Rc<Link>, envelope: wire::peer::Envelope) {
        match self.host.chaos.as_ref().map_or(Fate::Passes, |chaos| chaos.fate(link.peer)) {
            Fate::Passes => link.push(&envelope),
            Fate::Late(by) if self.late.get() < LATE_MAX => {
                let (link, late) = (Rc::clone(link), Rc::clone(&self.late));
                late.set(late.get() + 1);
                tokio::task::spawn_local(async move {
                    tokio::time::sleep(by).await;
                    late.set(late.get() - 1);
                    link.push(&envelope);
                    link.flush();
                });
            }
            Fate::Late(_) | Fate::Lost => {}
        }
    }

    /// Has a connection flushed at the end of the next turn.
    pub(crate) fn list(&self, connection: &Rc<Connection>) {
        if !connection.listed.replace(true) {
            self.dirty.borrow_mut().push(Rc::clone(connection));
            self.ring();
        }
    }

    /// Whether so much waits for the disk that nothing more is to be begun. If so, the connection is rung when that is over.
    pub(crate) fn is_congested(&self, connection: &Rc<Connection>) -> bool {
        let congested = self.core.borrow().as_ref().is_some_and(Core::is_congested);
        if congested {
            self.stalled.borrow_mut().push(Rc::clone(connection));
        }
        congested
    }

    /// Counts requests for the figures.
    pub(crate) fn count(&self, requests: u64) {
        self.requests.set(self.requests.get() + requests);
    }

    /// Has a turn run soon.
    fn ring(&self) {
        if !self.rung.replace(true) {
            self.host.mailboxes[self.index].bell.notify_one();
        }
    }

    /// Rings if the node has something to do now that time has passed.
    pub(crate) fn tick(&self) {
        let due = self.core.borrow().as_ref().and_then(|core| core.node.next_deadline());
        if due.is_some_and(|due| due <= self.host.clock.monotonic_ms()) {
            self.push(Event::Tick);
        }
    }

    pub(crate) fn links(&self) -> Vec<Rc<Link>> {
        self.links.borrow().values().cloned().collect()
    }

    /// A peer has called one of the shards: it is there, so all of them dial it at once if they had not reached it.
    pub(crate) fn called_by(&self, peer: NodeId) {
        for (shard, letters) in self.outgoing.borrow_mut().iter_mut().enumerate() {
            if shard != self.index {
                letters.push(Letter::Called(peer));
            }
        }
        self.dial_now(peer);
        self.ring();
    }

    fn dial_now(&self, peer: NodeId) {
        if let Some(link) = self.links.borrow().get(&peer) {
            link.dial_now();
        }
    }

    /// Whether the shard has been told to end.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.get()
    }

    /// Publishes its figures.
    pub(crate) fn publish(&self) {
        let borrowed = self.core.borrow();
        let core = borrowed.as_ref();
        let keys = |core: &Core| (0..DATABASES).map(|database| core.node.keys(database)).collect();
        let figures = ShardFigures {
            requests: self.requests.get(),
            waits: self.asks.borrow().waits(),
            pending: core.map_or(0, |core| core.node.pending()) + self.asks.borrow().len(),
            store: core.map(|core| core.store.figures()).unwrap_or_default(),
            keys: core.map(keys).unwrap_or_default(),
            links: self.links.borrow().values().map(|link| link.figures()).collect(),
            commits: core.map_or(0, |core| core.commits),
            sync: core.map(|core| core.node.sync()).unwrap_or_default(),
            handoff: core.map(|core| core.node.handoff()).unwrap_or_default(),
            is_closed: core.is_none(),
        };
        drop(borrowed);
        self.host.publish(self.index, figures);
        self.look();
    }

    /// Brings everything to the disk. Nothing may be handled afterwards.
    pub(crate) fn finish(&self) {
        self.reopening.finish();
        if let Some(core) = &mut *self.core.borrow_mut() {
            core.finish();
        }
    }
}
