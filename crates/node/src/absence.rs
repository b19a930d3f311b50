//! Members that stay down: for how long, and when each is replaced without a person.
//!
//! ```text
//! down                 counted while this node looks: what it slept through is held against nobody
//! for replace_after    the steward removes it, and the others make its copies anew (`steward`)
//! ```
//!
//! One at a time, and only where nothing speaks against it: a rack or a datacenter that is down comes back, mostly, and where too few
//! zones or members would be left there is nobody to take its place. What speaks against it is told (`Hindrance`), and looked at again.
//! That more than a quarter, or all of a rack, is rather an outage than so many losses is as in Ceph (`mon_osd_min_in_ratio`,
//! `mon_osd_down_out_subtree_limit`).

use crate::away::{Absence, Hindrance};
use crate::heirs::Heirs;
use crate::membership::Sighting;
use crate::state::Node;
use crate::task::is_reachable;
use placement::{Change, Duty, Layout, Member, NodeId, Zone};
use std::collections::BTreeMap;
use wire::peer::gossip::Health;

/// Where more than one of so many members are down, it is taken for an outage.
const OUTAGE_PART: usize = 4;

/// Counts, at the node that speaks for its process.
pub(crate) fn look(node: &mut Node, now: u64) {
    let is_down = |seen: &Sighting| seen.health == Health::Down;
    let down: Vec<NodeId> = node.sightings().filter(is_down).map(|seen| seen.member).collect();
    node.away.look(&down, now);
    // What is down together comes back one after the other: who is last is given as long as if it had gone alone.
    let layout = std::sync::Arc::clone(&node.layout);
    for member in down {
        if is_outage(&layout, member, &others_of(node, &layout, member, Health::Down)) {
            node.away.down.insert(member, 0);
        }
    }
    node.away.absences = absent(node, &layout);
}

/// Who is to be removed by now.
pub(crate) fn due(node: &Node, layout: &Layout) -> Option<NodeId> {
    let is_due = |absence: &&Absence| absence.left_ms == 0 && absence.hindrance.is_none();
    let due = node.away.absences.iter().filter(is_due).map(|absence| absence.member);
    // Whether there is room was looked at by the layout that this node goes by; all else may be otherwise by that of the register.
    due.filter(|member| hindrance(node, layout, *member).is_none())
        .find(|member| layout.changed(&lose(*member)).is_ok())
}

fn lose(member: NodeId) -> Change {
    Change::Lose { member, accepts_loss: false }
}

/// Who was waited for and is there again.
pub(crate) fn returned(node: &Node, layout: &Layout) -> Option<NodeId> {
    // Who has just been started takes everybody for alive, and has no link yet.
    let is_back = |member: &NodeId| {
        is_reachable(node, *member)
            && node.sightings().any(|seen| seen.member == *member && seen.is_trusted())
    };
    layout.kept().iter().copied().find(is_back)
}

fn absent(node: &mut Node, layout: &Layout) -> Vec<Absence> {
    let after_ms = node.options.replace_after_ms;
    let holds =
        |id: NodeId| layout.member(id).is_some_and(|member| matches!(member.duty, Duty::Store | Duty::Leave));
    let down = node.away.down.iter().map(|(member, down_ms)| (*member, *down_ms));
    let down: Vec<_> = down.filter(|(member, _)| after_ms < u64::MAX && holds(*member)).collect();
    let absence = |(member, down_ms): (NodeId, u64)| {
        let left_ms = after_ms.saturating_sub(down_ms);
        // Who would take its copies is reckoned when it is time, for that takes long with many members.
        let mut hindrance = hindrance(node, layout, member);
        if hindrance.is_none() && left_ms == 0 && !have_room(node, layout, member) {
            hindrance = Some(Hindrance::NoRoom);
        }
        Absence { member, left_ms, hindrance }
    };
    down.into_iter().map(absence).collect()
}

/// Whether those that would take its copies have room for them.
fn have_room(node: &mut Node, layout: &Layout, member: NodeId) -> bool {
    let epoch = layout.epoch();
    if node.away.heirs.get(&member).is_none_or(|(of, _)| *of != epoch) {
        let heirs = layout.changed(&lose(member)).ok().map(|after| Heirs::between(layout, &after));
        node.away.heirs.insert(member, (epoch, heirs));
    }
    let heirs = node.away.heirs.get(&member).and_then(|(_, heirs)| heirs.as_ref());
    heirs.is_none_or(|heirs| heirs.have_room(node.sightings()))
}

