//! How it votes on the layout, and goes on alone.

use crate::one::{DISK, One, PARTITION, WHILE_MS, cluster, id};
use bytes::Bytes;
use node::{Action, ChangeError, Event, RequestId, Trust};
use placement::layout::Basis;
use placement::{Change, Layout, LayoutError, NodeId, Seat};
use std::sync::Arc;
use store::{Commit, Gap};
use wire::peer::vote::{Ballot, Progress, Vote, Word};
use wire::peer::{Envelope, Message};

/// Three members of which the first alone votes.
fn one_voter() -> Layout {
    cluster(3, &["a", "b", "c"].map(|name| (name, "x/1")))
}

#[test]
fn a_vote_leaves_when_it_is_on_the_disk() {
    let mut voter = One::open("a", &one_voter(), Trust::Whole);
    voter.link(&["b"]);
    let answered = voter.votes();
    let Some((after, Word::Promised(_))) = answered else { panic!("{answered:?}") };
    assert!(after > Commit::default(), "it waits for nothing");
}

#[test]
fn who_may_have_lost_its_votes_does_not_vote_with_that_disk() {
    let rows = |from: &'static [u8], to: &'static [u8]| Gap { from: from.into(), to: Some(to.into()) };
    for (gap, votes) in [(rows(b"d", b"e"), true), (Gap::everything(), false)] {
        let mut voter = One::open("a", &one_voter(), Trust::Whole);
        voter.loses(gap);
        assert_ne!(voter.node.has_lost_its_votes(), votes);
        voter.link(&["b"]);
        assert_eq!(voter.votes().is_some(), votes);
    }
}

impl One {
    /// What it says to another that asks for its vote, and the commit that this waits for.
    fn votes(&mut self) -> Option<(Commit, Word)> {
        let vote = Vote { ballot: Ballot { round: 9, proposer: 9 }, disk: DISK, word: Word::Prepare };
        let (epoch, message) = (self.node.layout().epoch(), Message::Vote(vote));
        let envelope = Envelope { epoch, partition: PARTITION, message };
        let said = self.decide(Event::Message { from: id("b"), envelope });
        said.into_iter().find_map(|(after, action)| match action {
            Action::Send { envelope: Envelope { message: Message::Vote(vote), .. }, .. } => {
                Some((after, vote.word))
            }
            _ => None,
        })
    }

    /// What comes of a change that is asked of it alone; it hears itself.
    fn changes(&mut self, change: Change) -> Option<Result<Arc<Layout>, ChangeError>> {
        let mut actions = self.take(Event::Change { id: RequestId(1), change, of: Basis::Any });
        while let Some(action) = actions.pop() {
            match action {
                Action::Changed { outcome, .. } => return Some(outcome),
                Action::Send { to, envelope } if to == id("b") => {
                    actions.extend(self.take(Event::Message { from: id("b"), envelope }));
                }
                _ => {}
            }
        }
        None
    }
}

#[test]
fn one_goes_on_alone_where_the_voters_are_gone_and_not_where_they_are_there() {
    let weigh = Change::Weigh(id("c"), 3);
    let recover = || Change::Recover(Seat { node: id("b"), disk: 0 });
    let mut other = One::open("b", &one_voter(), Trust::Whole);
    other.link(&["a", "c"]);
    assert_eq!(
        other.changes(recover()),
        Some(Err(ChangeError::Refused(LayoutError::Voting))),
        "a votes, and is there"
    );
    let mut alone = One::open("b", &one_voter(), Trust::Whole);
    alone.link(&["c"]);
    assert_eq!(alone.changes(weigh.clone()), None, "it waits for the voter");
    let recovered = alone.changes(recover()).expect("it answers").expect("nobody else is there");
    let voters: Vec<NodeId> = recovered.voters().seats().map(|seat| seat.node).collect();
    assert_eq!(voters, [id("b")]);
    assert!(recovered.epoch() > 1 << 32, "whatever the others agree to is older");
    alone.take(Event::Layout(Arc::clone(&recovered)));
    let weighed = alone.changes(weigh).expect("it answers").expect("it votes alone");
    assert_eq!(
        (weighed.epoch(), weighed.member(id("c")).map(|c| c.weight)),
        (recovered.epoch() + 1, Some(3))
    );
}

