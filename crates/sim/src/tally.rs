//! Counts of what the storm did.

use std::ops::AddAssign;

/// Faults by kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Messages lost.
    pub lost: u64,
    /// Messages that arrived twice.
    pub duplicated: u64,
    /// Links cut.
    pub cuts: u64,
    /// Of these, in one direction.
    pub one_way_cuts: u64,
    /// Nodes crashed.
    pub crashes: u64,
    /// Clocks set wrong while running.
    pub jumps: u64,
    /// Disks that failed to write or to sync.
    pub disks_failed: u64,
    /// Disks that filled.
    pub disks_filled: u64,
    /// Disks that lost what was on them, or some of it.
    pub disks_lost: u64,
    /// Members that were gone for so long that another had to notice it.
    pub gone: u64,
    /// Power cuts that were only supposed, after an answer.
    pub supposed: u64,
}

impl AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.cuts += other.cuts;
        self.one_way_cuts += other.one_way_cuts;
        self.crashes += other.crashes;
        self.jumps += other.jumps;
        self.disks_failed += other.disks_failed;
        self.disks_filled += other.disks_filled;
        self.disks_lost += other.disks_lost;
        self.gone += other.gone;
        self.supposed += other.supposed;
    }
}
