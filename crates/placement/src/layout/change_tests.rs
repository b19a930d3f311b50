//! Changes of layouts: what is refused, what is kept whatever is asked, how much moves, and that steps lead to where it is wanted.
//!
//! That no step loses anything is played in `tests/moves`.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::Index;
use proptest::test_runner::Config;

use super::tests::{clusters, grown, member, moved, sealed};
use super::{Advance, Change, Layout, LayoutError, Move, Step};
use crate::copies::Copies;
use crate::keyspace::PartitionId;
use crate::member::{Duty, Member, NodeId, Zone};
use crate::voters::Seat;

/// The id of a member by its number.
fn id(number: usize) -> NodeId {
    member(number, 1, "a/b").id
}

/// Members 1 to `members`, in one zone.
fn flat(partitions: u32, replicas: u8, members: usize) -> Layout {
    grown(partitions, replicas, (1..=members).map(|number| member(number, 1, "a/b")))
}

fn lose(member: NodeId) -> Change {
    Change::Lose { member, accepts_loss: false }
}

fn lose_knowingly(member: NodeId) -> Change {
    Change::Lose { member, accepts_loss: true }
}

/// One step of one partition.
fn step(layout: &Layout, partition: u16, advance: Advance) -> Result<Layout, LayoutError> {
    layout.changed(&Change::Move(vec![Move { partition: PartitionId(partition), advance }]))
}

/// What may come next of a partition, where everybody does at once what it is to do.
fn advances(layout: &Layout, partition: PartitionId) -> Vec<Move> {
    let place = layout.place(partition);
    let advances = match place.step() {
        Step::Resting => vec![],
        Step::Copying { newcomer, began } => vec![Advance::Copied { newcomer: *newcomer, began: *began }],
        Step::Settling { to_come, .. } => {
            let live = to_come.iter().filter(|owner| !layout.is_lost(**owner));
            live.map(|owner| Advance::Arrived { owner: *owner, since: place.since() }).collect()
        }
    };
    advances.into_iter().map(|advance| Move { partition, advance }).collect()
}

/// Takes steps until there are none, and forgets who has nothing left.
fn driven(mut layout: Layout) -> Layout {
    for _ in 0..200 {
        let begin = layout.may_begin().into_iter();
        let mut moves: Vec<_> = begin.map(|partition| Move { partition, advance: Advance::Begin }).collect();
        moves.extend(layout.moving().flat_map(|partition| advances(&layout, partition)));
        match layout.changed(&Change::Move(moves)) {
            Ok(next) => layout = next,
            Err(error) => {
                assert_eq!(error, LayoutError::Same);
                return forgotten(layout);
            }
        }
    }
    panic!("it does not come to rest: {layout:?}");
}

/// Gives the vote to one that stays, and forgets those that do not.
fn forgotten(layout: Layout) -> Layout {
    let node = layout.storing().next().expect("somebody stores").id;
    let voters = [Change::Seated, Change::Seat([Seat { node, disk: 7 }].into()), Change::Seated];
    let mut next = voters.iter().fold(layout, |layout, change| layout.changed(change).unwrap_or(layout));
    let out = |member: &&Member| matches!(member.duty, Duty::Leave | Duty::Lost);
    for leaver in next.members().to_vec().iter().filter(out) {
        next = next.changed(&Change::Forget(leaver.id)).expect("it has nothing left");
    }
    next
}

/// Whether each partition is where it is wanted.
fn is_wanted_everywhere(layout: &Layout) -> bool {
    layout.keyspace().partitions().all(|p| layout.owners(p) == layout.wanted(p))
}

#[test]
fn one_is_replaced_step_by_step() {
    let layout = flat(1, 3, 3).changed(&Change::Join(member(4, 1, "a/b"))).unwrap();
    let before = layout.owners(PartitionId(0)).to_vec();
    let layout = layout.changed(&Change::Leave(before[2])).unwrap();
    let copying = step(&layout, 0, Advance::Begin).unwrap();
    let place = copying.place(PartitionId(0));
    assert_eq!((place.owners(), place.newcomer()), (&before[..], Some(id(4))));
    assert!(!place.is_new(id(4)), "it is no owner yet");
    let copied = Advance::Copied { newcomer: id(4), began: copying.epoch() };
    let settling = step(&copying, 0, copied).unwrap();
    let place = settling.place(PartitionId(0));
    assert_eq!((place.owners()[2], place.since(), place.to_come()), (id(4), settling.epoch(), &[id(4)][..]));
    assert!(place.is_new(id(4)) && place.teaches(before[2]) && !place.keeps(before[2]));
    let since = settling.epoch();
    let settled = step(&settling, 0, Advance::Arrived { owner: id(4), since }).unwrap();
    assert_eq!(
        (settled.place(PartitionId(0)).step(), settled.place(PartitionId(0)).since()),
        (&Step::Resting, since)
    );
    assert!(settled.changed(&Change::Forget(before[2])).is_ok() || settled.voters().seat(before[2]));
}

