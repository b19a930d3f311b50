//! How a server starts, and what it does not start with.

use std::time::Duration;

use crate::running::{Place, Running, config};
use server::Config;

/// Why a server does not start.
fn refusal(config: Config) -> String {
    Running::start(config).err().expect("it is refused").to_string()
}

#[test]
fn times_below_a_millisecond_are_refused() {
    let place = Place::new();
    let told = || config("hasty", &place.join("hasty"));
    let retry = Config { retry: Duration::ZERO, ..told() };
    assert_eq!(refusal(retry), "retry: at least 1 ms, for a node that asks again at once does nothing else");
    let timeout = Config { request_timeout: Duration::from_micros(999), ..told() };
    assert_eq!(refusal(timeout), "request timeout: at least 1 ms, for nobody answers in less");
    let fsync = Config { fsync: server::Fsync::Interval(Duration::ZERO), ..told() };
    assert_eq!(refusal(fsync), "fsync: at least 1 ms between two syncs, or `always`");
    assert!(!place.join("hasty").exists(), "nothing is made before the configuration is looked at");
}
