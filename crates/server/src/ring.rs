//! `ARMILLA.RING`: a change of the cluster in an operator's words, and what it moves.
//!
//! Not what may be changed: that is `placement::layout`. Not how it comes about: `node::steward`.
//!
//! 1. What is told of a change is reckoned from two layouts: the one before and the one after.

use std::collections::BTreeSet;
use std::sync::Arc;

use node::{Absence, ChangeError, Hindrance};
use placement::layout::{Basis, Step};
use placement::{Change, Duty, Layout, LayoutError, Member, NodeId, PartitionId, Seat, Zone};
use wire::Reply;
use wire::command::local::Ring;
use wire::peer::gossip::Health;

use crate::formation::Register;
use crate::host::Host;

/// Why nobody takes a member's place.
pub(crate) const NO_ROOM: &str = "the disks of the others have no room for its copies";

/// Makes a change, or tells what it would move.
///
/// # Errors
/// In words for a client.
pub(crate) async fn change(
    register: &Register,
    ring: Ring,
    is_plan: bool,
    of: Option<u64>,
) -> Result<Reply, String> {
    let before = register.host.layout();
    let change = with_ids(&before, register.host.me, ring)?;
    // Somebody else may change the cluster at the same time: one of the two is told.
    let of = match (of, &change) {
        (Some(epoch), _) => Basis::Epoch(epoch),
        // What there is is given up, whatever it is.
        (None, Change::Recover(_)) => Basis::Any,
        (None, _) => Basis::Like(Arc::clone(&before)),
    };
    if !is_plan {
        let after = register.change(change, of).await?;
        return Ok(told(&register.host, &before, &after, after.epoch()));
    }
    let meanwhile = || format!("ERR {}", ChangeError::Meanwhile(before.epoch()));
    match of.changed(&before, &change).ok_or_else(meanwhile)? {
        Ok(after) => Ok(told(&register.host, &before, &after, before.epoch())),
        Err(LayoutError::Same) => Ok(told(&register.host, &before, &before, before.epoch())),
        Err(error) => Err(format!("ERR {error}")),
    }
}

fn with_ids(layout: &Layout, me: NodeId, ring: Ring) -> Result<Change, String> {
    let id = |name: &str| {
        let member = layout.members().iter().find(|member| member.name == name);
        member
            .map(|member| member.id)
            .ok_or_else(|| format!("ERR {}", LayoutError::Stranger(name.to_owned())))
    };
    Ok(match ring {
        Ring::Join { name, weight, zone } => Change::Join(newcomer(name.into_string(), weight, zone)),
        Ring::Leave(name) => Change::Leave(id(&name)?),
        Ring::Lose { name, accepts_loss } => Change::Lose { member: id(&name)?, accepts_loss },
        Ring::Succeed { old, new } => Change::Succeed { old: id(&old)?, new: id(&new)? },
        Ring::Stay(name) => Change::Stay(id(&name)?),
        Ring::Weigh(name, weight) => Change::Weigh(id(&name)?, weight),
        Ring::Locate(name, zone) => Change::Locate(id(&name)?, zone),
        Ring::Replicate(copies) => Change::Replicate(copies),
        // Its disk is known to its node alone.
        Ring::Recover => Change::Recover(Seat { node: me, disk: 0 }),
    })
}

/// A member that is not there yet, wherever it is going to be.
fn newcomer(name: String, weight: u32, zone: Zone) -> Member {
    let id = NodeId::of_name(&name);
    let [client_addr, peer_addr] = ["clients", "peers"].map(|who| format!("{who}:{id}"));
    Member { id, name, client_addr, peer_addr, weight, zone, duty: Duty::Store }
}

/// What a change moves: owner places that are to be taken, in all and by each member, and about how many bytes.
fn told(host: &Host, before: &Layout, after: &Layout, epoch: u64) -> Reply {
    let bytes = bytes_of_a_place(host, before);
    let taken = after.taken(before);
    let takes = |member: &Member| taken.get(&member.id).copied().unwrap_or(0);
    let members =
        after.members().iter().map(|member| member_row(before, after, member, (takes(member), bytes)));
    let moved: u64 = taken.values().sum();
    Reply::Map(vec![
        (text("epoch"), number(epoch)),
        (text("replicas"), number(after.replicas() as u64)),
        (text("replicas_missing"), number(after.copies().all().saturating_sub(after.replicas()) as u64)),
        (text("replicas_wanted"), text(&after.copies().to_string())),
        (text("partitions"), number(after.keyspace().partition_count().into())),
        (text("places_moved"), number(moved)),
        (text("bytes_moved_about"), number(moved.saturating_mul(bytes))),
        (text("members"), Reply::Array(members.collect())),
    ])
}

