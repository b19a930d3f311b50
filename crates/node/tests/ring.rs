//! One node while the ring changes, and peers that are words alone: what it learns before it counts, and from whom; how it votes, and
//! goes on alone.
//!
//! That nothing is lost by it is played by the simulator, and by the model in `placement`.

use bytes::Bytes;
use causal::{Actor, Cell, Context, Delta, Dot, Edit, Key, Payload, Stamp};
use node::{
    Action, ChangeError, Event, Identity, Node, Now, Options, Outbox, RequestId, Speaker, Storage, Trust,
};
use placement::layout::{Advance, Move, Step as Move_};
use placement::{Change, Copies, Duty, Layout, LayoutError, Member, NodeId, PartitionId, Seat};
use std::sync::Arc;
use store::{Commit, Engine, Memory, StoreOptions, commit_group};
use wire::peer::exchange::{Hashes, State, Step};
use wire::peer::quorum::{Counts, Quorum};
use wire::peer::vote::{Ballot, Vote, Word};
use wire::peer::{Envelope, Message, Ticket, Verdict};

/// The one partition.
const PARTITION: PartitionId = PartitionId(0);
/// Of how many parts of a partition sums are compared first.
const CHUNKS: usize = 64;
/// Well above the time in which a node compares, in milliseconds.
const WHILE_MS: u64 = 2_000;

fn id(name: &str) -> NodeId {
    NodeId::of_name(name)
}

fn member(name: &str, zone: &str) -> Member {
    Member {
        id: id(name),
        name: name.into(),
        client_addr: format!("{name}:1"),
        peer_addr: format!("{name}:2"),
        weight: 1,
        zone: zone.parse().expect("a zone"),
        duty: Duty::Store,
    }
}

