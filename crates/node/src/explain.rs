//! Where a key lives and who holds what of it: the answer of `ARMILLA.EXPLAIN`.

use crate::state::Node;
use crate::task::is_live;
use crate::work::Task;
use causal::{Entries, Key};
use placement::NodeId;
use wire::Reply;
use wire::peer::Report;

/// Position, partition and epoch, then each owner with the dots that it holds.
pub(crate) fn render(
    node: &Node,
    task: &Task,
    key: &Key,
    held: &Entries,
    same: &[NodeId],
    reports: &[(NodeId, Report)],
) -> Reply {
    let position = node.layout.keyspace().position(key.database, &key.name);
    let owners = node.layout.owners(task.partition).iter().enumerate().map(|(place, owner)| {
        let entries = if *owner == node.identity.node || same.contains(owner) {
            Some(held)
        } else {
            reports.iter().find(|(from, _)| from == owner).map(|(_, report)| &report.found.entries)
        };
        owner_row(node, *owner, place == 0, entries)
    });
    Reply::Map(vec![
        field("position", text(format!("{:016x}", position.0))),
        field("slot", Reply::Integer(i64::from(position.slot()))),
        field("partition", Reply::Integer(i64::from(task.partition.0))),
        field("epoch", Reply::Integer(i64::try_from(node.layout.epoch()).unwrap_or(i64::MAX))),
        field("coordinator", name(node, node.identity.node)),
        field("owners", Reply::Array(owners.collect())),
    ])
}

fn owner_row(node: &Node, owner: NodeId, is_home: bool, entries: Option<&Entries>) -> Reply {
    let state = match entries {
        Some(entries) if entries.is_empty() => "nothing",
        Some(_) => "holds",
        None if is_live(node, owner) => "silent",
        None => "unreachable",
    };
    let dots = entries.into_iter().flat_map(Entries::iter);
    let dots = dots.map(|entry| text(format!("{} at {} ms", entry.dot, entry.stamp.physical_ms)));
    Reply::Map(vec![
        field("node", name(node, owner)),
        field("home", Reply::Integer(i64::from(is_home))),
        field("state", text(state.to_owned())),
        field("dots", Reply::Array(dots.collect())),
    ])
}

fn name(node: &Node, id: NodeId) -> Reply {
    text(node.layout.member(id).map_or_else(|| id.to_string(), |member| member.name.clone()))
}

fn field(name: &'static str, value: Reply) -> (Reply, Reply) {
    (text(name.to_owned()), value)
}

fn text(text: String) -> Reply {
    Reply::bulk(text)
}
