//! What if the power failed now? Asked of a copy of all disks, now and then when somebody has just been told something, beside
//! the run itself, which goes on as if nobody had asked.
//!
//! ```text
//! an answer ─▶ every disk as a power cut leaves it ─▶ all nodes start on those, but for a minority of the key's owners
//!           ─▶ somebody reads the key ─▶ what clients were told must be possible, that read with it
//! ```
//!
//! A crash in the run itself asks this too, and then it is another run: here it can be asked of many answers of one.
//!
//! Not of disks that lie: where one has lost something more has been lost than a power cut takes.

use crate::client::{self, Wish};
use crate::history::{Ask, Operation};
use crate::rng::Rng;
use crate::run::{become_whole, check_history};
use crate::world::World;
use placement::PartitionId;
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::Level;

/// Of how many starts in a thousand it is looked what is stored.
const STARTS_CHECKED: u64 = 150;
/// How long it takes until the nodes are linked, in microseconds.
const LINKED_US: u64 = 10_000;
/// How often a read is tried.
const READ_TRIES_MAX: usize = 3;
/// The same where the ring changes: who has come anew counts when it has learned.
const READ_TRIES_MOVING_MAX: usize = 40;
/// After how long, in microseconds.
const TRIED_AGAIN_US: u64 = 500_000;

impl World {
    /// An operation was answered.
    pub(crate) fn suppose_power_cut(&mut self, at: usize) {
        let may_be_asked = self.storming && self.faults.disks_lost == 0 && self.history[at].is_answered();
        if !may_be_asked || !self.supposition.rng.chance(self.supposition.per_mille) {
            return;
        }
        let mut rng = Rng::new(self.supposition.rng.bits());
        let key = self.history[at].key.clone();
        self.faults.supposed += 1;
        let mut after = self.without_power(&key, &mut rng);
        let is_sloppy = key.starts_with("lent") || key.starts_with("owed");
        after.start_enough(self.partition_of(&key), is_sloppy, &mut rng);
        after.read_after(&key, is_sloppy, &mut rng);
        let wrongs = after.wrongs.into_iter();
        self.wrongs.extend(wrongs.map(|wrong| format!("had the power failed at {}: {wrong}", self.now)));
    }

    /// A node has started. Now and then it is looked whether what it has stored goes together.
    pub(crate) fn check_start(&mut self, machine: usize) {
        if !self.supposition.rng.chance(STARTS_CHECKED) || self.faults.disks_lost > 0 {
            return;
        }
        if let Err(error) = self.machines[machine].check_sums() {
            self.wrongs.push(format!("node {machine} starts and cannot read its rows: {error}"));
        }
    }

    /// The same cluster when all of it has lost power, with what was done to one key.
    fn without_power(&self, key: &str, rng: &mut Rng) -> World {
        let machines = self.machines.iter().map(|machine| machine.without_power(rng)).collect();
        let partition = self.partition_of(key);
        let is_about = |operation: &&Operation| {
            operation.key == key
                || (operation.ask == Ask::Flush && self.partition_of(&operation.key) == partition)
        };
        let history = self.history.iter().filter(is_about).cloned().collect();
        let calm = World::calm(Rng::new(rng.bits()), self.weather, Arc::clone(&self.layout), self.options);
        let mut world = World {
            now: self.now,
            history,
            machines,
            owners: self.owners,
            reshaping: self.reshaping.at_rest(),
            datacenters: self.datacenters.at_rest(),
            outside: if self.reshaping.is_due { self.outside.clone() } else { BTreeMap::new() },
            ..calm
        };
        world.network.calm();
        world
    }

    /// Starts all nodes, or all but a minority of the owners of a partition.
    fn start_enough(&mut self, partition: PartitionId, all: bool, rng: &mut Rng) {
        let mut owners = self.layout.owners(partition).to_vec();
        let is_tight = self.datacenters.is_due || self.is_on_its_way(partition);
        let spare = if all || is_tight { 0 } else { (owners.len() - 1) / 2 };
        let mut down = Vec::new();
        while down.len() < spare {
            down.push(owners.swap_remove(usize::try_from(rng.below(owners.len() as u64)).unwrap_or(0)));
        }
        for machine in 0..self.machines.len() {
            if !down.contains(&self.machines[machine].id) {
                self.start(machine);
            }
        }
        self.run_until(self.now + LINKED_US);
    }

    /// Reads a key, and checks what comes of it. What was written at the level sloppy is read when all have it.
    fn read_after(&mut self, key: &str, is_sloppy: bool, rng: &mut Rng) {
        if is_sloppy {
            // Who is about to own a partition may be the one that has it.
            if !self.become_settled() {
                return;
            }
            become_whole(self);
        }
        let ask = client::look(key);
        let level = if is_sloppy { Level::All } else { self.datacenters.level(&ask, Level::Quorum) };
        let wish = Wish::new(key.to_owned(), ask, level);
        if self.is_answered(&wish, rng) {
            return;
        }
        // Somebody who was removed meanwhile, or is about to be, was counted upon.
        if self.reshaping.is_due {
            for machine in 0..self.machines.len() {
                self.start(machine);
            }
            self.run_until(self.now + LINKED_US);
            if self.is_answered(&wish, rng) || self.lacks_an_owner(self.partition_of(key)) {
                return;
            }
        }
        self.wrongs.push(format!("nobody answers {:?}", self.history.last()));
    }

    /// Asks until there is an answer, and checks what comes of it. Returns whether there was one.
    fn is_answered(&mut self, wish: &Wish, rng: &mut Rng) -> bool {
        let running = self.askable(wish.level);
        let owners = self.layout.owners(self.partition_of(&wish.key));
        let has_copies = owners.iter().any(|owner| self.datacenters.may_ask(self.at(*owner), wish.level));
        if running.is_empty() || !has_copies {
            // Nobody is left in the datacenter that is asked, or it has been given no copy yet.
            return self.datacenters.is_due;
        }
        let since = self.now;
        for _ in 0..if self.reshaping.is_due { READ_TRIES_MOVING_MAX } else { READ_TRIES_MAX } {
            if self.ask_and_wait(rng.pick(&running), wish) {
                check_history(self, since);
                return true;
            }
            if self.reshaping.is_due {
                self.run_until(self.now + TRIED_AGAIN_US);
            }
        }
        false
    }
}
