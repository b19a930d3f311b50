//! How unrest comes over machines.
//!
//! 1. A machine that stands still does nothing and hears nothing. What comes meanwhile waits, and when it goes on it finds
//!    all of that at once, and later clocks.

use crate::sometimes::Rare;
use crate::unrest::{Provocation, Turmoil, Unrest};
use crate::world::{Happening, World};
use node::Event;
use wire::peer::{Envelope, Message};

/// How long a pause lasts at most, in microseconds: mostly as long as a collector or a slow disk takes, sometimes as long
/// as it takes somebody to type `fg`.
const PAUSES_US_MAX: [u64; 6] = [20_000, 20_000, 200_000, 200_000, 2_000_000, 60_000_000];
/// How long the one who was told goes on at most, in microseconds.
const GOES_ON_US: [u64; 3] = [2_000, 20_000, 150_000];
/// When somebody looks at most, in microseconds after that.
const LOOKS_US: u64 = 100_000;

impl World {
    /// Puts the first of each kind onto the agenda.
    pub(crate) fn plan_unrest(&mut self) {
        let Unrest { pauses_every_us, bridges_every_us, flaps_every_us, .. } = self.unrest;
        self.plan_turmoil(pauses_every_us, Turmoil::Pause);
        self.plan_turmoil(bridges_every_us, Turmoil::Bridge);
        self.plan_turmoil(flaps_every_us, Turmoil::Flaps);
    }

    fn plan_turmoil(&mut self, mean_us: u64, turmoil: Turmoil) {
        if mean_us > 0 {
            let after = self.unrest.rng.between(1, 2 * mean_us);
            self.plan(after, Happening::Unrest(turmoil));
        }
    }

    /// It comes.
    pub(crate) fn turmoil(&mut self, turmoil: Turmoil) {
        match turmoil {
            Turmoil::Wakes { machine } => self.wakes(machine),
            _ if !self.storming => {}
            Turmoil::Falls { machine } => self.crash(machine),
            Turmoil::Pause => {
                let (machine, longest) = (self.anybody(), self.unrest.rng.pick(&PAUSES_US_MAX));
                let lasts = self.unrest.rng.between(1_000, longest);
                self.pause(machine, lasts);
                self.plan_turmoil(self.unrest.pauses_every_us, turmoil);
            }
            Turmoil::Bridge => {
                self.bridge();
                self.plan_turmoil(self.unrest.bridges_every_us, turmoil);
            }
            Turmoil::Flaps => {
                let (machine, left) = (self.anybody(), self.unrest.rng.between(3, 8));
                self.watch.seen.see(Rare::Flapped);
                self.flap(machine, left);
                self.plan_turmoil(self.unrest.flaps_every_us, turmoil);
            }
            Turmoil::Flap { machine, left } => self.flap(machine, left),
        }
    }

    fn anybody(&mut self) -> usize {
        usize::try_from(self.unrest.rng.below(self.machines.len() as u64)).unwrap_or(0)
    }

    /// A machine stands still from now on.
    pub(crate) fn pause(&mut self, machine: usize, lasts: u64) {
        if self.machines[machine].running.is_none() || self.asleep.contains_key(&machine) {
            return;
        }
        self.trace.line(self.now, format_args!("node {machine} stands still for {lasts} us"));
        self.watch.seen.see(Rare::Paused);
        self.asleep.insert(machine, self.now + lasts);
        self.look_out();
        self.plan(lasts, Happening::Unrest(Turmoil::Wakes { machine }));
    }

    fn wakes(&mut self, machine: usize) {
        // It may have crashed meanwhile, and stand still anew.
        if self.asleep.get(&machine).is_some_and(|until| *until <= self.now) {
            self.asleep.remove(&machine);
            self.look_out();
            self.trace.line(self.now, format_args!("node {machine} goes on"));
        }
    }

    /// When the machine goes on to which something happens, if it stands still.
    pub(crate) fn waits_until(&self, happening: &Happening) -> Option<u64> {
        let machine = match happening {
            Happening::Arrive { to: machine, .. }
            | Happening::Link { at: machine, .. }
            | Happening::Tick { machine, .. }
            | Happening::Synced { machine, .. }
            | Happening::Deliver { machine, .. } => machine,
            _ => return None,
        };
        self.asleep.get(machine).copied()
    }

