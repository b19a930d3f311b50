//! What clients ask of nodes, and what they are told.
//!
//! Not what they want (`client`). A client asks at whichever node chance has it connected to, waits, and asks again; where
//! its connection breaks it never hears.

use crate::client::{self, Wish};
use crate::history::{Ask, Operation};
use crate::unrest::PATIENCE_US;
use crate::world::{Happening, World};
use node::{Event, RequestId};
use placement::PartitionId;
use wire::{Level, Reply};

/// Where all clients want the same key, they want it at the multiples of this, in microseconds,
const MOMENT_US: u64 = 20_000;
/// or so long after.
const MOMENT_LASTS_US: u64 = 300;

/// How long somebody waits for an answer who does nothing else, in microseconds, and how often it is looked whether it is there.
const ANSWER_US_MAX: u64 = 2_000_000;
const LOOK_US: u64 = 20_000;

impl World {
    /// The next operation of a client, at whichever node chance has it connected to.
    pub(crate) fn wish(&mut self, client: usize) {
        if !self.storming {
            return;
        }
        let running = self.askable(Level::Quorum);
        if running.is_empty() {
            return self.plan(50_000, Happening::Wish { client });
        }
        let mut wish = client::wish(&self.weather, &self.tokens, self.planned, &mut self.rng);
        wish.level = self.datacenters.level(&wish.ask, wish.level);
        let running = if self.datacenters.is_due { self.askable(wish.level) } else { running };
        if running.is_empty() {
            return self.plan(50_000, Happening::Wish { client });
        }
        let machine = self.rng.pick(&running);
        let wish = self.lending.wish(self.planned).unwrap_or(wish);
        self.ask(machine, Some(client), &wish);
    }

    /// Somebody looks whether what was promised of a key is true, at whichever node chance picks.
    pub(crate) fn look(&mut self, key: String) {
        let machine = self.rng.below(self.machines.len() as u64);
        let machine = usize::try_from(machine).unwrap_or(0);
        let ask = client::look(&key);
        let level = self.datacenters.level(&ask, Level::Quorum);
        if self.askable(level).contains(&machine) {
            self.ask(machine, None, &Wish::new(key, ask, level));
        }
    }

    /// Sends a wish to a node.
    pub(crate) fn ask(&mut self, machine: usize, client: Option<usize>, wish: &Wish) {
        let owners = self.owners;
        self.planned += 1;
        let id = RequestId(self.planned);
        self.open.insert(id, (self.history.len(), client, machine));
        self.trace.line(self.now, format_args!("client asks {machine} for {wish:?}"));
        self.history.push(Operation {
            key: wish.key.clone(),
            ask: wish.ask.clone(),
            read: self.reshaping.met(owners, wish.level, Level::read),
            write: self.reshaping.met(owners, wish.level, Level::write),
            asked_at: self.now,
            told: None,
        });
        let partition = self.partition_of(&wish.key);
        if self.unrest.pauses_every_us > 0 {
            self.plan(PATIENCE_US, Happening::Impatience { id });
        }
        self.deliver(machine, Event::Request { id, partition, request: client::request(wish) });
    }

    /// Sends a wish to a node, and waits for an answer; tells whether it was told what it asked for.
    pub(crate) fn ask_and_wait(&mut self, machine: usize, wish: &Wish) -> bool {
        let (at, until) = (self.history.len(), self.now + ANSWER_US_MAX);
        self.ask(machine, None, wish);
        while self.history[at].told.is_none() && self.now < until {
            self.run_until(self.now + LOOK_US);
        }
        self.history[at].is_answered()
    }

    /// The partition of a key.
    pub(crate) fn partition_of(&self, key: &str) -> PartitionId {
        let keyspace = self.layout.keyspace();
        keyspace.partition_of(keyspace.position(0, key.as_bytes()))
    }

    pub(crate) fn answered(&mut self, id: RequestId, reply: &Reply) {
        let Some((at, client, machine)) = self.open.remove(&id) else {
            return self.wrongs.push(format!("request {} was answered twice, with {reply:?}", id.0));
        };
        self.trace.line(self.now, format_args!("operation {at} is told {reply:?}"));
        let operation = &mut self.history[at];
        operation.told = Some((self.now, client::told(&operation.ask, reply)));
        self.watch.told(operation, reply);
        if operation.ask == Ask::Siblings {
            self.tokens.keep(operation, reply);
        }
        self.suppose_power_cut(at);
        if self.storming && self.rng.chance(self.weather.crash_after_answer) {
            let after = self.rng.between(1, 1_000);
            let key = self.history[at].key.clone();
            self.plan(after, Happening::CrashAfterAnswer { machine, key });
        }
        self.wish_again(client);
    }

    pub(crate) fn wish_again(&mut self, client: Option<usize>) {
        if let Some(client) = client {
            let pause = if self.weather.is_hot {
                MOMENT_US - self.now % MOMENT_US + self.rng.below(MOMENT_LASTS_US)
            } else {
                self.rng.between(100, 30_000)
            };
            self.plan(pause, Happening::Wish { client });
        }
    }

    /// The connections to a node break: whoever waited there will never hear.
    pub(crate) fn disconnect(&mut self, machine: usize) {
        let broken: Vec<RequestId> =
            self.open.iter().filter(|(_, (_, _, at))| *at == machine).map(|(id, _)| *id).collect();
        broken.into_iter().for_each(|id| self.give_up(id));
    }

    /// Whoever has asked this will never hear.
    pub(crate) fn give_up(&mut self, id: RequestId) {
        if let Some((_, client, _)) = self.open.remove(&id) {
            self.wish_again(client);
        }
    }

    /// The operations that a client of this machine waits for, but for those that are being answered.
    pub(crate) fn waiting_at(&self, machine: usize) -> Vec<usize> {
        let waits = |id: &RequestId, at: usize| at == machine && !self.telling.contains(id);
        let waiting = self.open.iter().filter(|(id, (_, _, at))| waits(id, *at));
        waiting.map(|(_, (operation, _, _))| *operation).collect()
    }

    /// The operations that a node still owes an answer for.
    pub(crate) fn unanswered(&self) -> Vec<usize> {
        self.open.values().map(|(at, _, _)| *at).collect()
    }
}