/// A majority of those who vote is there, but not without the one that has agreed to others, who are gone.
#[test]
fn one_goes_on_alone_where_those_that_are_to_vote_are_gone() {
    let gone = [Seat { node: id("c"), disk: 5 }].into();
    let seated = one_voter().changed(&Change::Seat(gone)).expect("it may vote");
    let weighed = one_voter().changed(&Change::Weigh(id("c"), 3)).expect("a weight");
    for (me, disk, accepted, is_refused) in [
        ("a", DISK, weighed, true),
        ("a", DISK, seated.clone(), false),
        // It does not vote itself: the others come past what it alone has accepted.
        ("b", 0, seated, true),
    ] {
        let mut one = One::open(me, &one_voter(), Trust::Whole);
        one.link(&["a", "b"]);
        let disk = if disk == 0 { one.node.seat().expect("it may vote").disk } else { disk };
        let word = Word::Accept(accepted.encode().into());
        one.told("b", Message::Vote(Vote { ballot: Ballot { round: 1, proposer: 9 }, disk, word }));
        let outcome = one.changes(Change::Recover(Seat { node: id(me), disk: 0 })).expect("it answers");
        assert_eq!(outcome.is_err(), is_refused, "{outcome:?}");
    }
}

#[test]
fn what_the_old_voters_still_say_after_a_recovery_comes_to_nothing() {
    let mut alone = One::open("b", &one_voter(), Trust::Whole);
    alone.link(&["c"]);
    let recovered = alone
        .changes(Change::Recover(Seat { node: id("b"), disk: 0 }))
        .expect("it answers")
        .expect("nobody else is there");
    alone.take(Event::Layout(Arc::clone(&recovered)));
    let disk = recovered.voters().seats().next().expect("it votes").disk;
    let is_answered = |one: &mut One, layout: &Layout| {
        let word = Word::Accept(layout.encode().into());
        let vote = Vote { ballot: Ballot { round: 1 << 40, proposer: 9 }, disk, word };
        let envelope = Envelope { epoch: 1, partition: PARTITION, message: Message::Vote(vote) };
        let said = one.take(Event::Message { from: id("c"), envelope });
        said.iter().any(|action| match action {
            Action::Send { envelope, .. } => matches!(envelope.message, Message::Vote(_)),
            _ => false,
        })
    };
    assert!(!is_answered(&mut alone, &one_voter()), "it was given up");
    assert!(is_answered(&mut alone, &recovered), "and this was not");
}

/// What was proposed was given up by those who vote, and who was to vote with them has accepted it: it finds that out, and goes on.
#[test]
fn what_was_given_up_is_asked_about_once() {
    let mut other = One::open("b", &one_voter(), Trust::Whole);
    other.link(&["a", "c"]);
    let disk = other.says_to("a").into_iter().find_map(|said| match said {
        Message::Progress(progress) => progress.disk,
        _ => None,
    });
    let seats = [Seat { node: id("a"), disk: DISK }, Seat { node: id("b"), disk: disk.expect("it has one") }];
    let given_up = one_voter().changed(&Change::Seat(seats.into())).expect("others may vote");
    let accept = Word::Accept(given_up.encode().into());
    let ballot = Ballot { round: 1, proposer: 9 };
    other.told("a", Message::Vote(Vote { ballot, disk: seats[1].disk, word: accept }));
    let asked = other.says_to("a").into_iter().find_map(|said| match said {
        Message::Vote(Vote { ballot, word: Word::Prepare, .. }) => Some(ballot),
        _ => None,
    });
    let ballot = asked.expect("it asks");
    for word in [Word::Promised(None), Word::Accepted] {
        other.told("a", Message::Vote(Vote { ballot, disk: DISK, word }));
    }
    assert!(!other.says_to("a").iter().any(|said| matches!(said, Message::Vote(_))));
}

/// The only voter hears of a member; then that one or another leaves and joins again, if any; tells which disks of the member it has vote.
fn seats_of_one_that_was_told_of_before(is_who_leaves: Option<bool>) -> Vec<u64> {
    let members = ["a", "b", "c", "d", "e"].map(|name| (name, "x/1"));
    let layout = cluster(1, &members);
    let names = members.map(|(name, _)| name).into_iter().filter(|name| *name != "a");
    let spare: Vec<&str> = names.filter(|name| !layout.owners(PARTITION).contains(&id(name))).collect();
    let told_of = spare[0];
    let mut voter = One::open("a", &layout, Trust::Whole);
    voter.link(&["b", "c", "d", "e"]);
    let tells = |voter: &mut One, name: &str, disk: u64| {
        let progress = Progress { shard: (0, 1), disk: Some(disk), kept: 0, moves: Vec::new() };
        voter.told(name, Message::Progress(progress));
    };
    tells(&mut voter, told_of, 77);
    if let Some(is_it) = is_who_leaves {
        let leaves = if is_it { told_of } else { spare[1] };
        let change = |layout: &Layout, change: Change| layout.changed(&change).expect("it can be made");
        let left = change(&change(&layout, Change::Leave(id(leaves))), Change::Forget(id(leaves)));
        let again = change(&left, Change::Join(layout.member(id(leaves)).expect("a member").clone()));
        voter.take(Event::Layout(Arc::new(again)));
    }
    for name in ["b", "c", "d", "e"].into_iter().filter(|name| *name != told_of) {
        tells(&mut voter, name, 5);
    }
    let seated = voter.proposes();
    seated.into_iter().filter(|seat| seat.node == id(told_of)).map(|seat| seat.disk).collect()
}

