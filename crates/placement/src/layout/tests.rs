//! Layouts of small clusters: what is refused, what is promised of owners, and the bytes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::Config;

use super::codec::VERSION;
use super::{Layout, LayoutError, REPLICAS_DEFAULT};
use crate::copies::CopiesError;
use crate::member::{Duty, Member, NodeId, WEIGHT_MAX, Zone};

pub(super) fn member(number: usize, weight: u32, zone: &str) -> Member {
    let name = format!("server{number}");
    let id = NodeId::of_name(&name);
    let (client_addr, peer_addr) =
        (format!("10.0.0.1:{}", 7000 + number), format!("10.0.0.1:{}", 10_000 + number));
    Member { id, name, client_addr, peer_addr, weight, zone: zone.parse().unwrap(), duty: Duty::Store }
}

pub(super) fn grown(partitions: u32, replicas: u8, members: impl IntoIterator<Item = Member>) -> Layout {
    let mut members = members.into_iter();
    let first = Layout::found(1, 2, partitions, replicas, members.next().unwrap(), 9).unwrap();
    members.fold(first, |layout, member| layout.with_member(member).unwrap())
}

/// How many places, or homes, each member has.
fn counts(layout: &Layout, count: impl Fn(&[NodeId], NodeId) -> usize) -> BTreeMap<&str, usize> {
    let of =
        |member: &Member| layout.keyspace().partitions().map(|p| count(layout.owners(p), member.id)).sum();
    layout.members().iter().map(|member| (member.name.as_str(), of(member))).collect()
}

fn places(layout: &Layout) -> BTreeMap<&str, usize> {
    counts(layout, |owners, id| usize::from(owners.contains(&id)))
}

fn homes(layout: &Layout) -> BTreeMap<&str, usize> {
    counts(layout, |owners, id| usize::from(owners[0] == id))
}

/// Places wanted in `after` that were not wanted of the same node before.
pub(super) fn moved(before: &Layout, after: &Layout) -> usize {
    let new = |p| after.wanted(p).iter().filter(|id| !before.wanted(p).contains(id)).count();
    after.keyspace().partitions().map(new).sum()
}

#[test]
fn one_member_owns_everything() {
    let layout = grown(8, REPLICAS_DEFAULT, [member(1, 1, "dc1/rack1")]);
    let id = NodeId::of_name("server1");
    assert_eq!((layout.epoch(), layout.replicas(), layout.share(id)), (1, 1, 1.0));
    for partition in layout.keyspace().partitions() {
        assert_eq!(layout.owners(partition), [id]);
        assert_eq!(layout.stand_ins(partition).count(), 0);
    }
}

#[test]
fn three_members_own_everything_and_share_the_homes() {
    let layout = grown(1024, 3, (1..=3).map(|n| member(n, 1, "dc1/rack1")));
    assert_eq!((layout.epoch(), layout.replicas()), (3, 3));
    assert_eq!(places(&layout).into_values().collect::<Vec<_>>(), [1024; 3]);
    let mut homes: Vec<_> = homes(&layout).into_values().collect();
    homes.sort_unstable();
    assert_eq!(homes, [341, 341, 342]);
}

#[test]
fn stand_ins_are_everyone_else() {
    let layout = grown(64, 3, (1..=9).map(|n| member(n, 1, "dc1/rack1")));
    let mut first = BTreeSet::new();
    for partition in layout.keyspace().partitions() {
        let list: Vec<_> =
            layout.owners(partition).iter().copied().chain(layout.stand_ins(partition)).collect();
        assert_eq!(list.len(), 9);
        assert_eq!(list.iter().collect::<BTreeSet<_>>().len(), 9);
        first.insert(list[3]);
    }
    assert!(first.len() >= 6, "hints for many partitions go to many nodes");
}

#[test]
fn joining_twice_changes_nothing() {
    let layout = grown(64, 3, (1..=3).map(|n| member(n, 1, "dc1/rack1")));
    assert_eq!(layout.with_member(member(2, 1, "dc1/rack1")).unwrap(), layout);
}

