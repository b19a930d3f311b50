//! `ARMILLA.CHAOS`, and the health check that it spoils.
//!
//! Not what is done wrong: that is `crate::chaos`.
//!
//! 1. A process that was not started for it is told nothing, and says how it could be.

use wire::command::local::Chaos;
use wire::{Fault, Reply};

use super::text;
use crate::host::Host;

/// What a process says that was not started for it.
const NOT_ENABLED: &[u8] =
    b"ERR this node does not fail on purpose: start it with --enable-chaos, for practice and for tests only";
/// What the health check is answered with.
const NOT_WELL: &[u8] = b"ERROR this node was told to say that it is not well (ARMILLA.CHAOS HEALTH)";

/// Begins, ends or shows what is done wrong.
///
/// # Errors
/// The process was not started for it, or nobody has the name that was given.
pub(super) fn chaos(host: &Host, asked: Chaos) -> Result<Reply, Fault> {
    let chaos = host.chaos.as_ref().ok_or_else(|| Fault::from_line(NOT_ENABLED))?;
    match asked {
        Chaos::Show => Ok(lines(host)),
        Chaos::Off => {
            chaos.end();
            Ok(Reply::ok())
        }
        Chaos::Begin(disorder) => {
            let layout = host.layout();
            let named = |name: &str| layout.members().iter().find(|member| member.name == name);
            let with = match disorder.peer.as_deref() {
                None => None,
                Some(name) => match named(name).filter(|member| member.id != host.me) {
                    Some(member) => Some(member.id),
                    None => {
                        let line = format!("ERR there is no other member of the name {name}");
                        return Err(Fault::from_line(line.as_bytes()));
                    }
                },
            };
            chaos.begin(disorder, with, host.clock.monotonic_ms());
            Ok(Reply::ok())
        }
    }
}

/// What is done wrong, a line each.
pub(super) fn lines(host: &Host) -> Reply {
    let lines = host.chaos.iter().flat_map(|chaos| chaos.lines(host.clock.monotonic_ms()));
    Reply::Array(lines.map(text).collect())
}

/// The answer to the health check `PING`, where it is not the usual one.
pub(in crate::session) fn spoiled_ping(host: &Host, command: &str) -> Option<Reply> {
    let is_spoiled = command == "ping" && host.chaos.as_ref()?.says_error();
    is_spoiled.then(|| Reply::Error(Fault::from_line(NOT_WELL)))
}
