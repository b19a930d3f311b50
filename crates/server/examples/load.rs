//! A closed-loop load for `bench/compare`: so many connections, each sending a batch of SETs or GETs and waiting for all answers.
//!
//! It exists for what `redis-benchmark` cannot do: follow each batch with `WAIT`, and stay on the node that owns the key of a
//! Redis Cluster, so that a quorum-acknowledged write is measured with the same load on both sides. It is not a client library:
//! it counts answers and does not look at values.
//!
//! Invariants:
//! 1. Every answer is counted; an error answer, or a `WAIT` that too few replicas met, ends the run with an error.
//! 2. Both sides get the same bytes, but for the `WAIT` and the choice among keys.

#![expect(clippy::print_stdout, reason = "the figures are its answer")]

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A run that takes longer than this has gone wrong.
const RUN_SECONDS_MAX: u64 = 300;
const READ_BYTES: usize = 16 * 1024;
const SLOTS: usize = 16384;

/// What to send; every field is a flag of the same name.
#[derive(Clone)]
struct Load {
    nodes: Vec<String>,
    command: String,
    connections: usize,
    requests: usize,
    pipeline: usize,
    value_bytes: usize,
    keys: u64,
    /// Replicas that a `WAIT` behind each batch asks for; 0 sends none.
    wait: usize,
    /// Keys go only to the node whose slots they are in; the nodes share the slots evenly, in order.
    own_slots: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let load = Load::from_arguments(std::env::args().skip(1))?;
    let began = Instant::now();
    let each = (0..load.connections).map(|index| tokio::spawn(connection(load.clone(), index)));
    let each: Vec<_> = each.collect();
    let mut latencies = Vec::new();
    for task in each {
        let limit = Duration::from_secs(RUN_SECONDS_MAX).saturating_sub(began.elapsed());
        latencies.extend(tokio::time::timeout(limit, task).await???);
    }
    let seconds = began.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let done = latencies.len() * load.pipeline;
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!("requests,rps,p50_latency_ms,p99_latency_ms");
    println!(
        "{done},{:.0},{:.3},{:.3}",
        f64::from(u32::try_from(done).map_err(Error::other)?) / seconds,
        at(50),
        at(99)
    );
    Ok(())
}

impl Load {
    fn from_arguments(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let wrong = |what: String| Error::new(ErrorKind::InvalidInput, what);
        let mut flags = BTreeMap::new();
        for argument in arguments {
            let flag = argument.strip_prefix("--").and_then(|rest| rest.split_once('='));
            let (name, value) = flag.ok_or_else(|| wrong(format!("`{argument}` is not --name=value")))?;
            flags.insert(name.to_owned(), value.to_owned());
        }
        let mut take =
            |name: &str, otherwise: &str| flags.remove(name).unwrap_or_else(|| otherwise.to_owned());
        let number =
            |text: String| text.parse::<usize>().map_err(|_| wrong(format!("`{text}` is not a number")));
        let load = Self {
            nodes: take("nodes", "127.0.0.1:7001").split(',').map(str::to_owned).collect(),
            command: take("command", "set"),
            connections: number(take("connections", "50"))?.max(1),
            requests: number(take("requests", "100000"))?,
            pipeline: number(take("pipeline", "1"))?.max(1),
            value_bytes: number(take("value-bytes", "100"))?,
            keys: number(take("keys", "1000000"))?.max(1) as u64,
            wait: number(take("wait", "0"))?,
            own_slots: number(take("own-slots", "0"))? > 0,
        };
        match flags.keys().next() {
            Some(name) => Err(wrong(format!("no flag --{name}"))),
            None if !matches!(load.command.as_str(), "set" | "get") => {
                Err(wrong("--command is set or get".to_owned()))
            }
            None => Ok(load),
        }
    }

    /// One batch, with a `WAIT` behind it if asked for.
    fn batch(&self, node: usize, keys: &mut Keys, value: &str) -> String {
        let mut batch = String::new();
        for _ in 0..self.pipeline {
            let key = loop {
                let key = format!("key:{:012}", keys.next(self.keys));
                if !self.own_slots || slot(key.as_bytes()) * self.nodes.len() / SLOTS == node {
                    break key;
                }
            };
            let length = key.len();
            if self.command == "get" {
                batch += &format!("*2\r\n$3\r\nGET\r\n${length}\r\n{key}\r\n");
            } else {
                batch += &format!("*3\r\n$3\r\nSET\r\n${length}\r\n{key}\r\n${}\r\n{value}\r\n", value.len());
            }
        }
        if self.wait > 0 {
            // No time limit: an answer below what was asked for cannot come back.
            batch += &format!("*3\r\n$4\r\nWAIT\r\n$1\r\n{}\r\n$1\r\n0\r\n", self.wait);
        }
        batch
    }
}

/// One connection's share of the run; gives the time that each batch took.
async fn connection(load: Load, index: usize) -> Result<Vec<Duration>> {
    let node = index % load.nodes.len();
    let mut stream = TcpStream::connect(&load.nodes[node]).await?;
    stream.set_nodelay(true)?;
    let value = "x".repeat(load.value_bytes);
    let mut keys = Keys(0x9e37_79b9_7f4a_7c15 ^ (index as u64 + 1));
    let answers = load.pipeline + usize::from(load.wait > 0);
    let mut latencies = Vec::new();
    let mut read = vec![0; READ_BYTES];
    for _ in 0..load.requests.div_ceil(load.connections * load.pipeline) {
        let batch = load.batch(node, &mut keys, &value);
        let began = Instant::now();
        stream.write_all(batch.as_bytes()).await?;
        let mut held = Vec::new();
        let mut seen = 0;
        while seen < answers {
            let count = stream.read(&mut read).await?;
            if count == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            held.extend_from_slice(&read[..count]);
            let mut used = 0;
            while let Some(length) = answer_length(&held[used..], load.wait)? {
                used += length;
                seen += 1;
            }
            held.drain(..used);
        }
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}

/// The bytes of the answer at the front, if all of it has come.
fn answer_length(held: &[u8], wait: usize) -> Result<Option<usize>> {
    let Some(line) = held.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let text = String::from_utf8_lossy(&held[..line]);
    let (kind, rest) = text.split_at(1.min(text.len()));
    match kind {
        "+" | "_" => Ok(Some(line + 2)),
        ":" if rest.parse::<usize>().is_ok_and(|met| met >= wait) => Ok(Some(line + 2)),
        "$" if rest == "-1" => Ok(Some(line + 2)),
        "$" => {
            let length: usize = rest.parse().map_err(|_| Error::other(text.clone()))?;
            let whole = line + 2 + length + 2;
            Ok((held.len() >= whole).then_some(whole))
        }
        _ => Err(Error::other(format!("the server answered: {text}"))),
    }
}

/// Keys by chance, the same ones in every run (xorshift64, Marsaglia 2003).
struct Keys(u64);

impl Keys {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// The Redis Cluster slot of a key without a hash tag: CRC16 (XMODEM), bit by bit.
fn slot(key: &[u8]) -> usize {
    let step = |crc: u16, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
    let crc = key.iter().fold(0_u16, |crc, &byte| (0..8).fold(crc ^ (u16::from(byte) << 8), step));
    usize::from(crc) % SLOTS
}