#[test]
fn a_word_about_a_step_that_is_over_changes_nothing() {
    let whole = flat(1, 3, 4);
    let fewer = whole.changed(&lose(whole.owners(PartitionId(0))[0])).unwrap();
    let copying = step(&fewer, 0, Advance::Begin).unwrap();
    let newcomer = copying.place(PartitionId(0)).newcomer().unwrap();
    let began = copying.epoch();
    let same = |layout: &Layout, advance| assert_eq!(step(layout, 0, advance), Err(LayoutError::Same));
    same(&copying, Advance::Begin);
    same(&copying, Advance::Copied { newcomer, began: began - 1 });
    same(&copying, Advance::Arrived { owner: newcomer, since: began });
    let settling = step(&copying, 0, Advance::Copied { newcomer, began }).unwrap();
    let since = settling.epoch();
    same(&settling, Advance::Begin);
    same(&settling, Advance::Copied { newcomer, began });
    same(&settling, Advance::Arrived { owner: newcomer, since: began });
    same(&settling, Advance::Arrived { owner: settling.owners(PartitionId(0))[0], since });
    let settled = step(&settling, 0, Advance::Arrived { owner: newcomer, since }).unwrap();
    same(&settled, Advance::Arrived { owner: newcomer, since });
    same(&settled, Advance::Begin);
    assert_eq!(step(&settled, 9, Advance::Begin), Err(LayoutError::Same), "there is no such partition");
}

/// Three owners of one partition, a fourth that has just come for the third, and who that was.
fn settling() -> (Layout, [NodeId; 4]) {
    let layout = flat(1, 3, 3).changed(&Change::Join(member(4, 1, "a/b"))).unwrap();
    let [a, b, c] = layout.owners(PartitionId(0)) else { panic!("three own it") };
    let ids = [*a, *b, *c, id(4)];
    let layout = layout.changed(&Change::Leave(ids[2])).unwrap();
    let copying = step(&layout, 0, Advance::Begin).unwrap();
    let copied = Advance::Copied { newcomer: id(4), began: copying.epoch() };
    (step(&copying, 0, copied).unwrap(), ids)
}

#[test]
fn who_is_lost_while_it_settles_goes_as_it_came() {
    let (layout, [a, b, c, d]) = settling();
    let layout = layout.changed(&Change::Join(member(5, 1, "a/b"))).unwrap();
    let layout = step(&layout.changed(&lose(d)).unwrap(), 0, Advance::Begin).unwrap();
    let place = layout.place(PartitionId(0));
    assert_eq!((place.owners(), place.to_come()), (&[a, b, id(5)][..], &[id(5)][..]));
    assert_eq!((place.teachers(), place.since()), (&[vec![a, b, c], vec![a, b, d]][..], layout.epoch()));
    // One of either set is gone, and two of each must teach: nobody else can be spared.
    for needed in [a, b] {
        assert!(matches!(
            layout.changed(&lose(needed)),
            Err(LayoutError::AtStake { partitions: 1, of: 1, .. })
        ));
    }
    assert!(matches!(layout.changed(&Change::Forget(d)), Err(LayoutError::Needed(_))));
    assert!(driven(layout).member(d).is_none());
}

#[test]
fn where_two_have_gone_nobody_counts_until_it_has_learned() {
    let layout = flat(1, 3, 3).changed(&Change::Replicate(1.into())).unwrap();
    let shrunk = step(&layout, 0, Advance::Begin).unwrap();
    let [stays, gone] = *shrunk.owners(PartitionId(0)) else { panic!("two own it") };
    let counts = |layout: &Layout| !layout.place(PartitionId(0)).is_new(stays);
    assert!(counts(&shrunk), "of what two had at least one is left to either majority");
    let (gone, stays_on) =
        if shrunk.wanted(PartitionId(0)) == [stays] { (gone, true) } else { (stays, false) };
    let alone = step(&shrunk.changed(&lose(gone)).unwrap(), 0, Advance::Begin).unwrap();
    assert_eq!((alone.owners(PartitionId(0)).len(), alone.place(PartitionId(0)).teachers().len()), (1, 2));
    assert!(stays_on && !counts(&alone), "what the two that have gone had it may never have had");
    assert!(is_wanted_everywhere(&driven(alone)));
}

