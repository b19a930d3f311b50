//! Those who change the ring while a storm goes on: what they ask for, and what becomes of machines by that.
//!
//! Not how often, and not in which seeds: that is `reshaping`.

use crate::client::{self, Wish};
use crate::datacenters::MACHINES_NEAR;
use crate::machine::Machine;
use crate::reshaping::{MACHINES, OWNERS_MAX};
use crate::sometimes::Rare;
use crate::unrest::Fate;
use crate::world::{Happening, World};
use node::{ChangeError, Event, RequestId};
use placement::layout::{Basis, Step};
use placement::{Change, Layout, NodeId, PartitionId, Seat};
use std::collections::BTreeSet;
use std::sync::Arc;
use wire::Level;

/// How long the steward may take in the calm, in microseconds.
const SETTLED_US_MAX: u64 = 300_000_000;
/// How often it is looked whether it is done, in microseconds.
const LOOK_US: u64 = 200_000;
/// How many members hold anything before one of them goes for good.
const STORING_MIN: usize = 4;

impl World {
    /// What such a seed has nothing of: a quorum that is healed alone, and, but for some, disks that lose something and clients that need no
    /// owner.
    pub(crate) fn calm_others(&mut self) {
        if self.datacenters.is_due {
            // In the second one there may be a single machine.
            self.reshaping.loser = self.reshaping.loser.map(|loser| loser % MACHINES_NEAR);
        }
        let loses = self.reshaping.loser.is_some();
        self.disks.loses_every_us = if loses { self.disks.rng.between(1_000_000, 5_000_000) } else { 0 };
        self.unrest.heals_quorum = false;
        if !self.reshaping.lends {
            self.lending.asks_nobody();
        }
        self.owners = 3;
    }

    /// Adds the spare machines, and puts the first change onto the agenda.
    pub(crate) fn plan_reshaping(&mut self) {
        if !self.reshaping.is_due {
            return;
        }
        for number in self.reshaping.first..MACHINES {
            let layout = Arc::clone(&self.layout);
            self.outside.insert(self.machines.len(), Fate::Down);
            self.machines.push(Machine::new(self.datacenters.member(number).id, layout));
        }
        self.plan_reshape();
    }

    fn plan_reshape(&mut self) {
        let after = self.reshaping.rng.between(1, 2 * self.reshaping.every_us);
        self.plan(after, Happening::Reshape);
    }

    /// Somebody asks for a change, at a member that runs.
    pub(crate) fn reshape(&mut self) {
        if !self.storming {
            return;
        }
        self.plan_reshape();
        let Some(change) = self.some_change() else { return };
        let of = self.reshaping.rng.chance(300).then(|| self.layout.epoch());
        self.ask_for(change, of);
    }

    fn ask_for(&mut self, change: Change, of: Option<u64>) {
        let running = (0..self.machines.len()).filter(|at| self.machines[*at].running.is_some());
        let members: Vec<usize> =
            running.filter(|at| self.layout.member(self.machines[*at].id).is_some()).collect();
        if members.is_empty() {
            return;
        }
        let machine = self.reshaping.rng.pick(&members);
        self.planned += 1;
        let id = RequestId(self.planned);
        match &change {
            Change::Join(member) => {
                let at = self.at(member.id);
                self.reshaping.joining.insert(id, at);
            }
            Change::Lose { member, .. } => {
                let at = self.at(*member);
                self.reshaping.removed.insert(id, at);
                self.reshaping.victims.insert(at);
            }
            _ => {}
        }
        self.trace.line(self.now, format_args!("somebody asks {machine} for {change:?} of {of:?}"));
        let of = of.map_or(Basis::Any, Basis::Epoch);
        self.deliver(machine, Event::Change { id, change, of });
    }

