//! The network between nodes: who can reach whom, and what the weather does to a message.
//!
//! 1. A cut stops every message of its direction, those on their way included.
//! 2. Without reordering, messages of one direction arrive in the order in which they were sent, but for late ones.
//! 3. A late message is not one that was sent twice: a node remembers what it heard for a while, not for ever.

use crate::rng::Rng;
use crate::weather::Weather;
use std::collections::{BTreeMap, BTreeSet};

/// How late a late message is at most, in microseconds: later than any request waits for an answer.
const LATE_US_MAX: u64 = 3_000_000;

/// How much later a message is sent for the second time at most, in microseconds: less than a node remembers.
const AGAIN_US_MAX: u64 = 200_000;

/// The links between nodes, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Network {
    cut: BTreeSet<(usize, usize)>,
    last: BTreeMap<(usize, usize), u64>,
    calm: bool,
}

impl Network {
    /// Whether a message may arrive.
    pub(crate) fn reaches(&self, from: usize, to: usize) -> bool {
        !self.cut.contains(&(from, to))
    }

    /// Cuts one direction.
    pub(crate) fn cut(&mut self, from: usize, to: usize) {
        self.cut.insert((from, to));
    }

    /// Mends everything, and from now on nothing is lost, repeated or late.
    pub(crate) fn calm(&mut self) {
        self.cut.clear();
        self.calm = true;
    }

    /// Mends everything between these, and from now on nothing is lost, repeated or late.
    pub(crate) fn settle(&mut self, healed: &[usize]) {
        self.cut.retain(|(from, to)| !healed.contains(from) || !healed.contains(to));
        self.calm = true;
    }

    /// Mends one pair of nodes.
    pub(crate) fn mend(&mut self, a: usize, b: usize) {
        self.cut.remove(&(a, b));
        self.cut.remove(&(b, a));
    }

    /// When a message that is sent now arrives: never, once or twice.
    pub(crate) fn arrivals(
        &mut self,
        from: usize,
        to: usize,
        now: u64,
        weather: &Weather,
        rng: &mut Rng,
    ) -> Vec<u64> {
        if !self.reaches(from, to) || (!self.calm && rng.chance(weather.loss)) {
            return Vec::new();
        }
        if !self.calm && rng.chance(weather.late) {
            return vec![now + rng.between(weather.delay_us, LATE_US_MAX)];
        }
        let first = self.arrival(from, to, now, weather, rng);
        if self.calm || !rng.chance(weather.duplication) {
            return vec![first];
        }
        let again = if weather.reorders { now + rng.below(AGAIN_US_MAX) } else { now };
        vec![first, self.arrival(from, to, again, weather, rng)]
    }

    fn arrival(&mut self, from: usize, to: usize, now: u64, weather: &Weather, rng: &mut Rng) -> u64 {
        let at = now + rng.between(20, if self.calm { 200 } else { weather.delay_us });
        if weather.reorders && !self.calm {
            return at;
        }
        let last = self.last.entry((from, to)).or_default();
        *last = at.max(*last + 1);
        *last
    }
}
