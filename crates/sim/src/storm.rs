//! What breaks, and when.

use crate::lookout::State;
use crate::world::{Happening, World};
use node::Sighting;
use wire::peer::gossip::{Gossip, Health};

/// What a node may be late by when it finds out about another, in microseconds.
const LATE_US: u64 = 50_000;
/// How long nothing breaks at least before it is asked what has become of everything, in microseconds.
const CALM_US_MIN: u64 = 5_000_000;

impl World {
    /// Puts the first fault of each kind onto the agenda.
    pub(crate) fn plan_faults(&mut self) {
        self.plan_another(self.weather.cut_every_us, Happening::Cut);
        self.plan_another(self.weather.crash_every_us, Happening::Crash);
        if self.weather.jumps {
            self.plan_another(1_000_000, Happening::Jump);
        }
        self.plan_unrest();
    }

    /// The next of a fault that comes again and again.
    pub(crate) fn plan_another(&mut self, mean_us: u64, happening: Happening) {
        if mean_us > 0 {
            let after = self.rng.between(1, 2 * mean_us);
            self.plan(after, happening);
        }
    }

    /// Sets a clock wrong, as far as the weather has it.
    pub(crate) fn skew(&mut self, machine: usize) {
        let range = self.weather.skew_ms;
        let off = i64::try_from(self.rng.between(0, 2 * range)).unwrap_or(0);
        self.machines[machine].skew_ms = off - i64::try_from(range).unwrap_or(0);
        if self.weather.hours && self.rng.chance(300) {
            let hours = i64::try_from(self.rng.between(1, 6)).unwrap_or(1);
            let sign = if self.rng.chance(500) { 1 } else { -1 };
            self.machines[machine].skew_ms += sign * hours * 3_600_000;
        }
    }

    /// A machine that chance picks.
    fn some_machine(&mut self) -> usize {
        usize::try_from(self.rng.below(self.machines.len() as u64)).unwrap_or(0)
    }

    pub(crate) fn jump_some(&mut self) {
        let machine = self.some_machine();
        self.skew(machine);
        self.faults.jumps += 1;
        let skew = self.machines[machine].skew_ms;
        self.trace.line(self.now, format_args!("clock of {machine} is off by {skew} ms"));
        self.plan_another(1_000_000, Happening::Jump);
    }

    /// Cuts some node off from some others, in one direction or both.
    pub(crate) fn cut_some(&mut self) {
        let (a, lasts) = (self.some_machine(), self.rng.between(10_000, 2_000_000));
        for b in (0..self.machines.len()).filter(|b| *b != a) {
            if self.rng.chance(600) {
                self.cut_pair(a, b, self.weather.one_way, lasts);
            }
        }
        self.look_out();
        self.plan_another(self.weather.cut_every_us, Happening::Cut);
    }

    /// Cuts one node off from another, or both from each other.
    pub(crate) fn cut_pair(&mut self, a: usize, b: usize, one_way: bool, lasts: u64) {
        self.trace.line(self.now, format_args!("{a} and {b} are cut, one way: {one_way}"));
        self.network.cut(a, b);
        self.faults.cuts += 1;
        if one_way {
            self.faults.one_way_cuts += 1;
        } else {
            self.network.cut(b, a);
        }
        self.notice(a, b);
        self.notice(b, a);
        self.plan(lasts, Happening::Mend { a, b });
    }

    /// A node notices that it cannot reach another: soon, late or never.
    pub(crate) fn notice(&mut self, at: usize, peer: usize) {
        if self.rng.chance(700) {
            let after = self.rng.between(10, 300_000);
            self.plan(after, Happening::Link { at, peer, up: false });
        }
    }

    pub(crate) fn mend(&mut self, a: usize, b: usize) {
        if self.outside.contains_key(&a) || self.outside.contains_key(&b) {
            return;
        }
        self.network.mend(a, b);
        self.look_out();
        self.trace.line(self.now, format_args!("{a} and {b} are linked again"));
        for (at, peer) in [(a, b), (b, a)] {
            let after = self.rng.between(10, 50_000);
            self.plan(after, Happening::Link { at, peer, up: true });
        }
    }

    pub(crate) fn crash_some(&mut self) {
        let victims: Vec<usize> = if self.weather.all_at_once {
            (0..self.machines.len()).collect()
        } else {
            vec![self.some_machine()]
        };
        for machine in victims {
            self.crash(machine);
        }
    }

    /// Whoever has just promised something is put to the test, or somebody that it leans on, and soon somebody looks.
    pub(crate) fn crash_after_answer(&mut self, machine: usize, key: &str) {
        for _ in 0..2 {
            let after = self.rng.between(2_000, 150_000);
            self.plan(after, Happening::Look { key: key.to_owned() });
        }
        if !self.weather.all_at_once && self.rng.chance(500) {
            self.crash(machine);
        } else {
            self.crash_some();
        }
    }

