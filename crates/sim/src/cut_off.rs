//! A datacenter that is cut off from the other, now and then: how often is drawn in `datacenters`.

use crate::datacenters::MACHINES_NEAR;
use crate::sometimes::Rare;
use crate::world::{Happening, World};
use wire::Level;

/// How long it is cut off at most, in microseconds.
const CUT_OFF_US_MAX: u64 = 4_000_000;

impl World {
    /// Puts the first cut between the two onto the agenda.
    pub(crate) fn plan_cut_off(&mut self) {
        let every_us = self.datacenters.cut_off_every_us;
        if self.datacenters.is_due && every_us > 0 {
            let after = self.datacenters.rng.between(1, 2 * every_us);
            self.plan(after, Happening::CutOff);
        }
    }

    /// One is cut off from the other.
    pub(crate) fn cut_off(&mut self) {
        if !self.storming {
            return;
        }
        let lasts = self.datacenters.rng.between(10_000, CUT_OFF_US_MAX);
        for near in 0..MACHINES_NEAR.min(self.machines.len()) {
            for far in MACHINES_NEAR..self.machines.len() {
                self.cut_pair(near, far, false, lasts);
            }
        }
        self.watch.seen.see(Rare::CutOff);
        self.look_out();
        self.plan_cut_off();
    }

    /// The machines that run and may be asked something at a level.
    pub(crate) fn askable(&self, level: Level) -> Vec<usize> {
        let runs = |at: &usize| self.machines[*at].running.is_some() && self.datacenters.may_ask(*at, level);
        (0..self.machines.len()).filter(runs).collect()
    }
}