#[test]
fn what_is_given_up_goes_to_those_who_know_most() {
    let (layout, [a, b, c, d]) = settling();
    let layout = layout.changed(&lose(a)).unwrap();
    assert!(matches!(layout.changed(&lose(b)), Err(LayoutError::AtStake { .. })));
    let left = layout.changed(&lose_knowingly(b)).unwrap();
    assert_eq!(left.owners(PartitionId(0)), [c], "the one that has come may have learned nothing yet");
    assert_eq!(left.changed(&lose_knowingly(b)), Err(LayoutError::Same));
    let settled = driven(left.changed(&Change::Stay(c)).unwrap());
    assert!(is_wanted_everywhere(&settled) && settled.owners(PartitionId(0)).contains(&d));
}

#[test]
fn where_too_few_are_left_to_know_all_only_who_accepts_that_goes_on() {
    let layout = flat(16, 3, 4);
    let fewer = layout.changed(&lose(id(1))).unwrap();
    let Err(LayoutError::AtStake { name, partitions, of }) = fewer.changed(&lose(id(2))) else {
        panic!("two of three are gone somewhere");
    };
    let both = |p: &PartitionId| [id(1), id(2)].iter().all(|gone| layout.owners(*p).contains(gone));
    let expected = layout.keyspace().partitions().filter(both).count();
    assert_eq!((name.as_str(), partitions, of), ("server2", expected, 16));
    let left = driven(fewer.changed(&lose_knowingly(id(2))).unwrap());
    assert!(left.is_settled() && is_wanted_everywhere(&left));
    assert_eq!((left.replicas(), left.members().len()), (2, 2));
    // What has moved meanwhile is not at stake any more.
    assert!(driven(fewer).changed(&lose(id(2))).is_ok());
}

#[test]
fn an_owner_goes_for_a_newcomer_of_its_own_datacenter() {
    let zone = |at: usize| if at.is_multiple_of(2) { "near/r" } else { "far/r" };
    let first =
        Layout::found(1, 2, 8, "near=2,far=2".parse::<Copies>().unwrap(), member(2, 1, zone(2)), 9).unwrap();
    let mut layout = first.with_members((3..=5).map(|at| member(at, 1, zone(at)))).unwrap();
    for change in [6, 7].map(|at| Change::Join(member(at, 1, zone(at)))) {
        layout = layout.changed(&change).unwrap();
    }
    for leaver in [2, 3] {
        layout = layout.changed(&Change::Leave(id(leaver))).unwrap();
    }
    let mut swaps = 0;
    while !layout.moving().chain(layout.may_begin()).collect::<Vec<_>>().is_empty() {
        let begin =
            layout.may_begin().into_iter().map(|partition| Move { partition, advance: Advance::Begin });
        let come = layout.keyspace().partitions().flat_map(|p| advances(&layout, p));
        let next = layout.changed(&Change::Move(come.chain(begin).collect())).unwrap();
        for p in layout.keyspace().partitions() {
            let (before, after) = (layout.owners(p), next.owners(p));
            let gone = before.iter().filter(|id| !after.contains(id));
            let new: Vec<_> = after.iter().filter(|id| !before.contains(id)).collect();
            for (gone, new) in gone.filter_map(|gone| Some((gone, new.first()?))) {
                assert!(layout.count_together(*gone, **new), "{p}: {before:?} and then {after:?}");
                swaps += 1;
            }
        }
        layout = next;
    }
    assert!(swaps > 0 && is_wanted_everywhere(&layout));
}

#[test]
fn what_a_majority_of_one_datacenter_has_is_at_stake_too() {
    let zone = |at: usize| if at < 5 { "near/r" } else { "far/r" };
    let first =
        Layout::found(1, 2, 8, "near=3,far=3".parse::<Copies>().unwrap(), member(1, 1, zone(1)), 9).unwrap();
    let layout = first.with_members((2..=8).map(|at| member(at, 1, zone(at)))).unwrap();
    let fewer = layout.changed(&lose(id(1))).unwrap();
    // Four of six are left everywhere, and of one datacenter one of three somewhere.
    assert!(matches!(fewer.changed(&lose(id(2))), Err(LayoutError::AtStake { .. })));
    assert!(fewer.changed(&lose(id(5))).is_ok(), "it is in the other one");
    let left = fewer.changed(&lose_knowingly(id(2))).unwrap();
    assert_eq!(
        left.places, fewer.places,
        "enough are left of all owners: nothing is given up but what those had alone"
    );
    assert!(is_wanted_everywhere(&driven(left)));
}

