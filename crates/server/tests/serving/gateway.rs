//! A gateway: a member that holds nothing, takes every request, and registers servers over HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::running::{Place, Running, config, field, free_addr, items, shown, text, three};
use server::{Config, Role};

/// The longest wait for an answer over HTTP.
const PATIENCE: Duration = Duration::from_secs(20);
/// Keys that are written, so many that each of three nodes has some.
const KEYS: usize = 40;

/// A gateway of the cluster that `member` is one of, and where it listens for HTTP.
fn gateway(place: &Place, id: &str, member: &Running) -> (Running, SocketAddr) {
    let (told, http) = told(place, id, member);
    (Running::start(told).unwrap(), http)
}

fn told(place: &Place, id: &str, member: &Running) -> (Config, SocketAddr) {
    let http = free_addr();
    let join = Some(member.addr.to_string());
    let told = Config { role: Role::Gateway, http_addr: Some(http), join, ..config(id, &place.join(id)) };
    (told, http)
}

fn refusal(config: Config) -> String {
    Running::start(config).err().expect("it is refused").to_string()
}

/// Sends a request as it is. Gives the head and the body of the answer.
fn ask(addr: SocketAddr, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    (head.to_owned(), body.trim_end().to_owned())
}

/// The status and the body of an answer.
fn asked(addr: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let (head, body) =
        ask(addr, &format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}"));
    assert!(head.to_lowercase().contains("content-type: application/json"), "{head}");
    (head[9..12].parse().unwrap(), body)
}

fn register(addr: SocketAddr, body: &str) -> (u16, String) {
    asked(addr, "POST", "/register", body)
}

fn keys_of(node: &Running) -> String {
    shown(&field(node.client().ask(&["ARMILLA.STATUS"]), "keys"))
}