#[test]
fn what_is_refused_is_refused_with_a_sentence() {
    let layout = grown(64, 3, [member(1, 1, "dc1/rack1"), member(2, 1, "dc1/rack1")]);
    let refusal = |change: fn(&mut Member)| {
        let mut newcomer = member(3, 1, "dc1/rack1");
        change(&mut newcomer);
        layout.with_member(newcomer).unwrap_err().to_string()
    };
    let moved = refusal(|m| (m.name, m.id) = ("server1".into(), NodeId::of_name("server1")));
    assert!(moved.contains("`server1` belongs to the member at 10.0.0.1:7001"), "{moved}");
    let twin = refusal(|m| m.id = NodeId::of_name("server2"));
    assert!(twin.contains("`server3` and `server2` give the same id"), "{twin}");
    let address = refusal(|m| m.peer_addr = "10.0.0.1:7002".into());
    assert_eq!(address, "the address 10.0.0.1:7002 belongs to the member `server2`");
    assert!(refusal(|m| m.weight = 0).contains("its weight 0 must be from 1"));
    assert!(refusal(|m| m.weight = WEIGHT_MAX + 1).contains("its weight 65536 must be"));
    assert!(refusal(|m| m.name = String::new()).contains("its name must have 1 to 255 bytes"));
    assert!(refusal(|m| m.client_addr = "x".repeat(256)).contains("its client address must have"));
    assert!(refusal(|m| m.zone.rack = "a/b".into()).contains("its zone `dc1/a/b` must be"));
    assert_eq!(
        Layout::found(1, 2, 64, 0, member(1, 1, "a/b"), 9),
        Err(LayoutError::Copies(CopiesError::Number(0)))
    );
    assert_eq!(
        Layout::found(1, 2, 64, 8, member(1, 1, "a/b"), 9),
        Err(LayoutError::Copies(CopiesError::Number(8)))
    );
    assert!(matches!(Layout::found(1, 2, 63, 3, member(1, 1, "a/b"), 9), Err(LayoutError::Keyspace(_))));
}

#[test]
fn a_new_zone_gets_a_copy_of_everything() {
    let one = grown(64, 3, (1..=6).map(|n| member(n, 1, "dc1/r1")));
    let two = one.with_member(member(7, 1, "dc1/r2")).unwrap();
    let three = two.with_member(member(8, 1, "dc1/r3")).unwrap();
    assert_eq!((places(&two)["server7"], places(&three)["server8"]), (64, 64));
    // Here and there a node that gave up its place to the zone must be given another.
    let most = 72;
    assert!(moved(&one, &two) <= most && moved(&two, &three) <= most, "hardly anything else moves");
}

#[test]
fn datacenters_are_spread_over_as_far_as_zones_allow() {
    // Three zones in dc1 could take everything; dc2 must have a part nevertheless.
    let zones = ["dc1/r1", "dc1/r2", "dc1/r3", "dc2/r1"];
    let layout = grown(64, 3, (0..12).map(|n| member(n, 1, zones[n % 4])));
    for partition in layout.keyspace().partitions() {
        let zones: BTreeSet<_> =
            layout.owners(partition).iter().map(|&id| &layout.member(id).unwrap().zone).collect();
        let centers: BTreeSet<_> = zones.iter().map(|zone| &zone.datacenter).collect();
        assert_eq!((zones.len(), centers.len()), (3, 2));
    }
}

#[test]
fn damaged_bytes_are_refused() {
    let layout = grown(16, 3, (1..=4).map(|n| member(n, 1, "dc1/rack1")));
    let bytes = layout.encode();
    for at in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        assert!(Layout::decode(&bytes).is_err(), "bit flipped at {at}");
        assert!(Layout::decode(&bytes[..at]).is_err(), "cut at {at}");
    }
    let mut last = layout.clone();
    last.epoch = u64::MAX;
    let last = Layout::decode(&last.encode()).unwrap();
    assert!(last.with_member(member(5, 1, "dc1/rack1")).is_err(), "an epoch never wraps around");
    assert_eq!(Layout::decode(&[9, 9]), Err(LayoutError::Version(9)));
    assert_eq!(
        Layout::decode(&sealed(&[&bytes[..bytes.len() - 8], &[0]].concat())),
        Err(LayoutError::Broken("bytes follow after its end"))
    );
}

/// Bytes with a checksum that matches.
pub(super) fn sealed(body: &[u8]) -> Vec<u8> {
    [body, &xxhash_rust::xxh3::xxh3_64(body).to_le_bytes()].concat()
}

pub(super) fn clusters() -> impl Strategy<Value = (u32, u8, Vec<Member>)> {
    let zone = (0..3u8, 0..4u8).prop_map(|(center, rack)| format!("dc{center}/r{rack}"));
    let shapes = proptest::collection::vec((1..=16u32, zone), 1..14);
    let members = shapes.prop_map(|shapes| {
        shapes.iter().enumerate().map(|(number, (weight, zone))| member(number, *weight, zone)).collect()
    });
    (0..=6u32, 1..=7u8, members).prop_map(|(bits, replicas, members)| (1 << bits, replicas, members))
}