/// What speaks against replacing a member, but for the room that others have.
fn hindrance(node: &Node, layout: &Layout, member: NodeId) -> Option<Hindrance> {
    let others = || others(node, layout, member);
    if layout.kept().contains(&member) {
        Some(Hindrance::Kept)
    } else if !layout.can_spare(member) {
        Some(Hindrance::Needed)
    } else if is_outage(layout, member, &others_of(node, layout, member, Health::Suspect)) {
        Some(Hindrance::Others)
    } else if layout.members().iter().any(|member| member.duty == Duty::Lost) {
        Some(Hindrance::Moving)
    } else if others().any(|seen| seen.load.is_full) {
        Some(Hindrance::Full)
    } else if others().any(|seen| seen.load.is_learning) {
        Some(Hindrance::Learning)
    } else {
        None
    }
}

/// Whether so many are down with a member that they will be back together.
fn is_outage(layout: &Layout, member: NodeId, others: &BTreeMap<NodeId, bool>) -> bool {
    let is_up = |id: &NodeId| others.get(id).is_none_or(|is_up| *is_up);
    let down = others.keys().filter(|id| !is_up(id)).count();
    let Some(zone) = layout.member(member).map(|member| &member.zone) else { return false };
    let are_down = |is_near: &dyn Fn(&Zone) -> bool| {
        let is_other = |other: &&Member| other.id != member && is_near(&other.zone);
        let mut near = layout.storing().filter(is_other).peekable();
        near.peek().is_some() && near.all(|other| !is_up(&other.id))
    };
    let is_many = down > 0 && (down + 1) * OUTAGE_PART > others.len() + 1;
    is_many || are_down(&|other| other == zone) || are_down(&|other| other.datacenter == zone.datacenter)
}

/// Whether each other member that holds anything is up: not yet as bad as that.
fn others_of(node: &Node, layout: &Layout, member: NodeId, worst: Health) -> BTreeMap<NodeId, bool> {
    others(node, layout, member).map(|seen| (seen.member, seen.health < worst)).collect()
}

/// How the other members that hold anything are seen.
fn others<'a>(node: &'a Node, layout: &'a Layout, member: NodeId) -> impl Iterator<Item = Sighting> + 'a {
    let stores = |id: NodeId| layout.member(id).is_some_and(|member| member.duty == Duty::Store);
    node.sightings().filter(move |seen| seen.member != member && stores(seen.member))
}

impl Node {
    /// The members that are down and will be replaced, as it has seen when it looked last, where it speaks for its process.
    pub fn absences(&self) -> impl Iterator<Item = Absence> {
        self.away.absences.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::is_outage;
    use placement::{Duty, Layout, Member, NodeId};
    use std::collections::BTreeMap;

    fn member(number: usize, rack: usize) -> Member {
        let name = format!("n{number}");
        Member {
            id: NodeId::of_name(&name),
            client_addr: format!("{name}:1"),
            peer_addr: format!("{name}:2"),
            name,
            weight: 1,
            zone: format!("dc1/r{rack}").parse().unwrap(),
            duty: Duty::Store,
        }
    }

    /// Whether the first member's absence looks like an outage, with so many racks and these down besides.
    fn looks_like_one(members: usize, racks: usize, down: &[usize]) -> bool {
        let all: Vec<Member> = (0..members).map(|number| member(number, number % racks)).collect();
        let mut layout = Layout::found(1, 1, 1, 3, all[0].clone(), 1).unwrap();
        for member in &all[1..] {
            layout = layout.with_member(member.clone()).unwrap();
        }
        let others: BTreeMap<NodeId, bool> =
            (1..members).map(|at| (all[at].id, !down.contains(&at))).collect();
        is_outage(&layout, all[0].id, &others)
    }

    #[test]
    fn one_is_a_loss_and_many_are_an_outage() {
        assert!(!looks_like_one(4, 1, &[]), "one of four");
        assert!(looks_like_one(4, 1, &[1]), "two of four");
        assert!(!looks_like_one(8, 1, &[1]), "two of eight");
        assert!(looks_like_one(8, 1, &[1, 2]), "three of eight");
        assert!(looks_like_one(12, 6, &[6]), "all of a rack");
        assert!(!looks_like_one(12, 12, &[1]), "each is a rack of its own");
    }
}
