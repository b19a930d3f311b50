//! A client: one operation after another, at nodes that chance picks, and what it was told.

use crate::check::NUMBER_UNIT;
use crate::history::{Ask, Operation, Token, Told};
use crate::rng::Rng;
use crate::weather::Weather;
use bytes::Bytes;
use causal::{Key, Scope};
use std::collections::BTreeMap;
use wire::request::{Job, Request};
use wire::{Level, Reply};

/// Tokens of one key that clients still use; old ones too, for that is when they matter.
const TOKENS_KEPT: usize = 6;

/// One thing to ask, and of which key.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// The key.
    pub key: String,
    /// What is asked.
    pub ask: Ask,
    /// At which level.
    pub level: Level,
    /// The token that is sent with it.
    token: Bytes,
}

/// The tokens that clients were given, by key, and what is known of each.
#[derive(Debug, Default)]
pub(crate) struct Tokens(BTreeMap<String, Vec<(Bytes, Token)>>);

impl Tokens {
    /// Keeps the token that came with an answer.
    pub(crate) fn keep(&mut self, asked: &Operation, reply: &Reply) {
        let Some((token, values)) = siblings(reply) else { return };
        let kept = self.0.entry(asked.key.clone()).or_default();
        if kept.len() == TOKENS_KEPT {
            kept.remove(0);
        }
        let Operation { ref key, asked_at, read, .. } = *asked;
        kept.push((token, Token { of: key.clone(), values, asked_at, read }));
    }

    fn pick(&self, key: &str, rng: &mut Rng) -> Option<(Bytes, Token)> {
        let kept = self.0.get(key)?;
        kept.get(usize::try_from(rng.below(kept.len() as u64)).ok()?).cloned()
    }
}

impl Wish {
    /// Something to ask that takes no token.
    pub(crate) fn new(key: String, ask: Ask, level: Level) -> Self {
        Self { key, ask, level, token: Bytes::new() }
    }
}

/// Something that a client could want, with a value that is written nowhere else.
pub(crate) fn wish(weather: &Weather, tokens: &Tokens, unique: u64, rng: &mut Rng) -> Wish {
    let number = rng.below(weather.keys);
    let of = |sort: &str| format!("{sort}-{number}");
    let sort = if weather.is_hot && rng.chance(850) { 68 } else { rng.below(100) };
    let (key, ask) = match sort {
        0..44 => (of("register"), register_ask(unique, rng)),
        44..50 => (format!("once-{unique}"), Ask::Put(value(unique))),
        50..56 => {
            let ask = if rng.chance(500) { Ask::PutAbsent(value(unique)) } else { Ask::Get };
            (of("absent"), ask)
        }
        56..68 => (of("counter"), if rng.chance(600) { add(rng) } else { Ask::Get }),
        68..82 => (of("number"), number_ask(unique, rng)),
        82..83 if weather.flushes => (of("register"), Ask::Flush),
        _ => return settle(&of("siblings"), weather, tokens, unique, rng),
    };
    Wish::new(key, ask, level(weather, rng))
}

/// What tells all that a key holds.
pub(crate) fn look(key: &str) -> Ask {
    if key.starts_with("siblings") { Ask::Siblings } else { Ask::Get }
}

/// A value that is written nowhere else.
pub(crate) fn value_for(unique: u64) -> Ask {
    Ask::Put(value(unique))
}

fn value(unique: u64) -> Bytes {
    Bytes::from(format!("value-{unique}"))
}

fn add(rng: &mut Rng) -> Ask {
    Ask::Add(i64::try_from(rng.between(1, 9)).unwrap_or(1))
}

fn register_ask(unique: u64, rng: &mut Rng) -> Ask {
    match rng.below(100) {
        0..35 => Ask::Put(value(unique)),
        35..75 => Ask::Get,
        75..85 => Ask::Delete,
        85..92 => Ask::Take,
        _ => Ask::Swap(value(unique)),
    }
}

/// What is put on a number, added to it and read of it.
fn number_ask(unique: u64, rng: &mut Rng) -> Ask {
    let put = i64::try_from(unique).unwrap_or(1) * NUMBER_UNIT;
    let put = Bytes::from(put.to_string());
    match rng.below(100) {
        0..15 => Ask::Put(put),
        15..60 => add(rng),
        60..90 => Ask::Get,
        90..93 => Ask::Delete,
        93..95 => Ask::Take,
        95..97 => Ask::Swap(put),
        _ => Ask::PutAbsent(put),
    }
}

