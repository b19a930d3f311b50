//! The two clocks that every shard reads, once a turn, and what this process has computed.
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

    pub(crate) fn monotonic_us(self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    pub(crate) fn uptime(self) -> Duration {
        self.started.elapsed()
    }
}

/// Time since 1970, as far as this machine knows; none if its clock stands before that.
pub(crate) fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// How long all threads of this process have computed, in microseconds.
pub(crate) fn cpu_us() -> u64 {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let (seconds, nanos) = (u64::try_from(spent.tv_sec), u64::try_from(spent.tv_nsec));
    seconds.unwrap_or_default().saturating_mul(1_000_000) + nanos.unwrap_or_default() / 1_000
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
