//! Whether a quorum is enough: at the end of a storm only a part of the nodes is healed, and has to serve.
//!
//! ```text
//! storm ─▶ a majority of the owners of every partition runs and hears each other; the rest is down, cut off, or stands still
//!       ─▶ what clients ask of it at a quorum is done, if they ask again for a while
//!       ─▶ calm: all are healed
//! ```
//!
//! Not which of them: chance picks, as many as can be spared. Where disks have lost something nothing is asked: an owner
//! that learns does not count, and may need the others for that.

use crate::client::Wish;
use crate::history::{Ask, Told};
use crate::sometimes::Rare;
use crate::unrest::Fate;
use crate::world::{Happening, World};
use bytes::Bytes;
use node::Event;
use std::collections::{BTreeMap, BTreeSet};
use wire::Level;

/// Within this time a quorum does what it is asked, in microseconds: it has to find out first who is gone.
const SERVES_US_MAX: u64 = 15_000_000;
/// How often somebody looks whether an answer has come, in microseconds.
const LOOK_US: u64 = 20_000;
/// How long a link whose other end acknowledges nothing is kept, in microseconds.
const GIVEN_UP_US: u64 = 5_000_000;
/// How long those that stand still do so, in microseconds.
const ASLEEP_US: u64 = 60_000_000;

impl World {
    /// Heals a quorum, and demands that it serves.
    pub(crate) fn heal_quorum(&mut self) {
        if !self.unrest.heals_quorum || self.faults.disks_lost > 0 {
            return;
        }
        self.outside = self.spared();
        if self.outside.is_empty() {
            return;
        }
        self.trace.line(self.now, format_args!("a quorum is healed, and not {:?}", self.outside));
        self.watch.seen.see(Rare::QuorumAlone);
        self.storming = false;
        for (machine, fate) in self.outside.clone() {
            self.leave(machine, fate);
        }
        let healed: Vec<usize> =
            (0..self.machines.len()).filter(|at| !self.outside.contains_key(at)).collect();
        self.network.settle(&healed);
        self.heal(&healed);
        let awake_at = healed.iter().filter_map(|at| self.asleep.get(at)).max().copied();
        self.run_until(awake_at.unwrap_or(self.now));
        for at in &healed {
            self.demand(*at);
        }
        self.outside.clear();
    }

    /// Nodes that can be spared, and what becomes of them: a majority of the owners of each partition is left.
    fn spared(&mut self) -> BTreeMap<usize, Fate> {
        let mut spared: BTreeMap<usize, Fate> = BTreeMap::new();
        let fates = [Fate::Down, Fate::Asleep, Fate::CutOff, Fate::Mute, Fate::Deaf];
        let first = usize::try_from(self.unrest.rng.below(self.machines.len() as u64)).unwrap_or(0);
        for at in (first..self.machines.len()).chain(0..first) {
            let is_enough = self.layout.keyspace().partitions().all(|partition| {
                let owners = self.layout.owners(partition);
                let id = |at: &usize| self.machines[*at].id;
                let lost: BTreeSet<_> = spared.keys().map(id).chain([id(&at)]).collect();
                owners.iter().filter(|owner| !lost.contains(owner)).count() > owners.len() / 2
            });
            if is_enough && self.unrest.rng.chance(800) {
                let fate = self.unrest.rng.pick(&fates);
                let is_astray = self.unrest.provocation.rng.chance(200);
                spared.insert(at, if is_astray { Fate::Astray } else { fate });
            }
        }
        spared
    }

    fn leave(&mut self, machine: usize, fate: Fate) {
        match fate {
            Fate::Down => return self.crash(machine),
            Fate::Asleep => {
                self.start(machine);
                return self.pause(machine, ASLEEP_US);
            }
            Fate::CutOff | Fate::Mute | Fate::Deaf | Fate::Astray => {}
        }
        let healed: Vec<usize> =
            (0..self.machines.len()).filter(|at| !self.outside.contains_key(at)).collect();
        let spared = (fate == Fate::Astray).then(|| self.unrest.provocation.rng.pick(&healed));
        for other in healed {
            self.network.mend(machine, other);
            if Some(other) == spared {
                self.plan(0, Happening::Link { at: machine, peer: other, up: true });
                self.plan(0, Happening::Link { at: other, peer: machine, up: true });
                continue;
            }
            if fate != Fate::Deaf {
                self.network.cut(machine, other);
            }
            if fate != Fate::Mute {
                self.network.cut(other, machine);
            }
            for (at, peer) in [(machine, other), (other, machine)] {
                self.notice(at, peer);
                self.plan(GIVEN_UP_US, Happening::Link { at, peer, up: false });
            }
        }
    }

    /// These run, are linked with each other, and have room and the right time.
    pub(crate) fn heal(&mut self, healed: &[usize]) {
        self.look_out();
        for machine in healed {
            self.machines[*machine].skew_ms = 0;
            self.has_room(*machine);
            self.machines[*machine].disk().mend();
            self.start(*machine);
        }
        for at in healed {
            let runs = |peer: &&usize| *peer != at && self.machines[**peer].running.is_some();
            for peer in healed.iter().copied().filter(|peer| runs(&peer)).collect::<Vec<_>>().iter() {
                self.lookout.heard(self.now, *at, *peer);
                let event = Event::Link { peer: self.machines[*peer].id, up: true };
                self.deliver(*at, event);
            }
        }
    }

    /// One of the healed writes, reads and adds, each within its time.
    fn demand(&mut self, machine: usize) {
        let until = self.now + SERVES_US_MAX;
        for kind in ["register-0", "register-1", "counter-0"] {
            let mut last = None;
            while !matches!(last, Some(Told::Done | Told::Read(_))) {
                if self.now >= until {
                    let operation = self.history.last();
                    self.wrongs.push(format!("a quorum does not serve at {machine}: {operation:?}"));
                    return;
                }
                let at = self.history.len();
                let ask = match kind {
                    "register-0" => Ask::Put(Bytes::from(format!("demanded-{at}"))),
                    "register-1" => Ask::Get,
                    _ => Ask::Add(1),
                };
                self.ask(machine, None, &Wish::new(kind.to_owned(), ask, Level::Quorum));
                // A refusal comes at once, and is no reason to ask again at once.
                self.run_until(self.now + LOOK_US);
                while self.history[at].told.is_none() && self.now < until {
                    self.run_until(self.now + LOOK_US);
                }
                last = self.history[at].told.clone().map(|(_, told)| told);
            }
        }
    }
}