    /// Who comes back by a layout of before is asked at once, before it has heard of a newer one, and soon somebody looks.
    pub(crate) fn provoke_stale(&mut self, machine: usize) {
        let is_stale = self.machines[machine].layout.epoch() < self.layout.epoch();
        if !self.storming || !self.reshaping.provokes || !is_stale {
            return;
        }
        let keys = self.weather.keys;
        let rng = &mut self.reshaping.rng;
        let key = format!("register-{}", rng.below(keys));
        let (asked, looks) =
            (rng.between(1, 2_000), [rng.between(2_000, 20_000), rng.between(2_000, 100_000)]);
        self.plan(asked, Happening::Provoke { machine, key: key.clone() });
        for after in looks {
            self.plan(after, Happening::Look { key: key.clone() });
        }
    }

    /// Somebody writes there.
    pub(crate) fn write_at_stale(&mut self, machine: usize, key: String) {
        let ask = client::value_for(self.planned);
        let level = self.datacenters.level(&ask, Level::Quorum);
        if self.storming && self.askable(level).contains(&machine) {
            self.watch.seen.see(Rare::StaleAsked);
            self.ask(machine, None, &Wish::new(key, ask, level));
        }
    }

    pub(crate) fn at(&self, id: NodeId) -> usize {
        self.machines.iter().position(|machine| machine.id == id).unwrap_or(0)
    }

    fn some_change(&mut self) -> Option<Change> {
        let layout = Arc::clone(&self.layout);
        let all: Vec<NodeId> = layout.members().iter().map(|member| member.id).collect();
        let rng = &mut self.reshaping.rng;
        let (one, other) = (rng.pick(&all), rng.pick(&all));
        match rng.below(100) {
            0..35 => {
                let number = rng.below(MACHINES);
                Some(Change::Join(self.datacenters.member(number)))
            }
            35..55 => Some(Change::Leave(one)),
            55..65 => self.victim(&layout).map(|member| Change::Lose { member, accepts_loss: false }),
            65..75 => Some(Change::Stay(one)),
            75..83 => Some(Change::Weigh(one, u32::try_from(rng.between(1, 3)).unwrap_or(1))),
            83..90 if self.datacenters.is_due => Some(Change::Replicate(self.datacenters.some_copies(2))),
            83..90 => {
                Some(Change::Replicate(u8::try_from(rng.between(3, OWNERS_MAX.into())).unwrap_or(3).into()))
            }
            90..94 => {
                let rack = format!("{}/rack{}", layout.datacenter(one), rng.between(1, 3));
                Some(Change::Locate(one, rack.parse().ok()?))
            }
            _ => Some(Change::Succeed { old: one, new: other }),
        }
    }

    /// Somebody who is to go for good, where enough are left to vote and to hold everything. Sometimes it is down from now on, and
    /// sometimes it does not know yet.
    fn victim(&mut self, layout: &Layout) -> Option<NodeId> {
        // One more where another has not been made up for may take what a majority of one datacenter has acknowledged.
        let is_thin = self.datacenters.is_due && !layout.is_settled();
        let is_pending = !self.reshaping.removed.is_empty() || is_thin;
        if self.reshaping.spares || is_pending || layout.storing().count() < STORING_MIN {
            return None;
        }
        let storing: Vec<NodeId> = layout.storing().map(|member| member.id).collect();
        let victim = self.reshaping.rng.pick(&storing);
        let voters = layout.voters();
        let is_left = |set: &BTreeSet<Seat>| {
            let gone = |id: NodeId| id == victim || self.outside.contains_key(&self.at(id));
            set.is_empty() || set.iter().filter(|seat| !gone(seat.node)).count() > set.len() / 2
        };
        if !is_left(&voters.now) || !is_left(&voters.next) {
            return None;
        }
        if self.reshaping.rng.chance(500) {
            let at = self.at(victim);
            self.outside.insert(at, Fate::Down);
            self.crash(at);
        }
        Some(victim)
    }

