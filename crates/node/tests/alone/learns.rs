//! What it learns before it counts, and from whom, while the ring changes.

use crate::one::{One, PARTITION, WHILE_MS, cluster, id, member};
use causal::{Actor, Context, Dot};
use node::{Action, Event, Trust};
use placement::layout::{Advance, Move, Step as Move_};
use placement::{Change, Copies, Layout, NodeId};
use std::sync::Arc;
use store::Commit;
use wire::peer::exchange::{Hashes, State, Step};
use wire::peer::quorum::{Counts, Quorum};
use wire::peer::{Envelope, Message, Ticket, Verdict};

/// Four members, three of which own the partition first.
const FLAT: [(&str, &str); 4] = [("a", "x/1"), ("b", "x/1"), ("c", "x/1"), ("d", "x/1")];

/// A cluster of one partition in which the last of these copies it, to come for another, which goes for good.
fn copying(copies: Copies, members: &[(&str, &str)], going: &str) -> Layout {
    let (last, others) = members.split_last().expect("there are members");
    let joined = cluster(copies, others).changed(&Change::Join(member(last.0, last.1))).expect("it joins");
    let succeeded = joined.changed(&Change::Succeed { old: id(going), new: id(last.0) });
    moved(&succeeded.expect("it takes its places"), Advance::Begin)
}

fn moved(layout: &Layout, advance: Advance) -> Layout {
    layout
        .changed(&Change::Move(vec![Move { partition: PARTITION, advance }]))
        .expect("the step is to be taken")
}

/// The step after, in which the newcomer owns the partition and has yet to learn.
fn settling(layout: &Layout) -> Layout {
    let Move_::Copying { newcomer, began } = *layout.place(PARTITION).step() else { panic!("nobody copies") };
    moved(layout, Advance::Copied { newcomer, began })
}

#[test]
fn who_has_come_counts_when_it_has_learned_from_enough() {
    let mut newcomer = One::open("d", &settling(&copying(3.into(), &FLAT, "c")), Trust::Whole);
    newcomer.link(&["a", "b", "c"]);
    newcomer.learns_from("a");
    assert!(newcomer.is_learning(), "one of three may have missed what a majority holds");
    newcomer.learns_from("c");
    assert!(!newcomer.is_learning(), "who has gone teaches like the others");
}

#[test]
fn an_exchange_of_before_the_fence_teaches_nothing() {
    let before = copying(3.into(), &FLAT, "c");
    let mut newcomer = One::open("d", &before, Trust::Whole);
    newcomer.link(&["a", "b"]);
    let ticket = newcomer.compares_with("a").expect("it compares");
    let context: Context = [Dot::new(Actor(9), 1)].into_iter().collect();
    let state = State { context, digest: 1, is_ahead: false, counts: Counts::Everywhere };
    newcomer.hear("a", ticket, Step::Differs(Box::new(state)));
    assert_eq!(newcomer.node.sync().open, 1, "it takes what it lacks");
    newcomer.take(Event::Layout(Arc::new(settling(&before))));
    assert_eq!(newcomer.node.sync().open, 0, "what the snapshot holds was noted before the fence, perhaps");
    assert!(newcomer.is_learning());
}

#[test]
fn of_its_own_datacenter_enough_are_learned_from_too() {
    let two =
        [("a", "near/1"), ("b", "near/2"), ("c", "near/3"), ("e", "far/1"), ("f", "far/2"), ("d", "near/3")];
    let copies: Copies = "near=3,far=2".parse().expect("copies");
    let mut newcomer = One::open("d", &settling(&copying(copies, &two, "c")), Trust::Whole);
    newcomer.link(&["a", "b", "c", "e", "f"]);
    for peer in ["e", "f", "a"] {
        newcomer.learns_from(peer);
    }
    assert!(
        newcomer.is_learning(),
        "enough of all, and of three that are near a majority may hold what this one does not"
    );
    newcomer.learns_from("b");
    assert!(!newcomer.is_learning());
}

