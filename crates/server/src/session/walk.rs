//! Requests about all keys: a few partitions at a time, until they are done.
//!
//! ```text
//!   round   up to `width` parts ─▶ their shards ─▶ all answers in ─▶ take them in ─▶ another round, or the answer
//! ```
//!
//! Also `MSETNX`, whose checks and writes are two rounds.
//!
//! 1. A walk goes alone: nothing else of its connection is open, so it sees what was written before and nothing of what
//!    comes behind it.
//! 2. At most [`PARTS_MAX`] parts are open at once.
//! 3. A cursor of `SCAN` is the position where the next step begins. 0 is both the start and the end, for no step but the
//!    first begins there; any node goes on from it.

use std::collections::VecDeque;

use bytes::Bytes;
use causal::Scope;
use placement::slot::slot;
use placement::{Keyspace as Ring, PartitionId, Position};
use wire::Reply;
use wire::command::keyspace::{Keyspace, Scan};
use wire::command::{Each, glob};
use wire::request::Job;

use super::Session;
use crate::connection::{Form, Gather};

/// Parts of one walk that are open at once.
const PARTS_MAX: usize = 64;
/// Keys that one part of `KEYS` asks for.
const KEYS_A_PART: u32 = 1000;
/// Keys that `RANDOMKEY` chooses among.
const KEYS_RANDOM: u32 = 16;

/// What a walk is for.
#[derive(Debug)]
enum Purpose {
    Count(i64),
    Flush,
    Keys {
        pattern: Bytes,
        found: Vec<Reply>,
    },
    Slot {
        slot: u16,
        count: i64,
    },
    Scan {
        scan: Scan,
        seen: u64,
        found: Vec<Reply>,
    },
    Random,
    /// `MSETNX` asks whether its keys exist.
    Checks(Each),
    /// ... and then writes them.
    Writes(Each),
}

/// A request on its way over the partitions.
#[derive(Debug)]
pub(super) struct Walk {
    purpose: Purpose,
    words: Vec<Bytes>,
    /// What is still to be asked, in order.
    ahead: VecDeque<(PartitionId, Position)>,
    /// What is asked in this round.
    asked: Vec<PartitionId>,
    width: usize,
}

/// What becomes of a walk after a round.
enum Step {
    Again,
    Done(Reply),
}

impl Walk {
    pub(super) fn of(keyspace: Keyspace) -> Self {
        let purpose = match keyspace {
            Keyspace::Size => Purpose::Count(0),
            Keyspace::SizeOfSlot(slot) => Purpose::Slot { slot, count: 0 },
            Keyspace::Keys(pattern) => Purpose::Keys { pattern, found: Vec::new() },
            Keyspace::Scan(scan) => Purpose::Scan { scan, seen: 0, found: Vec::new() },
            Keyspace::Random => Purpose::Random,
            Keyspace::FlushDatabase | Keyspace::FlushAll => Purpose::Flush,
        };
        Self::new(purpose)
    }

    /// The two rounds of `MSETNX`.
    pub(super) fn checks(each: Each) -> Self {
        Self::new(Purpose::Checks(each))
    }

    fn new(purpose: Purpose) -> Self {
        Self { purpose, words: Vec::new(), ahead: VecDeque::new(), asked: Vec::new(), width: 1 }
    }

    /// Sets out: which partitions are to be asked, from where on.
    fn set_out(&mut self, ring: &Ring, random: u64) {
        let all = || ring.partitions().map(|partition| (partition, ring.range(partition).0));
        match &self.purpose {
            Purpose::Count(_) | Purpose::Flush | Purpose::Keys { .. } => {
                self.width = PARTS_MAX;
                self.ahead = all().collect();
            }
            Purpose::Slot { slot, .. } => {
                let partition = ring.partition_of_slot(*slot);
                // The slot is the top 14 bits of a position.
                self.ahead.push_back((partition, Position(u64::from(*slot) << 50)));
            }
            Purpose::Scan { scan, .. } => {
                let from = Position(scan.cursor);
                let first = ring.partition_of(from);
                self.ahead = all().filter(|(partition, _)| *partition > first).collect();
                self.ahead.push_front((first, from));
            }
            Purpose::Random => {
                let from = Position(random);
                let first = ring.partition_of(from);
                let (before, behind): (Vec<_>, Vec<_>) =
                    all().partition(|(partition, _)| *partition <= first);
                self.ahead.push_back((first, from));
                self.ahead.extend(behind);
                self.ahead.extend(before);
            }
            Purpose::Checks(_) | Purpose::Writes(_) => {}
        }
    }

