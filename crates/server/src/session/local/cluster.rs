//! `CLUSTER ...`: the layout in Redis Cluster's words, so that its clients go straight to an owner.
//!
//! ```text
//!   first live owner of a partition  ─▶ master of its slots          other owners ─▶ its replicas
//! ```
//!
//! Owners that cannot be reached from here, or do not answer, come last: clients send their requests to the master alone.
//!
//! Not a promise that others refuse: any node serves any key, and none ever answers `MOVED`.
//!
//! 1. Adjacent slots with the same owners in the same order are one range.
//! 2. A node's name is 40 hexadecimal digits that follow from its id.

use std::fmt::Write;
use std::net::SocketAddr;

use placement::slot::SLOTS;
use placement::{Duty, Layout, Member, NodeId};
use wire::Reply;
use wire::peer::gossip::Health;

use super::text;
use crate::host::Host;

/// A run of slots with its owners: those that can be reached first, else in the order of the layout.
struct Run {
    first: u16,
    last: u16,
    owners: Vec<NodeId>,
}

/// A node's name for Redis's clients: its id, twice and a half.
pub(super) fn node_name(id: NodeId) -> String {
    let [twice, half] = [format!("{id}{id}"), format!("{id}")];
    twice + &half[..8]
}

/// `CLUSTER SLOTS`, for a client that has reached this node at `here`.
pub(super) fn slots(host: &Host, here: SocketAddr) -> Reply {
    let layout = host.layout();
    let shown = runs(host, &layout).into_iter().map(|run| {
        let mut row = vec![Reply::Integer(run.first.into()), Reply::Integer(run.last.into())];
        row.extend(run.owners.iter().filter_map(|owner| layout.member(*owner)).map(|member| {
            let (host, port) = host_and_port(&reachable(&member.client_addr, here));
            Reply::Array(vec![
                text(host),
                Reply::Integer(port),
                text(node_name(member.id)),
                Reply::Array(vec![]),
            ])
        }));
        Reply::Array(row)
    });
    Reply::Array(shown.collect())
}

/// `CLUSTER SHARDS`: owners that are together in some slots, with those slots.
pub(super) fn shards(host: &Host, here: SocketAddr) -> Reply {
    let layout = host.layout();
    let mut sets: Vec<(Vec<NodeId>, Vec<Reply>)> = Vec::new();
    for Run { first, last, owners } in runs(host, &layout) {
        let range = [Reply::Integer(first.into()), Reply::Integer(last.into())];
        match sets.iter_mut().find(|(known, _)| *known == owners) {
            Some((_, ranges)) => ranges.extend(range),
            None => sets.push((owners, range.to_vec())),
        }
    }
    let shown = sets.into_iter().map(|(owners, ranges)| {
        let members =
            owners.iter().enumerate().filter_map(|(place, owner)| Some((place, layout.member(*owner)?)));
        let nodes = members.map(|(place, member)| shard_node(host, member, here, place == 0));
        Reply::Map(vec![
            (text("slots"), Reply::Array(ranges)),
            (text("nodes"), Reply::Array(nodes.collect())),
        ])
    });
    Reply::Array(shown.collect())
}

fn shard_node(host: &Host, member: &Member, here: SocketAddr, is_home: bool) -> Reply {
    let (ip, port) = host_and_port(&reachable(&member.client_addr, here));
    Reply::Map(vec![
        (text("id"), text(node_name(member.id))),
        (text("port"), Reply::Integer(port)),
        (text("ip"), text(ip.clone())),
        (text("endpoint"), text(ip)),
        (text("role"), text(if is_home { "master" } else { "replica" })),
        (text("replication-offset"), Reply::Integer(0)),
        (text("health"), text(if is_up(host, member.id) { "online" } else { "failed" })),
    ])
}