#[test]
fn who_comes_again_votes_with_another_disk() {
    assert_eq!(seats_of_one_that_was_told_of_before(None), [77]);
    assert_eq!(
        seats_of_one_that_was_told_of_before(Some(true)),
        [0; 0],
        "nobody answers for that one any more"
    );
    assert_eq!(
        seats_of_one_that_was_told_of_before(Some(false)),
        [77],
        "that another has left is nothing to it"
    );
}

/// Who is chosen to vote may have left and come again meanwhile.
#[test]
fn who_is_to_vote_was_chosen_by_the_layout_as_it_is() {
    let mut names = ["a", "b", "c", "d"];
    names.sort_by_key(|name| id(name));
    // The first brings the layout on, the third is silent, and the last is to vote instead.
    let [first, second, third, last] = names;
    let old = cluster(1, &names.map(|name| (name, "x/1")));
    let seats = [(first, DISK), (second, 5), (third, 5)].map(|(name, disk)| Seat { node: id(name), disk });
    let three = old.changed(&Change::Seat(seats.into())).expect("they may vote");
    let three = three.changed(&Change::Seated).expect("they vote");
    let left = [Change::Leave(id(last)), Change::Forget(id(last))];
    let again = Change::Join(three.member(id(last)).expect("a member").clone());
    let newer = left.iter().chain([&again]).fold(three.clone(), |layout, change| {
        layout.changed(change).expect("it owns nothing, and does not vote")
    });
    for (found, is_seated) in [(None, true), (Some(newer), false)] {
        let mut voter = One::open(first, &old, Trust::Whole);
        voter.take(Event::Layout(Arc::new(three.clone())));
        voter.link(&[second, last]);
        for (name, disk) in [(second, 5), (last, 77)] {
            let progress = Progress { shard: (0, 1), disk: Some(disk), kept: 0, moves: Vec::new() };
            voter.told(name, Message::Progress(progress));
        }
        let promised = found.map(|newer| (Ballot { round: 1, proposer: 9 }, newer.encode().into()));
        let proposed = voter.proposes_with(second, 5, promised.as_ref());
        let has_disk = |layout: &Layout| layout.voters().next.contains(&Seat { node: id(last), disk: 77 });
        assert_eq!(proposed.iter().any(has_disk), is_seated);
        assert!(!proposed.is_empty());
    }
}

impl One {
    /// Time passes, and it hears itself; whom it would have vote.
    fn proposes(&mut self) -> Vec<Seat> {
        let proposed = self.proposes_with("", 0, None);
        proposed.first().map(|layout| layout.voters().next.iter().copied().collect()).unwrap_or_default()
    }

    /// The layouts that it proposes meanwhile, where another votes that has accepted this one.
    fn proposes_with(&mut self, voter: &str, disk: u64, accepted: Option<&(Ballot, Bytes)>) -> Vec<Layout> {
        let (mut proposed, me) = (Vec::new(), self.node.seat().expect("it may vote").node);
        for _ in 0..WHILE_MS / 10 {
            self.now_ms += 10;
            let mut actions = self.take(Event::Tick);
            while let Some(action) = actions.pop() {
                let Action::Send { to, envelope } = action else { continue };
                let Message::Vote(vote) = &envelope.message else {
                    if to == me {
                        actions.extend(self.take(Event::Message { from: to, envelope }));
                    }
                    continue;
                };
                if let Word::Accept(layout) = &vote.word
                    && to == me
                {
                    proposed.push(Layout::decode(layout).expect("a layout"));
                }
                let answer = match vote.word {
                    Word::Prepare => Word::Promised(accepted.cloned()),
                    _ => Word::Accepted,
                };
                if to == me {
                    actions.extend(self.take(Event::Message { from: to, envelope }));
                } else if to == id(voter) {
                    let ballot = vote.ballot;
                    actions.extend(self.told(voter, Message::Vote(Vote { ballot, disk, word: answer })));
                }
            }
        }
        proposed
    }
}
