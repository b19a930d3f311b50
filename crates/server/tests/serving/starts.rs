//! How a server starts, and what it does not start with.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::running::{Place, Running, config};
use server::{Config, Fsync};

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
    let fsync = Config { fsync: Fsync::Interval(Duration::ZERO), ..told() };
    assert_eq!(refusal(fsync), "fsync: at least 1 ms between two syncs, or `always`");
    assert!(!place.join("hasty").exists(), "nothing is made before the configuration is looked at");
}

/// Copies a directory of files.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_directory_that_lost_what_was_synced_is_refused() {
    let place = Place::new();
    let told =
        Config { fsync: Fsync::Always, shards: Some(1), ..config("forgetful", &place.join("forgetful")) };
    let write = |value: &str| {
        let node = Running::start(told.clone()).unwrap();
        node.client().expect(&["SET", "k", value], "+OK");
        node.stop();
    };
    let (rows, older) = (place.join("forgetful").join("shard-0").join("rows"), place.join("older"));
    write("1");
    copy(&rows, &older);
    write("2");
    fs::rename(&rows, place.join("newer")).unwrap();
    fs::rename(&older, &rows).unwrap();
    for _ in 0..2 {
        let error = refusal(told.clone());
        assert!(error.contains("forgetful has lost data: shard 0 holds "), "{error}");
        assert!(error.contains("under a new --id"), "{error}");
    }
    fs::remove_dir_all(&rows).unwrap();
    fs::rename(place.join("newer"), &rows).unwrap();
    let node = Running::start(told.clone()).unwrap();
    node.client().expect(&["GET", "k"], "\"2\"");
}
