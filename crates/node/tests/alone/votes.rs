//! How it votes on the layout, and goes on alone.

use crate::one::{DISK, One, PARTITION, WHILE_MS, cluster, id};
use node::{Action, ChangeError, Event, RequestId, Trust};
use placement::{Change, Layout, LayoutError, NodeId, Seat};
use std::sync::Arc;
use store::Commit;

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
    let vote = Vote { ballot: Ballot { round: 9, proposer: 9 }, disk: DISK, word: Word::Prepare };
    let envelope =
        Envelope { epoch: voter.node.layout().epoch(), partition: PARTITION, message: Message::Vote(vote) };
    let answered =
        voter.decide(Event::Message { from: id("b"), envelope }).into_iter().find_map(|(after, action)| {
            match action {
                Action::Send { envelope: Envelope { message: Message::Vote(vote), .. }, .. } => {
                    Some((after, vote.word))
                }
                _ => None,
            }
        });
    let Some((after, Word::Promised(_))) = answered else { panic!("{answered:?}") };
    assert!(after > Commit::default(), "it waits for nothing");
}

impl One {
    /// What comes of a change that is asked of it alone; it hears itself.
    fn changes(&mut self, change: Change) -> Option<Result<Arc<Layout>, ChangeError>> {
        let mut actions = self.take(Event::Change { id: RequestId(1), change, of: None });
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

/// The only voter hears of a member, which then leaves and joins again; tells which disks of that member it has vote.
fn seats_of_one_that_was_told_of_before(comes_again: bool) -> Vec<u64> {
    let members = ["a", "b", "c", "d"].map(|name| (name, "x/1"));
    let layout = cluster(1, &members);
    let goes = members.map(|(name, _)| name).into_iter().filter(|name| *name != "a");
    let goes = goes.rev().find(|name| !layout.owners(PARTITION).contains(&id(name))).expect("one owns it");
    let mut voter = One::open("a", &layout, Trust::Whole);
    voter.link(&["b", "c", "d"]);
    let tells = |voter: &mut One, name: &str, disk: u64| {
        let progress = Progress { shard: (0, 1), disk: Some(disk), kept: 0, moves: Vec::new() };
        voter.told(name, Message::Progress(progress));
    };
    tells(&mut voter, goes, 77);
    if comes_again {
        let change = |layout: &Layout, change: Change| layout.changed(&change).expect("it can be made");
        let left = change(&change(&layout, Change::Leave(id(goes))), Change::Forget(id(goes)));
        let again = change(&left, Change::Join(layout.member(id(goes)).expect("a member").clone()));
        voter.take(Event::Layout(Arc::new(again)));
    }
    for name in ["b", "c", "d"].into_iter().filter(|name| *name != goes) {
        tells(&mut voter, name, 5);
    }
    let seated = voter.proposes();
    seated.into_iter().filter(|seat| seat.node == id(goes)).map(|seat| seat.disk).collect()
}

#[test]
fn who_comes_again_votes_with_another_disk() {
    assert_eq!(seats_of_one_that_was_told_of_before(false), [77]);
    assert_eq!(seats_of_one_that_was_told_of_before(true), [0; 0], "nobody answers for that one any more");
}

impl One {
    /// Time passes, and it hears itself; whom it would have vote.
    fn proposes(&mut self) -> Vec<Seat> {
        for _ in 0..WHILE_MS / 10 {
            self.now_ms += 10;
            let mut actions = self.take(Event::Tick);
            while let Some(action) = actions.pop() {
                let Action::Send { to, envelope } = action else { continue };
                if let Message::Vote(Vote { word: Word::Accept(layout), .. }) = &envelope.message {
                    let layout = Layout::decode(layout).expect("a layout");
                    return layout.voters().next.iter().copied().collect();
                }
                if to == id("a") {
                    actions.extend(self.take(Event::Message { from: to, envelope }));
                }
            }
        }
        Vec::new()
    }
}
