//! The two clocks that every shard reads, once a turn.
//!
//! Not a timer: who waits for a time asks the runtime.
//!
//! 1. All threads of a process share one start, so their monotonic readings can be compared.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use node::Now;

/// When this process began, and the clocks since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    pub(crate) fn now(self) -> Now {
        Now { monotonic_ms: self.monotonic_ms(), wall_ms: millis(wall()) }
    }

    pub(crate) fn monotonic_ms(self) -> u64 {
        millis(self.started.elapsed())
    }

    pub(crate) fn uptime(self) -> Duration {
        self.started.elapsed()
    }
}

/// Time since 1970, as far as this machine knows; none if its clock stands before that.
pub(crate) fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