#[test]
fn a_gateway_takes_every_request_and_holds_nothing() {
    let place = Place::new();
    let nodes = three(&place);
    let (gateway, _) = gateway(&place, "gate", &nodes[1]);
    nodes[0].until_settled(4);
    let mut client = gateway.client();
    client.until(&["SET", "k", "v"], "+OK");
    client.expect(&["FLUSHALL"], "+OK");
    for level in ["ONE", "QUORUM", "ALL", "SLOPPY"] {
        client.expect(&["ARMILLA.LEVEL", level], "+OK");
        for number in 0..KEYS {
            client.expect(&["SET", &format!("{level}:{number}"), "v"], "+OK");
            client.expect(&["INCR", &format!("count:{number}")], &format!(":{}", 1 + position(level)));
        }
    }
    client.expect(&["ARMILLA.LEVEL", "ALL"], "+OK");
    client.expect(&["MSET", "a", "1", "b", "2", "c", "3"], "+OK");
    client.expect(&["MGET", "a", "b", "c", "d"], "[\"1\" \"2\" \"3\" nil]");
    client.expect(&["DEL", "a", "b", "c"], ":3");
    let all = 5 * KEYS;
    client.expect(&["DBSIZE"], &format!(":{all}"));
    assert_eq!(items(client.ask(&["KEYS", "*"])).len(), all);
    let (mut cursor, mut found) = ("0".to_owned(), 0);
    loop {
        let mut step = items(client.ask(&["SCAN", &cursor, "COUNT", "100"]));
        found += items(step.pop().unwrap()).len();
        cursor = text(&step[0]);
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(found, all);
    client.send(b"{\"cmd\":[\"GET\",\"ALL:1\"]}\n");
    let mut json = gateway.client();
    json.send(b"{\"type\":\"GET\",\"key\":\"ALL:1\"}\n");
    let line = json.hear_line();
    assert!(line.contains("\"v\""), "{line}");
    assert_eq!(keys_of(&gateway), ":0");
    // Nobody takes it for an owner, nor for one that votes.
    for node in nodes.iter().chain([&gateway]) {
        let slots = shown(&node.client().ask(&["CLUSTER", "SLOTS"]));
        assert!(!slots.contains(&format!(":{}", gateway.addr.port())), "{slots}");
        let ring = field(node.client().ask(&["ARMILLA.STATUS"]), "ring");
        assert!(!shown(&field(ring, "voters")).contains("gate"));
    }
    let lines = text(&nodes[0].client().ask(&["CLUSTER", "NODES"]));
    let line = lines.lines().find(|line| line.contains(&gateway.addr.to_string())).unwrap();
    assert!(line.ends_with("connected"), "no slots: {line}");
    gateway.client().expect(&["FLUSHALL"], "+OK");
    gateway.client().expect(&["DBSIZE"], ":0");
}

fn position(level: &str) -> usize {
    ["ONE", "QUORUM", "ALL", "SLOPPY"].iter().position(|other| *other == level).unwrap()
}

#[test]
fn a_gateway_keeps_nothing_though_nobody_else_is_there() {
    let place = Place::new();
    let nodes = three(&place);
    let (gateway, _) = gateway(&place, "gate", &nodes[0]);
    gateway.client().until(&["SET", "k", "v"], "+OK");
    nodes.into_iter().for_each(Running::stop);
    let mut client = gateway.client();
    client.expect(&["ARMILLA.LEVEL", "SLOPPY"], "+OK");
    for number in 0..KEYS {
        let answer = shown(&client.ask(&["SET", &format!("k:{number}"), "v"]));
        assert!(answer.starts_with("-NOQUORUM ") || answer.starts_with("-UNKNOWN "), "{answer}");
    }
    assert_eq!(keys_of(&gateway), ":0");
}

#[test]
fn a_gateway_starts_as_one_in_a_cluster_that_there_is() {
    let place = Place::new();
    let store = Running::start(config("one", &place.join("one"))).unwrap();
    let (first, _) = told(&place, "gate", &store);
    let error = refusal(Config { join: None, ..first.clone() });
    assert!(error.contains("cannot be the first node of a cluster") && error.contains("--join"), "{error}");
    Running::start(first.clone()).unwrap().stop();
    let error = refusal(Config { role: Role::Store, ..first.clone() });
    assert!(error.contains("gate is a gateway") && error.contains("armilla drain gate"), "{error}");
    // Without its directory it is asked of the others.
    let elsewhere = Config { dir: place.join("elsewhere"), ..first.clone() };
    let error = refusal(Config { role: Role::Store, ..elsewhere.clone() });
    assert!(error.contains("`gate` belongs to the member at") && error.contains("role"), "{error}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = refusal(Config { http_addr: Some(taken.local_addr().unwrap()), ..first.clone() });
    assert!(error.starts_with("cannot listen on ") && error.contains(" for HTTP: "), "{error}");
    let error =
        refusal(Config { http_addr: None, client_addr: "127.0.0.1:65000".parse().unwrap(), ..first.clone() });
    assert!(error.contains("--http-addr") || error.contains("belongs to a node"), "{error}");
    // It finds its cluster again, with and without a directory.
    Running::start(Config { join: None, ..first.clone() }).unwrap().stop();
    let again = Running::start(elsewhere).unwrap();
    again.client().until(&["SET", "k", "v"], "+OK");
    assert_eq!(keys_of(&again), ":0");
}

#[test]
fn a_store_does_not_start_as_a_gateway() {
    let place = Place::new();
    let store = config("one", &place.join("one"));
    Running::start(store.clone()).unwrap().stop();
    let error = refusal(Config { role: Role::Gateway, http_addr: Some(free_addr()), ..store.clone() });
    assert!(
        error.contains("one is a member that holds data") && error.contains("armilla drain one"),
        "{error}"
    );
    Running::start(store).unwrap().client().until(&["GET", "k"], "nil");
}

#[test]
fn a_server_is_registered_before_it_runs_or_after() {
    let place = Place::new();
    let nodes = three(&place);
    let (gateway, http) = gateway(&place, "gate", &nodes[0]);
    let mut client = gateway.client();
    client.until(&["SET", "k", "v"], "+OK");
    (0..KEYS).for_each(|number| client.expect(&["SET", &format!("k:{number}"), "v"], "+OK"));
    let join = Some(gateway.addr.to_string());
    let four = Config { join, weight: 2, ..config("four", &place.join("four")) };
    let body = format!(
        r#"{{"id": "four", "address": "{}", "peer_address": "{}", "weight": 2}}"#,
        four.client_addr,
        four.peer_addr.unwrap()
    );
    let (status, answer) = register(http, &body);
    assert_eq!(status, 201, "{answer}");
    assert!(answer.contains(r#""id":"four""#) && answer.contains(r#""members":5"#), "{answer}");
    assert_eq!(register(http, &body).0, 200, "it is one already");
    let lighter = body.replace(r#""weight": 2"#, r#""weight": 3"#);
    let (status, answer) = register(http, &lighter);
    assert!(
        status == 409 && answer.contains("the name `four` belongs to the member at"),
        "{status} {answer}"
    );
    let (status, answer) = register(http, &body.replace("four", "five"));
    assert!(status == 409 && answer.contains("belongs to the member `four`"), "{status} {answer}");
    // Nobody waits for it: what is there is served.
    (0..KEYS).for_each(|number| client.expect(&["GET", &format!("k:{number}")], "\"v\""));
    let started = Running::start(four.clone()).unwrap();
    started.until_settled(5);
    let ring = started.client().ask(&["ARMILLA.STATUS"]);
    assert_ne!(keys_of(&started), ":0", "{}", shown(&ring));
    (0..KEYS).for_each(|number| started.client().until(&["GET", &format!("k:{number}")], "\"v\""));
    assert_eq!(register(http, &body).0, 200, "and now that it runs");
    let (status, answer) = asked(http, "GET", "/servers", "");
    assert_eq!(status, 200);
    for known in [
        r#""id":"four""#,
        r#""weight":2"#,
        r#""duty":"route""#,
        r#""state":"this node""#,
        r#""since_ms_ago""#,
    ] {
        assert!(answer.contains(known), "{known}: {answer}");
    }
    started.stop();
    Running::start(Config { join: None, ..four }).unwrap().client().until(&["GET", "k:1"], "\"v\"");
}

#[test]
fn what_cannot_be_registered_is_refused_in_words() {
    let place = Place::new();
    let store = Running::start(config("one", &place.join("one"))).unwrap();
    let (_gateway, http) = gateway(&place, "gate", &store);
    let long = format!(r#"{{"id": "{}", "address": "h:1"}}"#, "x".repeat(300));
    let cases = [
        ("nonsense", 400, "write it as {"),
        (r#"{"id": "x", "address": "h"}"#, 400, "write it as HOST:PORT"),
        (r#"{"id": "x", "address": "h:1", "weight": 0}"#, 400, "its weight 0 must be from 1"),
        (r#"{"id": "", "address": "h:1"}"#, 400, "its name must have 1 to 255 bytes"),
        (&long, 400, "its name must have 1 to 255 bytes"),
        (r#"{"id": "x", "address": "h:1", "peer_address": "h:1"}"#, 400, "must differ"),
        (r#"{"id": "gate", "address": "h:1"}"#, 409, "the name `gate` belongs to the member at"),
    ];
    for (body, status, why) in cases {
        let (heard, answer) = register(http, body);
        assert!(
            heard == status && answer.starts_with(r#"{"error":"#) && answer.contains(why),
            "{heard} {answer}"
        );
    }
    let (status, answer) = register(http, &" ".repeat(70_000));
    assert!(status == 413 && answer.contains("at most 65536 bytes"), "{status} {answer}");
    for (method, path, status) in [
        ("GET", "/", 404),
        ("POST", "/registers", 404),
        ("GET", "/register", 405),
        ("DELETE", "/register", 405),
        ("POST", "/servers", 405),
    ] {
        let (heard, answer) = asked(http, method, path, "");
        assert!(
            heard == status && answer.contains("there are POST /register"),
            "{method} {path}: {heard} {answer}"
        );
    }
    store.client().expect(&["PING"], "+PONG");
    assert_eq!(store_count(&store), 2, "nobody was registered");
}

fn store_count(node: &Running) -> usize {
    items(field(node.client().ask(&["ARMILLA.STATUS"]), "members")).len()
}

#[test]
fn who_says_nothing_over_http_is_given_up() {
    let place = Place::new();
    let store = Running::start(config("one", &place.join("one"))).unwrap();
    let (_gateway, http) = gateway(&place, "gate", &store);
    for begun in ["", "POST /register HTTP/1.1\r\nHost: x\r\nContent-Le"] {
        let mut stream = TcpStream::connect(http).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(begun.as_bytes()).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
    }
    assert_eq!(asked(http, "GET", "/servers", "").0, 200);
}

#[test]
fn nothing_is_registered_without_those_that_vote() {
    let place = Place::new();
    let nodes = three(&place);
    let (gateway, http) = gateway(&place, "gate", &nodes[0]);
    gateway.client().until(&["SET", "k", "v"], "+OK");
    nodes.into_iter().for_each(Running::stop);
    let body = r#"{"id": "x", "address": "h:1"}"#;
    let request =
        format!("POST /register HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let (head, answer) = ask(http, &request);
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert!(head.to_lowercase().contains("retry-after: 1"), "{head}");
    assert!(answer.contains("nothing was changed, try again"), "{answer}");
}