/// What is asked by clients that settle conflicts themselves: some with a token that is old, or of another key.
fn settle(key: &str, weather: &Weather, tokens: &Tokens, unique: u64, rng: &mut Rng) -> Wish {
    let other = format!("siblings-{}", rng.below(weather.keys));
    let token = tokens.pick(if rng.chance(50) { &other } else { key }, rng);
    let (ask, token) = match (rng.below(100), token) {
        (0..45, Some((token, known))) => (Ask::Resolve(value(unique), known), token),
        (45..50, _) => (Ask::Put(value(unique)), Bytes::new()),
        (50..53, _) => (Ask::Delete, Bytes::new()),
        (53..60, _) => (Ask::Get, Bytes::new()),
        _ => (Ask::Siblings, Bytes::new()),
    };
    Wish { key: key.to_owned(), ask, level: level(weather, rng), token }
}

fn level(weather: &Weather, rng: &mut Rng) -> Level {
    let owners = weather.nodes.min(u64::from(weather.replicas));
    let up_to_n = |rng: &mut Rng| u8::try_from(rng.between(1, owners)).unwrap_or(1);
    match rng.below(8) {
        0 if weather.levels => Level::One,
        1 if weather.levels => Level::All,
        2 if weather.levels => Level::Exact { read: up_to_n(rng), write: up_to_n(rng) },
        _ => Level::Quorum,
    }
}

/// The request that a wish is sent as.
pub(crate) fn request(wish: &Wish) -> Request {
    let name = Bytes::from(wish.key.clone());
    let key = Key::new(0, name.clone());
    let word = Bytes::from_static;
    let words = match &wish.ask {
        Ask::Put(value) => vec![word(b"SET"), name, value.clone()],
        Ask::PutAbsent(value) => vec![word(b"SETNX"), name, value.clone()],
        Ask::Swap(value) => vec![word(b"GETSET"), name, value.clone()],
        Ask::Take => vec![word(b"GETDEL"), name],
        Ask::Delete => vec![word(b"DEL"), name],
        Ask::Get => vec![word(b"GET"), name],
        Ask::Add(by) => vec![word(b"INCRBY"), name, Bytes::from(by.to_string())],
        Ask::Flush => return Request { level: wish.level, job: Job::Flush { scope: Scope::All } },
        Ask::Siblings => return Request { level: wish.level, job: Job::Siblings { key } },
        Ask::Resolve(value, _) => {
            let job = Job::Resolve { key, token: wish.token.clone(), value: value.clone() };
            return Request { level: wish.level, job };
        }
    };
    Request { level: wish.level, job: Job::Command { key, words } }
}

/// What a reply tells whoever asked.
pub(crate) fn told(ask: &Ask, reply: &Reply) -> Told {
    match (ask, reply) {
        (_, Reply::Error(fault)) if fault.is_unknown() => Told::Unknown,
        (_, Reply::Error(_)) => Told::Refused,
        (Ask::Get | Ask::Swap(_) | Ask::Take, Reply::Bulk(value)) => Told::Read(Some(value.clone())),
        (Ask::Get | Ask::Swap(_) | Ask::Take, _) => Told::Read(None),
        (Ask::Add(_), Reply::Integer(sum)) => Told::Read(Some(Bytes::from(sum.to_string()))),
        (Ask::Siblings, _) => Told::Values(siblings(reply).map(|(_, values)| values).unwrap_or_default()),
        (Ask::PutAbsent(_) | Ask::Delete, Reply::Integer(0)) => Told::NotDone,
        _ => Told::Done,
    }
}

/// The token and the values of an answer to `ARMILLA.SIBLINGS`.
fn siblings(reply: &Reply) -> Option<(Bytes, Vec<Bytes>)> {
    let Reply::Array(both) = reply else { return None };
    let [Reply::Bulk(token), Reply::Array(values)] = both.as_slice() else { return None };
    let text = |value: &Reply| match value {
        Reply::Bulk(value) => Some(value.clone()),
        _ => None,
    };
    Some((token.clone(), values.iter().map(text).collect::<Option<_>>()?))
}