    /// Whether a request comes a second time, to a machine that stands still. A link repeats nothing: here it does, for who
    /// hears one twice must notice, but not after more time than a node remembers what it has heard.
    pub(crate) fn is_heard(&self, happening: &Happening) -> bool {
        let Happening::Arrive { to, bytes, .. } = happening else { return false };
        match Envelope::decode(bytes.clone()) {
            Ok(Envelope { message: Message::Ask { ticket, .. }, .. }) => self.asked.contains(&(*to, ticket)),
            _ => false,
        }
    }

    /// Hands a node an event, now or when it goes on.
    pub(crate) fn deliver(&mut self, machine: usize, event: Event) {
        let starts = self.machines[machine].starts;
        match self.asleep.get(&machine).copied() {
            None => self.handle(machine, event),
            Some(until) => {
                let event = Box::new(event);
                self.plan(until - self.now, Happening::Deliver { machine, starts, event });
            }
        }
    }

    /// The connections break of those clients of a node whose request waits for it to go on.
    pub(crate) fn disconnect_unheard(&mut self, machine: usize) {
        let unheard = self.agenda.values().filter_map(|happening| match happening {
            Happening::Deliver { machine: to, event, .. } if *to == machine => match **event {
                Event::Request { id, .. } => Some(id),
                _ => None,
            },
            _ => None,
        });
        for id in unheard.collect::<Vec<_>>() {
            self.give_up(id);
        }
    }

    /// Cuts every link between two groups but those of one node, which is in neither.
    fn bridge(&mut self) {
        let bridge = self.anybody();
        let sides: Vec<bool> = self.machines.iter().map(|_| self.unrest.rng.chance(500)).collect();
        let (lasts, one_way) = (self.unrest.rng.between(50_000, 6_000_000), self.unrest.rng.chance(250));
        let others = || (0..sides.len()).filter(|at| *at != bridge);
        let pairs = others().filter(|a| sides[*a]).flat_map(|a| others().map(move |b| (a, b)));
        let pairs: Vec<(usize, usize)> = pairs.filter(|(_, b)| !sides[*b]).collect();
        self.watch.seen.see_times(Rare::Bridged, u64::from(!pairs.is_empty()));
        for (a, b) in pairs {
            self.cut_pair(a, b, one_way, lasts);
        }
        self.look_out();
    }

    /// A node crashes or is cut off, and soon again.
    fn flap(&mut self, machine: usize, left: u64) {
        if self.unrest.rng.chance(500) {
            self.crash(machine);
        } else {
            let lasts = self.unrest.rng.between(5_000, 100_000);
            for other in (0..self.machines.len()).filter(|other| *other != machine) {
                self.cut_pair(machine, other, false, lasts);
            }
            self.look_out();
        }
        if left > 1 {
            let after = self.unrest.rng.between(5_000, 150_000);
            self.plan(after, Happening::Unrest(Turmoil::Flap { machine, left: left - 1 }));
        }
    }

    /// A node has sent something: perhaps it is the last that it did, and what it said rests on what it loses. The one that was
    /// told goes on, perhaps as far as an answer, and crashes too.
    pub(crate) fn provoke(&mut self, from: usize, to: usize) {
        let is_provoked = self.storming && self.unrest.provocation.per_ten_thousand > 0;
        if !is_provoked || !self.machines[from].is_writing() {
            return;
        }
        let Provocation { rng, per_ten_thousand } = &mut self.unrest.provocation;
        if rng.below(10_000) >= *per_ten_thousand {
            return;
        }
        let longest = rng.pick(&GOES_ON_US);
        let (falls, follows) = (rng.between(1, 300), rng.between(300, longest));
        let looks = [(); 2].map(|()| follows + rng.between(1, LOOKS_US));
        self.plan(falls, Happening::Unrest(Turmoil::Falls { machine: from }));
        self.plan(follows, Happening::Unrest(Turmoil::Falls { machine: to }));
        let waited_for = self.history.iter().rev().find(|operation| operation.told.is_none());
        let Some(key) = waited_for.map(|operation| operation.key.clone()) else { return };
        for look in looks {
            self.plan(look, Happening::Look { key: key.clone() });
        }
    }
}
