//! Three nodes: any of them answers, and they say the same of themselves.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::running::{Place, Running, config, items, shown, text, three};
use server::Config;

#[test]
fn what_is_written_at_one_node_is_read_at_any() {
    let place = Place::new();
    let nodes = three(&place);
    for (number, node) in nodes.iter().enumerate() {
        let key = format!("from{number}");
        node.client().expect(&["SET", &key, "v"], "+OK");
        for other in &nodes {
            other.client().expect(&["GET", &key], "\"v\"");
        }
    }
    for node in &nodes {
        node.client().ask(&["INCRBY", "counter", "5"]);
    }
    nodes[0].client().expect(&["GET", "counter"], "\"15\"");
    nodes[1].client().expect(&["DBSIZE"], ":5");
    nodes[2].client().expect(&["FLUSHALL"], "+OK");
    nodes[0].client().expect(&["KEYS", "*"], "[]");
}

#[test]
fn levels_are_chosen_by_connection_and_wait_tells_them() {
    let place = Place::new();
    let nodes = three(&place);
    let mut client = nodes[1].client();
    client.expect(&["ARMILLA.LEVEL"], "\"quorum\"");
    client.expect(&["WAIT", "2", "100"], ":0");
    client.expect(&["SET", "a", "1"], "+OK");
    client.expect(&["WAIT", "1", "100"], ":1");
    client.expect(&["ARMILLA.LEVEL", "all"], "+OK");
    client.expect(&["SET", "a", "2"], "+OK");
    client.expect(&["WAIT", "2", "100"], ":2");
    client.expect(&["ARMILLA.LEVEL", "1", "3"], "+OK");
    client.expect(&["ARMILLA.LEVEL"], "\"1 3\"");
    client.expect(&["GET", "a"], "\"2\"");
    client.expect(&["ARMILLA.LEVEL", "one"], "+OK");
    client.expect(&["GET", "a"], "\"2\"");
}

#[test]
fn every_node_tells_the_same_slots_and_all_of_them() {
    let place = Place::new();
    let nodes = three(&place);
    let told =
        || nodes.iter().map(|node| shown(&node.client().ask(&["CLUSTER", "SLOTS"]))).collect::<BTreeSet<_>>();
    // Owners that a node does not reach come last, and nodes that have just started do not all reach each other yet.
    let began = Instant::now();
    while told().len() > 1 {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "nodes that reach each other tell the same: {:?}",
            told()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    for node in &nodes {
        let mut client = node.client();
        let slots = client.ask(&["CLUSTER", "SLOTS"]);
        let mut next = 0;
        for run in items(slots) {
            let run = items(run);
            assert_eq!(shown(&run[0]), format!(":{next}"));
            next = shown(&run[1])[1..].parse::<u32>().unwrap() + 1;
            let ids: BTreeSet<String> = run[2..].iter().map(|owner| text(&items(owner.clone())[2])).collect();
            assert_eq!(ids.len(), 3);
            assert!(ids.iter().all(|id| id.len() == 40));
        }
        assert_eq!(next, 16384);
        let lines = text(&client.ask(&["CLUSTER", "NODES"]));
        assert_eq!(lines.lines().count(), 3, "{lines}");
        assert!(lines.contains(&format!("{}@", node.addr)), "{lines}");
        let my_id = text(&client.ask(&["CLUSTER", "MYID"]));
        assert!(lines.contains(&format!("{my_id} {}", node.addr)), "{lines}");
        let info = text(&client.ask(&["CLUSTER", "INFO"]));
        assert!(info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3"), "{info}");
        client.until(&["ECHO", "x"], "\"x\"");
    }
    assert!(shown(&nodes[0].client().ask(&["CLUSTER", "SHARDS"])).contains("\"master\""));
    assert!(shown(&nodes[0].client().ask(&["ARMILLA.STATUS"])).contains("\"members\""));
}

#[test]
fn a_cluster_that_holds_data_takes_newcomers_and_lets_members_go() {
    let place = Place::new();
    let told = config("first", &place.join("first"));
    let first = Running::start(told.clone()).unwrap();
    let keys: Vec<String> = (0..200).map(|number| format!("key:{number}")).collect();
    keys.iter().for_each(|key| first.client().expect(&["SET", key, key], "+OK"));
    let join = Some(first.addr.to_string());
    let others = ["second", "third", "fourth"]
        .map(|id| Running::start(Config { join: join.clone(), ..config(id, &place.join(id)) }).unwrap());
    others.iter().for_each(|node| node.until_settled(4));
    let holds_all = |node: &Running| {
        let mut client = node.client();
        keys.iter().for_each(|key| client.expect(&["GET", key], &format!("{key:?}")));
    };
    others.iter().for_each(holds_all);
    let mut client = others[1].client();
    let refused = shown(&client.ask(&["ARMILLA.RING", "LEAVE", "nobody"]));
    assert!(refused.contains("`nobody` is no member"), "{refused}");
    let planned = shown(&client.ask(&["ARMILLA.RING", "PLAN", "LEAVE", "first"]));
    assert!(planned.contains("places_moved"), "{planned}");
    others[0].until_settled(4);
    client.ask(&["ARMILLA.RING", "LEAVE", "first"]);
    others.iter().for_each(|node| node.until_settled(3));
    first.ended().unwrap();
    others.iter().for_each(holds_all);
    let few = shown(&client.ask(&["ARMILLA.RING", "LEAVE", "second"]));
    assert!(few.contains("2 members are too few for 3 replicas"), "{few}");
    let gone = Running::start(told).err().expect("it was removed").to_string();
    assert!(gone.contains("start it with --join"), "{gone}");
}

#[test]
fn a_name_is_taken_once() {
    let place = Place::new();
    let first = Running::start(config("first", &place.join("first"))).unwrap();
    let join = Some(first.addr.to_string());
    let twin = Config { join, ..config("first", &place.join("twin")) };
    let error = Running::start(twin).err().expect("the name is taken").to_string();
    assert!(error.contains("belongs to the member"), "{error}");
}

#[test]
fn a_cluster_that_is_not_there_cannot_be_joined() {
    let place = Place::new();
    let lost = Config { join: Some("127.0.0.1:1".to_owned()), ..config("lost", &place.join("lost")) };
    let error = Running::start(lost).err().expect("nobody is there").to_string();
    assert!(error.contains("cannot join the cluster at 127.0.0.1:1"), "{error}");
}
