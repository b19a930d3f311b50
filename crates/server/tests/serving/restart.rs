//! A node that stops and starts again is the same node, and one that differs is refused.

use crate::running::{Place, Running, config};
use server::{Config, Fsync};

#[test]
fn a_node_finds_its_data_again() {
    let place = Place::new();
    let told = Config { fsync: Fsync::Always, ..config("same", &place.join("same")) };
    for round in 0..3 {
        let server = Running::start(told.clone()).unwrap();
        let mut client = server.client();
        if round > 0 {
            client.expect(&["GET", "k"], &format!("\"{}\"", round - 1));
        }
        client.expect(&["SET", "k", &round.to_string()], "+OK");
        client.expect(&["INCR", "starts"], &format!(":{}", round + 1));
        client.expect(&["DBSIZE"], ":2");
        drop(client);
        server.stop();
    }
}

#[test]
fn a_directory_belongs_to_one_node() {
    let place = Place::new();
    let told = config("owner", &place.join("dir"));
    let server = Running::start(told.clone()).unwrap();
    let second = Config { client_addr: config("x", &place.join("x")).client_addr, ..told.clone() };
    let error = Running::start(second.clone()).err().expect("the directory is in use").to_string();
    assert!(error.contains("in use by another server"), "{error}");
    server.stop();
    for (differs, what) in [
        (Config { id: "other".to_owned(), ..told.clone() }, "id is owner, not other"),
        (second, "client address"),
        (Config { shards: Some(3), ..told.clone() }, "number of shards is 2, not 3"),
    ] {
        let error = Running::start(differs).err().expect("it differs").to_string();
        assert!(error.contains(what), "{error}");
    }
    Running::start(Config { shards: None, ..told }).unwrap().stop();
}

#[test]
fn a_restarted_member_finds_its_cluster_again() {
    let place = Place::new();
    let (one, two) = (config("one", &place.join("one")), config("two", &place.join("two")));
    let first = Running::start(one.clone()).unwrap();
    let second = Running::start(Config { join: Some(first.addr.to_string()), ..two.clone() }).unwrap();
    second.until_settled(2);
    second.client().until(&["SET", "k", "1"], "+OK");
    second.stop();
    first
        .client()
        .until(&["SET", "k", "2"], "-NOQUORUM 2 owners are needed and 1 can be reached: nothing was applied");
    // No word of joining: the stored layout says where the others are.
    let second = Running::start(two).unwrap();
    second.client().until(&["GET", "k"], "\"1\"");
    first.client().until(&["SET", "k", "3"], "+OK");
    second.client().expect(&["GET", "k"], "\"3\"");
}
