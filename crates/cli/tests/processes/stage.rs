//! What the tests stand on: the real binary, free ports, a directory that goes away, and a bare client.
//!
//! 1. Nothing outlives a test: processes are killed and directories removed when their owners are dropped.
//! 2. No two tests of one run use the same ports.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use wire::Reply;
use wire::resp::{ReplyDecoder, encode_request};

/// Longest wait for anything, in seconds; a machine with much else to do is slow.
const WAIT_SECONDS_MAX: u64 = 40;
/// Ports below those that the system gives to outgoing connections, with room for the peer ports above them.
const PORTS: std::ops::Range<u16> = 12_000..28_000;
/// Most nodes of one test.
const PORTS_IN_A_ROW_MAX: u16 = 4;

/// The binary, with no setting of the surroundings.
pub(crate) fn armilla() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_armilla"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ARMILLA_")) {
        command.env_remove(name);
    }
    command
}

/// Runs it to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    armilla().args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// What a run wrote to standard output and standard error, and its exit code.
pub(crate) fn told(output: &Output) -> (String, String, i32) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code().unwrap_or(-1))
}

/// The first of `count` free ports in a row, whose peer ports are free too.
pub(crate) fn free_ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    static BEGIN: OnceLock<u16> = OnceLock::new();
    // A port of the system's choice, so that two runs at once seldom look at the same ones.
    let begin = BEGIN.get_or_init(|| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
    assert!(count <= PORTS_IN_A_ROW_MAX);
    let slots = (PORTS.end - PORTS.start) / PORTS_IN_A_ROW_MAX;
    for _ in 0..slots {
        let slot = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(*begin) % slots;
        let first = PORTS.start + slot * PORTS_IN_A_ROW_MAX;
        let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if (first..first + count).all(|port| free(port) && free(port + 3000)) {
            return first;
        }
    }
    panic!("no {count} free ports in a row");
}

/// A directory that is removed at the end.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("armilla-test-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process that is killed at the end, and the lines that it writes.
pub(crate) struct Process {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
}

impl Process {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = armilla();
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (out, err) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        Self { child, out, err }
    }

    /// The next line of standard output that begins so.
    pub(crate) fn line(&self, start: &str) -> String {
        Self::line_of(&self.out, start, &self.err)
    }

    /// The next line of standard error that begins so.
    pub(crate) fn error_line(&self, start: &str) -> String {
        Self::line_of(&self.err, start, &self.out)
    }

    fn line_of(from: &Receiver<String>, start: &str, other: &Receiver<String>) -> String {
        let mut seen = Vec::new();
        loop {
            match from.recv_timeout(Duration::from_secs(WAIT_SECONDS_MAX)) {
                Ok(line) if line.starts_with(start) => return line,
                Ok(line) => seen.push(line),
                Err(error) => {
                    let other: Vec<String> = other.try_iter().collect();
                    panic!("no line {start:?} ({error}), but {seen:#?} and {other:#?}");
                }
            }
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut ended = None;
        until("the process to end", || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        ended.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        BufReader::new(from).lines().map_while(Result::ok).try_for_each(|line| sender.send(line).ok())
    });
    receiver
}

/// Sends a signal by name, `KILL` or `TERM`.
pub(crate) fn signal(pid: u32, name: &str) {
    let status = Command::new("sh").arg("-c").arg(format!("kill -{name} {pid}")).status().unwrap();
    assert!(status.success(), "kill -{name} {pid}");
}

/// Whether a process is there and not only waited for.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// Waits until something holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(WAIT_SECONDS_MAX);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A bare client.
pub(crate) struct Client(TcpStream);

impl Client {
    /// Connects; the node may still be starting.
    pub(crate) fn connect(port: u16) -> Self {
        let mut stream = None;
        until("a node to listen", || {
            stream = TcpStream::connect(("127.0.0.1", port)).ok();
            stream.is_some()
        });
        let stream = stream.unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(WAIT_SECONDS_MAX))).unwrap();
        Self(stream)
    }

    /// Asks in RESP2.
    pub(crate) fn ask(&mut self, line: &str) -> Reply {
        let words: Vec<&str> = line.split(' ').collect();
        let (mut request, mut buffer, mut decoder) =
            (BytesMut::new(), BytesMut::new(), ReplyDecoder::default());
        encode_request(&words, &mut request);
        self.0.write_all(&request).unwrap();
        loop {
            if let Some(reply) = decoder.decode(&mut buffer).unwrap() {
                return reply;
            }
            let mut bytes = [0; 4096];
            let count = self.0.read(&mut bytes).unwrap();
            assert!(count > 0, "the node closed the connection after {line:?}");
            buffer.extend_from_slice(&bytes[..count]);
        }
    }

    /// Asks in JSON lines.
    pub(crate) fn ask_json(&mut self, line: &str) -> serde_json::Value {
        self.0.write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        BufReader::new(&self.0).read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{answer:?}: {error}"))
    }
}
