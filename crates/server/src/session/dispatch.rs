//! A request by its class.
//!
//! ```text
//!   Pure, Table, Local    answered here, in its slot
//!   Read, Write, Update   one part, to the shard of its key's partition
//!   Own                   the same, in words of ours
//!   Each                  a part a key, folded in the slot
//!   Keyspace              a walk
//! ```
//!
//! 1. A request that is refused here was sent nowhere.
//! 2. What a write keeps for longer than its request does not share memory with the read buffer.

use bytes::Bytes;
use causal::Key;
use causal::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use placement::{PartitionId, Position};
use wire::command::own::Own;
use wire::command::{self, Class, Command, Each};
use wire::request::{Job, Request};
use wire::{Fault, Reply};

use super::Session;
use super::local::chaos::spoiled_ping;
use super::walk::Walk;
use crate::connection::{Access, Claim, Form, Gather};
use crate::shard::Ask;

/// Writes up to this size are copied into memory of their own, in bytes. Larger words have it already.
const COPIED_BYTES_MAX: usize = 32 * 1024;

impl Session {
    /// Begins a request, or parks it.
    pub(super) fn begin(&mut self, words: Vec<Bytes>, form: Form) {
        self.begun += 1;
        let row = match command::resolve(&words) {
            Ok(row) => row,
            Err(fault) => return self.connection.answer(form, Reply::Error(fault)),
        };
        if let Some(fault) = too_large(row, &words) {
            return self.connection.answer(form, Reply::Error(fault));
        }
        self.client.card().command = row.name;
        if let Some(reply) = spoiled_ping(&self.shard.host, row.name) {
            return self.connection.answer(form, reply);
        }
        match row.class(&words) {
            Class::Pure(ask) => self.connection.answer(form, ask(&words).into()),
            Class::Table(ask) => self.connection.answer(form, ask(&words, command::rows()).into()),
            Class::Local(ask) => match ask(&words) {
                Ok(local) => self.local(local, words, form),
                Err(fault) => self.connection.answer(form, Reply::Error(fault)),
            },
            Class::Read(_) => self.one(Access::Read, words, form),
            Class::Write(_) => self.one(Access::Write, words, form),
            Class::Update(_) => self.one(Access::Update, words, form),
            Class::Own(ask) => match ask(&words) {
                Ok(own) => self.own(&own, words, form),
                Err(fault) => self.connection.answer(form, Reply::Error(fault)),
            },
            Class::Each(each) if each.absent => self.alone(words, form, |_| Ok(Walk::checks(each))),
            Class::Each(each) => self.each(each, words, form),
            Class::Keyspace(ask) => self.alone(words, form, |words| ask(words).map(Walk::of)),
        }
    }

    /// A command on one key.
    fn one(&mut self, access: Access, words: Vec<Bytes>, form: Form) {
        let (partition, claim, key) = self.place(&words[1], access);
        if self.connection.conflicts(claim) {
            self.parked = Some((words, form));
            return;
        }
        let words = if access == Access::Read { words } else { compact(words) };
        let key = Key { name: if access == Access::Read { key.name } else { words[1].clone() }, ..key };
        if access != Access::Read {
            self.note_write();
        }
        let slot = self.connection.open(form, Some(claim), bytes_of(&words));
        self.submit(slot, 0, partition, Job::Command { key, words });
    }

    /// A command on one key in words of ours.
    fn own(&mut self, own: &Own, words: Vec<Bytes>, form: Form) {
        let (name, access) = match own {
            Own::Explain { key } | Own::Siblings { key } => (key, Access::Read),
            Own::Resolve { key, .. } => (key, Access::Update),
        };
        let (partition, claim, key) = self.place(name, access);
        if self.connection.conflicts(claim) {
            self.parked = Some((words, form));
            return;
        }
        let bytes = bytes_of(&words);
        let job = match own {
            Own::Explain { .. } => Job::Explain { key },
            Own::Siblings { .. } => Job::Siblings { key },
            Own::Resolve { .. } => {
                let words = compact(words);
                let key = Key { name: words[1].clone(), ..key };
                Job::Resolve { key, token: words[2].clone(), value: words[3].clone() }
            }
        };
        let slot = self.connection.open(form, Some(claim), bytes);
        self.submit(slot, 0, partition, job);
    }

