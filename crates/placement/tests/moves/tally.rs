//! What has happened, so that a test can say whether it asked for much.

use placement::layout::{Place, Step};

/// How often.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) reads: u64,
    pub(crate) refused: u64,
    pub(crate) at_stake: u64,
    pub(crate) settled: u64,
    pub(crate) shrunk: u64,
    pub(crate) lost_while_settling: u64,
    pub(crate) disks_lost: u64,
    /// The most sets of owners that a place has remembered.
    pub(crate) sets: u64,
}

impl Tally {
    /// Notes what became of a place.
    pub(crate) fn note(&mut self, before: &Place, after: &Place) {
        let was_settling = matches!(before.step(), Step::Settling { .. });
        let is_settling = matches!(after.step(), Step::Settling { .. });
        let is_fenced = before.since() != after.since();
        self.settled += u64::from(was_settling && !is_settling);
        self.lost_while_settling += u64::from(was_settling && is_settling && is_fenced);
        self.shrunk += u64::from(after.owners().len() < before.owners().len());
        self.sets = self.sets.max(after.teachers().len() as u64);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.reads += other.reads;
        self.refused += other.refused;
        self.at_stake += other.at_stake;
        self.settled += other.settled;
        self.shrunk += other.shrunk;
        self.lost_while_settling += other.lost_while_settling;
        self.disks_lost += other.disks_lost;
        self.sets = self.sets.max(other.sets);
    }
}
