//! `ARMILLA.CHAOS`: what a node is told to do wrong, for practice and for tests.
//!
//! Not the doing: the server has that, at its edge, and only if it was started for it.
//!
//! 1. Everything that is told ends by itself: without `FOR` after [`CHAOS_MS_DEFAULT`].

use bytes::Bytes;

use super::local::{Chaos, Disorder, Local, Wrong};
use crate::fault::Fault;

/// How long something goes on that is told without `FOR`, in milliseconds.
const CHAOS_MS_DEFAULT: u64 = 60_000;
/// The longest that anything goes on, in milliseconds: a day.
const CHAOS_MS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// The longest delay of a message, in milliseconds.
const DELAY_MS_MAX: u64 = 60_000;

/// `ARMILLA.CHAOS [OFF | HEALTH | DROP | DELAY ms | REFUSE] [PEER name] [RATE percent] [FOR ms]`
pub(super) fn chaos(args: &[Bytes]) -> Result<Local, Fault> {
    let Some((first, rest)) = args[1..].split_first() else { return Ok(Local::Chaos(Chaos::Show)) };
    let (wrong, rest) = match (first.to_ascii_lowercase().as_slice(), rest) {
        (b"off", []) => return Ok(Local::Chaos(Chaos::Off)),
        (b"health", rest) => (Wrong::Health, rest),
        (b"drop", rest) => (Wrong::Drop, rest),
        (b"refuse", rest) => (Wrong::Refuse, rest),
        (b"delay", [by_ms, rest @ ..]) => (Wrong::Delay { by_ms: number(by_ms, 1, DELAY_MS_MAX)? }, rest),
        _ => return Err(Fault::Syntax),
    };
    let mut disorder = Disorder { wrong, peer: None, percent: 100, for_ms: CHAOS_MS_DEFAULT };
    for pair in rest.chunks(2) {
        match (pair[0].to_ascii_lowercase().as_slice(), pair.get(1)) {
            (b"peer", Some(name)) if wrong != Wrong::Health => {
                let name = std::str::from_utf8(name).map_err(|_| Fault::Syntax)?;
                disorder.peer = Some(name.into());
            }
            (b"rate", Some(percent)) => {
                let percent = number(percent, 1, 100)?;
                disorder.percent = u8::try_from(percent).map_err(|_| Fault::NotInteger)?;
            }
            (b"for", Some(ms)) => disorder.for_ms = number(ms, 1, CHAOS_MS_MAX)?,
            _ => return Err(Fault::Syntax),
        }
    }
    Ok(Local::Chaos(Chaos::Begin(disorder)))
}

fn number(text: &[u8], min: u64, max: u64) -> Result<u64, Fault> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.filter(|number| (min..=max).contains(number)).ok_or(Fault::NotInteger)
}