fn member_row(before: &Layout, after: &Layout, member: &Member, (takes, bytes): (u64, u64)) -> Reply {
    Reply::Map(vec![
        (text("name"), text(&member.name)),
        (text("zone"), text(&member.zone.to_string())),
        (text("duty"), text(member.duty.word())),
        (text("weight"), number(member.weight.into())),
        (text("places_before"), number(owned(before, member.id))),
        (text("places_after"), number(wanted(after, member.id))),
        (text("takes"), number(takes)),
        (text("takes_bytes_about"), number(takes.saturating_mul(bytes))),
    ])
}

/// How the cluster is on its way to where it is wanted.
pub(crate) fn progress(host: &Host, layout: &Layout) -> Reply {
    let of = |is: fn(&Step) -> bool| {
        let partitions = layout.keyspace().partitions();
        number(partitions.filter(|partition| is(layout.place(*partition).step())).count() as u64)
    };
    Reply::Map(vec![
        (text("settled"), Reply::Boolean(layout.is_settled())),
        (text("replicas_wanted"), text(&layout.copies().to_string())),
        (text("partitions_copying"), of(|step| matches!(step, Step::Copying { .. }))),
        (text("partitions_settling"), of(|step| matches!(step, Step::Settling { .. }))),
        (text("places_to_move"), number(to_move(layout))),
        (text("bytes_of_a_place_about"), number(bytes_of_a_place(host, layout))),
        (text("waits_for"), Reply::Array(awaited(host, layout))),
        (text("voters"), Reply::Array(voters(layout))),
        (text("down"), Reply::Array(host.absences().iter().map(|absence| absent(layout, absence)).collect())),
    ])
}

/// A member that is down: in how long it is replaced, and what speaks against it.
fn absent(layout: &Layout, absence: &Absence) -> Reply {
    let why = match absence.hindrance {
        None => "",
        Some(Hindrance::Kept) => "it is waited for (armilla cancel)",
        Some(Hindrance::Needed) => "there would be too few members or zones for the copies",
        Some(Hindrance::Others) => "so many are down that it looks like an outage",
        Some(Hindrance::Moving) => "another was removed, and its copies are not made yet",
        Some(Hindrance::Learning) => "another has lost something, and is learning it anew",
        Some(Hindrance::Full) => "a disk of another is full",
        Some(Hindrance::NoRoom) => NO_ROOM,
    };
    let name = layout.member(absence.member).map_or_else(String::new, |member| member.name.clone());
    Reply::Map(vec![
        (text("name"), text(&name)),
        (text("replaced_in_ms"), number(absence.left_ms)),
        (text("not_replaced_because"), text(why)),
    ])
}

/// The members that are down and have a part in what is on its way: it may be that it does not come without them.
fn awaited(host: &Host, layout: &Layout) -> Vec<Reply> {
    let is_down = |member: &&Member| {
        let health = host.sighting(member.id).map(|sighting| sighting.health);
        health == Some(Health::Down) && !layout.is_lost(member.id)
    };
    let mut down = layout.members().iter().filter(is_down).peekable();
    if down.peek().is_none() {
        return Vec::new();
    }
    let moving: BTreeSet<PartitionId> = layout.moving().chain(layout.may_begin()).collect();
    let has_part = |member: &&Member| {
        let is_there =
            |of: &PartitionId| [layout.owners(*of), layout.wanted(*of)].concat().contains(&member.id);
        member.duty == Duty::Leave || moving.iter().any(is_there)
    };
    down.filter(has_part).map(|member| text(&member.name)).collect()
}

fn voters(layout: &Layout) -> Vec<Reply> {
    let name = |id: NodeId| layout.member(id).map_or_else(|| id.to_string(), |member| member.name.clone());
    layout.voters().now.iter().map(|seat| text(&name(seat.node))).collect()
}

/// Owner places that are wanted and not there yet.
fn to_move(layout: &Layout) -> u64 {
    layout.taken(layout).values().sum()
}

fn owned(layout: &Layout, id: NodeId) -> u64 {
    layout.keyspace().partitions().filter(|partition| layout.owners(*partition).contains(&id)).count() as u64
}

fn wanted(layout: &Layout, id: NodeId) -> u64 {
    layout.keyspace().partitions().filter(|partition| layout.wanted(*partition).contains(&id)).count() as u64
}

/// About how many bytes one owner has of one partition, by what members say that they store.
fn bytes_of_a_place(host: &Host, layout: &Layout) -> u64 {
    let others = layout.members().iter().filter_map(|member| host.sighting(member.id));
    let stored = others.map(|sighting| sighting.load.stored_bytes).fold(0, u64::saturating_add);
    let places: u64 = layout.members().iter().map(|member| owned(layout, member.id)).sum();
    stored / places.max(1)
}

fn text(text: &str) -> Reply {
    Reply::bulk(text.to_owned())
}

fn number(number: u64) -> Reply {
    Reply::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
