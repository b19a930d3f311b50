//! How disks get into trouble, and what follows: which and how often is drawn in `disks`.
//!
//! Not crashes, after which a disk holds what was synced (`storm`).
//!
//! 1. Whoever waits for a node whose disk fails is told.

use crate::disks::{Disks, Trouble};
use crate::sometimes::Rare;
use crate::world::{Happening, World};
use node::Room;
use store::{Fault, StoreError};

impl World {
    /// Puts the first of each kind onto the agenda.
    pub(crate) fn plan_disks(&mut self) {
        let Disks { fails_every_us, fills_every_us, loses_every_us, .. } = self.disks;
        self.plan_trouble(fails_every_us, Trouble::Fails);
        self.plan_trouble(fills_every_us, Trouble::Fills);
        self.plan_trouble(loses_every_us, Trouble::Loses);
    }

    fn plan_trouble(&mut self, mean_us: u64, trouble: Trouble) {
        if mean_us > 0 {
            let after = self.disks.rng.between(1, 2 * mean_us);
            self.plan(after, Happening::Disk(trouble));
        }
    }

    /// A disk has its trouble.
    pub(crate) fn trouble(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::HasRoom { machine } => self.has_room(machine),
            _ if !self.storming => {}
            Trouble::Fails => {
                let machine = self.some_disk(self.machines.len() as u64);
                let fault = if self.disks.rng.chance(500) { Fault::Commit } else { Fault::Sync };
                self.trace.line(self.now, format_args!("the disk of {machine} is to fail: {fault:?}"));
                self.machines[machine].disk().fail_next(fault);
                self.plan_trouble(self.disks.fails_every_us, trouble);
            }
            Trouble::Fills => {
                self.fills();
                self.plan_trouble(self.disks.fills_every_us, trouble);
            }
            Trouble::Loses => {
                self.loses();
                self.plan_trouble(self.disks.loses_every_us, trouble);
            }
        }
    }

    fn some_disk(&mut self, below: u64) -> usize {
        usize::try_from(self.disks.rng.below(below)).unwrap_or(0)
    }

    fn fills(&mut self) {
        let machine = self.some_disk(self.machines.len() as u64);
        let room = self.disks.rng.pick(&[Room::Enough, Room::Low, Room::Low, Room::Gone]);
        let is_full = room != Room::Low || self.disks.rng.chance(200);
        self.trace.line(self.now, format_args!("the disk of {machine} fills: {room:?}, full: {is_full}"));
        self.faults.disks_filled += 1;
        self.machines[machine].set_room(room, is_full);
        let lasts = self.disks.rng.between(10_000, 1_500_000);
        self.plan(lasts, Happening::Disk(Trouble::HasRoom { machine }));
    }

    pub(crate) fn has_room(&mut self, machine: usize) {
        self.trace.line(self.now, format_args!("the disk of {machine} has room"));
        self.machines[machine].set_room(Room::Enough, false);
    }

    /// A disk of the minority loses something. But for the flipped bit its node is down then, and finds out when it starts.
    fn loses(&mut self) {
        let machine = self.reshaping.loser.unwrap_or_else(|| self.some_disk(self.disks.losers));
        if self.outside.contains_key(&machine) {
            return;
        }
        self.faults.disks_lost += 1;
        match self.disks.rng.below(3) {
            0 => {
                self.trace.line(self.now, format_args!("a bit flips on the disk of {machine}"));
                let disk = self.machines[machine].disk();
                let place = usize::try_from(self.disks.rng.below(disk.len().max(1) as u64)).unwrap_or(0);
                if let Some(row) = disk.row_at(place) {
                    disk.damage(&row);
                }
            }
            1 => {
                self.crash(machine);
                let commits = usize::try_from(self.disks.rng.between(1, 30)).unwrap_or(1);
                let lost = self.machines[machine].disk().lose(commits);
                self.trace
                    .line(self.now, format_args!("the disk of {machine} has lost {lost} synced commits"));
            }
            _ => {
                self.crash(machine);
                self.trace.line(self.now, format_args!("the disk of {machine} is empty"));
                self.machines[machine].wipe();
            }
        }
    }

    /// Rows on a disk cannot be read, nor dropped: another disk takes its place.
    pub(crate) fn renew(&mut self, machine: usize) {
        // Several actions of one event may say so.
        if self.machines[machine].running.is_some() {
            self.watch.seen.see(Rare::Renewed);
            self.disk_failed(machine, &StoreError::Unreadable("a row is damaged".into()));
            self.machines[machine].wipe();
        }
    }

    /// A write or a sync has failed: whoever waits is told, and the store is opened again soon.
    pub(crate) fn disk_failed(&mut self, machine: usize, error: &StoreError) {
        self.trace.line(self.now, format_args!("the disk of {machine} fails: {error}"));
        self.faults.disks_failed += 1;
        self.watch_end(machine);
        let unsynced = self.machines[machine].disk().unsynced() as u64;
        let keep = usize::try_from(self.disks.rng.below(unsynced + 1)).unwrap_or(0);
        self.asleep.remove(&machine);
        let actions = self.machines[machine].fail(self.now, keep);
        self.look_out();
        for action in actions {
            self.act(machine, action);
        }
        self.disconnect_unheard(machine);
        for at in self.waiting_at(machine) {
            let operation = format!("{:?}", self.history[at]);
            self.wrongs.push(format!("a disk failed, and nobody was told of {operation}"));
        }
        let after = self.disks.rng.between(100, 300_000);
        self.plan(after, Happening::Start { machine });
    }
}
