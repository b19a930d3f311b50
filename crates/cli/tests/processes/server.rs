//! One node as a process: its doors, its end, its settings, and who it takes in.

use crate::stage::{Client, Directory, Process, armilla, free_ports, run, told, until};
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};
use wire::Reply;

fn start(port: u16, dir: &str, more: &[&str]) -> Process {
    let address = format!("127.0.0.1:{port}");
    Process::start(&[&["server", "--addr", &address, "--dir", dir, "--shards", "2"], more].concat())
}

#[test]
fn one_node_serves_both_protocols_and_keeps_its_data() {
    let (port, dir) = (free_ports(1), Directory::new("one"));
    let mut node = start(port, &dir.join("a"), &["--id", "a"]);
    let mut client = Client::connect(port);
    assert_eq!(client.ask("SET k v"), Reply::ok());
    assert_eq!(client.ask("INCRBY n 5"), Reply::Integer(5));
    let mut json = Client::connect(port);
    let answer = json.ask_json(r#"{"type":"SET","key":"j","value":"1"}"#);
    assert_eq!((answer["type"].as_str(), answer["status"].as_str()), (Some("RESPONSE"), Some("SUCCESS")));
    let answer = json.ask_json(r#"{"type":"GET","key":"k"}"#);
    assert_eq!(answer["value"].as_str(), Some("v"));
    assert_eq!(client.ask("GET j"), Reply::bulk("1"));

    node.signal("TERM");
    assert!(node.wait().success());
    let mut node = start(port, &dir.join("a"), &["--id", "a"]);
    let mut client = Client::connect(port);
    assert_eq!(client.ask("GET k"), Reply::bulk("v"));
    assert_eq!(client.ask("INCR n"), Reply::Integer(6));
    node.signal("KILL");
    node.wait();
    let _node = start(port, &dir.join("a"), &["--id", "a"]);
    assert_eq!(Client::connect(port).ask("GET n"), Reply::bulk("6"));
}

#[test]
fn the_hand_asks_a_node_and_tells_by_its_exit_code() {
    let (port, dir) = (free_ports(1), Directory::new("hand"));
    let _node = start(port, &dir.join("a"), &["--id", "a"]);
    drop(Client::connect(port));
    let server = format!("127.0.0.1:{port}");
    let cli = |words: &[&str]| told(&run(&[&["cli", "-s", &server], words].concat()));
    let said = |text: &str| (format!("{text}\n"), String::new(), 0);
    assert_eq!(cli(&["SET", "mykey", "my value"]), said("OK"));
    assert_eq!(cli(&["GET", "mykey"]), said("my value"));
    assert_eq!(cli(&["--human", "GET", "mykey"]), said("\"my value\""));
    assert_eq!(cli(&["--json", "MGET", "mykey", "none"]), said(r#"["my value",null]"#));
    assert_eq!(cli(&["DELETE", "mykey"]), said("1"));
    assert_eq!(cli(&["-n", "3", "DBSIZE"]), said("0"));
    assert_eq!(
        cli(&["GET"]),
        (String::new(), "ERR wrong number of arguments for 'get' command\n".to_owned(), 1)
    );
    let (out, err, code) = cli(&["--json", "NOSUCH"]);
    assert!(out.starts_with(r#"{"error":"ERR unknown command 'NOSUCH'"#), "{out}");
    assert_eq!((err.as_str(), code), ("", 1));

    let mut script =
        armilla().args(["cli", "-s", &server]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    script
        .stdin
        .take()
        .unwrap()
        .write_all(b"SET a \"1 2\"\n\nSELECT 1\nGET a\nSELECT 0\nget a\nEXIT\nGET a\n")
        .unwrap();
    assert_eq!(
        told(&script.wait_with_output().unwrap()),
        ("OK\nOK\n\nOK\n1 2\n".to_owned(), String::new(), 0)
    );

    let (out, err, code) = told(&run(&["status", "-s", &server]));
    assert_eq!((err.as_str(), code), ("", 0), "{out}");
    assert!(
        out.starts_with("member  state") && out.contains("100.0 %") && out.contains("1 of 1 up"),
        "{out}"
    );
    // A node counts its keys now and then.
    until("the key to be counted", || {
        let (out, _, code) = told(&run(&["status", "-s", &server, "--json"]));
        let status: serde_json::Value = serde_json::from_str(&out).unwrap();
        let member = &status["members"][0];
        assert_eq!((member["name"].as_str(), code), (Some("a"), 0));
        member["keys"].as_i64() == Some(1)
    });
}

#[test]
fn nodes_join_whether_there_is_data_or_not_and_leave() {
    let (port, dir) = (free_ports(3), Directory::new("join"));
    let first = format!("127.0.0.1:{port}");
    let _a = start(port, &dir.join("a"), &["--id", "a"]);
    drop(Client::connect(port));
    let _b = start(port + 1, &dir.join("b"), &["--id", "b", "--join", &first]);
    drop(Client::connect(port + 1));
    until("both to be up", || told(&run(&["status", "-s", &first])).0.contains("2 of 2 up"));
    assert_eq!(Client::connect(port + 1).ask("SET k v"), Reply::ok());

    let mut late = start(port + 2, &dir.join("c"), &["--id", "c", "--join", &first]);
    drop(Client::connect(port + 2));
    let (out, err, code) = told(&run(&["watch", "-s", &first, "--timeout", "60"]));
    assert!(code == 0 && out.contains("everything is where it is wanted"), "{out}{err}");
    assert_eq!(Client::connect(port + 2).ask("GET k"), Reply::bulk("v"));
    let (out, err, code) = told(&run(&["plan", "replicas", "2", "-s", &first]));
    assert!(code == 0 && out.contains("0 copies of partitions move"), "{out}{err}");
    let (out, err, code) = told(&run(&["drain", "c", "-s", &first]));
    assert!((out.as_str(), code) == ("", 1) && err.contains("too few for 3 replicas"), "{out}{err}");
    assert_eq!(told(&run(&["replicas", "2", "-s", &first])).2, 0);
    let (out, err, code) = told(&run(&["drain", "c", "-s", &first]));
    assert!(code == 0 && out.contains("everything is where it is wanted"), "{out}{err}");
    assert_eq!(late.wait().code(), Some(0));
    let mut again = start(port + 2, &dir.join("c"), &["--id", "c"]);
    assert!(again.error_line("armilla: ").contains("was removed from its cluster"));
    assert_eq!(again.wait().code(), Some(2));
    assert_eq!(Client::connect(port).ask("GET k"), Reply::bulk("v"));
}

#[test]
fn a_node_that_waits_to_join_stops_when_it_is_told() {
    let (port, dir) = (free_ports(1), Directory::new("waits"));
    // A door that nobody opens: the question is never answered.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let join = silent.local_addr().unwrap().to_string();
    let mut node = start(port, &dir.join("a"), &["--id", "a", "--join", &join]);
    let (_question, _) = silent.accept().unwrap();
    let asked = Instant::now();
    node.signal("TERM");
    assert!(node.wait().success());
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}

#[test]
fn settings_that_are_wrong_are_refused_before_anything_is_made() {
    let dir = Directory::new("settings");
    let file = dir.join("node.toml");
    fs::write(&file, "id = \"a\"\nfsyncc = \"never\"\n").unwrap();
    let data = dir.join("data");
    let (out, err, code) = told(&run(&["server", "--dir", &data, "--config", &file]));
    assert_eq!((out.as_str(), code), ("", 2));
    assert_eq!(err, format!("armilla: {file}: there is no setting fsyncc; did you mean fsync?\n"));
    let mut command = armilla();
    let output = command.args(["server", "--dir", &data]).env("ARMILLA_WEIGTH", "2").output().unwrap();
    let expected =
        "armilla: the environment: there is no setting ARMILLA_WEIGTH; did you mean ARMILLA_WEIGHT?\n";
    assert_eq!(told(&output), (String::new(), expected.to_owned(), 2));
    let (_, err, code) = told(&run(&["server", "--dir", &data, "--fsync", "sometimes"]));
    assert!(err.contains("interval:<milliseconds>") && code == 2, "{err}");
    assert!(!dir.path().join("data").exists());
}

#[test]
fn what_needs_no_node() {
    let port = free_ports(1);
    let (out, err, code) = told(&run(&["cli", "-s", &format!("127.0.0.1:{port}"), "PING"]));
    assert!(
        out.is_empty() && err.starts_with(&format!("armilla: cannot connect to 127.0.0.1:{port}: ")),
        "{err}"
    );
    assert_eq!(code, 2);
    assert_eq!(told(&run(&["status", "-s", &format!("127.0.0.1:{port}")])).2, 2);
    let (out, _, code) = told(&run(&["cli", "HELP", "SET"]));
    assert!(out.starts_with("SET key value") && code == 0, "{out}");
    assert_eq!(told(&run(&["cli", "HELP", "NOSUCH"])).2, 1);

    let dir = Directory::new("man");
    assert!(run(&["man", "--dir", &dir.join("man")]).status.success());
    for page in ["armilla.1", "armilla-server.1", "armilla-dev.1", "armilla-cli.1", "armilla-status.1"] {
        let text = fs::read_to_string(dir.path().join("man").join(page)).unwrap();
        assert!(text.contains(".TH "), "{page}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(told(&run(&["completions", shell])).0.contains("armilla"), "{shell}");
    }
}
