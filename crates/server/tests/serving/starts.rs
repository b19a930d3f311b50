//! How a server starts, and what it does not start with.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::running::{Place, Running, config};
use server::{Config, Fsync, Stop, run_until};

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

#[test]
fn a_member_that_starts_again_serves_its_first_client() {
    let place = Place::new();
    let founder = Running::start(config("one", &place.join("one"))).unwrap();
    let join = |id: &str| Config { join: Some(founder.addr.to_string()), ..config(id, &place.join(id)) };
    let two = join("two");
    let (mut second, third) = (Running::start(two.clone()).unwrap(), Running::start(join("three")).unwrap());
    for node in [&founder, &second, &third] {
        node.client().until(&["SET", "k", "0"], "+OK");
    }
    for round in 1..=5 {
        second.stop();
        second = Running::start(two.clone()).unwrap();
        for key in 0..20 {
            second.client().expect(&["SET", &format!("k{key}"), &round.to_string()], "+OK");
        }
    }
}

#[test]
fn a_member_whose_others_are_gone_starts_after_a_grace() {
    let place = Place::new();
    let first = Running::start(config("one", &place.join("one"))).unwrap();
    let two = Config { join: Some(first.addr.to_string()), ..config("two", &place.join("two")) };
    let second = Running::start(two.clone()).unwrap();
    second.client().until(&["SET", "k", "v"], "+OK");
    second.stop();
    first.stop();
    let began = Instant::now();
    let second = Running::start(two).unwrap();
    assert!((1..5).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    let mut client = second.client();
    client.expect(&["ARMILLA.LEVEL", "one"], "+OK");
    client.expect(&["GET", "k"], "\"v\"");
}

#[test]
fn a_node_that_waits_to_join_can_be_stopped() {
    let place = Place::new();
    // A door that nobody opens: the question is never answered.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let join = Some(silent.local_addr().unwrap().to_string());
    let told = Config { join, ..config("waiting", &place.join("waiting")) };
    let stop = Stop::default();
    let stopped = stop.clone();
    let thread = std::thread::spawn(move || run_until(told, &stopped, || panic!("it does not serve")));
    let (_question, _) = silent.accept().unwrap();
    let asked = Instant::now();
    stop.stop();
    thread.join().unwrap().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
}