    /// A command on several keys: a part each.
    fn each(&mut self, each: Each, words: Vec<Bytes>, form: Form) {
        let parts = each.parts(&words);
        let access = if each.writes { Access::Update } else { Access::Read };
        let placed: Vec<_> = parts.iter().map(|part| self.place(&part[1], access)).collect();
        let claims: Vec<Claim> = placed.iter().map(|(_, claim, _)| *claim).collect();
        if claims.iter().any(|claim| self.connection.conflicts(*claim)) {
            self.parked = Some((words, form));
            return;
        }
        if each.writes {
            self.note_write();
        }
        let slot =
            self.connection.open_gather(form, Gather::new(parts.len(), claims, Some(each)), bytes_of(&words));
        self.parts(slot, parts, each.writes);
    }

    /// Sends each part to its shard.
    pub(super) fn parts(&mut self, slot: u64, parts: Vec<Vec<Bytes>>, writes: bool) {
        for (part, words) in (0..).zip(parts) {
            let words = if writes { compact(words) } else { words };
            let (partition, _, key) = self.place(&words[1], Access::Read);
            self.submit(slot, part, partition, Job::Command { key, words });
        }
    }

    /// A request that goes alone: it waits for all that are open, and those behind it wait for its end.
    fn alone(&mut self, words: Vec<Bytes>, form: Form, walk: impl FnOnce(&[Bytes]) -> Result<Walk, Fault>) {
        if self.connection.open_count() > 0 {
            self.parked = Some((words, form));
            return;
        }
        match walk(&words) {
            Ok(walk) => self.begin_walk(walk, words, form),
            Err(fault) => self.connection.answer(form, Reply::Error(fault)),
        }
    }

    pub(super) fn submit(&self, slot: u64, part: u32, partition: PartitionId, job: Job) {
        let ask = Ask { connection: std::rc::Rc::clone(&self.connection), slot, part };
        self.shard.submit(ask, partition, Request { level: self.choices.level, job });
    }

    /// Remembers how many owners will hold this write for certain when it is answered, for `WAIT`.
    pub(super) fn note_write(&mut self) {
        self.written_to = Some(self.choices.level.write(self.shard.layout().replicas()));
    }

    fn place(&self, name: &Bytes, access: Access) -> (PartitionId, Claim, Key) {
        let layout = self.shard.layout();
        let database = self.choices.database;
        let Position(position) = layout.keyspace().position(database, name);
        let partition = layout.keyspace().partition_of(Position(position));
        (partition, Claim { position, access }, Key { database, name: name.clone() })
    }
}

/// The refusal of a word that is longer than anything here may be.
fn too_large(row: &Command, words: &[Bytes]) -> Option<Fault> {
    let fault =
        |bytes: usize, bytes_max: usize| Fault::TooLarge { bytes: bytes as u64, bytes_max: bytes_max as u64 };
    let small = words.len() <= 4 && words.iter().all(|word| word.len() <= KEY_BYTES_MAX);
    if small {
        return None;
    }
    let long_key =
        row.keys.indexes(words.len()).map(|index| words[index].len()).find(|&bytes| bytes > KEY_BYTES_MAX);
    if let Some(bytes) = long_key {
        return Some(fault(bytes, KEY_BYTES_MAX));
    }
    let long = words.iter().map(Bytes::len).find(|&bytes| bytes > VALUE_BYTES_MAX);
    long.map(|bytes| fault(bytes, VALUE_BYTES_MAX))
}

fn bytes_of(words: &[Bytes]) -> usize {
    words.iter().map(Bytes::len).sum()
}

/// The words in one piece of memory of their own, so that what is kept of them keeps no read buffer.
fn compact(words: Vec<Bytes>) -> Vec<Bytes> {
    let bytes = bytes_of(&words);
    if bytes > COPIED_BYTES_MAX {
        return words;
    }
    let mut whole = Vec::with_capacity(bytes);
    words.iter().for_each(|word| whole.extend_from_slice(word));
    let whole = Bytes::from(whole);
    let mut at = 0;
    let cut = words.iter().map(|word| {
        at += word.len();
        whole.slice(at - word.len()..at)
    });
    cut.collect()
}
