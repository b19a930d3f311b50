//! Peace: a cluster in which nothing breaks, now and then. More holds there than in a storm, and it is demanded: whatever is
//! asked is done, and updates of a key come one after another, as in Redis (`check::serial`). Clients wait until all nodes have
//! greeted each other: before that two of them may each be the home of a key.
//!
//! Drawn from a stream of its own.

use crate::rng::Rng;
use crate::weather::Weather;
use node::Options;

/// Of how many seeds in a thousand.
const PER_MILLE: u64 = 30;
/// By when all nodes have greeted each other, in microseconds.
pub(crate) const GREETED_US: u64 = 20_000;
/// The longest that a message and a sync take, in microseconds: far less than anybody waits.
const TAKES_US: u64 = 1_000;
/// More requests than there are clients.
const REQUESTS_MAX: usize = 1_000;
/// How long anybody waits, in milliseconds.
const TIMEOUT_MS: u64 = 5_000;

/// Whether a seed has peace.
pub(crate) fn is_due(seed: u64) -> bool {
    Rng::new(seed ^ 0x0070_6561_6365).chance(PER_MILLE)
}

/// The weather of peace: as many nodes and clients as there were to be, and no faults.
pub(crate) fn weather(storm: Weather) -> Weather {
    Weather {
        flushes: false,
        loss: 0,
        duplication: 0,
        late: 0,
        delay_us: TAKES_US,
        sync_us: TAKES_US,
        cut_every_us: 0,
        crash_every_us: 0,
        crash_after_answer: 0,
        skew_ms: 0,
        hours: false,
        jumps: false,
        levels: false,
        ..storm
    }
}

/// Limits that nobody reaches.
pub(crate) fn options(options: Options) -> Options {
    Options { request_timeout_ms: TIMEOUT_MS, requests_max: REQUESTS_MAX, ..options }
}
