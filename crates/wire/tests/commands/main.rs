//! Every command as a golden script: what it answers, and what it refuses.

mod memory;

use std::error::Error;
use std::fmt::Write;

use bytes::Bytes;
use goldenscript::{Argument, Command, Context, Runner};
use memory::{Memory, Outcome};
use wire::Reply;

impl Runner for Memory {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Box<dyn Error>> {
        let words = command.args.iter().map(|argument| match argument {
            Argument::Positional(word) => word.clone(),
            other => other.to_string(),
        });
        let args: Vec<Bytes> = std::iter::once(command.name.clone()).chain(words).map(Bytes::from).collect();
        let shown = match self.answer(&args) {
            Outcome::Reply(reply) => shown(&reply),
            Outcome::Local(asked) => format!("asks {asked:?}"),
            Outcome::Keyspace(asked) => format!("asks {asked:?}"),
            Outcome::Own(asked) => format!("asks {asked:?}"),
        };
        let words: Vec<_> = command.args.iter().map(|argument| format!(" {argument}")).collect();
        Ok(format!("{}{} → {shown}\n", command.name, words.concat()))
    }
}

/// A reply on one line.
fn shown(reply: &Reply) -> String {
    let list = |replies: &[Reply]| replies.iter().map(shown).collect::<Vec<_>>().join(", ");
    match reply {
        Reply::Simple(text) => text.to_string(),
        Reply::Integer(number) => number.to_string(),
        Reply::Bulk(bytes) => format!("{bytes:?}")[1..].to_owned(),
        Reply::Nil => "(nil)".to_owned(),
        Reply::NilArray => "(nil array)".to_owned(),
        Reply::Array(replies) => format!("[{}]", list(replies)),
        Reply::Set(replies) => format!("~[{}]", list(replies)),
        Reply::Map(pairs) => {
            let mut text = String::new();
            for (name, value) in pairs {
                let _ = write!(
                    text,
                    "{}{}: {}",
                    if text.is_empty() { "" } else { ", " },
                    shown(name),
                    shown(value)
                );
            }
            format!("{{{text}}}")
        }
        Reply::Error(fault) => format!("-{fault}"),
        other => format!("{other:?}"),
    }
}

fn script(name: &str) {
    goldenscript::run(&mut Memory::default(), format!("tests/commands/scripts/{name}"))
        .expect("the script runs and answers as recorded");
}

#[test]
fn strings() {
    script("strings");
}

#[test]
fn set() {
    script("set");
}

#[test]
fn counters() {
    script("counters");
}

#[test]
fn generic() {
    script("generic");
}

#[test]
fn several_keys() {
    script("several_keys");
}

#[test]
fn keyspace() {
    script("keyspace");
}

#[test]
fn connection() {
    script("connection");
}

#[test]
fn server() {
    script("server");
}

#[test]
fn own() {
    script("own");
}

#[test]
fn introspection() {
    script("introspection");
}
