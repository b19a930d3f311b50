//! One node, and peers that are words alone.

use bytes::Bytes;
use causal::map::Knowledge;
use causal::{Actor, Cell, Delta, Dot, Edit, Key, Payload, Stamp};
use node::{Action, Event, Identity, Node, Now, Options, Outbox, Speaker, Storage, Trust};
use placement::{Copies, Duty, Layout, Member, NodeId, PartitionId};
use std::sync::Arc;
use store::{Batch, Commit, Engine, Gap, Memory, StoreOptions, commit_group};
use wire::peer::exchange::{Hashes, Step};
use wire::peer::quorum::{Counts, Quorum};
use wire::peer::{Envelope, Message, Ticket};

/// The one partition.
pub(crate) const PARTITION: PartitionId = PartitionId(0);
/// The disk of the first member.
pub(crate) const DISK: u64 = 1;
/// After that time who is down is replaced, in milliseconds.
pub(crate) const REPLACE_AFTER_MS: u64 = 60_000;
/// Of how many parts of a partition sums are compared first.
const CHUNKS: usize = 64;
/// Well above the time in which a node compares, in milliseconds.
pub(crate) const WHILE_MS: u64 = 2_000;

pub(crate) fn id(name: &str) -> NodeId {
    NodeId::of_name(name)
}

pub(crate) fn member(name: &str, zone: &str) -> Member {
    Member {
        id: id(name),
        name: name.into(),
        client_addr: format!("{name}:1"),
        peer_addr: format!("{name}:2"),
        weight: 1,
        zone: zone.parse().expect("a zone"),
        duty: Duty::Store,
    }
}

/// A cluster of one partition, of which the first votes.
pub(crate) fn cluster(copies: impl Into<Copies>, members: &[(&str, &str)]) -> Layout {
    let mut members = members.iter().map(|(name, zone)| member(name, zone));
    let first = members.next().expect("there are members");
    let layout = Layout::found(1, 1, 1, copies, first, DISK).expect("a layout");
    layout.with_members(members).expect("valid members")
}

pub(crate) struct One {
    pub(crate) node: Node,
    store: Storage,
    disk: Arc<Memory>,
    pub(crate) now_ms: u64,
}

impl One {
    pub(crate) fn open(name: &str, layout: &Layout, trust: Trust) -> Self {
        Self::over(Arc::new(Memory::new()), name, layout, trust)
    }

    pub(crate) fn over(disk: Arc<Memory>, name: &str, layout: &Layout, trust: Trust) -> Self {
        let options = StoreOptions { cache_bytes: 1 << 20, hash_seed: 7, packed_changes_max: 8 };
        let mut store = Storage::new(Arc::clone(&disk) as Arc<dyn Engine>, options);
        let identity = Identity { node: id(name), actor: Actor(7) };
        let speaker = Speaker { incarnation: 1, seed: 1, probe_every_ms: 500, suspicion_ms: 5_000 };
        let options = Options {
            compare_every_ms: 100,
            tell_every_ms: 100,
            replace_after_ms: REPLACE_AFTER_MS,
            speaker: Some(speaker),
            ..Options::default()
        };
        let layout = Arc::new(layout.clone());
        let node = Node::open(identity, options, layout, &mut store, trust).expect("an empty store");
        Self { node, store, disk, now_ms: 1_000 }
    }

    /// The same after an orderly end.
    pub(crate) fn again(mut self, name: &str) -> Self {
        self.settle();
        Self::over(self.disk, name, &Layout::clone(self.node.layout()), Trust::Whole)
    }

    /// All that it has decided is on the disk.
    fn settle(&mut self) {
        let sealed: Vec<_> = std::iter::from_fn(|| self.store.seal()).collect();
        let batches: Vec<_> = sealed.iter().map(|(_, batch)| Arc::clone(batch)).collect();
        commit_group(&*self.disk, &batches, true).expect("the disk works");
        sealed.iter().for_each(|(commit, _)| self.store.settled(*commit));
    }

    /// What it has of a key is gone from its disk, and nobody tells it.
    pub(crate) fn forget(&mut self, key: &str) {
        self.settle();
        let mut rows = (0..self.disk.len()).filter_map(|place| self.disk.row_at(place));
        let row = rows.find(|row| row.windows(key.len()).any(|part| part == key.as_bytes()));
        let mut batch = Batch::new();
        batch.delete(row.expect("it is on the disk"));
        commit_group(&*self.disk, &[batch], true).expect("the disk works");
    }

    /// The rows in a gap may be missing.
    pub(crate) fn loses(&mut self, gap: Gap) {
        self.node.lose(&[gap], &mut self.store).expect("the disk works");
    }