    /// A node hands out a newer layout: it is kept, and the node goes by it a moment later.
    pub(crate) fn adopt(&mut self, machine: usize, layout: Arc<Layout>) {
        if !self.reshaping.is_due {
            return self.wrongs.push("a layout changed although nobody changed it".into());
        }
        self.know(&layout);
        if layout.epoch() <= self.machines[machine].layout.epoch() {
            return;
        }
        let (epoch, voters) = (layout.epoch(), layout.voters());
        self.trace.line(self.now, format_args!("{machine} keeps the layout of epoch {epoch}, {voters:?}"));
        self.machines[machine].layout = Arc::clone(&layout);
        if self.is_gone(machine) {
            return self.retire(machine);
        }
        let (after, starts) = (self.rng.between(1, 1_000), self.machines[machine].starts);
        let event = Box::new(Event::Layout(layout));
        self.plan(after, Happening::Deliver { machine, starts, event });
    }

    fn know(&mut self, layout: &Arc<Layout>) {
        if layout.epoch() > self.layout.epoch() {
            let is_new = |id: NodeId| {
                layout.is_lost(id) && self.layout.member(id).is_some() && !self.layout.is_lost(id)
            };
            let mut lost = layout.members().iter().map(|member| member.id).filter(|id| is_new(*id));
            let is_replaced = lost.any(|id| !self.reshaping.victims.contains(&self.at(id)));
            self.watch.see_if(is_replaced, Rare::Replaced);
            self.layout = Arc::clone(layout);
            self.watch.seen.see(Rare::Changed);
        }
    }

    /// Whether a machine knows that it is a member no more.
    fn is_gone(&self, machine: usize) -> bool {
        let Machine { id, layout, .. } = &self.machines[machine];
        layout.is_lost(*id) && !layout.voters().seat(*id)
    }

    /// A machine that is no member any more ends, and does not start again.
    fn retire(&mut self, machine: usize) {
        self.trace.line(self.now, format_args!("{machine} is no member any more"));
        self.outside.insert(machine, Fate::Down);
        self.reshaping.retired.insert(machine);
        self.crash(machine);
    }

    /// Whether a partition cannot spare any of its owners: it moves, or one of them is gone for good.
    pub(crate) fn is_on_its_way(&self, partition: PartitionId) -> bool {
        let is_moving = *self.layout.place(partition).step() != Step::Resting;
        let is_one_lost = self.layout.members().iter().any(|member| self.layout.is_lost(member.id));
        let is_short = is_moving || is_one_lost || self.reshaping.is_short;
        self.reshaping.is_due && (is_short || self.lacks_an_owner(partition))
    }

    /// Whether an owner of a partition is gone for good, and nobody has come in its place yet.
    pub(crate) fn lacks_an_owner(&self, partition: PartitionId) -> bool {
        let is_gone = |id: &NodeId| self.layout.is_lost(*id) || self.outside.contains_key(&self.at(*id));
        self.reshaping.is_due && self.layout.owners(partition).iter().any(is_gone)
    }

    /// Somebody is told what has come of a change.
    pub(crate) fn changed(&mut self, id: RequestId, outcome: &Result<Arc<Layout>, ChangeError>) {
        let told = outcome.as_ref().map(|layout| layout.epoch());
        self.trace.line(self.now, format_args!("of change {} has come {told:?}", id.0));
        match outcome {
            Ok(layout) => self.know(layout),
            Err(ChangeError::Unknown) => self.watch.seen.see(Rare::ChangeUnknown),
            Err(ChangeError::Meanwhile(_)) => self.watch.seen.see(Rare::ChangedMeanwhile),
            Err(_) => {}
        }
        if let (Some(at), Ok(layout)) = (self.reshaping.joining.remove(&id), outcome) {
            self.join(at, layout);
        }
        if let Some(at) = self.reshaping.removed.remove(&id)
            && outcome.is_err()
            && !self.reshaping.retired.contains(&at)
        {
            self.revive(at);
        }
    }

    /// A machine is a member by now, and starts if it has not.
    fn join(&mut self, at: usize, layout: &Arc<Layout>) {
        if self.is_newcomer(at) && !layout.is_lost(self.machines[at].id) {
            self.welcome(at, layout);
            self.revive(at);
        }
    }

