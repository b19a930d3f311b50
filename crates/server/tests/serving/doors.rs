//! The two protocols of one port, and what a connection can say of itself.

use crate::running::{Place, Running, shown, text};

#[test]
fn json_lines_and_resp_share_a_port_and_the_keys() {
    let place = Place::new();
    let server = Running::alone(&place);
    let (mut json, mut resp) = (server.client(), server.client());
    json.send(b"{\"type\":\"SET\",\"key\":\"a\",\"value\":\"1\"}\n{\"type\":\"GET\",\"key\":\"a\"}\n");
    for value in ["\"value\":\"\"", "\"value\":\"1\""] {
        let line = json.hear_line();
        assert!(line.contains(value) && line.contains("\"status\":\"SUCCESS\""), "{line}");
    }
    resp.expect(&["GET", "a"], "\"1\"");
    json.send(b"{\"type\":\"DELETE\",\"key\":\"a\"}\n{\"type\":\"GET\",\"key\":\"a\"}\nnonsense\n");
    assert!(json.hear_line().contains("SUCCESS"));
    assert!(json.hear_line().contains("\"status\":\"ERROR\""));
    assert!(json.hear_line().contains("not a request"));
    resp.expect(&["GET", "a"], "nil");
}

#[test]
fn an_inline_command_is_a_request() {
    let place = Place::new();
    let server = Running::alone(&place);
    let mut client = server.client();
    client.send(b"SET greeting \"good day\"\r\nGET greeting\r\n\r\nPING\r\n");
    assert_eq!(shown(&client.hear()), "+OK");
    assert_eq!(shown(&client.hear()), "\"good day\"");
    assert_eq!(shown(&client.hear()), "+PONG");
}

#[test]
fn hello_changes_the_protocol_from_its_own_answer_on() {
    let place = Place::new();
    let server = Running::alone(&place);
    let mut client = server.client();
    client.send_all(&[vec!["GET", "nothing"], vec!["HELLO", "3", "SETNAME", "me"], vec!["GET", "nothing"]]);
    let wanted = ["$-1", "%7", "$6", "server"];
    for line in wanted {
        assert_eq!(client.hear_line(), line);
    }
    let rest = (0..24).map(|_| client.hear_line()).collect::<Vec<_>>();
    assert_eq!(rest.last().map(String::as_str), Some("_"), "{rest:?}");
    let mut other = server.client();
    other.expect(&["HELLO", "4"], "-NOPROTO unsupported protocol version");
    assert!(text(&other.ask(&["CLIENT", "LIST"])).contains("name=me"));
}

#[test]
fn a_connection_knows_itself() {
    let place = Place::new();
    let server = Running::alone(&place);
    let mut client = server.client();
    client.expect(&["CLIENT", "GETNAME"], "nil");
    client.expect(&["CLIENT", "SETNAME", "worker"], "+OK");
    client.expect(&["CLIENT", "GETNAME"], "\"worker\"");
    client.expect(&["CLIENT", "SETINFO", "LIB-NAME", "mine"], "+OK");
    client.expect(&["SELECT", "3"], "+OK");
    let line = text(&client.ask(&["CLIENT", "INFO"]));
    for part in ["name=worker", "lib-name=mine", "db=3", "cmd=client|info"] {
        assert!(line.contains(part), "{line}");
    }
    client.expect(&["RESET"], "+RESET");
    client.expect(&["CLIENT", "GETNAME"], "nil");
    client.expect(&["SELECT", "16"], "-ERR DB index is out of range");
    client.expect(&["AUTH", "x"], "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?");
}

#[test]
fn databases_are_apart() {
    let place = Place::new();
    let server = Running::alone(&place);
    let mut client = server.client();
    client.expect(&["SET", "k", "zero"], "+OK");
    client.expect(&["SELECT", "1"], "+OK");
    client.expect(&["GET", "k"], "nil");
    client.expect(&["SET", "k", "one"], "+OK");
    client.expect(&["DBSIZE"], ":1");
    client.expect(&["FLUSHDB"], "+OK");
    client.expect(&["DBSIZE"], ":0");
    client.expect(&["SELECT", "0"], "+OK");
    client.expect(&["GET", "k"], "\"zero\"");
}

#[test]
fn quit_answers_and_closes() {
    let place = Place::new();
    let server = Running::alone(&place);
    let mut client = server.client();
    client.send_all(&[vec!["SET", "a", "1"], vec!["QUIT"], vec!["SET", "a", "2"]]);
    assert_eq!(client.hear_out(), "+OK\r\n+OK\r\n");
    server.client().expect(&["GET", "a"], "\"1\"");
}

#[test]
fn settings_and_figures_are_told() {
    let place = Place::new();
    let server = Running::alone(&place);
    let mut client = server.client();
    client.expect(&["CONFIG", "GET", "maxclients", "save"], "[\"maxclients\" \"10000\" \"save\" \"\"]");
    client.expect(&["CONFIG", "SET", "maxclients", "77"], "+OK");
    client.expect(&["CONFIG", "GET", "maxc*"], "[\"maxclients\" \"77\"]");
    client.expect(
        &["CONFIG", "SET", "port", "1"],
        "-ERR CONFIG SET failed (possibly related to argument 'port') - can't set immutable config",
    );
    client.expect(
        &["CONFIG", "SET", "nonsense", "1"],
        "-ERR Unknown option or number of arguments for CONFIG SET - 'nonsense'",
    );
    let info = text(&client.ask(&["INFO"]));
    for part in
        ["# Server\r\n", "role:master\r\n", "cluster_enabled:1\r\n", "node:alone\r\n", "members:1\r\n"]
    {
        assert!(info.contains(part), "{info}");
    }
    assert!(!text(&client.ask(&["INFO", "cpu"])).contains("role:"));
}