/// A cluster of one partition in which the last of these copies it, to come for another, which goes for good.
fn copying(copies: Copies, members: &[(&str, &str)], going: &str) -> Layout {
    let (last, others) = members.split_last().expect("there are members");
    let first = Layout::found(1, 1, 1, copies, member(others[0].0, others[0].1), 1).expect("a layout");
    let join = |layout: Layout, (name, zone): &(&str, &str)| {
        layout.with_member(member(name, zone)).expect("a valid member")
    };
    let layout = others[1..].iter().fold(first, join);
    let joined = layout.changed(&Change::Join(member(last.0, last.1))).expect("it joins");
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

struct One {
    node: Node,
    store: Storage,
    disk: Arc<Memory>,
    now_ms: u64,
}

impl One {
    fn open(name: &str, layout: &Layout, trust: Trust) -> Self {
        Self::over(Arc::new(Memory::new()), name, layout, trust)
    }

    fn over(disk: Arc<Memory>, name: &str, layout: &Layout, trust: Trust) -> Self {
        let options = StoreOptions { cache_bytes: 1 << 20, hash_seed: 7, packed_changes_max: 8 };
        let mut store = Storage::new(Arc::clone(&disk) as Arc<dyn Engine>, options);
        let identity = Identity { node: id(name), actor: Actor(7) };
        let speaker = Speaker { incarnation: 1, seed: 1, probe_every_ms: 500, suspicion_ms: 5_000 };
        let options = Options {
            compare_every_ms: 100,
            tell_every_ms: 100,
            speaker: Some(speaker),
            ..Options::default()
        };
        let layout = Arc::new(layout.clone());
        let node = Node::open(identity, options, layout, &mut store, trust).expect("an empty store");
        Self { node, store, disk, now_ms: 1_000 }
    }

    /// The same after an orderly end.
    fn again(mut self, name: &str) -> Self {
        let batches: Vec<_> = std::iter::from_fn(|| self.store.seal()).map(|(_, batch)| batch).collect();
        commit_group(&*self.disk, &batches, true).expect("the disk works");
        Self::over(self.disk, name, &Layout::clone(self.node.layout()), Trust::Whole)
    }

    fn take(&mut self, event: Event) -> Vec<Action> {
        self.decide(event).into_iter().map(|(_, action)| action).collect()
    }

    /// What it decides, and the commit that each of it waits for.
    fn decide(&mut self, event: Event) -> Vec<(Commit, Action)> {
        let (now, mut out) = (Now { monotonic_ms: self.now_ms, wall_ms: self.now_ms }, Outbox::default());
        self.node.handle(now, event, &mut self.store, &mut out);
        out.drain().collect()
    }

    fn link(&mut self, peers: &[&str]) {
        for peer in peers {
            self.take(Event::Link { peer: id(peer), up: true });
        }
    }

    /// Time passes; what it says to this peer meanwhile.
    fn says_to(&mut self, peer: &str) -> Vec<Message> {
        let (until, mut said) = (self.now_ms + WHILE_MS, Vec::new());
        while self.now_ms < until {
            self.now_ms += 10;
            said.extend(self.take(Event::Tick).into_iter().filter_map(|action| match action {
                Action::Send { to, envelope } if to == id(peer) => Some(envelope.message),
                _ => None,
            }));
        }
        said
    }

    /// With which ticket it asks the peer meanwhile whether that holds the same.
    fn compares_with(&mut self, peer: &str) -> Option<Ticket> {
        self.says_to(peer).into_iter().find_map(|message| match message {
            Message::Exchange { ticket, step: Step::Compare(_) } => Some(ticket),
            _ => None,
        })
    }

    fn hear(&mut self, from: &str, ticket: Ticket, step: Step) -> Vec<Action> {
        let (epoch, message) = (self.node.layout().epoch(), Message::Exchange { ticket, step });
        self.take(Event::Message {
            from: id(from),
            envelope: Envelope { epoch, partition: PARTITION, message },
        })
    }

    /// The peer is asked whether it holds the same, and does; and gives all that it has, which is nothing.
    fn learns_from(&mut self, peer: &str) {
        self.takes_from(peer, Counts::Everywhere);
    }

    /// The same of one that counts for so much.
    fn takes_from(&mut self, peer: &str, counts: Counts) {
        let ticket = self.compares_with(peer).unwrap_or_else(|| panic!("{peer} is not asked"));
        let actions = self.hear(peer, ticket, Step::Same);
        let opens = actions.into_iter().find_map(|action| match action {
            Action::Send {
                envelope: Envelope { message: Message::Exchange { ticket, step }, .. }, ..
            } => matches!(step, Step::Open(_)).then_some(ticket),
            _ => None,
        });
        let ticket = opens.unwrap_or_else(|| panic!("nothing is taken from {peer}"));
        let (knowledge, chunks) = (Box::default(), vec![0; CHUNKS]);
        self.hear(peer, ticket, Step::Opened { snapshot: Ticket(3), knowledge, chunks, counts });
    }

    /// Whether it says what it holds to one that needs such a quorum.
    fn answers(&mut self, quorum: Quorum) -> bool {
        let epoch = self.node.layout().epoch();
        let cell = Some(Cell::string(Key::new(0, "key")));
        let asker = Hashes { held: 0, applied: 0 };
        let message = Message::Fetch { ticket: Ticket(7), cell, asker, ranks: None, quorum };
        let envelope = Envelope { epoch, partition: PARTITION, message };
        let said = self.take(Event::Message { from: id("a"), envelope });
        let is_answer = |action: &Action| {
            matches!(action, Action::Send { envelope: Envelope { message: Message::Fetched { .. }, .. }, .. })
        };
        said.iter().any(is_answer)
    }

    fn is_learning(&self) -> bool {
        self.node.sync().learning == 1
    }
}

#[test]
fn who_has_come_counts_when_it_has_learned_from_enough() {
    let flat = [("a", "x/1"), ("b", "x/1"), ("c", "x/1"), ("d", "x/1")];
    let mut newcomer = One::open("d", &settling(&copying(3.into(), &flat, "c")), Trust::Whole);
    newcomer.link(&["a", "b", "c"]);
    newcomer.learns_from("a");
    assert!(newcomer.is_learning(), "one of three may have missed what a majority holds");
    newcomer.learns_from("c");
    assert!(!newcomer.is_learning(), "who has gone teaches like the others");
}

#[test]
fn an_exchange_of_before_the_fence_teaches_nothing() {
    let flat = [("a", "x/1"), ("b", "x/1"), ("c", "x/1"), ("d", "x/1")];
    let before = copying(3.into(), &flat, "c");
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
    assert!(!newcomer.answers(Quorum::Local), "one of three may have missed what a majority of them holds");
    newcomer.learns_from("b");
    assert!(newcomer.answers(Quorum::Local), "it needs nobody who is cut off");
    assert!(!newcomer.answers(Quorum::Global) && newcomer.is_learning());
    newcomer.link(&["e"]);
    newcomer.learns_from("e");
    assert!(newcomer.answers(Quorum::Global) && !newcomer.is_learning());
}

/// For that long a coordinator may count what it has acknowledged before, and not have it itself.
#[test]
fn who_has_lost_something_counts_when_nobody_waits_any_more() {
    let near = [("b", "near/2"), ("c", "near/3")];
    let far = [("e", "far/1"), ("f", "far/2")];
    let both = [near, far].concat();
    for (copies, others, quorum) in
        [("3", near.as_slice(), Quorum::Global), ("near=3,far=2", &both, Quorum::Local)]
    {
        let copies: Copies = copies.parse().expect("copies");
        let layout = Layout::found(1, 1, 1, copies, member("a", "near/1"), 1).expect("a layout");
        let others = others.iter().map(|(name, zone)| member(name, zone));
        let layout = layout.with_members(others).expect("valid members");
        let mut loser = One::open("c", &layout, Trust::Lost);
        loser.link(&["a", "b"]);
        for (counts, why) in
            [(false, "one of them may be told still"), (true, "what is acknowledged by now they hold")]
        {
            loser.learns_from("a");
            loser.learns_from("b");
            assert_eq!(loser.answers(quorum), counts, "{quorum:?}: {why}");
        }
        assert_eq!(loser.answers(Quorum::Global), quorum == Quorum::Global);
    }
}

#[test]
fn who_has_come_and_acknowledged_something_may_have_lost_it_when_it_starts_again() {
    for (taught_by, counts_at_once) in [(["a"].as_slice(), true), (&["a", "b"], false)] {
        let mut newcomer = cut_off();
        taught_by.iter().for_each(|peer| newcomer.learns_from(peer));
        assert_ne!(newcomer.answers(Quorum::Local), counts_at_once);
        let mut newcomer = newcomer.again("d");
        newcomer.link(&["a", "b", "c"]);
        for peer in ["a", "b"] {
            newcomer.learns_from(peer);
        }
        assert_eq!(newcomer.answers(Quorum::Local), counts_at_once, "taught by {taught_by:?} before");
    }
}

#[test]
fn who_counts_in_its_own_datacenter_teaches_there() {
    let mut newcomer = cut_off();
    for (peer, counts) in [("a", Counts::Everywhere), ("b", Counts::Nowhere), ("c", Counts::Nowhere)] {
        newcomer.takes_from(peer, counts);
    }
    assert!(!newcomer.answers(Quorum::Local), "others may have what those have lost");
    newcomer.takes_from("c", Counts::Locally);
    assert!(newcomer.answers(Quorum::Local));
    assert!(!newcomer.answers(Quorum::Global));
}

#[test]
fn who_has_gone_and_lost_its_disk_does_not_teach_as_if_it_had_not() {
    let flat = [("a", "x/1"), ("b", "x/1"), ("c", "x/1"), ("d", "x/1")];
    let layout = settling(&copying(3.into(), &flat, "c"));
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
    let flat = [("a", "x/1"), ("b", "x/1"), ("c", "x/1"), ("d", "x/1")];
    let layout = settling(&copying(3.into(), &flat, "c"));
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
    let flat = [("a", "x/1"), ("b", "x/1"), ("c", "x/1"), ("d", "x/1")];
    let mut newcomer = One::open("d", &settling(&copying(3.into(), &flat, "c")), Trust::Whole);
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
    let layout = Layout::found(1, 1, 1, 3, member("a", "x/1"), DISK).expect("a layout");
    let layout = layout.with_members(["b", "c", "d"].map(|name| member(name, "x/1"))).expect("valid members");
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
    let layout = Layout::found(1, 1, 1, 3, member("a", "x/1"), DISK).expect("a layout");
    let layout = layout.with_members(["b", "c", "d"].map(|name| member(name, "x/1"))).expect("valid members");
    let owners = layout.owners(PARTITION);
    let spare = layout.members().iter().find(|member| !owners.contains(&member.id)).expect("three own it");
    let owner = layout.member(owners[0]).expect("a member").name.clone();
    let leaving = layout.changed(&Change::Leave(spare.id)).expect("three are left");
    for (layout, keeps) in [(&layout, true), (&leaving, false)] {
        let mut one = One::open(&spare.name, layout, Trust::Whole);
        one.link(&[&owner]);
        let (actor, epoch) = (Actor(9), layout.epoch());
        let stamp = Stamp { physical_ms: one.now_ms, logical: 0, actor };
        let add = Some(Payload::Plain(Bytes::from_static(b"value")));
        let edit = Edit { cell: Cell::string(Key::new(0, "key")), add, removes: Vec::new() };
        let delta = Delta { dot: Dot::new(actor, 1), stamp, edits: vec![edit], sweep: None };
        let (ticket, quorum) = (Ticket(5), Quorum::Global);
        let message = Message::Apply { ticket, deltas: vec![delta], asker: None, passes_on: false, quorum };
        let envelope = Envelope { epoch, partition: PARTITION, message };
        let said = one.take(Event::Message { from: id(&owner), envelope });
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

/// Three members of which the first alone votes, with this disk.
const DISK: u64 = 1;

fn one_voter() -> Layout {
    let first = Layout::found(1, 1, 1, 3, member("a", "x/1"), DISK).expect("a layout");
    first.with_members([member("b", "x/1"), member("c", "x/1")]).expect("valid members")
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
    other.is_told(Vote { ballot, disk: seats[1].disk, word: accept });
    let asked = other.says_to("a").into_iter().find_map(|said| match said {
        Message::Vote(Vote { ballot, word: Word::Prepare, .. }) => Some(ballot),
        _ => None,
    });
    let ballot = asked.expect("it asks");
    for word in [Word::Promised(None), Word::Accepted] {
        other.is_told(Vote { ballot, disk: DISK, word });
    }
    assert!(!other.says_to("a").iter().any(|said| matches!(said, Message::Vote(_))));
}

impl One {
    /// The voter says something about the register.
    fn is_told(&mut self, vote: Vote) {
        let epoch = self.node.layout().epoch();
        let envelope = Envelope { epoch, partition: PARTITION, message: Message::Vote(vote) };
        self.take(Event::Message { from: id("a"), envelope });
    }
}
