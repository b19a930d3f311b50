//! `ARMILLA.STATUS`, and the words by which nodes form a cluster: `ARMILLA.JOIN`, `ARMILLA.HOLD`, `ARMILLA.ADOPT`.
//!
//! Not what joining means: that is `formation`, in the thread that keeps the layout. Here are the words' arguments.
//!
//! 1. A state is this node's view: another may reach who is not reached from here.

use bytes::Bytes;
use placement::{Member, NodeId};
use wire::{Fault, Reply};

use super::{cluster, info, text};
use crate::config::{GRPC_PORT_OFFSET, HTTP_PORT_OFFSET};
use crate::connection::Form;
use crate::control::{Control, Question};
use crate::host::{Host, ShardFigures};
use crate::session::Session;
use crate::shard::Ask;

/// Longest time that a steward may hold writes back, in milliseconds.
const HOLD_MS_MAX: u64 = 30_000;

impl Session {
    /// A request that the table of commands does not have: one of ours, or unknown.
    pub(in crate::session) fn unknown(&mut self, words: &[Bytes], form: Form, fault: Fault) {
        let name = words[0].to_ascii_lowercase();
        let question = match (name.as_slice(), words) {
            (b"armilla.status", [_]) => {
                let status = status(&self.shard.host);
                return self.connection.answer(form, status);
            }
            (b"armilla.join", [_, name, client, peer, weight, zone]) => {
                member(name, client, peer, weight, zone).map(|member| Question::Join(Box::new(member)))
            }
            (b"armilla.hold", [_, token, for_ms]) => hold(token, for_ms),
            (b"armilla.adopt", [_, layout]) => Some(Question::Adopt(Bytes::copy_from_slice(layout))),
            _ => return self.connection.answer(form, Reply::Error(fault)),
        };
        match question {
            Some(question) => self.ask_control(question, form),
            None => self.connection.answer(form, Reply::Error(Fault::Syntax)),
        }
    }

    fn ask_control(&mut self, question: Question, form: Form) {
        let slot = self.connection.open(form, None, 0);
        let ask = Ask { connection: std::rc::Rc::clone(&self.connection), slot, part: 0 };
        let asked = self.shard.enter(ask);
        let sent =
            asked.is_some_and(|id| self.shard.host.control.try_send(Control::Ask(id, question)).is_ok());
        if !sent {
            self.connection.fill(slot, 0, Reply::Error(Fault::Busy));
        }
    }
}

fn member(name: &Bytes, client: &Bytes, peer: &Bytes, weight: &Bytes, zone: &Bytes) -> Option<Member> {
    let text = |bytes: &Bytes| std::str::from_utf8(bytes).ok().map(str::to_owned);
    let name = text(name)?;
    Some(Member {
        id: NodeId::of_name(&name),
        name,
        client_addr: text(client)?,
        peer_addr: text(peer)?,
        weight: text(weight)?.parse().ok()?,
        zone: text(zone)?.parse().ok()?,
    })
}

fn hold(token: &Bytes, for_ms: &Bytes) -> Option<Question> {
    let number = |bytes: &Bytes| std::str::from_utf8(bytes).ok()?.parse::<u64>().ok();
    Some(Question::Hold { token: number(token)?, for_ms: number(for_ms)?.min(HOLD_MS_MAX) })
}

/// What this node knows of itself and the others.
fn status(host: &Host) -> Reply {
    let layout = host.layout();
    let figures = host.figures();
    let port = |offset: u16| i64::from(host.config.client_addr.port()) + i64::from(offset);
    let members = layout.members().iter().map(|member| {
        let share = layout.share(member.id);
        member_row(host, member, share, &figures)
    });
    let keys: i64 = figures.iter().flat_map(|shard| &shard.keys).sum();
    Reply::Map(vec![
        (text("node"), text(host.config.id.clone())),
        (text("version"), text(env!("CARGO_PKG_VERSION"))),
        (text("cluster"), text(format!("{:016x}", layout.cluster()))),
        (text("epoch"), number(layout.epoch())),
        (text("replicas"), number(layout.replicas() as u64)),
        (text("partitions"), number(layout.keyspace().partition_count().into())),
        (text("level"), text(host.config.level.to_string())),
        (text("fsync"), text(host.config.fsync.to_string())),
        (text("keys"), Reply::Integer(keys)),
        (text("clients"), number(host.clients.count() as u64)),
        (text("memory_bytes"), number(info::resident_bytes())),
        (text("uptime_seconds"), number(host.clock.uptime().as_secs())),
        (text("http_port_reserved"), Reply::Integer(port(HTTP_PORT_OFFSET))),
        (text("grpc_port_reserved"), Reply::Integer(port(GRPC_PORT_OFFSET))),
        (text("members"), Reply::Array(members.collect())),
        (text("shards"), Reply::Array(figures.iter().enumerate().map(shard_row).collect())),
    ])
}

fn member_row(host: &Host, member: &Member, share: f64, figures: &[ShardFigures]) -> Reply {
    let links = || figures.iter().flat_map(|shard| &shard.links).filter(|link| link.peer == member.id);
    let state = if member.id == host.me {
        "this node"
    } else if cluster::is_up(host, member.id) {
        "up"
    } else if links().any(|link| link.is_connected) {
        "silent"
    } else {
        "down"
    };
    let heard = host.heard(member.id).map(|at| host.clock.monotonic_ms().saturating_sub(at));
    Reply::Map(vec![
        (text("name"), text(member.name.clone())),
        (text("id"), text(member.id.to_string())),
        (text("client_addr"), text(member.client_addr.clone())),
        (text("peer_addr"), text(member.peer_addr.clone())),
        (text("zone"), text(member.zone.to_string())),
        (text("weight"), number(member.weight.into())),
        (text("state"), text(state)),
        (text("share"), Reply::Double(share)),
        (text("heard_ms_ago"), heard.map_or(Reply::Nil, number)),
        (text("waiting_bytes"), number(links().map(|link| link.waiting_bytes as u64).sum())),
        (text("messages_dropped"), number(links().map(|link| link.dropped).sum())),
    ])
}

fn shard_row((index, figures): (usize, &ShardFigures)) -> Reply {
    Reply::Map(vec![
        (text("shard"), number(index as u64)),
        (text("keys"), Reply::Integer(figures.keys.iter().sum())),
        (text("requests"), number(figures.requests)),
        (text("requests_pending"), number(figures.pending as u64)),
        (text("commits"), number(figures.commits)),
        (text("unsettled_batches"), number(figures.store.sealed_batches as u64)),
        (text("cached_bytes"), number(figures.store.cached_bytes as u64)),
        (text("reads_hot"), number(figures.store.reads_hot)),
        (text("reads_cold"), number(figures.store.reads_cold)),
    ])
}

fn number(number: u64) -> Reply {
    Reply::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