/// Two datacenters, of which the other cannot be reached, and one in this that learns: `d` instead of `c`.
fn cut_off() -> One {
    let two =
        [("a", "near/1"), ("b", "near/2"), ("c", "near/3"), ("e", "far/1"), ("f", "far/2"), ("d", "near/3")];
    let copies: Copies = "near=3,far=2".parse().expect("copies");
    let mut newcomer = One::open("d", &settling(&copying(copies, &two, "c")), Trust::Whole);
    newcomer.link(&["a", "b", "c"]);
    newcomer
}

#[test]
fn what_its_own_datacenter_needs_is_learned_there() {
    let mut newcomer = cut_off();
    newcomer.learns_from("a");
    assert!(
        !newcomer.answers("a", Quorum::Local),
        "one of three may have missed what a majority of them holds"
    );
    newcomer.learns_from("b");
    assert!(newcomer.answers("a", Quorum::Local), "it needs nobody who is cut off");
    assert!(
        !newcomer.answers("e", Quorum::Local),
        "what e and its own datacenter have acknowledged it may lack"
    );
    assert!(!newcomer.answers("a", Quorum::Global) && newcomer.is_learning());
    newcomer.link(&["e"]);
    newcomer.learns_from("e");
    assert!(newcomer.answers("a", Quorum::Global) && !newcomer.is_learning());
}

/// For that long a coordinator may count what it has acknowledged before, and not have it itself.
#[test]
fn who_has_lost_something_counts_when_nobody_waits_any_more() {
    let all = [("a", "near/1"), ("b", "near/2"), ("c", "near/3"), ("e", "far/1"), ("f", "far/2")];
    for (copies, members, quorum) in [("3", &all[..3], Quorum::Global), ("near=3,far=2", &all, Quorum::Local)]
    {
        let layout = cluster(copies.parse::<Copies>().expect("copies"), members);
        let mut loser = One::open("c", &layout, Trust::Lost);
        loser.link(&["a", "b"]);
        for (counts, why) in
            [(false, "one of them may be told still"), (true, "what is acknowledged by now they hold")]
        {
            loser.learns_from("a");
            loser.learns_from("b");
            assert_eq!(loser.answers("a", quorum), counts, "{quorum:?}: {why}");
        }
        assert_eq!(loser.answers("a", Quorum::Global), quorum == Quorum::Global);
    }
}

#[test]
fn who_has_come_and_acknowledged_something_may_have_lost_it_when_it_starts_again() {
    for (taught_by, counts_at_once) in [(["a"].as_slice(), true), (&["a", "b"], false)] {
        let mut newcomer = cut_off();
        taught_by.iter().for_each(|peer| newcomer.learns_from(peer));
        assert_ne!(newcomer.answers("a", Quorum::Local), counts_at_once);
        let mut newcomer = newcomer.again("d");
        newcomer.link(&["a", "b", "c"]);
        for peer in ["a", "b"] {
            newcomer.learns_from(peer);
        }
        assert_eq!(newcomer.answers("a", Quorum::Local), counts_at_once, "taught by {taught_by:?} before");
    }
}

#[test]
fn who_copies_has_nothing_to_lose_when_it_starts_again() {
    let before = copying(3.into(), &FLAT, "c");
    let mut newcomer = One::open("d", &before, Trust::Whole);
    newcomer.link(&["a", "b", "c"]);
    newcomer.learns_from("a");
    newcomer.learns_from("b");
    assert!(!newcomer.is_learning());
    newcomer.take(Event::Layout(Arc::new(settling(&before))));
    let mut newcomer = newcomer.again("d");
    newcomer.link(&["b", "c"]);
    newcomer.learns_from("b");
    newcomer.learns_from("c");
    assert!(!newcomer.is_learning(), "it needs neither a nor a rest");
}

#[test]
fn who_rests_does_not_begin_again_where_owners_change() {
    let before = cluster(3, &FLAT[..3]);
    let fewer = before.changed(&Change::Replicate(2.into())).expect("two are enough");
    let after = moved(&fewer, Advance::Begin);
    let name = |id: NodeId| before.member(id).expect("a member").name.clone();
    let [loser, stays] = [0, 1].map(|at| name(after.owners(PARTITION)[at]));
    let goes = before.owners(PARTITION).iter().find(|id| !after.owners(PARTITION).contains(id));
    let goes = name(*goes.expect("one of three goes"));
    let mut loser = One::open(&loser, &before, Trust::Lost);
    loser.link(&[&stays, &goes]);
    loser.learns_from(&stays);
    loser.now_ms += WHILE_MS;
    loser.take(Event::Layout(Arc::new(after)));
    loser.learns_from(&stays);
    loser.learns_from(&goes);
    assert!(!loser.is_learning(), "nobody waits any more for what it had acknowledged");
}

