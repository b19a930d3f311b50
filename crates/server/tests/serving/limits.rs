//! What is too much, and what is not understood.

use crate::running::{Client, Place, Running, config, shown};

#[test]
fn what_is_not_a_command_is_refused_in_redis_words() {
    let place = Place::new();
    let server = Running::alone(&place);
    let mut client = server.client();
    client.expect(&["NOSUCH", "a", "b"], "-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' ");
    client.expect(&["GET"], "-ERR wrong number of arguments for 'get' command");
    client.expect(&["CLIENT", "NOSUCH"], "-ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.");
    client.expect(
        &["SET", "k", "v", "EX", "10"],
        "-ERR SET EX is not supported yet: expiry comes in a later release",
    );
    client.expect(&["SET", "k", "v", "NONSENSE"], "-ERR syntax error");
    client.expect(
        &["ARMILLA.LEVEL", "2", "2"],
        "-ERR the level is one, quorum, local_quorum, each_quorum, all, sloppy, or a number of owners to read and one to write, from 1 to N",
    );
    client.expect(&["PING"], "+PONG");
}

#[test]
fn bytes_that_are_no_protocol_end_the_connection() {
    let place = Place::new();
    let server = Running::alone(&place);
    for (bytes, answer) in [
        (&b"*1\r\n+PING\r\n"[..], "-ERR Protocol error: expected '$', got '+'\r\n"),
        (b"*x\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
        (b"*1\r\n$-5\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        (b"PING\r\n*1\r\n:", "+PONG\r\n-ERR Protocol error: expected '$', got ':'\r\n"),
    ] {
        let mut client = server.client();
        client.send(bytes);
        assert_eq!(client.hear_out(), answer);
    }
}

#[test]
fn keys_and_values_have_their_limits_and_the_connection_stays() {
    let place = Place::new();
    let server = Running::alone(&place);
    let mut client = server.client();
    let key = "k".repeat(causal::limits::KEY_BYTES_MAX);
    client.expect(&["SET", &key, "v"], "+OK");
    client.expect(&["GET", &key], "\"v\"");
    let longer = key + "k";
    let refused = format!(
        "-TOOLARGE {} bytes where at most {} are allowed",
        longer.len(),
        causal::limits::KEY_BYTES_MAX
    );
    client.expect(&["GET", &longer], &refused);
    client.expect(&["MSET", "a", "1", &longer, "1"], &refused);
    client.expect(&["GET", "a"], "nil");
    let value = "v".repeat(causal::limits::VALUE_BYTES_MAX + 1);
    let refused = format!(
        "-TOOLARGE {} bytes where at most {} are allowed",
        value.len(),
        causal::limits::VALUE_BYTES_MAX
    );
    client.expect(&["SET", "k", &value], &refused);
    client.expect(&["SET", "k", &value[..1 << 20]], "+OK");
    client.expect(&["STRLEN", "k"], ":1048576");
}

#[test]
fn clients_beyond_the_limit_are_told() {
    let place = Place::new();
    let server = Running::alone(&place);
    let mut first = server.client();
    first.expect(&["CONFIG", "SET", "maxclients", "1"], "+OK");
    assert_eq!(Client::connect(server.addr).hear_out(), "-ERR max number of clients reached\r\n");
    first.expect(&["PING"], "+PONG");
}

#[test]
fn a_reader_that_does_not_read_stops_only_itself() {
    let place = Place::new();
    let server = Running::alone(&place);
    let (mut slow, mut other) = (server.client(), server.client());
    let value = "v".repeat(64 * 1024);
    other.expect(&["SET", "big", &value], "+OK");
    let count = 2000;
    let requests = vec![vec!["GET", "big"]; count];
    slow.send_all(&requests);
    other.expect(&["PING"], "+PONG");
    for _ in 0..count {
        assert_eq!(shown(&slow.hear()).len(), value.len() + 2);
    }
    slow.expect(&["PING"], "+PONG");
}

#[test]
fn an_address_in_use_is_named() {
    let place = Place::new();
    let server = Running::alone(&place);
    let mut second = config("second", &place.join("second"));
    second.client_addr = server.addr;
    let error = Running::start(second).err().expect("the port is taken").to_string();
    assert!(error.contains(&server.addr.to_string()), "{error}");
    let mut long = config("x", &place.join("long"));
    long.id = "x".repeat(256);
    let error = Running::start(long).err().expect("the id is too long").to_string();
    assert!(error.contains("1 to 255 bytes"), "{error}");
}
