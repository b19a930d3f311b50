//! `ARMILLA.STATUS`, and the way to the thread that keeps the layout, for `ARMILLA.JOIN` and its kin.
//!
//! Not what joining means: that is `formation`, in that thread.
//!
//! 1. A state is this node's view: another may reach who is not reached from here.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use node::{HandoffFigures, Lag, SyncFigures};
use placement::{Member, NodeId};
use wire::peer::gossip::Health;
use wire::peer::quorum::Counts;
use wire::{Fault, Reply};

use super::{chaos, cluster, info, text};
use crate::capacity;
use crate::connection::Form;
use crate::control::{Control, Question};
use crate::disk;
use crate::host::{Host, ShardFigures};
use crate::ring;
use crate::role::Role;
use crate::session::Session;
use crate::shard::Ask;

/// Of so many partitions it is told how far each lags behind.
const LAGGING_TOLD_MAX: usize = 1_024;

impl Session {
    /// Asks the thread that keeps the layout; the answer comes back into the request's slot.
    pub(super) fn ask_control(&mut self, question: Question, form: Form) {
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

/// What this node knows of itself and the others, for a client that has reached it at `here`.
pub(super) fn status(host: &Host, here: SocketAddr) -> Reply {
    let layout = host.layout();
    let figures = host.figures();
    let members = layout.members().iter().map(|member| {
        let share = layout.share(member.id);
        member_row(host, member, here, share, &figures)
    });
    let keys: i64 = figures.iter().flat_map(|shard| &shard.keys).sum();
    let is_gateway = host.config.role == Role::Gateway;
    let addr = |addr: Option<SocketAddr>| addr.map_or(Reply::Nil, |addr| text(addr.to_string()));
    let port = |addr: Option<SocketAddr>| addr.map_or(Reply::Nil, |addr| number(addr.port().into()));
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
        (text("ring"), ring::progress(host, &layout)),
        (text("autoscale"), capacity::told(host)),
        (text("sync"), sync(&figures)),
        (text("handoff"), handoff(host, &figures)),
        (text("memory_bytes"), number(info::resident_bytes())),
        (text("disk_room"), text(disk::word(host.disk.room()))),
        (text("disk_free_bytes"), host.disk.free_bytes().map_or(Reply::Nil, number)),
        (text("shards_failed"), number(figures.iter().filter(|shard| shard.is_closed).count() as u64)),
        (text("uptime_seconds"), number(host.clock.uptime().as_secs())),
        (text("role"), text(host.config.role.to_string())),
        (text("http_addr"), addr(is_gateway.then(|| host.config.http_addr()).flatten())),
        (text("http_port_reserved"), port(host.config.http_addr())),
        (text("grpc_port_reserved"), port(host.config.grpc_addr())),
        (text("chaos"), chaos::lines(host)),
        (text("members"), Reply::Array(members.collect())),
        (text("shards"), Reply::Array(figures.iter().enumerate().map(shard_row).collect())),
    ])
}

fn member_row(host: &Host, member: &Member, here: SocketAddr, share: f64, figures: &[ShardFigures]) -> Reply {
    let links = || figures.iter().flat_map(|shard| &shard.links).filter(|link| link.peer == member.id);
    let sighting = host.sighting(member.id);
    let since = sighting.map(|seen| host.clock.monotonic_ms().saturating_sub(seen.since_ms));
    let load = sighting.map(|seen| seen.load).unwrap_or_default();
    let heard = host.heard(member.id).map(|at| host.clock.monotonic_ms().saturating_sub(at));
    Reply::Map(vec![
        (text("name"), text(member.name.clone())),
        (text("id"), text(member.id.to_string())),
        (text("client_addr"), text(cluster::reachable(&member.client_addr, here))),
        (text("peer_addr"), text(cluster::reachable(&member.peer_addr, here))),
        (text("zone"), text(member.zone.to_string())),
        (text("weight"), number(member.weight.into())),
        (text("duty"), text(member.duty.word())),
        (text("state"), text(member_state(host, member))),
        (text("since_ms_ago"), since.map_or(Reply::Nil, number)),
        (text("incarnation"), sighting.map_or(Reply::Nil, |seen| number(seen.incarnation))),
        (text("share"), Reply::Double(share)),
        (text("heard_ms_ago"), heard.map_or(Reply::Nil, number)),
        (text("operations_per_s"), number(load.operations_per_s)),
        (text("latency_us"), number(load.latency_us)),
        (text("cpu_permille"), number(load.cpu_permille)),
        (text("stored_bytes"), number(load.stored_bytes)),
        (text("room_bytes"), load.room_bytes.map_or(Reply::Nil, number)),
        (text("operations_behind"), number(load.operations_behind)),
        (text("learning"), Reply::Boolean(load.is_learning)),
        (text("disk_full"), Reply::Boolean(load.is_full)),
        (text("waiting_bytes"), number(links().map(|link| link.waiting_bytes as u64).sum())),
        (text("messages_dropped"), number(links().map(|link| link.dropped).sum())),
    ])
}

