//! Whether those that come to hold a member's copies, where it goes, have room for them.

use crate::membership::Sighting;
use placement::{Duty, Layout, NodeId};

/// How many times what comes there must be room for: a store writes what it holds anew, now and then.
const ROOM_TIMES: u128 = 2;

/// Whether they have, as far as they have said, and each takes its part by its weight. What the member stores is what it has said last,
/// and where that was not heard, what one of the others stores.
pub fn have_room(layout: &Layout, seen: impl Iterator<Item = Sighting>, member: NodeId) -> bool {
    let (own, others): (Vec<_>, Vec<_>) = seen.partition(|seen| seen.member == member);
    let holds = |id: NodeId| layout.member(id).filter(|other| other.duty == Duty::Store);
    let is_heir =
        |seen: &&Sighting| holds(seen.member).is_some() && layout.count_together(member, seen.member);
    let heirs: Vec<&Sighting> = others.iter().filter(is_heir).collect();
    let said = own.first().map_or(0, |seen| seen.load.stored_bytes);
    let most = heirs.iter().map(|seen| seen.load.stored_bytes).max().unwrap_or(0);
    let weight = |id: NodeId| layout.member(id).map_or(0, |member| member.weight);
    let heirs: Vec<_> = heirs.iter().map(|seen| (weight(seen.member), seen.load.room_bytes)).collect();
    fit(if said > 0 { said } else { most }, &heirs)
}

/// Whether so many bytes fit where each has its part of them, by its weight, and room for them besides what it rewrites.
fn fit(bytes: u64, heirs: &[(u32, Option<u64>)]) -> bool {
    let weights: u128 = heirs.iter().map(|(weight, _)| u128::from(*weight)).sum();
    let needed = |weight: u32| u128::from(bytes) * u128::from(weight) * ROOM_TIMES / weights.max(1);
    heirs.iter().all(|(weight, room)| room.is_none_or(|room| u128::from(room) >= needed(*weight)))
}

#[cfg(test)]
mod tests {
    use super::{fit, have_room};
    use crate::membership::Sighting;
    use placement::{Copies, Duty, Layout, Member, NodeId};
    use wire::peer::gossip::{Health, Load};

    fn member(name: &str, zone: &str) -> Member {
        Member {
            id: NodeId::of_name(name),
            client_addr: format!("{name}:1"),
            peer_addr: format!("{name}:2"),
            name: name.into(),
            weight: 1,
            zone: zone.parse().unwrap(),
            duty: Duty::Store,
        }
    }

    fn seen(name: &str, stored_bytes: u64, room_bytes: u64) -> Sighting {
        let load = Load { stored_bytes, room_bytes: Some(room_bytes), ..Load::default() };
        let (member, health) = (NodeId::of_name(name), Health::Alive);
        Sighting { member, health, is_silent: false, incarnation: 1, since_ms: 0, load }
    }

    #[test]
    fn those_that_take_the_copies_are_asked() {
        let copies: Copies = "near=1,far=1".parse().unwrap();
        let first = Layout::found(1, 1, 1, copies, member("a", "near/1"), 1).unwrap();
        let layout = first.with_members([member("b", "near/2"), member("c", "far/1")]).unwrap();
        let have_room = |seen: &[Sighting]| have_room(&layout, seen.iter().copied(), NodeId::of_name("a"));
        let elsewhere = seen("c", 0, 0);
        assert!(have_room(&[seen("a", 10, 0), seen("b", 0, 20), elsewhere]), "b takes it all, twice");
        assert!(!have_room(&[seen("a", 10, 0), seen("b", 0, 19), elsewhere]));
        assert!(!have_room(&[seen("b", 10, 19), elsewhere]), "a has as much as b, perhaps");
    }

    #[test]
    fn copies_go_where_there_is_room() {
        let (half, little) = (Some(100), Some(99));
        assert!(fit(100, &[(1, half), (1, half)]), "each takes a half, twice");
        assert!(!fit(100, &[(1, half), (1, little)]));
        assert!(fit(100, &[(3, Some(150)), (1, Some(50))]), "by weight");
        assert!(!fit(100, &[(1, Some(150)), (3, Some(50))]));
        assert!(fit(100, &[(1, None), (1, None)]), "who knows not is not asked");
        assert!(fit(u64::MAX, &[]) && fit(0, &[(1, Some(0))]));
    }
}