#[test]
fn who_does_not_answer_is_not_waited_for() {
    let mut loser = One::open("c", &cluster(3, &FLAT[..3]), Trust::Lost);
    loser.link(&["a", "b"]);
    let ticket = loser.compares_with("a").expect("it compares");
    loser.hear("a", ticket, Step::Same);
    assert_eq!(loser.node.sync().open, 1);
    loser.take(Event::Health { peer: id("a"), is_trusted: false });
    assert_eq!(loser.node.sync().open, 0);
    loser.learns_from("b");
}

#[test]
fn who_counts_in_its_own_datacenter_teaches_there() {
    let mut newcomer = cut_off();
    for (peer, counts) in [("a", Counts::Everywhere), ("b", Counts::Nowhere), ("c", Counts::Nowhere)] {
        newcomer.takes_from(peer, counts);
    }
    assert!(!newcomer.answers("a", Quorum::Local), "others may have what those have lost");
    newcomer.takes_from("c", Counts::Locally);
    assert!(newcomer.answers("a", Quorum::Local));
    assert!(!newcomer.answers("a", Quorum::Global));
}

/// It may hold what nobody else knows, as one who stood in for others does, and differ from all of them.
#[test]
fn who_has_taught_all_that_it_knows_does_not_keep_others_from_teaching() {
    for there in [["a", "b", "c"].as_slice(), &["a"]] {
        let mut newcomer = One::open("d", &settling(&copying(3.into(), &FLAT, "c")), Trust::Whole);
        newcomer.link(there);
        newcomer.learns_from("a");
        let ticket = newcomer.compares_with("a").expect("it compares");
        let context = [Dot::new(Actor(9), 1)].into_iter().collect();
        let other = State { context, digest: 1, is_ahead: false, counts: Counts::Everywhere };
        let said = newcomer.hear("a", ticket, Step::Differs(Box::new(other)));
        let is_open = |action: &Action| match action {
            Action::Send { envelope: Envelope { message: Message::Exchange { step, .. }, .. }, .. } => {
                matches!(step, Step::Open(_))
            }
            _ => false,
        };
        let has_others = there.len() > 1;
        assert_eq!(said.iter().any(is_open), !has_others, "others are there: {has_others}");
    }
}

/// For that long it reads what it stores, in milliseconds.
const SCRUB_MS: u64 = 10_000;

#[test]
fn a_further_loss_is_found_where_it_counts_in_its_datacenter_alone() {
    for has_lost in [false, true] {
        let mut newcomer = cut_off();
        newcomer.learns_from("a");
        newcomer.learns_from("b");
        newcomer.writes("a", "other", Quorum::Local);
        if has_lost {
            newcomer.forget("other");
        }
        let until = newcomer.now_ms + SCRUB_MS;
        while newcomer.now_ms < until {
            newcomer.says_to("a");
        }
        assert_eq!(newcomer.answers("a", Quorum::Local), !has_lost, "has lost something: {has_lost}");
    }
}

#[test]
fn who_learns_is_asked_at_once_whether_it_has() {
    for (counts, is_asked) in [(Counts::Nowhere, true), (Counts::Everywhere, false)] {
        let mut owner = One::open("a", &cluster(3, &FLAT[..3]), Trust::Whole);
        owner.link(&["b"]);
        let ticket = owner.compares_with("b").expect("it compares");
        let state = State { context: Context::default(), digest: 0, is_ahead: false, counts };
        owner.hear("b", ticket, Step::Differs(Box::new(state)));
        let said = owner.hear("b", Ticket(5), Step::Compare(Hashes { held: 0, applied: 0 }));
        let is_question = |action: &Action| match action {
            Action::Send { envelope, .. } => {
                matches!(envelope.message, Message::Exchange { step: Step::Compare(_), .. })
            }
            _ => false,
        };
        assert_eq!(said.iter().any(is_question), is_asked, "{counts:?}");
    }
}

