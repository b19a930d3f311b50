//! A cluster of three on one machine: it gets ready, serves, loses a node, stops, comes back with its data.

use crate::stage::{Client, Directory, Process, free_ports, is_alive, run, signal, told, until};
use std::net::TcpListener;
use wire::Reply;

fn dev(port: u16, dir: &Directory, more: &[&str]) -> Process {
    let (port, dir) = (port.to_string(), dir.join("dev"));
    Process::start(&[&["dev", "--port", &port, "--dir", &dir], more, &["--", "--shards", "1"]].concat())
}

/// The process ids of the nodes, once all are ready.
fn ready(process: &Process, port: u16) -> Vec<u32> {
    let pids = (1..=3).map(|number| {
        let line = process.line(&format!("server{number}  pid "));
        let client = format!("clients 127.0.0.1:{}", port + number - 1);
        assert!(
            line.contains(&client) && line.contains(&format!("peers 127.0.0.1:{}", port + number + 2999)),
            "{line}"
        );
        line.split_whitespace().nth(2).unwrap().parse().unwrap()
    });
    let pids = pids.collect();
    let expected = format!("ready 127.0.0.1:{port} 127.0.0.1:{} 127.0.0.1:{}", port + 1, port + 2);
    assert_eq!(process.line("ready "), expected);
    pids
}

#[test]
fn three_nodes_serve_lose_one_and_come_back() {
    let (port, dir) = (free_ports(3), Directory::new("dev"));
    let mut process = dev(port, &dir, &[]);
    let pids = ready(&process, port);
    assert_eq!(Client::connect(port).ask("SET k v"), Reply::ok());
    assert_eq!(Client::connect(port + 2).ask("GET k"), Reply::bulk("v"));
    assert_eq!(Client::connect(port + 1).ask("INCRBY n 2"), Reply::Integer(2));

    let (_, err, code) = told(&run(&["dev", "--port", &port.to_string(), "--dir", &dir.join("dev")]));
    assert!(err.contains("another `armilla dev` runs in ") && code == 2, "{err}");

    signal(pids[1], "KILL");
    assert!(process.error_line("server2").ends_with("was killed by signal 9"));
    for number in 0..50 {
        let reply = Client::connect(port + 2 * (number % 2)).ask(&format!("SET after{number} {number}"));
        assert_eq!(reply, Reply::ok(), "after{number}");
    }
    until("the loss to be seen", || {
        let (out, _, code) = told(&run(&["status", "-s", &format!("127.0.0.1:{port}")]));
        assert_eq!(code, i32::from(!out.contains("3 of 3 up")), "{out}");
        out.contains("2 of 3 up")
    });

    process.signal("TERM");
    assert!(process.wait().success());
    assert!(pids.iter().all(|&pid| !is_alive(pid)));

    let process = dev(port, &dir, &[]);
    ready(&process, port);
    for number in 0..50 {
        let reply = Client::connect(port + 1).ask(&format!("GET after{number}"));
        assert_eq!(reply, Reply::bulk(number.to_string()), "after{number}");
    }
    assert_eq!(Client::connect(port + 1).ask("INCR n"), Reply::Integer(3));
}

#[test]
fn nodes_do_not_outlive_their_parent_and_fresh_begins_anew() {
    let (port, dir) = (free_ports(3), Directory::new("orphans"));
    let mut process = dev(port, &dir, &[]);
    let pids = ready(&process, port);
    assert_eq!(Client::connect(port).ask("SET k v"), Reply::ok());
    process.signal("KILL");
    process.wait();
    until("the nodes to follow their parent", || !pids.iter().any(|&pid| is_alive(pid)));

    let (_, err, code) =
        told(&run(&["dev", "--nodes", "2", "--port", &port.to_string(), "--dir", &dir.join("dev")]));
    assert!(
        err.contains("holds 3 nodes: start them with --nodes 3, or begin anew with --fresh") && code == 2,
        "{err}"
    );
    let process = dev(port, &dir, &["--fresh"]);
    ready(&process, port);
    assert_eq!(Client::connect(port + 1).ask("GET k"), Reply::Nil);
}

#[test]
fn a_taken_port_is_told_before_anything_starts() {
    let (port, dir) = (free_ports(3), Directory::new("taken"));
    let _taken = TcpListener::bind(("127.0.0.1", port + 1)).unwrap();
    let (out, err, code) = told(&run(&["dev", "--port", &port.to_string(), "--dir", &dir.join("dev")]));
    assert_eq!((out.as_str(), code), ("", 2));
    let start = format!(
        "armilla: server2 cannot listen on 127.0.0.1:{} for clients; choose other ports with --port: ",
        port + 1
    );
    assert!(err.starts_with(&start), "{err}");
    assert!(!dir.path().join("dev/server1").exists());
}