    pub(crate) fn take(&mut self, event: Event) -> Vec<Action> {
        self.decide(event).into_iter().map(|(_, action)| action).collect()
    }

    /// What it decides, and the commit that each of it waits for.
    pub(crate) fn decide(&mut self, event: Event) -> Vec<(Commit, Action)> {
        let (now, mut out) = (Now { monotonic_ms: self.now_ms, wall_ms: self.now_ms }, Outbox::default());
        self.node.handle(now, event, &mut self.store, &mut out);
        out.drain().collect()
    }

    pub(crate) fn link(&mut self, peers: &[&str]) {
        for peer in peers {
            self.take(Event::Link { peer: id(peer), up: true });
        }
    }

    /// Time passes; what it says to this peer meanwhile.
    pub(crate) fn says_to(&mut self, peer: &str) -> Vec<Message> {
        let (until, mut said) = (self.now_ms + WHILE_MS, Vec::new());
        while self.now_ms < until {
            self.now_ms += 10;
            said.extend(self.take(Event::Tick).into_iter().filter_map(|action| match action {
                Action::Send { to, envelope } if to == id(peer) => Some(envelope.message),
                _ => None,
            }));
        }
        said
    }

    /// With which ticket it asks the peer meanwhile whether that holds the same.
    pub(crate) fn compares_with(&mut self, peer: &str) -> Option<Ticket> {
        self.says_to(peer).into_iter().find_map(|message| match message {
            Message::Exchange { ticket, step: Step::Compare(_) } => Some(ticket),
            _ => None,
        })
    }

    /// A peer tells it something; what it does then.
    pub(crate) fn told(&mut self, from: &str, message: Message) -> Vec<Action> {
        let epoch = self.node.layout().epoch();
        self.take(Event::Message {
            from: id(from),
            envelope: Envelope { epoch, partition: PARTITION, message },
        })
    }

    /// A peer has a key written that nobody has told it of; what it does then.
    pub(crate) fn writes(&mut self, from: &str, key: &'static str, quorum: Quorum) -> Vec<Action> {
        let actor = Actor(9);
        let stamp = Stamp { physical_ms: self.now_ms, logical: 0, actor };
        let add = Some(Payload::Plain(Bytes::from_static(b"value")));
        let edit = Edit { cell: Cell::string(Key::new(0, key)), add, removes: Vec::new() };
        let delta = Delta { dot: Dot::new(actor, 2), stamp, edits: vec![edit], sweep: None };
        let (ticket, deltas) = (Ticket(5), vec![delta]);
        self.told(from, Message::Apply { ticket, deltas, asker: None, passes_on: false, quorum })
    }

    pub(crate) fn hear(&mut self, from: &str, ticket: Ticket, step: Step) -> Vec<Action> {
        self.told(from, Message::Exchange { ticket, step })
    }

    /// The peer is asked whether it holds the same, and does; and gives all that it has: it knows an
    /// operation of which nothing is left.
    pub(crate) fn learns_from(&mut self, peer: &str) {
        self.takes_from(peer, Counts::Everywhere);
    }

    /// The same of one that counts for so much.
    pub(crate) fn takes_from(&mut self, peer: &str, counts: Counts) {
        let ticket = self.compares_with(peer).unwrap_or_else(|| panic!("{peer} is not asked"));
        let actions = self.hear(peer, ticket, Step::Same);
        let opens = actions.into_iter().find_map(|action| match action {
            Action::Send {
                envelope: Envelope { message: Message::Exchange { ticket, step }, .. }, ..
            } => matches!(step, Step::Open(_)).then_some(ticket),
            _ => None,
        });
        let ticket = opens.unwrap_or_else(|| panic!("nothing is taken from {peer}"));
        let context = [Dot::new(Actor(9), 1)].into_iter().collect();
        let knowledge = Box::new(Knowledge { context, ..Knowledge::default() });
        let chunks = vec![0; CHUNKS];
        self.hear(peer, ticket, Step::Opened { snapshot: Ticket(3), knowledge, chunks, counts });
    }

    /// Whether it says what it holds to a peer that needs such a quorum.
    pub(crate) fn answers(&mut self, from: &str, quorum: Quorum) -> bool {
        let cell = Some(Cell::string(Key::new(0, "key")));
        let asker = Hashes { held: 0, applied: 0 };
        let message = Message::Fetch { ticket: Ticket(7), cell, asker, ranks: None, quorum };
        let said = self.told(from, message);
        let is_answer = |action: &Action| {
            matches!(action, Action::Send { envelope: Envelope { message: Message::Fetched { .. }, .. }, .. })
        };
        said.iter().any(is_answer)
    }

    pub(crate) fn is_learning(&self) -> bool {
        self.node.sync().learning == 1
    }
}
