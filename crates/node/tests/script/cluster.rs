//! The nodes of a script and all that happens to them; what was decided is gathered, a line each.
//!
//! Invariants:
//! 1. Nothing happens by itself: no message arrives, no disk that is slow syncs and no time passes unless told to.
//! 2. After every event the invariants of the node that had it are checked.

use crate::script::machine::{Machine, Running};
use crate::script::network::{Direction, Network};
use crate::script::{Output, text};
use bytes::Bytes;
use causal::{Cell, Entries, Key};
use node::{Action, Event, Now, RequestId, Room};
use placement::{Copies, Duty, Layout, Member, NodeId, PartitionId, Position, Zone};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::Reply;
use wire::request::{Job, Request};

/// The one partition.
const PARTITION: PartitionId = PartitionId(0);
/// How many events a script may set off with one command before it is taken to go round in circles.
const EVENTS_MAX: usize = 1_000;

/// The nodes, what is between them, and what was decided since somebody last asked.
#[derive(Default)]
pub(crate) struct Cluster {
    layout: Option<Arc<Layout>>,
    machines: Vec<Machine>,
    network: Network,
    monotonic_ms: u64,
    asked: u64,
    open: BTreeMap<RequestId, (char, Request)>,
    tokens: Vec<Bytes>,
    cursor: Option<Position>,
    lines: Vec<String>,
}

impl Cluster {
    /// Everything anew: the first nodes, all linked.
    pub(crate) fn found(&mut self, count: u8, compare_every_ms: u64) -> Output<()> {
        let names = (b'a'..b'a' + count).map(char::from);
        self.found_with(3.into(), &names.map(member).collect::<Vec<_>>(), compare_every_ms)
    }

    /// The same in two datacenters: `a`, `b` and `c` are in `near`, the others in `far`, and all of them are owners.
    pub(crate) fn found_in_two(&mut self, count: u8) -> Output<()> {
        let zone = |name: char| if name <= 'c' { "near/r" } else { "far/r" };
        let in_zone = |name: char| Ok(Member { zone: zone(name).parse()?, ..member(name) });
        let members: Output<Vec<Member>> = (b'a'..b'a' + count).map(char::from).map(in_zone).collect();
        self.found_with(format!("near=3,far={}", count - 3).parse()?, &members?, u64::MAX)
    }

    fn found_with(&mut self, copies: Copies, members: &[Member], compare_every_ms: u64) -> Output<()> {
        *self = Self { lines: std::mem::take(&mut self.lines), ..Self::default() };
        let (first, others) = members.split_first().ok_or("there are no nodes")?;
        let mut layout = Layout::found(1, 1, 1, copies, first.clone(), 1)?;
        for member in others {
            layout = layout.with_member(member.clone())?;
        }
        let layout = Arc::new(layout);
        self.layout = Some(Arc::clone(&layout));
        let name = |member: &Member| member.name.chars().next().unwrap_or('?');
        self.machines =
            members.iter().map(|member| Machine::new(name(member), member.id, Arc::clone(&layout))).collect();
        self.machines.iter_mut().for_each(|machine| machine.compare_every_ms = compare_every_ms);
        for at in 0..self.machines.len() {
            self.machines[at].start()?;
        }
        for at in 0..self.machines.len() {
            self.link_all(at, true)?;
        }
        self.tell_owners();
        Ok(())
    }

    /// One more member: it alone goes by the newer layout.
    pub(crate) fn join(&mut self, name: char, duty: Duty) -> Output<()> {
        let layout = self.layout.as_ref().ok_or("there are no nodes")?;
        let layout = Arc::new(layout.with_member(Member { duty, ..member(name) })?);
        self.layout = Some(Arc::clone(&layout));
        self.machines.push(Machine::new(name, member(name).id, layout));
        self.restart(name)?;
        self.tell_owners();
        Ok(())
    }

    fn tell_owners(&mut self) {
        let Some(layout) = &self.layout else { return };
        let owners = layout.owners(PARTITION);
        let names: Vec<&str> =
            owners.iter().filter_map(|owner| Some(layout.member(*owner)?.name.as_str())).collect();
        self.lines.push(format!("epoch {}, owners {}", layout.epoch(), names.join(" ")));
    }

