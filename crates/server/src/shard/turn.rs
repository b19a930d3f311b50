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
//! 2. The clocks are read once a turn, as its events see them.

use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;

use node::{Action, Event, Now, Room};
use placement::Layout;
use store::{Commit, StoreError};
use wire::Reply;

use super::{Ask, Core, Shard, reopening, shard_of};
use crate::control::Control;
use crate::letter::{Caller, Letter};
use crate::link::Link;
use crate::opened::Opened;

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
        let mut letters = self.letters.take();
        self.host.mailboxes[self.index].take(&mut letters);
        // After that: what comes later than this says is not believed to have come in time.
        let now = self.host.clock.now();
        self.asks.borrow_mut().begin_turn(self.host.clock.monotonic_us());
        let arrivals = self.open_letters(now, letters);
        self.handle(now);
        self.route();
        self.seal();
        self.deliver();
        self.asks.borrow_mut().end_turn();
        arrivals
    }

    fn open_letters(&self, now: Now, mut letters: Vec<Letter>) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        for letter in letters.drain(..) {
            match letter {
                Letter::Request { id, partition, request } => {
                    self.inbox.borrow_mut().push(Event::Request { id, partition, request });
                }
                Letter::Envelope { from, envelope } => {
                    self.inbox.borrow_mut().push(Event::Message { from, envelope });
                }
                Letter::Answer { id, reply } => self.answer(id, reply),
                Letter::Settled(commit) => self.with_core(|core| core.settled(commit)).unwrap_or_default(),
                Letter::Failed(error) => self.close(now, error),
                Letter::Opened(opened) => self.reopen(now, *opened),
                Letter::Health { peer, is_trusted } => {
                    self.inbox.borrow_mut().push(Event::Health { peer, is_trusted });
                }
                Letter::Called(peer) => self.dial_now(peer),
                Letter::Layout(layout) => self.adopt(layout, now, &mut arrivals),
                Letter::Client(stream, addr) => arrivals.push(Arrival::Client(stream, addr)),
                Letter::Caller(caller) => arrivals.push(Arrival::Caller(caller)),
                Letter::Change(wish) => {
                    let event = self.wishes.borrow_mut().enter(*wish);
                    self.inbox.borrow_mut().push(event);
                }
                Letter::Room(room) => self.with_core(|core| core.node.set_room(room)).unwrap_or_default(),
                Letter::Stop => self.ending.set(true),
            }
        }
        self.letters.replace(letters);
        arrivals
    }

    /// Does something with the core, if there is one.
    fn with_core<T>(&self, act: impl FnOnce(&mut Core) -> T) -> Option<T> {
        self.core.borrow_mut().as_mut().map(act)
    }

    /// The store has failed: whoever waits is told, and the store is opened again.
    fn close(&self, now: Now, error: StoreError) {
        let Some(core) = self.core.take() else { return };
        let (actions, engine) = core.abandon(now, reopening::is_full(&self.host, &error));
        actions.into_iter().for_each(|action| self.perform(action));
        self.wishes.take();
        self.reopening.begin(&self.host, self.index, engine, error);
    }

    /// The store is open again, with a node that knows nothing of what goes on in this process.
    fn reopen(&self, now: Now, opened: Opened) {
        let mut core = match Core::start(Arc::clone(&self.host), self.index, opened) {
            Ok(core) => core,
            Err(error) => {
                let _ = self.host.control.try_send(Control::Failed(error.to_string()));
                return;
            }
        };
        core.handle(now, Event::Layout(self.layout()));
        for link in self.links.borrow().values().filter(|link| link.is_up()) {
            core.handle(now, Event::Link { peer: link.peer, up: true });
        }
        self.core.replace(Some(core));
        self.reopening.end();
    }

    /// Goes by a newer layout, and has its new members dialed.
    fn adopt(&self, layout: Arc<Layout>, now: Now, arrivals: &mut Vec<Arrival>) {
        self.layout.replace(Arc::clone(&layout));
        let mut links = self.links.borrow_mut();
        links.retain(|peer, link| {
            let is_member = layout.member(*peer).is_some();
            if !is_member {
                link.close();
            }
            is_member
        });
        for member in layout.members().iter().filter(|member| member.id != self.host.me) {
            links.entry(member.id).or_insert_with(|| {
                let link = Rc::new(Link::new(member.id));
                arrivals.push(Arrival::Link(Rc::clone(&link)));
                link
            });
        }
        self.with_core(|core| core.handle(now, Event::Layout(layout)));
    }

    fn handle(&self, now: Now) {
        let mut events = self.inbox.take();
        let count = events.len().min(EVENTS_PER_TURN_MAX);
        match &mut *self.core.borrow_mut() {
            Some(core) => events.drain(..count).for_each(|event| core.handle(now, event)),
            None => events.drain(..count).for_each(|event| self.refuse(event)),
        }
        let mut inbox = self.inbox.borrow_mut();
        debug_assert!(inbox.is_empty(), "the node calls nothing that fills the inbox");
        *inbox = events;
        if !inbox.is_empty() {
            self.ring();
        }
    }

    /// Answers for a core that is not there.
    fn refuse(&self, event: Event) {
        let is_full = self.reopening.is_full() || self.host.disk.room() != Room::Enough;
        if let Some(action) = reopening::refusal(event, is_full) {
            self.perform(action);
        }
    }

    fn route(&self) {
        let Some(mut actions) = self.with_core(|core| std::mem::take(&mut core.released)) else { return };
        if let Some(Core { outbox, held, store, .. }) = &mut *self.core.borrow_mut() {
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
        self.with_core(|core| core.released = actions);
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
            Action::Send { to, envelope } if to == self.host.me => self.hear(to, envelope),
            Action::Send { to, envelope } => {
                if let Some(link) = self.links.borrow().get(&to) {
                    self.say(link, envelope);
                }
            }
            Action::Renew => {
                let reason = "some rows cannot be read".to_owned();
                self.host.mailboxes[self.index].post(Letter::Failed(StoreError::Unreadable(reason)));
            }
            Action::Adopt(layout) => {
                // Where the queue is full the same layout is offered again soon.
                let _ = self.host.control.try_send(Control::Newer(layout));
            }
            Action::Changed { id, outcome } => self.wishes.borrow_mut().tell(id, outcome),
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
        self.with_core(Core::seal);
    }

    fn deliver(&self) {
        if !self.core.borrow().as_ref().is_some_and(Core::is_congested) {
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
