//! Pipelined requests take effect, and are answered, in their order.

use crate::running::{Place, Running, shown};

#[test]
fn answers_come_in_the_order_of_the_requests() {
    let place = Place::new();
    let server = Running::alone(&place);
    let mut client = server.client();
    let keys: Vec<String> = (0..5000).map(|number| format!("k{number}")).collect();
    let mut requests: Vec<Vec<&str>> = Vec::new();
    for key in &keys {
        requests.push(vec!["SET", key, key]);
        requests.push(vec!["PING"]);
        requests.push(vec!["GET", key]);
    }
    let mut sender = client_writer(&server);
    sender.0.send_all(&requests);
    for key in &keys {
        assert_eq!(shown(&sender.0.hear()), "+OK");
        assert_eq!(shown(&sender.0.hear()), "+PONG");
        assert_eq!(shown(&sender.0.hear()), format!("\"{key}\""));
    }
    client.expect(&["DBSIZE"], ":5000");
}

struct Sender(crate::running::Client);

fn client_writer(server: &Running) -> Sender {
    Sender(server.client())
}

#[test]
fn a_read_modify_write_keeps_its_place_among_the_requests_of_its_key() {
    let place = Place::new();
    let nodes = crate::running::three(&place);
    for (number, node) in nodes.iter().enumerate() {
        let mut client = node.client();
        for round in 0..20 {
            let key = format!("k{number}:{round}");
            client.send_all(&[
                vec!["SET", &key, "1"],
                vec!["INCR", &key],
                vec!["GET", &key],
                vec!["INCR", &key],
                vec!["INCR", &key],
                vec!["SET", &key, "10"],
                vec!["GET", &key],
                vec!["APPEND", &key, "0"],
                vec!["MGET", &key, &key],
                vec!["DEL", &key],
                vec!["EXISTS", &key],
                vec!["SET", &key, "end"],
            ]);
            let wanted = [
                "+OK",
                ":2",
                "\"2\"",
                ":3",
                ":4",
                "+OK",
                "\"10\"",
                ":3",
                "[\"100\" \"100\"]",
                ":1",
                ":0",
                "+OK",
            ];
            for answer in wanted {
                assert_eq!(shown(&client.hear()), answer, "{key}");
            }
        }
        client.expect(&["GET", &format!("k{number}:0")], "\"end\"");
    }
}

#[test]
fn requests_about_all_keys_keep_their_place() {
    let place = Place::new();
    let server = Running::alone(&place);
    let mut client = server.client();
    client.send_all(&[
        vec!["SET", "a", "1"],
        vec!["SET", "b", "1"],
        vec!["DBSIZE"],
        vec!["SET", "c", "1"],
        vec!["FLUSHALL"],
        vec!["SET", "d", "1"],
        vec!["DBSIZE"],
        vec!["MSETNX", "d", "2", "e", "2"],
        vec!["WAIT", "0", "10"],
        vec!["KEYS", "*"],
    ]);
    for answer in ["+OK", "+OK", ":2", "+OK", "+OK", "+OK", ":1", ":0", ":0", "[\"d\"]"] {
        assert_eq!(shown(&client.hear()), answer);
    }
}
