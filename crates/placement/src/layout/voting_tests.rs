//! Who should vote: how many, where, and that the answer stays the same where nothing has changed.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::Config;

use super::tests::{clusters, grown, member};
use super::{Change, Layout};
use crate::member::{Duty, NodeId};
use crate::voters::Seat;

/// All members live, each with the disk 9.
fn all(layout: &Layout) -> BTreeMap<NodeId, u64> {
    layout.members().iter().map(|member| (member.id, 9)).collect()
}

fn without(mut living: BTreeMap<NodeId, u64>, gone: &[NodeId]) -> BTreeMap<NodeId, u64> {
    living.retain(|id, _| !gone.contains(id));
    living
}

/// Those vote that should.
fn voting(layout: &Layout, living: &BTreeMap<NodeId, u64>) -> Layout {
    match layout.voters_wanted(living) {
        Some(seats) => layout.changed(&Change::Seat(seats)).unwrap().changed(&Change::Seated).unwrap(),
        None => layout.clone(),
    }
}

fn flat(members: usize) -> Layout {
    grown(8, 3, (1..=members).map(|number| member(number, 1, "a/b")))
}

fn nodes(layout: &Layout) -> BTreeSet<NodeId> {
    layout.voters().now.iter().map(|seat| seat.node).collect()
}

#[test]
fn few_vote_and_an_odd_number_of_them() {
    for (members, votes) in [(1, 1), (2, 1), (3, 3), (4, 3), (5, 5), (6, 5), (12, 5)] {
        let layout = flat(members);
        assert_eq!(nodes(&voting(&layout, &all(&layout))).len(), votes, "of {members}");
    }
}

#[test]
fn voters_are_in_different_datacenters_and_zones() {
    let zones = ["a/1", "a/1", "a/2", "b/1", "b/1", "c/1", "c/1"];
    let layout = grown(8, 3, zones.iter().enumerate().map(|(number, zone)| member(number, 1, zone)));
    let chosen = voting(&layout, &all(&layout));
    let zones: Vec<_> = nodes(&chosen).iter().map(|id| chosen.member(*id).unwrap().zone.clone()).collect();
    let of = |center: &str| zones.iter().filter(|zone| zone.datacenter == center).count();
    assert!(["a", "b", "c"].iter().all(|center| (1..=2).contains(&of(center))), "{zones:?}");
    assert_eq!(
        zones.iter().collect::<BTreeSet<_>>().len(),
        4,
        "the fifth finds no zone of its own: {zones:?}"
    );
}

#[test]
fn a_silent_voter_is_replaced_where_another_can_vote() {
    let three = flat(3);
    let three = voting(&three, &all(&three));
    let silent = *nodes(&three).first().unwrap();
    assert_eq!(three.voters_wanted(&without(all(&three), &[silent])), None, "there is nobody else");
    let four = three.with_member(member(4, 1, "a/b")).unwrap();
    assert_eq!(four.voters_wanted(&all(&four)), None, "whoever votes goes on voting");
    let replaced = voting(&four, &without(all(&four), &[silent]));
    assert_eq!((nodes(&replaced).len(), nodes(&replaced).contains(&silent)), (3, false));
    assert_eq!(replaced.voters_wanted(&all(&four)), None, "that it is back changes nothing");
}

#[test]
fn another_disk_is_another_seat() {
    let layout = voting(&flat(3), &all(&flat(3)));
    let mut living = all(&layout);
    let (node, _) = living.pop_first().unwrap();
    living.insert(node, 10);
    let seats = layout.voters_wanted(&living).unwrap();
    assert!(seats.contains(&Seat { node, disk: 10 }) && !seats.contains(&Seat { node, disk: 9 }));
    assert_eq!(seats.len(), 3);
}

#[test]
fn while_voters_are_replaced_no_others_are_wanted() {
    let layout = flat(5);
    let joint = layout.changed(&Change::Seat(layout.voters_wanted(&all(&layout)).unwrap())).unwrap();
    assert!(joint.voters().are_joint());
    assert_eq!(joint.voters_wanted(&BTreeMap::new()), None);
    assert!(joint.changed(&Change::Seat([Seat { node: member(1, 1, "a/b").id, disk: 9 }].into())).is_err());
}

#[test]
fn who_leaves_votes_no_more() {
    let layout = voting(&flat(4), &all(&flat(4)));
    let leaver = *nodes(&layout).last().unwrap();
    let left = layout.changed(&Change::Leave(leaver)).unwrap();
    let next = voting(&left, &all(&left));
    assert_eq!((nodes(&next).len(), nodes(&next).contains(&leaver)), (3, false));
}

