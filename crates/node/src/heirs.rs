//! Who comes to hold a member's copies where it goes, and whether they have room for them.

use crate::membership::Sighting;
use placement::{Layout, NodeId};

/// How many times what comes there must be room for: a store writes what it holds anew, now and then.
const ROOM_TIMES: u128 = 2;

/// What each of the others takes over when a member goes.
#[derive(Clone, Debug)]
pub struct Heirs {
    of: NodeId,
    /// How many places it has.
    places: u64,
    /// How many each of those takes that take any.
    takes: Vec<(NodeId, u64)>,
}

impl Heirs {
    /// Those of a member, by the layout before and the one after.
    #[must_use]
    pub fn of(member: NodeId, before: &Layout, after: &Layout) -> Self {
        let places = before.keyspace().partitions().filter(|at| before.owners(*at).contains(&member)).count();
        let takes = after.taken(before).into_iter().collect();
        Self { of: member, places: places as u64, takes }
    }

    /// Whether each has room for what it takes, as far as it has said. What the member stores is what it has said last, and where that
    /// was not heard, what one of the others stores.
    #[must_use]
    pub fn have_room(&self, seen: impl Iterator<Item = Sighting>) -> bool {
        let takes =
            |id: NodeId| self.takes.iter().find(|(heir, _)| *heir == id).map_or(0, |(_, takes)| *takes);
        let (mut stored, mut most, mut heirs) = (0, 0, Vec::new());
        for Sighting { member, load, .. } in seen {
            if member == self.of {
                stored = load.stored_bytes;
            } else if takes(member) > 0 {
                most = load.stored_bytes.max(most);
                heirs.extend(load.room_bytes.map(|room_bytes| (takes(member), room_bytes)));
            }
        }
        let stored = u128::from(if stored > 0 { stored } else { most });
        let needed = |takes: u64| stored * u128::from(takes) * ROOM_TIMES / u128::from(self.places.max(1));
        heirs.into_iter().all(|(takes, room_bytes)| u128::from(room_bytes) >= needed(takes))
    }
}

#[cfg(test)]
mod tests {
    use super::Heirs;
    use crate::membership::Sighting;
    use placement::{Change, Duty, Layout, Member, NodeId};
    use wire::peer::gossip::{Health, Load};

    const PARTITIONS: u32 = 8;

    /// A layout of these members, each with its zone and weight.
    fn layout(copies: &str, members: &[(&str, &str, u32)]) -> Layout {
        let mut members = members.iter().map(|(name, zone, weight)| Member {
            id: NodeId::of_name(name),
            client_addr: format!("{name}:1"),
            peer_addr: format!("{name}:2"),
            name: (*name).into(),
            weight: *weight,
            zone: zone.parse().unwrap(),
            duty: Duty::Store,
        });
        let copies: placement::Copies = copies.parse().unwrap();
        let first = Layout::found(1, 1, PARTITIONS, copies, members.next().unwrap(), 1).unwrap();
        first.with_members(members).unwrap()
    }

    /// Whether the last member's copies fit where each of the others has so much room, if it and they store so much.
    fn fit(layout: &Layout, goes: &str, stored: (u64, u64), room: &[(&str, Option<u64>)]) -> bool {
        let goes = NodeId::of_name(goes);
        let after = layout.changed(&Change::Leave(goes)).unwrap();
        let seen = |member: NodeId, stored_bytes: u64, room_bytes: Option<u64>| {
            let load = Load { stored_bytes, room_bytes, ..Load::default() };
            Sighting { member, health: Health::Alive, is_silent: false, incarnation: 1, since_ms: 0, load }
        };
        let others = room.iter().map(|(name, room)| seen(NodeId::of_name(name), stored.1, *room));
        Heirs::of(goes, layout, &after).have_room(others.chain([seen(goes, stored.0, None)]))
    }

    #[test]
    fn those_that_take_the_copies_are_asked() {
        let near = layout("near=1,far=1", &[("b", "near/1", 1), ("c", "far/1", 1), ("a", "near/2", 1)]);
        let fit = |stored, b, c| fit(&near, "a", stored, &[("b", b), ("c", c)]);
        assert!(fit((10, 0), Some(20), Some(0)), "b takes it all, twice");
        assert!(!fit((10, 0), Some(19), Some(0)));
        assert!(!fit((0, 10), Some(19), Some(0)), "a has as much as b, perhaps");
        assert!(fit((10, 0), None, None), "who knows not is not asked");
        assert!(fit((0, 0), Some(0), Some(0)) && !fit((u64::MAX, 0), Some(u64::MAX), None));
    }

    #[test]
    fn who_shares_a_zone_takes_what_was_there() {
        let zones =
            [("s1", "x/1", 1), ("s2", "x/2", 1), ("s3", "x/3", 1), ("s4", "x/2", 1), ("auto", "x/1", 1)];
        let rooms = |s1: u64| [("s1", Some(s1)), ("s2", Some(0)), ("s3", Some(0)), ("s4", Some(0))];
        let layout = layout("3", &zones);
        assert!(fit(&layout, "auto", (100, 100), &rooms(200)), "one of three copies is in that zone");
        assert!(!fit(&layout, "auto", (100, 100), &rooms(199)));
    }

    #[test]
    fn who_has_all_already_takes_nothing() {
        let layout =
            layout("3", &[("heavy", "x/1", 10), ("s2", "x/1", 1), ("s3", "x/1", 1), ("auto", "x/1", 1)]);
        let rooms = |room: u64| [("heavy", Some(0)), ("s2", Some(room)), ("s3", Some(room))];
        assert!(fit(&layout, "auto", (100, 100), &rooms(200)));
        assert!(!fit(&layout, "auto", (100, 100), &rooms(50)));
    }
}
