//! A store of one node, as small as can be, in which commands are tried.
//!
//! Not a node: one replica, no peers. Keys hold entries as a replica's rows do, so that what a command answered and what
//! is read afterwards come from different code.

use std::collections::BTreeMap;

use bytes::Bytes;
use causal::string::{edit, value};
use causal::{Actor, Cell, Change, Dot, Entries, Entry, Key, Stamp};
use wire::command::keyspace::Keyspace;
use wire::command::local::Local;
use wire::command::own::Own;
use wire::command::row::Run;
use wire::command::{Class, Each, resolve, rows};
use wire::{Fault, Reply};

/// What comes of a command.
pub(crate) enum Outcome {
    Reply(Reply),
    /// What would be asked of a server.
    Local(Local),
    /// What would be asked of partitions.
    Keyspace(Keyspace),
    /// What would be asked of a key's owners.
    Own(Own),
}

#[derive(Default)]
pub(crate) struct Memory {
    keys: BTreeMap<Bytes, Entries>,
    operations: u64,
}

impl Memory {
    pub(crate) fn answer(&mut self, args: &[Bytes]) -> Outcome {
        self.try_answer(args).unwrap_or_else(|fault| Outcome::Reply(Reply::Error(fault)))
    }

    fn try_answer(&mut self, args: &[Bytes]) -> Result<Outcome, Fault> {
        let reply = match resolve(args)?.class(args) {
            Class::Pure(answer) => answer(args)?,
            Class::Table(answer) => answer(args, rows())?,
            Class::Read(run) | Class::Write(run) | Class::Update(run) => self.run(run, args)?,
            Class::Each(each) => self.each(&each, args),
            Class::Local(ask) => return Ok(Outcome::Local(ask(args)?)),
            Class::Keyspace(ask) => return Ok(Outcome::Keyspace(ask(args)?)),
            Class::Own(ask) => return Ok(Outcome::Own(ask(args)?)),
        };
        Ok(Outcome::Reply(reply))
    }

    fn each(&mut self, each: &Each, args: &[Bytes]) -> Reply {
        let checks = self.replies(each.checks(args));
        if let Some(refusal) = each.refusal(&checks) {
            return refusal;
        }
        let answers = self.replies(each.parts(args));
        each.fold(answers)
    }

    fn replies(&mut self, parts: Vec<Vec<Bytes>>) -> Vec<Reply> {
        let reply = |part: Vec<Bytes>| match self.answer(&part) {
            Outcome::Reply(reply) => reply,
            _ => panic!("a part is a command on one key"),
        };
        parts.into_iter().map(reply).collect()
    }

    fn run(&mut self, run: Run, args: &[Bytes]) -> Result<Reply, Fault> {
        let held = self.keys.get(&args[1]).and_then(value);
        let (reply, change) = run(args, held.as_ref())?;
        self.make(&args[1], change);
        Ok(reply)
    }

    fn make(&mut self, key: &Bytes, change: Change) {
        let (actor, entries) = (Actor(1), self.keys.entry(key.clone()).or_default());
        let Some(edit) = edit(Cell::string(Key::new(0, key.clone())), change, entries, actor) else { return };
        self.operations += 1;
        for dot in edit.removes {
            entries.remove(dot);
        }
        if let Some(payload) = edit.add {
            let stamp = Stamp { physical_ms: self.operations, logical: 0, actor };
            entries.insert(Entry { dot: Dot::new(actor, self.operations), stamp, payload });
        }
    }
}