#[test]
fn refusals_say_what_to_do() {
    let layout = flat(8, 3, 3);
    let refused = |change: &Change| layout.changed(change).unwrap_err().to_string();
    assert!(refused(&Change::Leave(id(1))).contains("2 members are too few for 3 replicas"));
    assert!(refused(&Change::Leave(id(9))).contains("is no member"));
    assert!(refused(&Change::Forget(id(2))).contains("still has something to give away"));
    assert!(refused(&Change::Replicate(8.into())).contains("must be from 1 to 7"));
    assert!(refused(&Change::Weigh(id(1), 0)).contains("its weight 0 must be"));
    assert!(refused(&Change::Succeed { old: id(1), new: id(1) }).contains("not there to hold anything"));
    assert!(refused(&Change::Seat([].into())).contains("nobody votes"));
    for same in [Change::Welcome(id(1)), Change::Weigh(id(1), 1), Change::Replicate(3.into()), Change::Seated]
    {
        assert_eq!(layout.changed(&same), Err(LayoutError::Same));
    }
    let lost = layout.changed(&lose(id(1))).unwrap();
    assert!(matches!(lost.changed(&Change::Leave(id(1))), Err(LayoutError::Gone(_))));
    let seats = Change::Seat([Seat { node: id(1), disk: 7 }].into());
    assert!(layout.changed(&seats).is_ok());
    assert!(matches!(lost.changed(&seats), Err(LayoutError::Gone(_))), "it was chosen before it was lost");
    assert_eq!(lost.changed(&Change::Succeed { old: id(1), new: id(2) }), Err(LayoutError::Same));
    let one = flat(8, 3, 1);
    assert!(matches!(one.changed(&lose(id(1))), Err(LayoutError::Last(_))));
}

#[test]
fn who_is_free_and_has_no_vote_is_forgotten_and_nobody_else() {
    let layout = flat(8, 2, 3).changed(&Change::Leave(id(1))).unwrap();
    assert!(
        matches!(layout.changed(&Change::Forget(id(1))), Err(LayoutError::Needed(_))),
        "it owns something"
    );
    assert_eq!(layout.wanted.iter().filter(|wanted| **wanted == id(1)).count(), 0);
    let gone = driven(layout);
    assert_eq!((gone.members().len(), gone.voters().seat(id(1))), (2, false));
    assert!(matches!(gone.changed(&Change::Forget(id(2))), Err(LayoutError::Needed(_))), "it stays");
    let back = gone.changed(&Change::Join(member(1, 1, "a/b"))).unwrap();
    assert!(is_wanted_everywhere(&driven(back)));
}

#[test]
fn who_is_there_may_be_waited_for() {
    let kept = flat(8, 3, 4).changed(&Change::Stay(id(1))).unwrap();
    assert_eq!(kept.kept().iter().copied().collect::<Vec<_>>(), [id(1)]);
    assert_eq!(Layout::decode(&kept.encode()), Ok(kept.clone()));
    assert!(kept.is_settled() && kept.changed(&Change::Stay(id(1))) == Err(LayoutError::Same));
    assert!(kept.changed(&Change::Welcome(id(1))).unwrap().kept().is_empty());
    let gone = driven(kept.changed(&lose(id(1))).unwrap());
    assert!(gone.member(id(1)).is_none() && gone.kept().is_empty());
}

#[test]
fn who_only_routes_owns_nothing_and_stands_in_for_nobody() {
    let router = Member { duty: Duty::Route, ..member(3, 1, "a/b") };
    let layout = driven(flat(8, 3, 2).changed(&Change::Join(router)).unwrap());
    assert!(layout.replicas() == 2 && layout.share(id(3)) == 0.0 && layout.is_settled());
    assert!(layout.keyspace().partitions().all(|p| layout.stand_ins(p).next().is_none()));
    let seat = Seat { node: id(3), disk: 9 };
    assert!(matches!(layout.changed(&Change::Seat([seat].into())), Err(LayoutError::CannotStore(_))));
    let left = driven(layout.changed(&Change::Leave(id(3))).unwrap());
    assert_eq!(left.members().len(), 2);
}