proptest! {
    #![proptest_config(Config { cases: 80, failure_persistence: None, ..Config::default() })]

    #[test]
    fn growth_keeps_every_promise((partitions, replicas, members) in clusters()) {
        let mut layout = grown(partitions, replicas, members[..1].to_vec());
        for member in &members[1..] {
            let next = layout.with_member(member.clone()).unwrap();
            prop_assert_eq!(next.epoch(), layout.epoch() + 1);
            prop_assert_eq!(next.check(), Ok(()));
            let zones: BTreeSet<&Zone> = next.members().iter().map(|member| &member.zone).collect();
            for partition in next.keyspace().partitions() {
                let zone = |&id| &next.member(id).unwrap().zone;
                let mine: BTreeSet<&Zone> = next.owners(partition).iter().map(zone).collect();
                prop_assert_eq!(mine.len(), zones.len().min(next.replicas()));
            }
            prop_assert_eq!(layout.with_member(member.clone()).unwrap().encode(), next.encode());
            let read = Layout::decode(&next.encode()).unwrap();
            for partition in next.keyspace().partitions() {
                prop_assert!(read.stand_ins(partition).eq(next.stand_ins(partition)));
            }
            prop_assert_eq!(read, next.clone());
            layout = next;
        }
    }

    #[test]
    fn in_one_zone_shares_follow_weights_and_only_to_the_newcomer_does_data_move(
        weights in proptest::collection::vec(1..=4u32, 12..20), bits in 6..=8u32,
    ) {
        let layout = grown(1 << bits, 3, weights.iter().enumerate().map(|(n, &w)| member(n, w, "a/b")));
        let before = layout.clone();
        let next = layout.with_member(member(99, 2, "a/b")).unwrap();
        prop_assert_eq!(moved(&before, &next), places(&next)["server99"]);
        let (places, homes) = (places(&next), homes(&next));
        // Of how many places per weight: with one more, and as it is.
        let load = |member: &Member, more| (places[member.name.as_str()] + more) as f64 / f64::from(member.weight);
        let busiest = next.members().iter().map(|member| load(member, 0)).fold(0.0, f64::max);
        for member in next.members() {
            prop_assert!(busiest <= load(member, 1), "{} could have had one of the busiest node", member.name);
            let (held, home) = (places[member.name.as_str()] as f64, homes[member.name.as_str()] as f64);
            prop_assert!((home - held / 3.0).abs() <= 2.0, "{} is home to {home} of {held}", member.name);
        }
    }

    #[test]
    fn hardly_more_moves_than_shares_have_grown((_, replicas, members) in clusters(), newcomer in 1..=16u32) {
        let layout = grown(128, replicas, members.clone());
        let next = layout.with_member(member(99, newcomer, &members[0].zone.to_string())).unwrap();
        let (before, after) = (places(&layout), places(&next));
        let grew = |(name, &now): (&&str, &usize)| now.saturating_sub(before.get(name).copied().unwrap_or(0));
        let least: usize = after.iter().map(grew).sum();
        let moved = moved(&layout, &next);
        // Where zones leave little choice a chain may have a second link: here and there a place more.
        let most = least as f64 * 1.25 + next.members().len() as f64;
        prop_assert!(moved as f64 <= most, "{moved} places moved where {least} must");
    }

    #[test]
    fn no_bytes_make_decode_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Layout::decode(&body).is_err());
        let body = [&[VERSION][..], &body].concat();
        prop_assert!(Layout::decode(&sealed(&body)).is_err());
    }

    #[test]
    fn no_change_of_good_bytes_makes_decode_panic(
        at in any::<proptest::sample::Index>(), byte: u8, cut in any::<proptest::sample::Index>(), whole: bool,
    ) {
        let bytes = grown(16, 3, (1..=4).map(|n| member(n, 1, "dc1/rack1"))).encode();
        let mut body = bytes[..bytes.len() - 8].to_vec();
        *at.get_mut(&mut body) = byte;
        let end = if whole { body.len() } else { cut.index(body.len()) };
        if let Ok(layout) = Layout::decode(&sealed(&body[..end])) {
            // Some bytes may be anything: what is read must still be whole.
            prop_assert_eq!(layout.check(), Ok(()));
            prop_assert_eq!(layout.encode(), sealed(&body));
        }
    }
}