/// How a member is, in a word: what others know of it too, and then what is between it and this node.
pub(crate) fn member_state(host: &Host, member: &Member) -> &'static str {
    let Some(sighting) = host.sighting(member.id).filter(|_| member.id != host.me) else {
        return if member.id == host.me { "this node" } else { "unknown" };
    };
    match sighting.health {
        Health::Down => "down",
        Health::Suspect => "suspect",
        Health::Alive if sighting.load.says_error => "error",
        Health::Alive if sighting.is_silent => "silent",
        Health::Alive if cluster::is_up(host, member.id) => "up",
        Health::Alive => "unlinked",
    }
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

/// How far this node is from holding what other owners hold, and what it has done about it.
fn sync(figures: &[ShardFigures]) -> Reply {
    let sum = |of: fn(&SyncFigures) -> u64| number(figures.iter().map(|shard| of(&shard.sync)).sum());
    Reply::Map(vec![
        (text("operations_behind"), sum(|sync| sync.behind)),
        (text("partitions"), sum(|sync| sync.partitions)),
        (text("partitions_unequal"), sum(|sync| sync.unequal)),
        (text("partitions_learning"), sum(|sync| sync.learning)),
        (text("partitions_counting_locally"), sum(|sync| sync.counting_locally)),
        (text("exchanges_open"), sum(|sync| sync.open)),
        (text("exchanges_finished"), sum(|sync| sync.finished)),
        (text("exchanges_given_up"), sum(|sync| sync.abandoned)),
        (text("cells_taken"), sum(|sync| sync.cells)),
        (text("cells_compared"), sum(|sync| sync.read)),
        (text("bytes_taken"), sum(|sync| sync.bytes)),
        (text("scrubs"), sum(|sync| sync.scrubs)),
        (text("scrubbed_percent"), number(scrubbed_percent(figures))),
        (text("partitions_damaged"), sum(|sync| sync.damaged)),
        (text("quarantines"), sum(|sync| sync.quarantines)),
        (text("lagging"), lagging(figures)),
    ])
}

/// How much of everything was read since it was all read last: as much as the slowest shard has.
fn scrubbed_percent(figures: &[ShardFigures]) -> u64 {
    figures.iter().map(|shard| shard.sync.scrubbed_percent).min().unwrap_or(0)
}

/// The partitions that do not hold what their other owners hold, those that lack most first.
fn lagging(figures: &[ShardFigures]) -> Reply {
    let mut all: Vec<&Lag> = figures.iter().flat_map(|shard| &shard.sync.lagging).collect();
    all.sort_by_key(|lag| (lag.counts, Reverse(lag.behind), lag.partition));
    let row = |lag: &&Lag| {
        Reply::Map(vec![
            (text("partition"), number(lag.partition.0.into())),
            (text("operations_behind"), number(lag.behind)),
            (text("unequal"), Reply::Boolean(lag.is_unequal)),
            (text("learning"), Reply::Boolean(lag.counts != Counts::Everywhere)),
        ])
    };
    Reply::Array(all.iter().take(LAGGING_TOLD_MAX).map(row).collect())
}

/// What this node keeps for others, which are down or have not taken it yet.
fn handoff(host: &Host, figures: &[ShardFigures]) -> Reply {
    let sum = |of: fn(&HandoffFigures) -> u64| number(figures.iter().map(|shard| of(&shard.handoff)).sum());
    let mut targets: BTreeMap<NodeId, (u64, u64)> = BTreeMap::new();
    for (owner, (partitions, bytes)) in figures.iter().flat_map(|shard| &shard.handoff.targets) {
        let target = targets.entry(*owner).or_default();
        *target = (target.0 + partitions, target.1 + bytes);
    }
    let layout = host.layout();
    let target = |(owner, (partitions, bytes)): (&NodeId, &(u64, u64))| {
        let name = layout.member(*owner).map_or_else(|| owner.to_string(), |member| member.name.clone());
        Reply::Map(vec![
            (text("member"), text(name)),
            (text("partitions"), number(*partitions)),
            (text("bytes"), number(*bytes)),
        ])
    };
    Reply::Map(vec![
        (text("bytes"), sum(|handoff| handoff.bytes)),
        (text("bytes_max"), number(host.config.handoff_bytes_max)),
        (text("operations_not_kept"), sum(|handoff| handoff.refused)),
        (text("partitions_handed_over"), sum(|handoff| handoff.handed)),
        (text("targets"), Reply::Array(targets.iter().map(target).collect())),
    ])
}

fn number(number: u64) -> Reply {
    Reply::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
