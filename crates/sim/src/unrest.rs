//! Unrest: machines that stand still, cuts that one node alone bridges, and nodes that come and go. Not how it happens
//! (`turmoil`).
//!
//! Everything here is drawn from a stream of its own, so that a seed without unrest is the same run as if there were none.

use crate::rng::Rng;
use crate::weather::Weather;

/// How long a client waits until it asks for something else, where machines stand still, in microseconds.
pub(crate) const PATIENCE_US: u64 = 1_000_000;

/// What comes over machines.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Turmoil {
    /// One stands still.
    Pause,
    /// It goes on.
    Wakes { machine: usize },
    /// Two groups see each other through one node alone.
    Bridge,
    /// One begins to come and go.
    Flaps,
    /// One crashes.
    Falls { machine: usize },
    /// It goes once more, and so often again.
    Flap { machine: usize, left: u64 },
}

/// What becomes of a node that is not healed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is down.
    Down,
    /// It stands still.
    Asleep,
    /// It is cut off from those that are healed.
    CutOff,
    /// It hears them and cannot say anything.
    Mute,
    /// They hear it, and it hears nothing.
    Deaf,
    /// One of them alone and it hear each other: a cut that spares that one.
    Astray,
}

/// Crashes of a node that has just said something while its disk was at work, and of the one that was told.
#[derive(Debug, Default)]
pub(crate) struct Provocation {
    pub(crate) rng: Rng,
    /// How often, of ten thousand messages that are sent meanwhile.
    pub(crate) per_ten_thousand: u64,
}

impl Provocation {
    /// That of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x0070_726f_766f_6b65);
        let per_ten_thousand = rng.some(300, 1, 30);
        Self { rng, per_ten_thousand }
    }
}

/// How often each kind comes in one seed, in microseconds on average; 0 for never. And what else is unusual.
#[derive(Debug, Default)]
pub(crate) struct Unrest {
    pub(crate) rng: Rng,
    pub(crate) pauses_every_us: u64,
    pub(crate) bridges_every_us: u64,
    pub(crate) flaps_every_us: u64,
    /// How often sums that nothing has changed are stored, in milliseconds.
    pub(crate) settle_every_ms: u64,
    /// About how many cells a node reads for one question of another.
    pub(crate) scan_cells_max: u64,
    /// How many requests a node works on at once.
    pub(crate) requests_max: usize,
    /// Whether a quorum alone is healed at the end of the storm, for a while.
    pub(crate) heals_quorum: bool,
    pub(crate) provocation: Provocation,
}

impl Unrest {
    /// The unrest of a seed.
    pub(crate) fn of(seed: u64, weather: &Weather) -> Self {
        let mut rng = Rng::new(seed ^ 0x756e_7265_7374);
        let pauses_every_us = rng.some(250, 500_000, 4_000_000);
        let bridges_every_us = if weather.nodes < 3 { 0 } else { rng.some(250, 500_000, 4_000_000) };
        let flaps_every_us = rng.some(200, 1_000_000, 6_000_000);
        let requests_max = usize::try_from(rng.some(100, 2, 10)).unwrap_or(0);
        let requests_max = if requests_max == 0 { 1_000 } else { requests_max };
        let heals_quorum = rng.chance(400);
        let provocation = Provocation::of(seed);
        let mut sums = Rng::new(seed ^ 0x0073_6574_746c_6573);
        let settle_every_ms = sums.pick(&[250, 1_000, 4_000, 15_000]);
        let scan_cells_max = sums.pick(&[0, 1, 4, 4_096]);
        Self {
            rng,
            pauses_every_us,
            bridges_every_us,
            flaps_every_us,
            settle_every_ms,
            scan_cells_max,
            requests_max,
            heals_quorum,
            provocation,
        }
    }
}