    /// What was decided, a line each. Alike lines are one: those that follow each other, or all of them.
    pub(crate) fn told(&mut self, anywhere: bool) -> String {
        let mut lines: Vec<(String, usize)> = Vec::new();
        for line in self.lines.drain(..) {
            let reach = if anywhere { lines.len() } else { 1 };
            match lines.iter_mut().rev().take(reach).find(|(known, _)| *known == line) {
                Some((_, times)) => *times += 1,
                None => lines.push((line, 1)),
            }
        }
        let times = |times| if times > 1 { format!(" ({times} times)") } else { String::new() };
        lines.into_iter().map(|(line, count)| format!("{line}{}\n", times(count))).collect()
    }

    /// A disk syncs only when it is told to, from now on.
    pub(crate) fn slow(&mut self, name: char) -> Output<()> {
        let at = self.at(name)?;
        self.machines[at].is_slow = true;
        Ok(())
    }

    /// A clock is so far ahead, in milliseconds.
    pub(crate) fn skew(&mut self, name: char, ahead_ms: i64) -> Output<()> {
        let at = self.at(name)?;
        self.machines[at].skew_ms = ahead_ms;
        Ok(())
    }

    fn at(&self, name: char) -> Output<usize> {
        let at = self.machines.iter().position(|machine| machine.name == name);
        at.ok_or_else(|| format!("there is no {name}").into())
    }

    fn direction(&self, from: char, to: char) -> Output<Direction> {
        Ok((self.at(from)?, self.at(to)?))
    }

    /// A client asks a node.
    pub(crate) fn ask(&mut self, name: char, request: Request) -> Output<()> {
        let at = self.at(name)?;
        self.asked += 1;
        let id = RequestId(self.asked);
        self.open.insert(id, (name, request.clone()));
        self.handle(at, Event::Request { id, partition: PARTITION, request })
    }

    fn handle(&mut self, at: usize, event: Event) -> Output<()> {
        let now = self.now(at);
        let actions = self.machines[at].handle(now, event)?;
        self.act(at, actions)
    }

    fn now(&self, at: usize) -> Now {
        let wall_ms =
            EPOCH_MS.saturating_add(self.monotonic_ms).saturating_add_signed(self.machines[at].skew_ms);
        Now { monotonic_ms: self.monotonic_ms, wall_ms }
    }

    fn act(&mut self, at: usize, actions: Vec<Action>) -> Output<()> {
        let name = self.machines[at].name;
        for action in actions {
            match action {
                Action::Answer { id, reply } => self.answered(id, &reply)?,
                Action::Send { to, envelope } => {
                    let to =
                        self.machines.iter().position(|machine| machine.id == to).ok_or("no such member")?;
                    let lost = if self.network.send((at, to), &envelope) { "" } else { " (lost)" };
                    let line = format!(
                        "{name} -> {} {}{lost}",
                        self.machines[to].name,
                        text::message(&envelope.message)
                    );
                    self.lines.push(line);
                }
                Action::Adopt(layout) => {
                    self.lines.push(format!("{name} goes by epoch {} now", layout.epoch()));
                    self.machines[at].layout = Arc::clone(&layout);
                    self.handle(at, Event::Layout(layout))?;
                }
                Action::Changed { .. } => return Err("nobody here changes the layout".into()),
                Action::Health(_) => return Err("nobody here speaks of how members are".into()),
                Action::Renew => return Err("no row of these disks is ever damaged".into()),
            }
        }
        Ok(())
    }

    fn answered(&mut self, id: RequestId, reply: &Reply) -> Output<()> {
        let (name, request) = self.open.remove(&id).ok_or("a request is answered twice")?;
        let answer = match (&request.job, reply) {
            (Job::Siblings { .. }, Reply::Array(items)) => self.siblings(items)?,
            (Job::List { .. }, Reply::Array(items)) => self.listed(items)?,
            _ => text::reply(reply),
        };
        self.lines.push(format!("{name} answers {}: {answer}", text::request(&request)));
        Ok(())
    }

    fn siblings(&mut self, items: &[Reply]) -> Output<String> {
        let [Reply::Bulk(token), values] = items else { return Err("no token and values".into()) };
        self.tokens.push(token.clone());
        Ok(format!("{}, token{}", text::reply(values), self.tokens.len()))
    }

    fn listed(&mut self, items: &[Reply]) -> Output<String> {
        let (next, keys) = items.split_first().ok_or("no cursor")?;
        self.cursor = match next {
            Reply::Bulk(cursor) => Some(Position(std::str::from_utf8(cursor)?.parse()?)),
            _ => None,
        };
        let more = if self.cursor.is_some() { "and more" } else { "the end" };
        Ok(format!("{}, {more}", text::reply(&Reply::Array(keys.to_vec()))))
    }