/// `CLUSTER NODES`: a line a member; the slots are those that it is the home of.
pub(super) fn nodes(host: &Host, here: SocketAddr) -> String {
    let layout = host.layout();
    let runs = runs(host, &layout);
    let mut lines = String::new();
    for member in layout.members() {
        let (ip, port) = host_and_port(&reachable(&member.client_addr, here));
        let (_, bus) = host_and_port(&member.peer_addr);
        let flags = match host.sighting(member.id).map(|sighting| sighting.health) {
            _ if member.id == host.me => "myself,master",
            Some(Health::Suspect) => "master,fail?",
            Some(Health::Down) => "master,fail",
            Some(Health::Alive) | None => "master",
        };
        let state = if is_linked(host, member.id) { "connected" } else { "disconnected" };
        let (name, epoch) = (node_name(member.id), layout.epoch());
        let _ = write!(lines, "{name} {ip}:{port}@{bus} {flags} - 0 0 {epoch} {state}");
        for run in merged(runs.iter().filter(|run| run.owners.first() == Some(&member.id))) {
            let _ = match run {
                (first, last) if first == last => write!(lines, " {first}"),
                (first, last) => write!(lines, " {first}-{last}"),
            };
        }
        lines.push('\n');
    }
    lines
}

/// `CLUSTER INFO`
pub(super) fn info(host: &Host) -> String {
    let layout = host.layout();
    let (members, epoch) = (layout.members().len(), layout.epoch());
    // A gateway has no slots.
    let size = layout.members().iter().filter(|member| member.duty != Duty::Route).count();
    format!(
        "cluster_enabled:1\r\ncluster_state:ok\r\ncluster_slots_assigned:{SLOTS}\r\ncluster_slots_ok:{SLOTS}\r\n\
         cluster_slots_pfail:0\r\ncluster_slots_fail:0\r\ncluster_known_nodes:{members}\r\ncluster_size:{size}\r\n\
         cluster_current_epoch:{epoch}\r\ncluster_my_epoch:{epoch}\r\n"
    )
}

/// Whether the member can be reached and is believed to answer.
pub(super) fn is_up(host: &Host, member: NodeId) -> bool {
    let is_trusted = || host.sighting(member).is_none_or(|sighting| sighting.is_trusted());
    member == host.me || (is_linked(host, member) && is_trusted())
}

/// Whether some shard of this node has a link to the member; to itself it needs none.
fn is_linked(host: &Host, member: NodeId) -> bool {
    let links = || host.figures().into_iter().flat_map(|figures| figures.links);
    member == host.me || links().any(|link| link.peer == member && link.is_up)
}

fn runs(host: &Host, layout: &Layout) -> Vec<Run> {
    let members = layout.members().iter().map(|member| member.id);
    let up: Vec<NodeId> = members.filter(|member| is_up(host, *member)).collect();
    let mut runs: Vec<Run> = Vec::new();
    for partition in layout.keyspace().partitions() {
        let (slots, mut owners) = (layout.keyspace().slots(partition), layout.owners(partition).to_vec());
        owners.sort_by_key(|owner| !up.contains(owner));
        match runs.last_mut().filter(|run| run.owners == owners) {
            Some(run) => run.last = *slots.end(),
            None => runs.push(Run { first: *slots.start(), last: *slots.end(), owners }),
        }
    }
    runs
}

/// Adjacent runs as one range, whoever owns them besides.
fn merged<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<(u16, u16)> {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for run in runs {
        match ranges.last_mut().filter(|(_, last)| *last + 1 == run.first) {
            Some((_, last)) => *last = run.last,
            None => ranges.push((run.first, run.last)),
        }
    }
    ranges
}

/// The address of a member for a client that has reached this node at `here`. A node that is at every address of its
/// machine is alone in its cluster, and whoever asks has found it at one of them.
pub(super) fn reachable(address: &str, here: SocketAddr) -> String {
    match address.parse::<SocketAddr>() {
        Ok(all) if all.ip().is_unspecified() => {
            SocketAddr::new(here.ip().to_canonical(), all.port()).to_string()
        }
        _ => address.to_owned(),
    }
}

fn host_and_port(address: &str) -> (String, i64) {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "0"));
    (host.trim_matches(['[', ']']).to_owned(), port.parse().unwrap_or(0))
}
