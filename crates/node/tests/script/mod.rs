//! The language of the scripts: which words move what. What moves is in `cluster`, `machine` and `network`.

mod cluster;
mod machine;
mod network;
mod text;

use bytes::Bytes;
use causal::{Key, Scope};
use cluster::Cluster;
use goldenscript::{Command, Context, Runner};
use node::Room;
use placement::{Duty, Position};
use std::error::Error;
use wire::Level;
use wire::request::{Job, Request};

/// How often nodes that compare do so, in milliseconds.
const COMPARE_EVERY_MS: u64 = 1_000;

type Output<T> = Result<T, Box<dyn Error>>;

/// One script: its nodes and the level of its requests.
#[derive(Default)]
pub(crate) struct Script {
    cluster: Cluster,
    level: Level,
}

impl Runner for Script {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Output<String> {
        let mut arguments = command.consume_args();
        let mut words = Vec::new();
        while let Some(word) = arguments.next_pos() {
            words.push(word.to_string());
        }
        arguments.reject_next()?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match single(&command.name) {
            Some(name) => self.ask(name, &words)?,
            None => self.perform(&command.name, &words)?,
        }
        Ok(self.cluster.told(command.name == "wait"))
    }
}

impl Script {
    fn perform(&mut self, command: &str, words: &[&str]) -> Output<()> {
        match (command, words) {
            ("nodes", [count]) => {
                self.level = Level::default();
                self.cluster.found(count.parse()?, u64::MAX)
            }
            ("nodes", [count, "comparing"]) => {
                self.level = Level::default();
                self.cluster.found(count.parse()?, COMPARE_EVERY_MS)
            }
            ("nodes", [count, "in", "two", "datacenters"]) => {
                self.level = Level::default();
                self.cluster.found_in_two(count.parse()?)
            }
            ("level", words) => {
                let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
                self.level = Level::parse(&words, 3).ok_or("no such level")?;
                Ok(())
            }
            ("wait", [span_ms]) => self.cluster.wait(span_ms.parse()?),
            ("join", [name]) => self.cluster.join(node(name)?, Duty::Store),
            ("join", [name, "route"]) => self.cluster.join(node(name)?, Duty::Route),
            ("disk", [name, "slow"]) => self.cluster.slow(node(name)?),
            ("disk", [name, "fails"]) => self.cluster.fail(node(name)?),
            ("disk", [name, "copied"]) => self.cluster.copy_disk(node(name)?),
            ("disk", [name, "put", "back"]) => self.cluster.put_back(node(name)?),
            ("disk", [name, "enough"]) => self.cluster.room(node(name)?, Room::Enough),
            ("disk", [name, "low"]) => self.cluster.room(node(name)?, Room::Low),
            ("disk", [name, "gone"]) => self.cluster.room(node(name)?, Room::Gone),
            ("settle", ["all"]) => self.cluster.settle_all(),
            ("settle", [name]) => self.cluster.settle(node(name)?),
            ("crash", [name]) => self.cluster.crash(node(name)?),
            ("restart", [name]) => self.cluster.restart(node(name)?),
            ("clock", [name, "right"]) => self.cluster.skew(node(name)?, 0),
            ("clock", [name, by, "ahead"]) => self.cluster.skew(node(name)?, by.parse()?),
            ("clock", [name, by, "behind"]) => self.cluster.skew(node(name)?, -by.parse::<i64>()?),
            ("show", [key]) => self.cluster.show(key),
            _ => self.pass(command, words),
        }
    }

    /// What is done to messages and links.
    fn pass(&mut self, command: &str, words: &[&str]) -> Output<()> {
        match (command, words) {
            ("deliver", []) => self.cluster.deliver_all(),
            ("deliver", [from, to]) => self.cluster.deliver(node(from)?, node(to)?),
            ("drop", [from, to]) => self.cluster.drop(node(from)?, node(to)?),
            ("repeat", [from, to]) => self.cluster.repeat(node(from)?, node(to)?, 0),
            ("repeat", [from, to, before]) => self.cluster.repeat(node(from)?, node(to)?, before.parse()?),
            ("hold" | "release", [from, to]) => self.cluster.hold(node(from)?, node(to)?, command == "hold"),
            ("hold" | "release", [name]) => self.cluster.hold_node(node(name)?, command == "hold"),
            ("link", [a, b, "down"]) => self.cluster.link(node(a)?, node(b)?, false),
            ("link", [a, b, "up"]) => self.cluster.link(node(a)?, node(b)?, true),
            ("suspect" | "trust", [a, b]) => self.cluster.trust(node(a)?, node(b)?, command == "trust"),
            _ => Err(format!("nobody knows {command} {words:?}").into()),
        }
    }

    fn ask(&mut self, name: char, words: &[&str]) -> Output<()> {
        let key = |name: &str| Key::new(0, name.to_owned());
        let job = match words {
            ["EXPLAIN", name] => Job::Explain { key: key(name) },
            ["SIBLINGS", name] => Job::Siblings { key: key(name) },
            ["RESOLVE", name, token, value] => {
                let (token, value) = (self.cluster.token(token)?, Bytes::from((*value).to_owned()));
                Job::Resolve { key: key(name), token, value }
            }
            ["FLUSHALL"] => Job::Flush { scope: Scope::All },
            ["COUNT"] => Job::Count { database: 0 },
            ["LIST", limit] => Job::List { database: 0, from: Position(0), limit: limit.parse()? },
            ["LIST", limit, "on"] => {
                Job::List { database: 0, from: self.cluster.cursor()?, limit: limit.parse()? }
            }
            [_, name, ..] => {
                let words = words.iter().map(|word| Bytes::from((*word).to_owned())).collect();
                Job::Command { key: key(name), words }
            }
            _ => return Err(format!("nobody can be asked {words:?}").into()),
        };
        self.cluster.ask(name, Request { level: self.level, job })
    }
}

/// The name of a node: one small letter.
fn single(word: &str) -> Option<char> {
    let mut letters = word.chars();
    letters.next().filter(|letter| letter.is_ascii_lowercase() && letters.next().is_none())
}

fn node(word: &str) -> Output<char> {
    single(word).ok_or_else(|| format!("{word} is no node").into())
}