#[test]
fn who_comes_again_is_another() {
    let layout = flat(8, 3, 4);
    let comes = |layout: &Layout, change| layout.changed(&change).unwrap();
    let left = driven(comes(&layout, Change::Leave(id(4))));
    let again = comes(&left, Change::Join(member(4, 1, "a/b")));
    assert!(layout.was_member(id(4), layout.epoch()) && !left.was_member(id(4), left.epoch()));
    assert!(again.was_member(id(4), again.epoch()) && !again.was_member(id(4), left.epoch()));
    assert!(again.was_member(id(1), layout.epoch()), "who has stayed is the same");
    assert_eq!(Layout::decode(&again.encode()), Ok(again.clone()));
    assert_ne!(Layout { joined: vec![1; 4], ..again.clone() }, again);
    assert!(Layout { joined: vec![again.epoch() + 1; 4], ..again }.check().is_err());
}

#[test]
fn a_successor_takes_what_its_predecessor_owned_and_little_else() {
    let layout = driven(flat(64, 3, 6).changed(&Change::Join(member(7, 1, "a/b"))).unwrap());
    let held = |layout: &Layout, who| layout.wanted.iter().filter(|wanted| **wanted == who).count();
    let old = held(&layout, id(1));
    let joined = layout.changed(&Change::Join(member(8, 1, "a/b"))).unwrap();
    let next = joined.changed(&Change::Succeed { old: id(1), new: id(8) }).unwrap();
    assert_eq!((next.member(id(1)).unwrap().duty, held(&next, id(1))), (Duty::Leave, 0));
    assert!(moved(&layout, &next) <= old + 2, "{} moved and it owned {old}", moved(&layout, &next));
    assert!(is_wanted_everywhere(&driven(next)));
}

/// Something that somebody may ask for, by where members are among all.
type Asked = (u8, Index, Index, u8);

fn asked() -> impl Strategy<Value = Vec<Asked>> {
    proptest::collection::vec((0..16u8, any::<Index>(), any::<Index>(), 1..=7u8), 1..30)
}

fn change(layout: &Layout, (kind, one, other, number): &Asked) -> Change {
    let at = |index: &Index| index.get(layout.members()).id;
    let zone = || format!("dc{}/r{}", number % 2, number % 3);
    match kind {
        0 | 1 => Change::Join(member(100 + one.index(20), u32::from(*number), &zone())),
        2 => Change::Leave(at(one)),
        3 => lose(at(one)),
        4 => Change::Lose { member: at(one), accepts_loss: number % 4 == 0 },
        5 => Change::Stay(at(one)),
        6 => Change::Succeed { old: at(one), new: at(other) },
        7 => Change::Weigh(at(one), u32::from(*number)),
        8 => Change::Locate(at(one), zone().parse().unwrap()),
        9 => Change::Replicate((*number).into()),
        10 => Change::Forget(at(one)),
        11 => Change::Seat([one, other].iter().map(|index| Seat { node: at(index), disk: 7 }).collect()),
        12 => Change::Seated,
        14 => Change::Welcome(at(one)),
        13 => Change::Replicate(Copies::In(
            [("dc0", number.div_ceil(2)), ("dc1", 3)].map(|(dc, n)| (dc.to_owned(), n)).into(),
        )),
        _ => Change::Move(some_moves(layout, one.index(64))),
    }
}

/// Steps of some of the partitions.
fn some_moves(layout: &Layout, from: usize) -> Vec<Move> {
    let begin = |partition| [Move { partition, advance: Advance::Begin }];
    let partitions = layout.keyspace().partitions().skip(from % layout.places.len()).take(8);
    let moves = partitions.flat_map(|p| advances(layout, p).into_iter().take(1).chain(begin(p)));
    moves.collect()
}

/// The layouts that come of what is asked, one after the other.
fn changed(first: Layout, asked: &[Asked]) -> Vec<Layout> {
    let mut layouts = vec![first];
    for asked in asked {
        let last = layouts.last().expect("the first at least");
        if let Ok(next) = last.changed(&change(last, asked)) {
            layouts.push(next);
        }
    }
    layouts
}

