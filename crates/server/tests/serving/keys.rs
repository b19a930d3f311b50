//! Commands of several keys and of all keys, over two shards.

use std::collections::BTreeSet;

use crate::running::{Client, Place, Running, items, shown, text};

fn fill(client: &mut Client, count: usize) -> BTreeSet<String> {
    let keys: BTreeSet<String> = (0..count).map(|number| format!("key:{number}")).collect();
    let requests: Vec<Vec<&str>> = keys.iter().map(|key| vec!["SET", key, key]).collect();
    client.send_all(&requests);
    requests.iter().for_each(|_| assert_eq!(shown(&client.hear()), "+OK"));
    keys
}

/// Walks with `SCAN` to the end; gives every key that came, as often as it came.
fn scan(client: &mut Client, options: &[&str]) -> Vec<String> {
    let mut cursor = "0".to_owned();
    let mut found = Vec::new();
    loop {
        let mut words = vec!["SCAN", &cursor];
        words.extend(options);
        let answer = items(client.ask(&words));
        found.extend(items(answer[1].clone()).iter().map(text));
        cursor = text(&answer[0]);
        if cursor == "0" {
            return found;
        }
    }
}

#[test]
fn several_keys_are_one_answer() {
    let place = Place::new();
    let server = Running::alone(&place);
    let mut client = server.client();
    client.expect(&["MSET", "a", "1", "b", "2", "c", "3"], "+OK");
    client.expect(&["MGET", "a", "none", "c", "b"], "[\"1\" nil \"3\" \"2\"]");
    client.expect(&["EXISTS", "a", "a", "none"], ":2");
    client.expect(&["DEL", "a", "b", "none"], ":2");
    client.expect(&["MSETNX", "b", "9", "c", "9"], ":0");
    client.expect(&["MSETNX", "b", "9", "d", "9"], ":1");
    client.expect(&["MGET", "a", "b", "c", "d"], "[nil \"9\" \"3\" \"9\"]");
    client.expect(&["MSET", "a"], "-ERR wrong number of arguments for 'mset' command");
    client.expect(&["MSET", "a", "1", "b"], "-ERR wrong number of arguments for 'mset' command");
}

#[test]
fn scan_gives_every_key_once() {
    let place = Place::new();
    let server = Running::alone(&place);
    let mut client = server.client();
    let keys = fill(&mut client, 500);
    for count in ["1", "7", "100", "100000"] {
        let found = scan(&mut client, &["COUNT", count]);
        assert_eq!(found.len(), keys.len(), "COUNT {count}");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), keys, "COUNT {count}");
    }
    assert_eq!(scan(&mut client, &["MATCH", "key:1?"]).len(), 10);
    assert_eq!(scan(&mut client, &["TYPE", "STRING", "MATCH", "key:77"]), ["key:77"]);
    assert!(scan(&mut client, &["TYPE", "list"]).is_empty());
    client.expect(&["SCAN", "x"], "-ERR invalid cursor");
}

#[test]
fn all_keys_are_counted_listed_and_removed() {
    let place = Place::new();
    let server = Running::alone(&place);
    let mut client = server.client();
    client.expect(&["RANDOMKEY"], "nil");
    client.expect(&["SCAN", "0"], "[\"0\" []]");
    let keys = fill(&mut client, 200);
    client.expect(&["DBSIZE"], ":200");
    let listed: BTreeSet<String> = items(client.ask(&["KEYS", "*"])).iter().map(text).collect();
    assert_eq!(listed, keys);
    assert_eq!(items(client.ask(&["KEYS", "key:19*"])).len(), 11);
    assert!(keys.contains(&text(&client.ask(&["RANDOMKEY"]))));
    client.expect(&["SET", "{tag}1", "x"], "+OK");
    client.expect(&["SET", "{tag}2", "x"], "+OK");
    let slot = shown(&client.ask(&["CLUSTER", "KEYSLOT", "tag"]));
    client.expect(&["CLUSTER", "COUNTKEYSINSLOT", &slot[1..]], ":2");
    client.expect(&["FLUSHALL"], "+OK");
    client.expect(&["DBSIZE"], ":0");
    client.expect(&["KEYS", "*"], "[]");
}

#[test]
fn siblings_are_shown_and_resolved() {
    let place = Place::new();
    let server = Running::alone(&place);
    let mut client = server.client();
    client.expect(&["SET", "k", "old"], "+OK");
    let siblings = items(client.ask(&["ARMILLA.SIBLINGS", "k"]));
    assert_eq!(shown(&siblings[1]), "[\"old\"]");
    let token = text(&siblings[0]);
    client.expect(&["SET", "k", "between"], "+OK");
    client.expect(&["ARMILLA.RESOLVE", "k", &token, "resolved"], "+OK");
    // The write in between was not named by the token, so it stays.
    assert_eq!(items(items(client.ask(&["ARMILLA.SIBLINGS", "k"]))[1].clone()).len(), 2);
    client.expect(
        &["ARMILLA.RESOLVE", "k", "zz", "x"],
        "-ERR the context is not one that this cluster gave out",
    );
    assert!(shown(&client.ask(&["ARMILLA.EXPLAIN", "k"])).contains("\"owners\""));
}
