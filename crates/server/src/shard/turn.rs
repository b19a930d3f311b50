//! One turn of a shard, from what has arrived to what is sent.
//!
//! ```text
//! open letters   what other threads have posted: events, answers, settled commits, newcomers
//! handle         every event in the inbox, at one reading of the clocks
//! route          actions that wait for nothing at once, the others when their commit has settled
//! seal           one batch to the committer
//! deliver        to other shards, links and connections, each once
//! ```
//!
//! 1. What a turn sends was decided in it or waited for a commit that settled before it.
//! 2. The clocks are read once a turn.

use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;

use node::{Action, Event, Now};
use placement::Layout;
use store::Commit;
use tokio::sync::oneshot;
use wire::Reply;

use super::{Ask, Core, Shard, shard_of};
use crate::control::Control;
use crate::letter::{Caller, Letter};
use crate::link::Link;

/// Events that one turn handles; what is left is handled in the next, after sockets have had theirs.
const EVENTS_PER_TURN_MAX: usize = 4096;

/// Somebody new for the thread to serve.
#[derive(Debug)]
pub(crate) enum Arrival {
    Client(TcpStream, SocketAddr),
    Caller(Caller),
    /// A member that has to be dialed.
    Link(Rc<Link>),
}

impl Shard {
    /// Runs one turn; gives who has come.
    pub(crate) fn turn(&self) -> Vec<Arrival> {
        self.rung.set(false);
        let now = self.host.clock.now();
        let arrivals = self.open_letters(now);
        self.handle(now);
        self.route();
        self.seal();
        self.deliver();
        arrivals
    }

    fn open_letters(&self, now: Now) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        let mut letters = self.letters.take();
        self.host.mailboxes[self.index].take(&mut letters);
        for letter in letters.drain(..) {
            match letter {
                Letter::Request { id, partition, request } => {
                    self.inbox.borrow_mut().push(Event::Request { id, partition, request });
                }
                Letter::Envelope { from, envelope } => {
                    self.inbox.borrow_mut().push(Event::Message { from, envelope });
                }
                Letter::Answer { id, reply } => self.answer(id, reply),
                Letter::Settled(commit) => {
                    let core = &mut *self.core.borrow_mut();
                    core.store.settled(commit);
                    core.held.release(commit, &mut core.released);
                    while let Some((_, bytes)) = core.unsettled.pop_front_if(|(sealed, _)| *sealed <= commit)
                    {
                        core.unsettled_bytes -= bytes;
                    }
                }
                Letter::Health { peer, is_trusted } => {
                    self.inbox.borrow_mut().push(Event::Health { peer, is_trusted });
                }
                Letter::Layout(layout) => self.adopt(layout, now, &mut arrivals),
                Letter::Client(stream, addr) => arrivals.push(Arrival::Client(stream, addr)),
                Letter::Caller(caller) => arrivals.push(Arrival::Caller(caller)),
                Letter::Hold { until_ms, empty } => self.hold(until_ms, empty),
                Letter::Release => self.core.borrow_mut().node.release(),
                Letter::Stop => self.ending.set(true),
            }
        }
        self.letters.replace(letters);
        arrivals
    }

    fn hold(&self, until_ms: u64, empty: oneshot::Sender<bool>) {
        let mut core = self.core.borrow_mut();
        // A write that the inbox still has comes after the hold and is refused.
        let is_empty = core.node.hold(until_ms);
        let _ = empty.send(is_empty);
    }

    /// Goes by a newer layout, and has its new members dialed.
    fn adopt(&self, layout: Arc<Layout>, now: Now, arrivals: &mut Vec<Arrival>) {
        self.layout.replace(Arc::clone(&layout));
        let mut links = self.links.borrow_mut();
        for member in layout.members().iter().filter(|member| member.id != self.host.me) {
            links.entry(member.id).or_insert_with(|| {
                let link = Rc::new(Link::new(member.id));
                arrivals.push(Arrival::Link(Rc::clone(&link)));
                link
            });
        }
        let Core { node, store, outbox, .. } = &mut *self.core.borrow_mut();
        node.handle(now, Event::Layout(layout), store, outbox);
    }

    fn handle(&self, now: Now) {
        let mut events = self.inbox.take();
        let Core { node, store, outbox, .. } = &mut *self.core.borrow_mut();
        let count = events.len().min(EVENTS_PER_TURN_MAX);
        for event in events.drain(..count) {
            node.handle(now, event, store, outbox);
        }
        let mut inbox = self.inbox.borrow_mut();
        debug_assert!(inbox.is_empty(), "the node calls nothing that fills the inbox");
        *inbox = events;
        if !inbox.is_empty() {
            self.ring();
        }
    }

    fn route(&self) {
        let mut actions = std::mem::take(&mut self.core.borrow_mut().released);
        {
            let Core { outbox, held, store, .. } = &mut *self.core.borrow_mut();
            let settled = store.settled_commit();
            // A batch that stays empty is never sealed: what waits for it waits for all before it.
            let last = if store.is_dirty() { store.open_commit() } else { Commit(store.open_commit().0 - 1) };
            for (after, action) in outbox.drain() {
                let after = after.min(last);
                if after <= settled {
                    actions.push(action);
                } else {
                    held.push(settled, after, action);
                }
            }
        }
        for action in actions.drain(..) {
            self.perform(action);
        }
        self.core.borrow_mut().released = actions;
    }

    fn perform(&self, action: Action) {
        match action {
            Action::Answer { id, reply } => {
                let shard = shard_of(id);
                if shard == self.index {
                    self.answer(id, reply);
                } else if let Some(letters) = self.outgoing.borrow_mut().get_mut(shard) {
                    letters.push(Letter::Answer { id, reply });
                }
            }
            Action::Send { to, envelope } => {
                if let Some(link) = self.links.borrow().get(&to) {
                    self.say(link, envelope);
                }
            }
            Action::Adopt(layout) => {
                // Where the queue is full the same layout is offered again soon.
                let _ = self.host.control.try_send(Control::Newer(layout));
            }
            Action::Health(sighting) => self.sighted(&sighting),
        }
    }

    fn answer(&self, id: node::RequestId, reply: Reply) {
        let Some(Ask { connection, slot, part }) = self.asks.borrow_mut().take(id) else { return };
        connection.fill(slot, part, reply);
        if !connection.listed.replace(true) {
            self.dirty.borrow_mut().push(connection);
        }
    }

    fn seal(&self) {
        let mut core = self.core.borrow_mut();
        if let Some((commit, batch)) = core.store.seal() {
            core.commits += 1;
            core.unsettled.push_back((commit, batch.bytes()));
            core.unsettled_bytes += batch.bytes();
            core.committer.take(commit, batch);
        }
    }

    fn deliver(&self) {
        if !self.core.borrow().is_congested() {
            self.stalled.take().iter().for_each(|connection| connection.ring());
        }
        for (shard, letters) in self.outgoing.borrow_mut().iter_mut().enumerate() {
            if !letters.is_empty() {
                self.host.mailboxes[shard].post_all(letters);
            }
        }
        for link in self.links.borrow().values() {
            link.flush();
        }
        let mut dirty = self.dirty.take();
        for connection in dirty.drain(..) {
            connection.listed.set(false);
            connection.flush();
        }
        let mut later = self.dirty.borrow_mut();
        if later.is_empty() {
            *later = dirty;
        }
    }
}