#[test]
fn voters_become_no_fewer_because_others_are_silent() {
    let layout = voting(&flat(4), &all(&flat(4)));
    let leaver = *nodes(&layout).last().unwrap();
    let left = layout.changed(&Change::Leave(leaver)).unwrap();
    let first = *nodes(&layout).first().unwrap();
    let heard = all(&left).into_iter().filter(|(id, _)| *id == first).collect();
    assert_eq!(left.voters_wanted(&heard), None, "a steward that has heard itself alone");
    let founder = Seat { node: first, disk: 9 };
    let founded = flat(4).changed(&Change::Seat([founder].into())).unwrap().changed(&Change::Seated).unwrap();
    let left = founded.changed(&Change::Leave(first)).unwrap();
    let second = *nodes(&layout).iter().find(|id| **id != first).unwrap();
    let heard = all(&left).into_iter().filter(|(id, _)| *id == second).collect();
    assert_eq!(left.voters_wanted(&heard), None, "one that votes alone is not replaced by another");
    let two = voting(&flat(3), &all(&flat(3)));
    let two = two.changed(&Change::Replicate(2.into())).unwrap();
    let leaver = *nodes(&two).last().unwrap();
    let two = two.changed(&Change::Leave(leaver)).unwrap();
    assert_eq!(nodes(&voting(&two, &all(&two))).len(), 1, "of two that are left one votes");
}

/// Two that store vote as one, and it is not the one of whom nothing is heard: nobody would come past it.
#[test]
fn most_of_those_that_are_to_vote_are_heard() {
    let layout = voting(&flat(3), &all(&flat(3)));
    let layout = layout.changed(&Change::Replicate(2.into())).unwrap();
    for leaver in nodes(&layout) {
        let left = layout.changed(&Change::Leave(leaver)).unwrap();
        assert_eq!(left.voters_wanted(&BTreeMap::new()), None, "a steward that has not even heard itself");
        let heard = nodes(&layout).into_iter().find(|id| *id != leaver).unwrap();
        let heard = BTreeMap::from([(heard, 9)]);
        let wanted = left.voters_wanted(&heard).unwrap();
        assert_eq!(wanted.into_iter().map(|seat| (seat.node, seat.disk)).collect::<BTreeMap<_, _>>(), heard);
    }
}

proptest! {
    #![proptest_config(Config { cases: 100, failure_persistence: None, ..Config::default() })]

    #[test]
    fn where_nothing_changes_the_same_go_on_voting((_, _, members) in clusters(), living: u16, leaves: u16) {
        let mut layout = grown(1, 1, members);
        let is_set = |bits: u16, at: usize| bits >> (at % 16) & 1 == 1;
        let some = |layout: &Layout, bits: u16| {
            let living = all(layout).into_iter().enumerate().filter(|(at, _)| is_set(bits, *at));
            living.map(|(_, node)| node).collect::<BTreeMap<_, _>>()
        };
        for (at, member) in layout.members().to_vec().iter().enumerate() {
            if is_set(leaves, at) {
                layout = layout.changed(&Change::Leave(member.id)).unwrap_or(layout);
            }
        }
        // Everybody, then some of them, then everybody again: each time the answer is found at once.
        for living in [all(&layout), some(&layout, living), all(&layout)] {
            let next = voting(&layout, &living);
            prop_assert_eq!(next.voters_wanted(&living), None);
            prop_assert_eq!(next.voters().now.len() % 2, 1);
            layout = next;
        }
        let stores = |id: &NodeId| layout.member(*id).is_some_and(|member| member.duty == Duty::Store);
        prop_assert!(nodes(&layout).iter().all(stores));
    }

    #[test]
    fn two_majorities_meet_while_voters_are_replaced(now in 1..6usize, next in 1..6usize, shift in 0..6usize, yes: u16, other in any::<u16>()) {
        let seats = |from: usize, count| (from..from + count).map(|node| Seat { node: NodeId(node as u64), disk: 0 });
        let voters = crate::voters::Voters { now: seats(0, now).collect(), next: seats(shift, next).collect() };
        let chosen = |bits: u16| voters.seats().filter(|seat| bits >> seat.node.0 & 1 == 1).collect::<BTreeSet<_>>();
        if voters.agree(&chosen(yes)) && voters.agree(&chosen(other)) {
            prop_assert!(!chosen(yes).is_disjoint(&chosen(other)));
        }
    }
}
