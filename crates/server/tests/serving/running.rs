//! A server in a thread, and a client that says what it wants to hear.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use server::{Config, StartError, Stop, run_until};
use wire::Reply;
use wire::resp::{ReplyDecoder, encode_request};

/// Longest wait for anything that has to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A directory of its own, gone at the end.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("armilla-serving-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server that runs until it is stopped or dropped.
pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    stop: Stop,
    thread: Option<JoinHandle<Result<(), StartError>>>,
}

/// A port that nobody listens on. Somebody else could take it before we do; the system hands them out in turn.
pub(crate) fn free_addr() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A node named `id` in `dir`, on free ports, without the cost of syncs.
pub(crate) fn config(id: &str, dir: &Path) -> Config {
    Config {
        id: id.to_owned(),
        client_addr: free_addr(),
        peer_addr: Some(free_addr()),
        dir: dir.to_owned(),
        shards: Some(2),
        fsync: server::Fsync::Never,
        partitions: 64,
        ..Config::default()
    }
}

impl Running {
    pub(crate) fn start(config: Config) -> Result<Self, StartError> {
        let stop = Stop::default();
        let addr = config.client_addr;
        let (told, ready) = channel();
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || run_until(config, &stopped, || told.send(()).unwrap()));
        // The sender goes with the thread if the server does not start.
        match ready.recv() {
            Ok(()) => Ok(Self { addr, stop, thread: Some(thread) }),
            Err(_) => Err(thread.join().unwrap().unwrap_err()),
        }
    }

    pub(crate) fn alone(place: &Place) -> Self {
        Self::start(config("alone", &place.join("alone"))).unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.addr)
    }

    /// Waits until it knows of so many members, and each partition is where it is wanted.
    pub(crate) fn until_settled(&self, members: usize) {
        let (began, mut client) = (Instant::now(), self.client());
        loop {
            let status = client.ask(&["ARMILLA.STATUS"]);
            let is_settled = field(field(status.clone(), "ring"), "settled");
            if shown(&is_settled) == ":1" && items(field(status.clone(), "members")).len() == members {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "it is not settled: {}", shown(&field(status, "ring")));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn stop(mut self) {
        self.end();
    }

    /// How it ends by itself.
    pub(crate) fn ended(mut self) -> Result<(), StartError> {
        self.thread.take().map_or(Ok(()), |thread| thread.join().unwrap())
    }

    fn end(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
        }
    }
}

/// Three nodes that see each other.
pub(crate) fn three(place: &Place) -> Vec<Running> {
    let first = Running::start(config("one", &place.join("one"))).unwrap();
    let join = |id: &str| Config { join: Some(first.addr.to_string()), ..config(id, &place.join(id)) };
    let (two, three) = (Running::start(join("two")).unwrap(), Running::start(join("three")).unwrap());
    let nodes = vec![first, two, three];
    nodes.iter().for_each(|node| node.until_settled(3));
    for node in &nodes {
        node.client().until(&["SET", "formed", "yes"], "+OK");
    }
    nodes
}

/// What a map has under a name; in RESP2 it comes as a list.
pub(crate) fn field(map: Reply, name: &str) -> Reply {
    let mut items = items(map).into_iter();
    loop {
        let key = items.next().unwrap_or_else(|| panic!("there is no {name}"));
        let value = items.next().unwrap();
        if text(&key) == name {
            return value;
        }
    }
}

/// A RESP client that waits for each answer.
pub(crate) struct Client {
    stream: TcpStream,
    read: BytesMut,
    decoder: ReplyDecoder,
}

impl Client {
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: BytesMut::new(), decoder: ReplyDecoder::default() }
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends requests without waiting.
    pub(crate) fn send_all(&mut self, requests: &[Vec<&str>]) {
        let mut out = BytesMut::new();
        requests.iter().for_each(|words| encode_request(words, &mut out));
        self.send(&out);
    }

    /// The next answer.
    pub(crate) fn hear(&mut self) -> Reply {
        loop {
            if let Some(reply) = self.decoder.decode(&mut self.read).unwrap() {
                return reply;
            }
            assert!(self.fill() > 0, "the server has closed the connection");
        }
    }

    /// Everything up to the end of the connection.
    pub(crate) fn hear_out(&mut self) -> String {
        while self.fill() > 0 {}
        String::from_utf8_lossy(&self.read.split()).into_owned()
    }

    /// The next line as it is, without its end.
    pub(crate) fn hear_line(&mut self) -> String {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line = self.read.split_to(end + 1);
                return String::from_utf8_lossy(&line).trim_end().to_owned();
            }
            assert!(self.fill() > 0, "the server has closed the connection");
        }
    }

    fn fill(&mut self) -> usize {
        let mut bytes = [0; 16 * 1024];
        let count = self.stream.read(&mut bytes).unwrap();
        self.read.extend_from_slice(&bytes[..count]);
        count
    }

    pub(crate) fn ask(&mut self, words: &[&str]) -> Reply {
        self.send_all(&[words.to_vec()]);
        self.hear()
    }

    /// Asks and compares with the answer as [`shown`].
    pub(crate) fn expect(&mut self, words: &[&str], answer: &str) {
        assert_eq!(shown(&self.ask(words)), answer, "{words:?}");
    }

    /// Asks again until the answer comes.
    pub(crate) fn until(&mut self, words: &[&str], answer: &str) {
        let began = Instant::now();
        loop {
            let heard = shown(&self.ask(words));
            if heard == answer {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{words:?} still gives {heard}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A reply on one line: `+OK`, `:1`, `"text"`, `nil`, `-ERR ...`, `[a b]`.
pub(crate) fn shown(reply: &Reply) -> String {
    let all = |items: &[Reply]| items.iter().map(shown).collect::<Vec<_>>().join(" ");
    match reply {
        Reply::Simple(text) => format!("+{text}"),
        Reply::Integer(number) => format!(":{number}"),
        Reply::Bulk(bytes) | Reply::Verbatim(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
        Reply::Nil | Reply::NilArray => "nil".to_owned(),
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => format!("[{}]", all(items)),
        Reply::Map(pairs) => {
            let pairs: Vec<_> =
                pairs.iter().map(|(key, value)| format!("{}={}", shown(key), shown(value))).collect();
            format!("{{{}}}", pairs.join(" "))
        }
        Reply::Double(number) => number.to_string(),
        Reply::Boolean(value) => value.to_string(),
        Reply::Error(fault) => format!("-{fault}"),
    }
}

/// The items of an array.
pub(crate) fn items(reply: Reply) -> Vec<Reply> {
    match reply {
        Reply::Array(items) => items,
        other => panic!("an array was expected, not {}", shown(&other)),
    }
}

/// The text of a bulk string.
pub(crate) fn text(reply: &Reply) -> String {
    match reply {
        Reply::Bulk(bytes) | Reply::Verbatim(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        other => panic!("a bulk string was expected, not {}", shown(other)),
    }
}