    /// Whether a machine has not been started yet as the member that it is to be.
    fn is_newcomer(&self, at: usize) -> bool {
        self.machines[at].starts == 0 || self.reshaping.retired.contains(&at)
    }

    /// A newcomer begins with an empty disk and the layout that has it.
    fn welcome(&mut self, at: usize, layout: &Arc<Layout>) {
        self.reshaping.is_short |= self.reshaping.retired.remove(&at);
        self.machines[at].begin_anew(Arc::clone(layout));
    }

    fn revive(&mut self, at: usize) {
        self.outside.remove(&at);
        for other in (0..self.machines.len()).filter(|other| *other != at) {
            self.network.mend(at, other);
        }
        self.start(at);
    }

    /// The storm is over: who is a member runs, who was removed does not, and nobody waits for an answer about a change.
    pub(crate) fn end_reshaping(&mut self) {
        if !self.reshaping.is_due {
            return;
        }
        let newest = Arc::clone(&self.layout);
        for at in 0..self.machines.len() {
            let is_member = !newest.is_lost(self.machines[at].id);
            if !is_member {
                continue;
            }
            if self.is_newcomer(at) && self.machines[at].running.is_none() {
                self.welcome(at, &newest);
            }
            self.outside.remove(&at);
        }
    }

    /// Waits until everything is where it is wanted, and everybody knows. False where nobody can change the layout any more: those
    /// who vote were replaced while they went.
    pub(crate) fn become_settled(&mut self) -> bool {
        let until = self.now + SETTLED_US_MAX;
        while self.reshaping.is_due
            && let Some(unsettled) = self.unsettled()
        {
            if self.now >= until {
                let can_vote = self.can_vote();
                let wrong = format!("five minutes of calm, and not settled: {unsettled}");
                self.wrongs.extend(can_vote.then_some(wrong));
                return can_vote;
            }
            self.run_until(self.now + LOOK_US);
            // What somebody asked for in the storm may be done only now.
            self.end_reshaping();
            let stopped = |at: &usize| self.machines[*at].running.is_none() && !self.outside.contains_key(at);
            for at in (0..self.machines.len()).filter(stopped).collect::<Vec<_>>() {
                self.revive(at);
            }
        }
        if self.reshaping.is_due {
            // Who was started last has links by then.
            self.run_until(self.now + LOOK_US);
        }
        true
    }

    /// Whether enough of those who vote are there, with what they have voted for.
    fn can_vote(&self) -> bool {
        let votes = |seat: &&Seat| {
            let running = self.machines[self.at(seat.node)].running.as_ref();
            running.is_some_and(|running| running.node.seat() == Some(**seat))
        };
        let most = |set: &BTreeSet<Seat>| set.iter().filter(votes).count() > set.len() / 2;
        let voters = self.layout.voters();
        most(&voters.now) && (voters.next.is_empty() || most(&voters.next))
    }

    fn unsettled(&self) -> Option<String> {
        if !self.layout.is_settled() {
            let members = self.layout.members().iter();
            let members: Vec<_> = members.map(|member| (&member.name, member.id, member.duty)).collect();
            let begin = self.layout.may_begin();
            let place = begin.iter().copied().chain(self.layout.moving()).next();
            let place = place.map(|at| (at, self.layout.place(at), self.layout.wanted(at)));
            return Some(format!("{members:?} {:?} {begin:?} {place:?}", self.layout.voters()));
        }
        let is_down = |machine: &&Machine| !self.layout.is_lost(machine.id) && machine.running.is_none();
        if let Some(down) = self.machines.iter().find(is_down) {
            return Some(format!("{} is a member, and does not run", down.id));
        }
        let behind = self.machines.iter().filter(|machine| machine.running.is_some());
        let mut behind = behind.filter(|machine| machine.layout.epoch() != self.layout.epoch());
        behind.next().map(|machine| format!("{} has not heard of epoch {}", machine.id, self.layout.epoch()))
    }
}