    /// A token that was given to a client, by the name it was shown with; anything else is sent as it is.
    pub(crate) fn token(&self, word: &str) -> Output<Bytes> {
        let Some(number) = word.strip_prefix("token") else { return Ok(Bytes::from(word.to_owned())) };
        let number: usize = number.parse()?;
        Ok(self.tokens.get(number.wrapping_sub(1)).ok_or("no such token")?.clone())
    }

    /// Where the last list ended.
    pub(crate) fn cursor(&self) -> Output<Position> {
        self.cursor.ok_or_else(|| "the last list had an end".into())
    }

    /// Everything arrives that is not held, and what comes of it, until nothing is under way.
    pub(crate) fn deliver_all(&mut self) -> Output<()> {
        for _ in 0..EVENTS_MAX {
            let Some(direction) = self.network.next() else { return Ok(()) };
            self.arrive(direction)?;
        }
        Err("it goes on and on".into())
    }

    /// What waits in one direction arrives, held or not.
    pub(crate) fn deliver(&mut self, from: char, to: char) -> Output<()> {
        let direction = self.direction(from, to)?;
        (0..self.network.len(direction)).try_for_each(|_| self.arrive(direction))
    }

    fn arrive(&mut self, direction: Direction) -> Output<()> {
        let envelope = self.network.take(direction).ok_or("nothing is under way")?;
        self.handle(direction.1, Event::Message { from: self.machines[direction.0].id, envelope })
    }

    /// What waits in one direction is lost.
    pub(crate) fn drop(&mut self, from: char, to: char) -> Output<()> {
        let direction = self.direction(from, to)?;
        for envelope in self.network.drop(direction) {
            self.lines.push(format!("lost: {from} -> {to} {}", text::message(&envelope.message)));
        }
        Ok(())
    }

    /// What arrived last in a direction, or so many before it, arrives once more.
    pub(crate) fn repeat(&mut self, from: char, to: char, before: usize) -> Output<()> {
        let direction = self.direction(from, to)?;
        let envelope = self.network.arrived(direction, before).ok_or("nothing has arrived yet")?;
        self.lines.push(format!("again: {from} -> {to} {}", text::message(&envelope.message)));
        self.handle(direction.1, Event::Message { from: self.machines[direction.0].id, envelope })
    }

    /// Holds one direction, or lets it go.
    pub(crate) fn hold(&mut self, from: char, to: char, holds: bool) -> Output<()> {
        let direction = self.direction(from, to)?;
        self.network.hold(direction, holds);
        Ok(())
    }

    /// Holds all that goes to and from a node, or lets it go.
    pub(crate) fn hold_node(&mut self, name: char, holds: bool) -> Output<()> {
        let at = self.at(name)?;
        for peer in (0..self.machines.len()).filter(|peer| *peer != at) {
            self.network.hold((at, peer), holds);
            self.network.hold((peer, at), holds);
        }
        Ok(())
    }

    /// A link breaks or comes back.
    pub(crate) fn link(&mut self, a: char, b: char, up: bool) -> Output<()> {
        let (a, b) = self.direction(a, b)?;
        self.link_both(a, b, up)
    }

    /// A node takes another for one that does not answer, or no more.
    pub(crate) fn trust(&mut self, a: char, b: char, is_trusted: bool) -> Output<()> {
        let (a, b) = self.direction(a, b)?;
        self.handle(a, Event::Health { peer: self.machines[b].id, is_trusted })
    }

    fn link_both(&mut self, a: usize, b: usize, up: bool) -> Output<()> {
        self.network.link((a, b), up);
        self.handle(a, Event::Link { peer: self.machines[b].id, up })?;
        self.handle(b, Event::Link { peer: self.machines[a].id, up })
    }

    fn link_all(&mut self, at: usize, up: bool) -> Output<()> {
        let runs = |peer: &usize| *peer != at && self.machines[*peer].running.is_some();
        let peers: Vec<usize> = (0..self.machines.len()).filter(runs).collect();
        peers.into_iter().try_for_each(|peer| self.link_both(at, peer, up))
    }

