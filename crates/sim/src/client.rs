//! A client: one operation after another, at nodes that chance picks, and what it was told.

use crate::history::{Ask, Told};
use crate::rng::Rng;
use crate::weather::Weather;
use bytes::Bytes;
use causal::Key;
use wire::peer::{Job, Request};
use wire::{Level, Reply};

/// One thing to ask, and of which key.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// The key.
    pub key: String,
    /// What is asked.
    pub ask: Ask,
    /// At which level.
    pub level: Level,
}

/// Something that a client could want, with a value that is written nowhere else.
pub(crate) fn wish(weather: &Weather, unique: u64, rng: &mut Rng) -> Wish {
    let number = rng.below(weather.keys);
    let value = || Bytes::from(format!("value-{unique}"));
    let (key, ask) = match rng.below(100) {
        0..25 => (format!("register-{number}"), Ask::Put(value())),
        25..55 => (format!("register-{number}"), Ask::Get),
        55..63 => (format!("register-{number}"), Ask::Delete),
        63..70 => (format!("once-{unique}"), Ask::Put(value())),
        70..74 => (format!("absent-{number}"), Ask::PutAbsent(value())),
        74..78 => (format!("absent-{number}"), Ask::Get),
        78..92 => (format!("counter-{number}"), Ask::Add(i64::try_from(rng.between(1, 9)).unwrap_or(1))),
        _ => (format!("counter-{number}"), Ask::Sum),
    };
    Wish { key, ask, level: level(weather, rng) }
}

fn level(weather: &Weather, rng: &mut Rng) -> Level {
    let owners = weather.nodes.min(3);
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
    let key = Bytes::from(wish.key.clone());
    let word = Bytes::from_static;
    let words = match &wish.ask {
        Ask::Put(value) => vec![word(b"SET"), key.clone(), value.clone()],
        Ask::PutAbsent(value) => vec![word(b"SETNX"), key.clone(), value.clone()],
        Ask::Delete => vec![word(b"DEL"), key.clone()],
        Ask::Get | Ask::Sum => vec![word(b"GET"), key.clone()],
        Ask::Add(by) => vec![word(b"INCRBY"), key.clone(), Bytes::from(by.to_string())],
    };
    Request { level: wish.level, job: Job::Command { key: Key::new(0, key), words } }
}

/// What a reply tells whoever asked.
pub(crate) fn told(ask: &Ask, reply: &Reply) -> Told {
    match (ask, reply) {
        (_, Reply::Error(fault)) if fault.is_unknown() => Told::Unknown,
        (_, Reply::Error(_)) => Told::Refused,
        (Ask::Get | Ask::Sum, Reply::Bulk(value)) => Told::Read(Some(value.clone())),
        (Ask::Get | Ask::Sum, _) => Told::Read(None),
        (Ask::PutAbsent(_) | Ask::Delete, Reply::Integer(0)) => Told::NotDone,
        _ => Told::Done,
    }
}
