//! What happens to disks: they fail to write or to sync, they fill, and they lose what was on them.
//!
//! Not how it happens (`trouble`). Everything here is drawn from a stream of its own, so that a seed without trouble of this
//! kind is the same run as if there were none.
//!
//! 1. Only disks of a minority of the owners lose anything, however often: the others hold what was acknowledged.

use crate::rng::Rng;
use crate::weather::Weather;

/// What a disk is in for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trouble {
    /// Its next write or sync fails.
    Fails,
    /// It fills; its node is told in time, or it is not.
    Fills,
    /// There is room again.
    HasRoom { machine: usize },
    /// It is wiped, has lied about syncs, or has a row with a flipped bit.
    Loses,
}

/// How often each kind comes in one seed, in microseconds on average; 0 for never.
#[derive(Debug, Default)]
pub(crate) struct Disks {
    pub(crate) rng: Rng,
    pub(crate) fails_every_us: u64,
    pub(crate) fills_every_us: u64,
    pub(crate) loses_every_us: u64,
    /// Disks below this number may lose something.
    pub(crate) losers: u64,
}

impl Disks {
    /// The disks of a seed, and what that means for the rest of its weather.
    pub(crate) fn of(seed: u64, weather: &mut Weather) -> Self {
        let mut rng = Rng::new(seed ^ 0x6469_736b_7321);
        let fails_every_us = rng.some(250, 300_000, 3_000_000);
        let fills_every_us = rng.some(250, 500_000, 4_000_000);
        let loses_every_us = rng.some(250, 1_000_000, 5_000_000);
        let losers = (weather.nodes.min(u64::from(weather.replicas)) - 1) / 2;
        let loses_every_us = if losers > 0 { loses_every_us } else { 0 };
        // What a single owner was told to keep may have been on a disk that loses it.
        weather.levels &= loses_every_us == 0;
        Self { rng, fails_every_us, fills_every_us, loses_every_us, losers }
    }
}