    fn job(&self, from: Position, words: &[Bytes], database: u8) -> Job {
        let limit = match &self.purpose {
            Purpose::Count(_) => return Job::Count { database },
            Purpose::Flush => {
                let all = words[0].eq_ignore_ascii_case(b"flushall");
                return Job::Flush { scope: if all { Scope::All } else { Scope::Database(database) } };
            }
            Purpose::Scan { scan, .. } => u32::try_from(scan.count).unwrap_or(u32::MAX),
            Purpose::Random => KEYS_RANDOM,
            _ => KEYS_A_PART,
        };
        Job::List { database, from, limit }
    }

    /// Takes a round's answers in.
    fn take(&mut self, answers: Vec<Reply>, ring: &Ring, random: u64) -> Step {
        if let Purpose::Writes(each) = &self.purpose {
            return Step::Done(each.fold(answers));
        }
        if let Some(refused) = answers.iter().position(|answer| answer.fault().is_some()) {
            return Step::Done(answers.into_iter().nth(refused).unwrap_or(Reply::Nil));
        }
        let asked = std::mem::take(&mut self.asked);
        let mut unfinished = Vec::new();
        for (partition, answer) in asked.into_iter().zip(answers) {
            let (next, keys) = match answer {
                Reply::Integer(number) => {
                    if let Purpose::Count(sum) = &mut self.purpose {
                        *sum += number;
                    }
                    continue;
                }
                Reply::Array(items) => listed(items),
                _ => continue,
            };
            if let Some(done) = self.keep(partition, next, keys, ring, random) {
                return Step::Done(done);
            }
            if let Some(next) = next {
                unfinished.push((partition, next));
            }
        }
        for place in unfinished.into_iter().rev() {
            self.ahead.push_front(place);
        }
        self.width = (self.width * 2).min(PARTS_MAX);
        if self.ahead.is_empty() { Step::Done(self.end()) } else { Step::Again }
    }

    /// Keeps what a partition has listed; gives the answer if that is enough.
    fn keep(
        &mut self,
        partition: PartitionId,
        next: Option<Position>,
        keys: Vec<Reply>,
        ring: &Ring,
        random: u64,
    ) -> Option<Reply> {
        let count = keys.len() as u64;
        match &mut self.purpose {
            Purpose::Keys { pattern, found } => {
                found.extend(keys.into_iter().filter(|key| glob::matches(pattern, name(key))));
            }
            Purpose::Slot { slot: wanted, count } => {
                let inside = keys.iter().filter(|key| slot(name(key)) == *wanted).count();
                *count += i64::try_from(inside).unwrap_or(i64::MAX);
                if next.is_none_or(|next| next.slot() != *wanted) {
                    return Some(Reply::Integer(*count));
                }
            }
            Purpose::Scan { scan, seen, found } => {
                *seen += count;
                found.extend(keys.into_iter().filter(|key| scan.shows(name(key), "string")));
                if *seen >= scan.count || next.is_some() {
                    let behind = ring.partitions().nth(usize::from(partition.0) + 1);
                    let cursor = next.or_else(|| behind.map(|behind| ring.range(behind).0));
                    return Some(scanned(cursor.map_or(0, |cursor| cursor.0), std::mem::take(found)));
                }
            }
            Purpose::Random if count > 0 => {
                let index = usize::try_from(random % count).unwrap_or(0);
                return keys.into_iter().nth(index);
            }
            _ => {}
        }
        None
    }

