//! A shard whose store fails: what its clients are told, and what is there when it is open again.
//!
//! The failure is a letter such as the committer writes, so the engine below is sound and what was committed is there.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use placement::{Layout, Member, NodeId, Zone};
use store::StoreError;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::config::Config;
use crate::control::Control;
use crate::host::Host;
use crate::letter::Letter;
use crate::{stores, worker};

/// How long a store may take until it is open again.
const OPEN_MAX: Duration = Duration::from_secs(20);

/// One shard on a thread, alone in its cluster, and a client of it.
struct Stage {
    host: Arc<Host>,
    controls: mpsc::Receiver<Control>,
    worker: Option<JoinHandle<()>>,
    client: BufReader<TcpStream>,
    dir: PathBuf,
}

impl Stage {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("armilla-shard-{}-{name}", std::process::id()));
        let config = Config { shards: Some(1), dir: dir.clone(), ..Config::default() };
        let member = Member {
            id: NodeId::of_name(&config.id),
            name: config.id.clone(),
            client_addr: config.announced(),
            peer_addr: String::from("127.0.0.1:1"),
            weight: 1,
            zone: Zone::default(),
            duty: placement::Duty::Store,
        };
        let layout = Arc::new(Layout::found(1, 1, 16, 1, member, 1).unwrap());
        let (control, controls) = mpsc::channel(16);
        let host = Arc::new(Host::new(config, Clock::start(), layout, control));
        let found = stores::open_all(&host, false).unwrap().remove(0);
        let (told, opened) = oneshot::channel();
        let shared = Arc::clone(&host);
        let worker = std::thread::spawn(move || worker::run(&shared, 0, found, told));
        opened.blocking_recv().unwrap().unwrap();
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(door.local_addr().unwrap()).unwrap();
        let (stream, addr) = door.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        host.mailboxes[0].post(Letter::Client(stream, addr));
        Self { host, controls, worker: Some(worker), client: BufReader::new(client), dir }
    }

    /// Sends a line and gives the first line of the answer.
    fn ask(&mut self, line: &str) -> String {
        self.client.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        self.client.read_line(&mut answer).unwrap();
        if answer.starts_with('$') && !answer.starts_with("$-1") {
            answer.clear();
            self.client.read_line(&mut answer).unwrap();
        }
        answer.trim_end().to_owned()
    }

    fn fail(&self, error: StoreError) {
        self.host.mailboxes[0].post(Letter::Failed(error));
    }

    /// Asks until the answer is another than that the disk cannot be used, or is full.
    fn ask_until_open(&mut self, line: &str) -> String {
        let until = Instant::now() + OPEN_MAX;
        loop {
            let answer = self.ask(line);
            let is_refused = answer.starts_with("-STORAGE") || answer.starts_with("-DISKFULL");
            if !is_refused || Instant::now() > until {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.host.mailboxes[0].post(Letter::Stop);
        let _ = self.worker.take().map(JoinHandle::join);
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

#[test]
fn a_shard_goes_on_with_what_was_committed() {
    let full = (StoreError::Full("no room".into()), "-DISKFULL");
    for (error, refusal) in [full, (StoreError::Write("a bad sector".into()), "-STORAGE")] {
        let mut stage = Stage::new("goes-on");
        assert_eq!(stage.ask("SET k before"), "+OK");
        stage.fail(error);
        assert!(stage.ask("SET k refused").starts_with(refusal));
        assert!(stage.ask("GET k").starts_with("-STORAGE"), "who reads meanwhile is refused");
        assert_eq!(stage.ask_until_open("GET k"), "before");
        assert_eq!(stage.ask("SET k after"), "+OK");
        assert_eq!(stage.ask("INCR n"), ":1");
        assert_eq!(stage.ask("GET k"), "after");
        assert!(stage.controls.try_recv().is_err(), "the process goes on");
    }
}

#[test]
fn a_store_that_has_lost_commits_is_not_opened_again() {
    let mut stage = Stage::new("lost");
    assert_eq!(stage.ask("SET k before"), "+OK");
    // Where nothing writes while it is open, and nothing keeps it from being read.
    std::fs::remove_file(stage.dir.join("shard-0/rows/version")).unwrap();
    stage.fail(StoreError::Write("a bad sector".into()));
    let until = Instant::now() + OPEN_MAX * 4;
    let failed = loop {
        match stage.controls.try_recv() {
            Ok(Control::Failed(reason)) => break reason,
            _ => assert!(Instant::now() < until, "nobody is told"),
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(failed.contains("shard 0"), "{failed}");
    assert!(stage.ask("GET k").starts_with("-STORAGE"));
}