    /// A disk syncs.
    pub(crate) fn settle(&mut self, name: char) -> Output<()> {
        let at = self.at(name)?;
        let actions = self.machines[at].settle()?;
        self.act(at, actions)
    }

    /// Every disk syncs.
    pub(crate) fn settle_all(&mut self) -> Output<()> {
        let names: Vec<char> = self.machines.iter().map(|machine| machine.name).collect();
        names.into_iter().try_for_each(|name| self.settle(name))
    }

    /// A node is gone; its clients will never hear.
    pub(crate) fn crash(&mut self, name: char) -> Output<()> {
        let at = self.at(name)?;
        self.machines[at].crash();
        let lost: Vec<RequestId> =
            self.open.iter().filter(|(_, (at, _))| *at == name).map(|(id, _)| *id).collect();
        for (_, request) in lost.iter().filter_map(|id| self.open.remove(id)).collect::<Vec<_>>() {
            self.lines.push(format!("{name} never answers {}", text::request(&request)));
        }
        self.link_all(at, false)
    }

    /// Keeps a copy of a disk as it is.
    pub(crate) fn copy_disk(&mut self, name: char) -> Output<()> {
        let at = self.at(name)?;
        self.machines[at].copy_disk();
        Ok(())
    }

    /// Puts the copy in the place of a disk, of a node that does not run.
    pub(crate) fn put_back(&mut self, name: char) -> Output<()> {
        let at = self.at(name)?;
        self.machines[at].put_back()
    }

    /// A disk has so much room from now on.
    pub(crate) fn room(&mut self, name: char, room: Room) -> Output<()> {
        let at = self.at(name)?;
        let running = self.machines[at].running.as_mut().ok_or("it does not run")?;
        running.node.set_room(room);
        Ok(())
    }

    /// A disk fails, and is opened again at once; the process and its links go on.
    pub(crate) fn fail(&mut self, name: char) -> Output<()> {
        let at = self.at(name)?;
        let now = self.now(at);
        let actions = self.machines[at].fail(now)?;
        self.act(at, actions)?;
        self.link_all(at, true)
    }

    /// A node starts, on what its disk holds.
    pub(crate) fn restart(&mut self, name: char) -> Output<()> {
        let at = self.at(name)?;
        self.machines[at].start()?;
        self.link_all(at, true)
    }

    /// Time passes; each node looks at what it waits for when that is due.
    pub(crate) fn wait(&mut self, span_ms: u64) -> Output<()> {
        let until = self.monotonic_ms + span_ms;
        for _ in 0..EVENTS_MAX {
            let deadline = |machine: &Machine| machine.running.as_ref()?.node.next_deadline();
            let due =
                self.machines.iter().enumerate().filter_map(|(at, machine)| Some((deadline(machine)?, at)));
            let Some((due, at)) = due.min().filter(|(due, _)| *due <= until) else {
                self.monotonic_ms = until;
                return Ok(());
            };
            self.monotonic_ms = self.monotonic_ms.max(due);
            self.handle(at, Event::Tick)?;
        }
        Err("time does not pass".into())
    }

    /// What every node holds of a key and has applied.
    pub(crate) fn show(&mut self, key: &str) -> Output<()> {
        let cell = Cell::string(Key::new(0, key.to_owned()));
        for machine in &mut self.machines {
            let name = machine.name;
            let Some(Running { node, store, .. }) = &mut machine.running else {
                self.lines.push(format!("{name} is down"));
                continue;
            };
            let rows = node.rows(PARTITION, store)?;
            let held =
                rows.into_iter().find(|(at, _)| *at == cell).map_or_else(Entries::default, |(_, held)| held);
            let map = node.replicas().find(|(partition, _)| *partition == PARTITION).map(|(_, map)| map);
            let knowledge = map.map(|map| map.knowledge().clone()).unwrap_or_default();
            self.lines.push(format!(
                "{name} holds {}; {}",
                text::entries(&held),
                text::knowledge(&knowledge)
            ));
        }
        Ok(())
    }
}

/// When every script begins, in milliseconds since 1970.
pub(crate) const EPOCH_MS: u64 = 1_700_000_000_000;

fn member(name: char) -> Member {
    let id = NodeId(u64::from(name));
    let (client_addr, peer_addr) = (format!("{name}:7000"), format!("{name}:10000"));
    Member {
        id,
        name: name.to_string(),
        client_addr,
        peer_addr,
        weight: 1,
        zone: Zone::default(),
        duty: Duty::Store,
    }
}
