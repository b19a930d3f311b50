//! Who comes to hold a member's copies where it goes, and whether they have room for them.

use crate::membership::Sighting;
use placement::{Layout, NodeId};
use std::collections::BTreeMap;

/// How many times what comes there must be room for: a store writes what it holds anew, now and then.
const ROOM_TIMES: u128 = 2;

/// What each of the others takes over when a member goes.
#[derive(Clone, Debug)]
pub struct Heirs {
    /// How many places each member has.
    owns: BTreeMap<NodeId, u64>,
    /// How many each of those takes that take any.
    takes: BTreeMap<NodeId, u64>,
}

impl Heirs {
    /// Those of whoever goes between two layouts.
    #[must_use]
    pub fn between(before: &Layout, after: &Layout) -> Self {
        let mut owns = BTreeMap::new();
        for owner in before.keyspace().partitions().flat_map(|partition| before.owners(partition)) {
            *owns.entry(*owner).or_default() += 1;
        }
        Self { owns, takes: after.taken(before) }
    }

    /// Whether each has room for what it takes, as far as it has said. A place takes as much as one does on the mean of those members
    /// that own some and have said what they store.
    #[must_use]
    pub fn have_room(&self, seen: impl Iterator<Item = Sighting>) -> bool {
        let (mut stored, mut places, mut heirs) = (0, 0, Vec::new());
        for Sighting { member, load, .. } in seen {
            // A gateway has a store too, and nothing of anybody in it.
            if load.stored_bytes > 0
                && let Some(owned) = self.owns.get(&member)
            {
                stored += u128::from(load.stored_bytes);
                places += u128::from(*owned);
            }
            let takes = self.takes.get(&member).copied().unwrap_or(0);
            heirs.extend(load.room_bytes.map(|room_bytes| (u128::from(takes), u128::from(room_bytes))));
        }
        let needed = |takes: u128| stored * takes * ROOM_TIMES / places.max(1);
        heirs.into_iter().all(|(takes, room_bytes)| room_bytes >= needed(takes))
    }
}

#[cfg(test)]
mod tests {
    use super::Heirs;
    use crate::membership::Sighting;
    use placement::{Change, Copies, Duty, Layout, Member, NodeId, PartitionId};
    use wire::peer::gossip::{Health, Load};

    const PARTITIONS: u32 = 8;

    fn member(name: &str, zone: &str, weight: u32) -> Member {
        Member {
            id: NodeId::of_name(name),
            client_addr: format!("{name}:1"),
            peer_addr: format!("{name}:2"),
            name: name.into(),
            weight,
            zone: zone.parse().unwrap(),
            duty: Duty::Store,
        }
    }

    /// A layout of these members, each with its zone and weight.
    fn layout(copies: &str, members: &[(&str, &str, u32)]) -> Layout {
        let mut members = members.iter().map(|(name, zone, weight)| member(name, zone, *weight));
        let copies: Copies = copies.parse().unwrap();
        let first = Layout::found(1, 1, PARTITIONS, copies, members.next().unwrap(), 1).unwrap();
        first.with_members(members).unwrap()
    }

    fn seen_as(member: NodeId, load: Load) -> Sighting {
        Sighting { member, health: Health::Alive, is_silent: false, incarnation: 1, since_ms: 0, load }
    }

    fn owned(layout: &Layout, name: &str) -> u64 {
        let is_owned = |at: &PartitionId| layout.owners(*at).contains(&NodeId::of_name(name));
        layout.keyspace().partitions().filter(is_owned).count() as u64
    }

    /// Whether a member's copies fit where each of the others has room for so many, if a copy takes so much and a gateway as much as all.
    fn fit(layout: &Layout, goes: &str, copy_bytes: u64, room: &[(&str, u64)]) -> bool {
        let after = layout.changed(&Change::Leave(NodeId::of_name(goes))).unwrap();
        let seen = room.iter().copied().chain([(goes, 0)]).map(|(name, room)| {
            let stored_bytes = owned(layout, name) * copy_bytes;
            let room_bytes = Some(room * copy_bytes).filter(|_| name != goes);
            let (member, load) =
                (NodeId::of_name(name), Load { stored_bytes, room_bytes, ..Load::default() });
            seen_as(member, load)
        });
        let stored_bytes = u64::from(PARTITIONS) * copy_bytes;
        let gateway = seen_as(NodeId::of_name("gateway"), Load { stored_bytes, ..Load::default() });
        Heirs::between(layout, &after).have_room(seen.chain([gateway]))
    }

    #[test]
    fn those_that_take_the_copies_are_asked() {
        let near = layout("near=1,far=1", &[("b", "near/1", 1), ("c", "far/1", 1), ("a", "near/2", 1)]);
        let takes = owned(&near, "a");
        assert!(takes > 0 && fit(&near, "a", 10, &[("b", 2 * takes), ("c", 0)]), "b takes it all, twice");
        assert!(!fit(&near, "a", 10, &[("b", 2 * takes - 1), ("c", 0)]));
        assert!(fit(&near, "a", 10, &[("c", 0)]), "who has said nothing is not asked");
        assert!(fit(&near, "a", 0, &[("b", 0), ("c", 0)]), "nothing takes no room");
    }

    #[test]
    fn who_shares_a_zone_takes_what_was_there() {
        let zones =
            [("s1", "x/1", 1), ("s2", "x/2", 1), ("s3", "x/3", 1), ("s4", "x/2", 1), ("auto", "x/1", 1)];
        let layout = layout("3", &zones);
        let takes = owned(&layout, "auto");
        let rooms = |s1: u64| [("s1", s1), ("s2", 0), ("s3", 0), ("s4", 0)];
        assert!(
            takes > 0 && fit(&layout, "auto", 10, &rooms(2 * takes)),
            "one of three copies is in its zone"
        );
        assert!(!fit(&layout, "auto", 10, &rooms(2 * takes - 1)));
    }

    #[test]
    fn who_has_all_already_takes_nothing() {
        let members = [("heavy", "x/1", 10), ("s2", "x/1", 1), ("s3", "x/1", 1), ("auto", "x/1", 1)];
        let layout = layout("3", &members);
        assert_eq!(owned(&layout, "heavy"), u64::from(PARTITIONS));
        let rooms = |room: u64| [("heavy", 0), ("s2", room), ("s3", room)];
        assert!(fit(&layout, "auto", 10, &rooms(2 * owned(&layout, "auto"))));
        assert!(!fit(&layout, "auto", 10, &rooms(1)));
    }

    /// What is on its way to one that never came, or is gone before it owned anything.
    #[test]
    fn what_was_to_come_to_a_member_takes_no_more_than_it_does() {
        let three = layout("3", &[("a", "x/1", 1), ("b", "x/1", 1), ("c", "x/1", 1), ("d", "x/1", 1)]);
        let joined = three.changed(&Change::Join(member("late", "x/1", 1))).unwrap();
        let leaving = joined.changed(&Change::Leave(NodeId::of_name("d"))).unwrap();
        let copies = 2 * owned(&leaving, "d");
        assert!(fit(&leaving, "late", 10, &[("a", copies), ("b", copies), ("c", copies), ("d", 0)]));
        assert!(!fit(&leaving, "late", 10, &[("a", 0), ("b", 0), ("c", 0), ("d", 0)]));
    }
}