#[test]
fn who_has_gone_and_lost_its_disk_does_not_teach_as_if_it_had_not() {
    let layout = settling(&copying(3.into(), &FLAT, "c"));
    for (trust, counts) in [(Trust::Whole, Counts::Everywhere), (Trust::Lost, Counts::Nowhere)] {
        let mut former = One::open("c", &layout, trust);
        former.link(&["d"]);
        let compare = Step::Compare(Hashes { held: 1, applied: 1 });
        let said = former.hear("d", Ticket(5), compare);
        let told = said.into_iter().find_map(|action| match action {
            Action::Send { envelope: Envelope { message: Message::Exchange { step, .. }, .. }, .. } => {
                Some(step)
            }
            _ => None,
        });
        let Some(Step::Differs(state)) = told else { panic!("{trust:?}: {told:?}") };
        assert_eq!(state.counts, counts, "{trust:?}");
    }
}

#[test]
fn who_has_lost_something_teaches_only_where_there_is_nobody_else() {
    let layout = settling(&copying(3.into(), &FLAT, "c"));
    let mut newcomer = One::open("d", &layout, Trust::Whole);
    newcomer.link(&["a", "b", "c"]);
    newcomer.learns_from("a");
    newcomer.takes_from("b", Counts::Nowhere);
    assert!(newcomer.is_learning(), "b may have lost what only it and c held");
    newcomer.takes_from("c", Counts::Nowhere);
    assert!(!newcomer.is_learning(), "what is gone is gone, and to wait for ever brings none of it back");
}

#[test]
fn that_it_has_learned_is_told_when_it_is_on_the_disk() {
    let mut newcomer = One::open("d", &settling(&copying(3.into(), &FLAT, "c")), Trust::Whole);
    newcomer.link(&["a", "b", "c"]);
    newcomer.learns_from("a");
    newcomer.learns_from("b");
    newcomer.now_ms += WHILE_MS;
    let told = newcomer.decide(Event::Tick).into_iter().find_map(|(after, action)| match action {
        Action::Send { envelope: Envelope { message: Message::Progress(progress), .. }, .. } => {
            (!progress.moves.is_empty()).then_some(after)
        }
        _ => None,
    });
    assert!(told.expect("the voter is told") > Commit::default(), "it waits for nothing");
}

#[test]
fn who_is_gone_for_good_is_not_heard() {
    let layout = cluster(3, &FLAT);
    let owner = layout.owners(PARTITION)[0];
    let other = layout.owners(PARTITION)[1];
    let name = |of: NodeId| layout.member(of).expect("a member").name.clone();
    let lost = layout.changed(&Change::Lose { member: other, accepts_loss: false }).expect("two are left");
    let compare = || Step::Compare(Hashes { held: 1, applied: 1 });
    for (layout, is_heard) in [(&layout, true), (&lost, false)] {
        let mut one = One::open(&name(owner), layout, Trust::Whole);
        one.link(&[&name(other)]);
        let said = one.hear(&name(other), Ticket(5), compare());
        let is_answer = |action: &Action| match action {
            Action::Send { envelope, .. } => matches!(envelope.message, Message::Exchange { .. }),
            _ => false,
        };
        assert_eq!(said.iter().any(is_answer), is_heard);
    }
}

#[test]
fn who_leaves_keeps_nothing_more_for_others() {
    let layout = cluster(3, &FLAT);
    let owners = layout.owners(PARTITION);
    let spare = layout.members().iter().find(|member| !owners.contains(&member.id)).expect("three own it");
    let owner = layout.member(owners[0]).expect("a member").name.clone();
    let leaving = layout.changed(&Change::Leave(spare.id)).expect("three are left");
    for (layout, keeps) in [(&layout, true), (&leaving, false)] {
        let mut one = One::open(&spare.name, layout, Trust::Whole);
        one.link(&[&owner]);
        let said = one.writes(&owner, "key", Quorum::Global);
        let is_held = |action: &Action| match action {
            Action::Send { envelope: Envelope { message: Message::Applied { verdict, .. }, .. }, .. } => {
                matches!(verdict, Verdict::Held { .. })
            }
            _ => false,
        };
        assert_eq!(
            said.iter().any(is_held),
            keeps,
            "it has said that it keeps nothing, and is forgotten soon"
        );
    }
}
