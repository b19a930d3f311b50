//! The ring changes while a storm goes on: members join, leave, are lost and replaced, and numbers change, now and then by two who
//! know nothing of each other.
//!
//! ```text
//! spare machines   join by any member, and run from then on
//! a victim         is down for good from some moment on; somebody says so later, and where that is refused it comes back
//! the calm         the steward brings the layout on until everything is where it is wanted
//! ```
//!
//! Drawn from a stream of its own. Seeds below [`SEEDS_FROM`] have none of it: they were kept from before there was any.
//!
//! Clients ask at a quorum there, for which read and write overlap whatever the number of owners is by then; in some seeds some ask
//! at other levels beside it, for which that is so where they have a majority. What fewer hold may come late to who owns it next.
//!
//! 1. Where a disk loses something it is always the same one, and nobody is removed: two copies of three would be gone.

use crate::rng::Rng;
use crate::weather::Weather;
use node::{Options, RequestId};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use wire::Level;

/// The first seed that may have any of it.
const SEEDS_FROM: u64 = 400_000_000;
/// The first in which members that stay down may be replaced, and who comes back is put to the test.
const REPLACES_FROM: u64 = 1_500_000_000;
/// The first in which nobody may be removed, and a disk may lose what it holds, or clients ask at the level `sloppy`.
const SPARES_FROM: u64 = 3_900_000_000;
/// Of how many seeds in a thousand.
const PER_MILLE: u64 = 200;
/// Seeds that all have it, for whoever looks for that alone.
const ALL_SEEDS: Range<u64> = 3_000_000_000..4_000_000_000;
/// The machines of such a seed, spare ones with them.
pub(crate) const MACHINES: u64 = 6;
/// How many owners a partition may have by then.
pub(crate) const OWNERS_MAX: u8 = 5;
/// How many members there are at first at least, where a disk may lose something.
const MEMBERS_MIN: u64 = 3;

/// What one seed has of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reshaping {
    pub(crate) rng: Rng,
    pub(crate) is_due: bool,
    pub(crate) every_us: u64,
    /// How many members there are at first.
    pub(crate) first: u64,
    /// Whether those who come back with a layout of before are asked something at once.
    pub(crate) provokes: bool,
    /// Who joins when its request is answered.
    pub(crate) joining: BTreeMap<RequestId, usize>,
    /// Whether somebody was a member before, and has to learn what it held, or is about to be one no more.
    pub(crate) is_short: bool,
    /// Whose removal somebody has asked for.
    pub(crate) victims: BTreeSet<usize>,
    /// Who was a member, and may be one again on another disk.
    pub(crate) retired: BTreeSet<usize>,
    /// After how long those that are down are removed, in milliseconds.
    pub(crate) replace_after_ms: u64,
    /// Who is down until it is known what has come of its removal.
    pub(crate) removed: BTreeMap<RequestId, usize>,
    /// Whether nobody is removed.
    pub(crate) spares: bool,
    /// Whose disk may lose something.
    pub(crate) loser: Option<usize>,
    /// Whether clients ask at the level `sloppy`.
    pub(crate) lends: bool,
}

impl Reshaping {
    /// That of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x0072_6573_6861_7065);
        let is_by_chance = seed >= SEEDS_FROM && rng.chance(PER_MILLE);
        let is_due = is_by_chance || ALL_SEEDS.contains(&seed);
        let every_us = rng.between(50_000, 1_500_000);
        let first = rng.pick(&[1, 3, 3, 4, 5]);
        // Of another stream, so that seeds that were kept are as they were.
        let mut patience = Rng::new(seed ^ 0x0061_6273_656e_6365);
        let mut mercy = Rng::new(seed ^ 0x006d_6572_6379);
        let spares = is_due && seed >= SPARES_FROM && mercy.chance(500);
        let loser = usize::try_from(mercy.below(MACHINES)).ok().filter(|_| spares && mercy.chance(600));
        let first = if loser.is_some() { first.max(MEMBERS_MIN) } else { first };
        let lends = spares && mercy.chance(600);
        let replaces = !spares && seed >= REPLACES_FROM && patience.chance(500);
        let replace_after_ms = if replaces { patience.between(100, 2_000) } else { u64::MAX };
        let provokes = seed >= REPLACES_FROM;
        Self {
            rng,
            is_due,
            every_us,
            first,
            replace_after_ms,
            provokes,
            spares,
            loser,
            lends,
            ..Self::default()
        }
    }

    /// The same, of a copy in which nothing is planned.
    pub(crate) fn at_rest(&self) -> Self {
        Self { is_due: self.is_due, is_short: self.is_short || !self.removed.is_empty(), ..Self::default() }
    }

    /// Of how many of so many owners an operation is known to have met: where their number changes, of a majority or of none.
    pub(crate) fn met(&self, owners: usize, level: Level, asked: fn(Level, usize) -> usize) -> usize {
        let asked = asked(level, owners);
        let is_majority = match level {
            Level::One => false,
            Level::Exact { .. } => asked > usize::from(OWNERS_MAX) / 2,
            _ => true,
        };
        match (self.is_due, is_majority) {
            (false, _) => asked,
            (true, true) => asked.min(owners / 2 + 1),
            (true, false) => 0,
        }
    }

    /// The weather of a seed that has it.
    pub(crate) fn weather(&self, storm: Weather) -> Weather {
        if !self.is_due {
            return storm;
        }
        // One copy may be gone with whoever is removed, or with a disk.
        let levels = storm.levels && self.spares && self.loser.is_none();
        Weather { nodes: self.first, replicas: 3, levels, ..storm }
    }

    /// The options of its nodes.
    pub(crate) fn options(&mut self, options: Options) -> Options {
        let tell_every_ms = if self.is_due { self.rng.between(20, 500) } else { u64::MAX };
        let replace_after_ms = if self.is_due { self.replace_after_ms } else { u64::MAX };
        Options { tell_every_ms, replace_after_ms, ..options }
    }
}