    /// The answer when all has been asked.
    fn end(&mut self) -> Reply {
        match &mut self.purpose {
            Purpose::Count(sum) => Reply::Integer(*sum),
            Purpose::Slot { count, .. } => Reply::Integer(*count),
            Purpose::Keys { found, .. } => Reply::Array(std::mem::take(found)),
            Purpose::Scan { found, .. } => scanned(0, std::mem::take(found)),
            Purpose::Random => Reply::Nil,
            Purpose::Flush | Purpose::Checks(_) | Purpose::Writes(_) => Reply::ok(),
        }
    }
}

impl Session {
    /// Opens the slot of a walk and asks its first round.
    pub(super) fn begin_walk(&mut self, mut walk: Walk, words: Vec<Bytes>, form: Form) {
        walk.words = words;
        walk.set_out(self.shard.layout().keyspace(), random());
        if matches!(walk.purpose, Purpose::Flush | Purpose::Checks(_)) {
            self.note_write();
        }
        let bytes = walk.words.iter().map(Bytes::len).sum();
        let slot = self.connection.open_gather(form, Gather::new(0, Vec::new(), None), bytes);
        self.ask_round(slot, walk);
    }

    /// Takes in the round that is complete, if one is.
    pub(super) fn go_on_walking(&mut self) {
        let Some((slot, mut walk)) = self.walk.take() else { return };
        let Some(answers) = self.connection.gathered(slot) else {
            self.walk = Some((slot, walk));
            return;
        };
        if let Purpose::Checks(each) = walk.purpose {
            if let Some(refusal) = each.refusal(&answers) {
                return self.connection.settle(slot, refusal);
            }
            walk.purpose = Purpose::Writes(each);
            return self.ask_round(slot, walk);
        }
        match walk.take(answers, self.shard.layout().keyspace(), random()) {
            Step::Done(reply) => self.connection.settle(slot, reply),
            Step::Again => self.ask_round(slot, walk),
        }
    }

    fn ask_round(&mut self, slot: u64, mut walk: Walk) {
        let keyed = match &walk.purpose {
            Purpose::Checks(each) => Some(each.checks(&walk.words)),
            Purpose::Writes(each) => Some(each.parts(&walk.words)),
            _ => None,
        };
        if let Some(parts) = keyed {
            self.connection.gather_again(slot, Gather::new(parts.len(), Vec::new(), None));
            let writes = matches!(walk.purpose, Purpose::Writes(_));
            self.walk = Some((slot, walk));
            return self.parts(slot, parts, writes);
        }
        let count = walk.width.min(walk.ahead.len());
        let round: Vec<_> = walk.ahead.drain(..count).collect();
        walk.asked = round.iter().map(|(partition, _)| *partition).collect();
        self.connection.gather_again(slot, Gather::new(count, Vec::new(), None));
        for (part, (partition, from)) in (0..).zip(round) {
            let job = walk.job(from, &walk.words, self.choices.database);
            self.submit(slot, part, partition, job);
        }
        self.walk = Some((slot, walk));
    }
}

/// The answer of a part that lists: where it goes on, and its keys.
fn listed(items: Vec<Reply>) -> (Option<Position>, Vec<Reply>) {
    let mut items = items.into_iter();
    let next = match items.next() {
        Some(Reply::Bulk(text)) => {
            std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()).map(Position)
        }
        _ => None,
    };
    (next, items.collect())
}

fn scanned(cursor: u64, found: Vec<Reply>) -> Reply {
    Reply::Array(vec![Reply::bulk(cursor.to_string()), Reply::Array(found)])
}

fn name(key: &Reply) -> &[u8] {
    if let Reply::Bulk(name) = key { name } else { &[] }
}

/// Any number; a system without random bits gives always the same, which only makes `RANDOMKEY` less so.
fn random() -> u64 {
    getrandom::u64().unwrap_or(0)
}