    pub(crate) fn crash(&mut self, machine: usize) {
        if self.machines[machine].running.is_none() {
            return;
        }
        self.trace.line(self.now, format_args!("node {machine} crashes"));
        self.faults.crashes += 1;
        self.watch_end(machine);
        self.machines[machine].crash(&mut self.rng);
        self.asleep.remove(&machine);
        self.look_out();
        self.disconnect(machine);
        for peer in (0..self.machines.len()).filter(|peer| *peer != machine) {
            self.notice(peer, machine);
        }
        // Some are back before their peers have noticed anything.
        let longest = self.rng.pick(&[5_000, 100_000, 1_500_000]);
        let down = self.rng.between(1_000, longest);
        self.plan(down, Happening::Start { machine });
    }

    /// A node has changed its mind about another.
    pub(crate) fn sighted(&mut self, at: usize, sighting: &Sighting) {
        self.trace.line(self.now, format_args!("{at} sees {sighting:?}"));
        match self.machines.iter().position(|machine| machine.id == sighting.member) {
            Some(of) => {
                self.watch.sighted(at, of, sighting);
                self.lookout.sighted(self.now, at, of, sighting.health == Health::Alive);
            }
            None => self.wrongs.push(format!("node {at} speaks of {}, which is no member", sighting.member)),
        }
    }

    /// A node is told how others are.
    pub(crate) fn look_at_news(&mut self, at: usize, gossip: &Gossip) {
        for news in gossip.news.iter().filter(|news| news.health == Health::Alive) {
            if let Some(of) = self.machines.iter().position(|machine| machine.id == news.member) {
                self.lookout.told(self.now, at, of, news.incarnation);
            }
        }
    }

    /// What a node has done is told when it ends.
    pub(crate) fn watch_end(&mut self, machine: usize) {
        let figures = self.machines[machine].running.as_ref().map(|running| running.node.sync());
        figures.iter().for_each(|figures| self.watch.ended(figures));
    }

    /// Something was cut, mended, crashed or started: whoever was gone for long enough was suspected. That takes a probe
    /// of each other member, and one period for the answer to the last.
    pub(crate) fn look_out(&mut self) {
        if self.reshaping.is_due {
            // Who is a member is known to some and not to others.
            return;
        }
        let period_ms = self.options.speaker.map_or(0, |speaker| speaker.probe_every_ms);
        let span = period_ms * 1_000 * (self.machines.len() as u64 + 1) + LATE_US;
        let states: Vec<State> = (0..self.machines.len()).map(|at| self.state(at)).collect();
        self.wrongs.extend(self.lookout.look(self.now, span, &states));
        self.faults.gone = self.lookout.noticed;
    }

    fn state(&self, of: usize) -> State {
        let is_cut = |other| !self.network.reaches(of, other) && !self.network.reaches(other, of);
        let (runs, is_awake) = (self.machines[of].running.is_some(), !self.asleep.contains_key(&of));
        let is_gone = !runs || !is_awake || (0..self.machines.len()).filter(|other| *other != of).all(is_cut);
        State { runs, is_awake, is_gone }
    }

    /// Everything is mended for long: all trust all.
    fn check_trust(&mut self) {
        if self.reshaping.is_due {
            return;
        }
        for (at, machine) in self.machines.iter().enumerate() {
            let sightings = machine.running.iter().flat_map(|running| running.node.sightings());
            let doubtful = sightings.filter(|sighting| !sighting.is_trusted());
            self.wrongs.extend(doubtful.map(|sighting| format!("node {at} still sees {sighting:?}")));
        }
    }

    /// Ends the storm: everything runs, everything is linked, clocks are right, and what is under way may end.
    pub(crate) fn calm_down(&mut self) {
        self.storming = false;
        self.network.calm();
        self.end_reshaping();
        self.heal(&(0..self.machines.len()).collect::<Vec<_>>());
        let awake_at = self.asleep.values().max().copied();
        // What was kept for one that stood still comes when it would have gone on, also if it has been started anew since.
        let arrivals =
            self.agenda.iter().filter(|(_, happening)| matches!(happening, Happening::Arrive { .. }));
        let comes_at = arrivals.map(|((at, _), _)| *at).max();
        self.run_until(awake_at.max(comes_at).unwrap_or(self.now));
        // Whatever was asked before is past its time by then.
        self.run_until(self.now + CALM_US_MIN.max(2_000 * self.options.request_timeout_ms));
        self.check_trust();
    }
}