/// Whether each partition is wanted in as many zones as it can be: of all, or of each datacenter where copies are counted.
fn is_spread(layout: &Layout) -> bool {
    let center = |zone: &Zone| match layout.copies() {
        Copies::Anywhere(_) => String::new(),
        Copies::In(_) => zone.datacenter.clone(),
    };
    let zones: BTreeSet<_> = layout.storing().map(|member| member.zone.clone()).collect();
    let is_spread = |wanted: &[NodeId]| {
        let mut spread = BTreeMap::<_, (usize, BTreeSet<_>)>::new();
        for zone in wanted.iter().map(|id| &layout.member(*id).unwrap().zone) {
            let (owners, zones) = spread.entry(center(zone)).or_default();
            *owners += 1;
            zones.insert(zone);
        }
        spread.iter().all(|(there, (owners, in_zones))| {
            in_zones.len() == zones.iter().filter(|zone| center(zone) == *there).count().min(*owners)
        })
    };
    layout.keyspace().partitions().all(|p| is_spread(layout.wanted(p)))
}

/// By how many places members have grown, all in all: so many must move.
fn growth(before: &Layout, after: &Layout) -> usize {
    let held = |layout: &Layout, id: NodeId| layout.wanted.iter().filter(|wanted| **wanted == id).count();
    let ids = after.members().iter().map(|member| member.id);
    ids.map(|id| held(after, id).saturating_sub(held(before, id))).sum()
}

proptest! {
    #![proptest_config(Config { cases: 60, failure_persistence: None, ..Config::default() })]

    #[test]
    fn whatever_is_asked_the_layout_is_whole((partitions, replicas, members) in clusters(), asked in asked()) {
        for layout in changed(grown(partitions, replicas, members), &asked) {
            prop_assert_eq!(layout.check(), Ok(()));
            let read = Layout::decode(&layout.encode()).unwrap();
            prop_assert!(layout.keyspace().partitions().all(|p| read.stand_ins(p).eq(layout.stand_ins(p))));
            prop_assert_eq!(&read, &layout);
            prop_assert!(is_spread(&layout));
        }
    }

    #[test]
    fn whatever_is_asked_all_comes_to_where_it_is_wanted((partitions, replicas, members) in clusters(), asked in asked()) {
        let last = changed(grown(partitions, replicas, members), &asked).pop().unwrap();
        let settled = driven(last);
        prop_assert!(settled.is_settled() && is_wanted_everywhere(&settled));
        prop_assert!(settled.members().iter().all(|member| matches!(member.duty, Duty::Store | Duty::Route)));
    }

    #[test]
    fn who_leaves_has_others_take_what_it_owned_and_little_else(
        (_, replicas, members) in clusters(), leaver in any::<Index>(),
    ) {
        let layout = grown(64, replicas.min(4), members);
        let leaver = leaver.get(layout.members()).id;
        if let Ok(next) = layout.changed(&Change::Leave(leaver)) {
            let (least, all) = (growth(&layout, &next), moved(&layout, &next));
            // Where zones leave little choice, what fits one partition takes the place of what fits another.
            prop_assert!(all <= 2 * least + next.members().len(), "{all} places moved where {least} must");
            prop_assert_eq!(moved(&layout, &next.changed(&Change::Stay(leaver)).unwrap()), 0);
        }
    }

    #[test]
    fn in_one_zone_hardly_anything_moves_but_what_the_leaver_owned(
        weights in proptest::collection::vec(1..=4u32, 12..20), leaver in any::<Index>(),
    ) {
        let layout = grown(64, 3, weights.iter().enumerate().map(|(n, &weight)| member(n, weight, "a/b")));
        let leaver = leaver.get(layout.members()).id;
        let next = layout.changed(&Change::Leave(leaver)).unwrap();
        let owned = layout.wanted.iter().filter(|wanted| **wanted == leaver).count();
        let moved = moved(&layout, &next);
        prop_assert!(4 * moved <= 5 * owned + weights.len(), "{moved} places moved, it owned {owned}");
    }

    #[test]
    fn no_change_of_good_bytes_makes_more_than_a_layout(
        (partitions, replicas, members) in clusters(), asked in asked(),
        flips in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let last = changed(grown(partitions, replicas, members), &asked).pop().unwrap();
        let mut body = last.encode();
        body.truncate(body.len() - 8);
        for (at, byte) in flips {
            *at.get_mut(&mut body) = byte;
        }
        if let Ok(read) = Layout::decode(&sealed(&body)) {
            prop_assert_eq!(read.check(), Ok(()));
            prop_assert_eq!(read.encode(), sealed(&body));
            // What was read may be asked for anything.
            changed(read, &asked[..1]);
        }
    }
}
