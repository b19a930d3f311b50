//! The register under lost, doubled and late messages, proposers that vanish, voters that are replaced, and disks that are lost.
//!
//! `HISTORIES=20000 cargo test -p node --test caspaxos` plays more than the default.

use node::caspaxos::{Acceptor, Answer, Ballot, Change, Outcome, Proposer, Question, Value};
use placement::{NodeId, Seat, Voters};
use std::collections::{BTreeMap, BTreeSet};

/// Where a node is among all.
fn place(node: NodeId) -> usize {
    usize::try_from(node.0).expect("nodes are counted")
}

/// Numbers by SplitMix64.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a usize")
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// What the register holds here: all changes that made it, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Log {
    changes: Vec<u64>,
    voters: Voters,
}

impl Value for Log {
    fn voters(&self) -> &Voters {
        &self.voters
    }

    fn version(&self) -> u64 {
        self.changes.len() as u64
    }
}

/// A change, which has a number that no other has.
#[derive(Clone, Debug)]
struct Step {
    number: u64,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Add,
    /// Only where the register has had so many changes.
    AddAt(u64),
    Replace(BTreeSet<Seat>),
    Settle,
}

impl Change<Log> for Step {
    type Refusal = &'static str;

    fn make(&self, of: &Log) -> Result<Log, &'static str> {
        let voters = match &self.what {
            What::AddAt(version) if *version != of.version() => return Err("another version"),
            What::Add | What::AddAt(_) => of.voters.clone(),
            What::Replace(_) if of.voters.are_joint() => return Err("they are being replaced"),
            What::Replace(next) => Voters { now: of.voters.now.clone(), next: next.clone() },
            What::Settle if of.voters.are_joint() => Voters::of(of.voters.next.clone()),
            What::Settle => return Err("there is one set"),
        };
        let mut changes = of.changes.clone();
        changes.push(self.number);
        Ok(Log { changes, voters })
    }
}

type Attempt = Proposer<Log, Step>;

#[derive(Clone)]
enum Mail {
    Asked { asker: usize, seat: Seat, ballot: Ballot, question: Question<Log> },
    Answered { asker: usize, seat: Seat, ballot: Ballot, answer: Answer<Log> },
}

/// A node: its seat, and at most one attempt.
struct Node {
    seat: Seat,
    acceptor: Acceptor<Log>,
    attempt: Option<Attempt>,
    known: Log,
    ballot: Ballot,
}

struct World {
    rng: Rng,
    nodes: Vec<Node>,
    mail: Vec<Mail>,
    /// Committed values by version.
    committed: BTreeMap<u64, Log>,
    made: BTreeSet<u64>,
    numbers: u64,
    joint_commits: u64,
    disks_lost: u64,
}

const NODES: usize = 6;

impl World {
    fn new(seed: u64) -> Self {
        let seat = |at| Seat { node: NodeId(at as u64), disk: 0 };
        let first = Log { changes: Vec::new(), voters: Voters::of([seat(0)].into()) };
        let nodes = (0..NODES).map(|at| Node {
            seat: seat(at),
            acceptor: if at == 0 { Acceptor::founding(first.clone()) } else { Acceptor::default() },
            attempt: None,
            known: first.clone(),
            ballot: Ballot::default(),
        });
        Self {
            nodes: nodes.collect(),
            rng: Rng(seed),
            mail: Vec::new(),
            committed: [(0, first)].into(),
            made: BTreeSet::new(),
            numbers: 0,
            joint_commits: 0,
            disks_lost: 0,
        }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Somebody begins an attempt, in the place of the one that it had.
    fn begin(&mut self, at: usize) {
        let number = self.number();
        let known = self.nodes[at].known.clone();
        let what = match self.rng.below(8) {
            // Also by who does not know that there is anything to settle.
            0 => What::Settle,
            _ if known.voters.are_joint() => What::Settle,
            1..3 => What::Add,
            3..5 => What::AddAt(known.version()),
            _ => What::Replace(self.seats()),
        };
        self.attempt(at, Step { number, what });
    }

    /// Some of the nodes, as they are now.
    fn seats(&mut self) -> BTreeSet<Seat> {
        let mut seats: Vec<Seat> = self.nodes.iter().map(|node| node.seat).collect();
        (0..=self.rng.below(5)).map(|_| seats.swap_remove(self.rng.below(seats.len()))).collect()
    }

    fn attempt(&mut self, at: usize, step: Step) {
        let node = &mut self.nodes[at];
        node.ballot = node.ballot.above(at as u64);
        node.attempt = Some(Proposer::new(node.known.clone(), node.ballot, step));
        self.ask(at);
    }

    fn ask(&mut self, at: usize) {
        let Some(attempt) = &self.nodes[at].attempt else { return };
        let (seats, question) = attempt.questions();
        let ballot = attempt.ballot();
        self.mail.extend(seats.into_iter().map(|seat| {
            let question = question.clone();
            Mail::Asked { asker: at, seat, ballot, question }
        }));
    }

    fn deliver(&mut self, mail: Mail) {
        match mail {
            Mail::Asked { asker, seat, ballot, question } => {
                let node = &mut self.nodes[place(seat.node)];
                if node.seat == seat {
                    let answer = node.acceptor.answer(ballot, question);
                    self.mail.push(Mail::Answered { asker, seat, ballot, answer });
                }
            }
            Mail::Answered { asker, seat, ballot, answer } => self.hear(asker, seat, ballot, answer),
        }
    }

    fn hear(&mut self, at: usize, seat: Seat, ballot: Ballot, answer: Answer<Log>) {
        let node = &mut self.nodes[at];
        let Some(attempt) = node.attempt.as_mut().filter(|attempt| attempt.ballot() == ballot) else {
            return;
        };
        let before = attempt.questions();
        let Some(outcome) = attempt.hear(seat, answer) else {
            let has_more = !attempt.questions().0.is_subset(&before.0) || attempt.questions().1 != before.1;
            if has_more {
                self.ask(at);
            }
            return;
        };
        let step = attempt.change().clone();
        node.attempt = None;
        match outcome {
            Outcome::Made(log) => {
                assert_eq!(log.changes.last(), Some(&step.number));
                self.made.insert(step.number);
                self.commit(at, log);
            }
            Outcome::Refused(log, _) => self.commit(at, log),
            Outcome::Found(log) => {
                assert!(log.voters.are_joint());
                self.commit(at, log);
            }
            Outcome::Outbid(ballot) => node.ballot = node.ballot.max(ballot),
        }
    }

    fn commit(&mut self, at: usize, log: Log) {
        self.joint_commits += u64::from(log.voters.are_joint());
        let earlier = self.committed.insert(log.version(), log.clone());
        assert!(earlier.is_none_or(|earlier| earlier == log), "two values of one version");
        self.learn(at, log);
    }

    fn learn(&mut self, at: usize, log: Log) {
        if self.nodes[at].known.version() < log.version() {
            self.nodes[at].known = log;
        }
    }

    /// One thing happens.
    fn step(&mut self, loses: usize, doubles: usize) {
        let at = self.rng.below(NODES);
        match self.rng.below(100) {
            0..4 => self.begin(at),
            4..7 => self.ask(at),
            7..9 => self.nodes[at].attempt = None,
            // What is committed spreads somehow.
            9..12 => {
                let which = self.rng.below(self.committed.len());
                let log = self.committed.values().nth(which).expect("so many were committed").clone();
                self.learn(at, log);
            }
            12 if self.rng.chance(10) => self.lose_disk(at),
            _ if self.mail.is_empty() => {}
            _ => {
                let which = self.rng.below(self.mail.len());
                if self.rng.chance(doubles) {
                    let mail = self.mail[which].clone();
                    self.deliver(mail);
                } else {
                    let mail = self.mail.swap_remove(which);
                    if !self.rng.chance(loses) {
                        self.deliver(mail);
                    }
                }
            }
        }
    }

    /// A node loses what it promised, where every set of voters that may count has enough others.
    fn lose_disk(&mut self, at: usize) {
        let is_enough = |set: &BTreeSet<Seat>| {
            let left = set.iter().filter(|seat| seat.node != NodeId(at as u64) && self.is_seated(**seat));
            set.is_empty() || left.count() > set.len() / 2
        };
        let attempts = self.nodes.iter().filter_map(|node| node.attempt.as_ref());
        let proposed = attempts.filter_map(|attempt| match &attempt.change().what {
            What::Replace(next) => Some(next),
            _ => None,
        });
        let voters = self.nodes.iter().map(|node| &node.known.voters);
        let accepted = self.nodes.iter().filter_map(|node| node.acceptor.accepted());
        let mut all = voters.chain(accepted.map(|(_, log)| &log.voters));
        if all.all(|voters| is_enough(&voters.now) && is_enough(&voters.next))
            && proposed.into_iter().all(is_enough)
        {
            let node = &mut self.nodes[at];
            node.seat.disk += 1;
            node.acceptor = Acceptor::default();
            node.attempt = None;
            self.disks_lost += 1;
        }
    }

    fn is_seated(&self, seat: Seat) -> bool {
        self.nodes[place(seat.node)].seat == seat
    }

    fn newest(&self) -> &Log {
        self.committed.values().last().expect("the first at least")
    }

    fn check(&self) {
        let mut before: Option<&Log> = None;
        for log in self.committed.values() {
            if let Some(before) = before {
                assert!(log.changes.starts_with(&before.changes), "not made of one another");
                let is_next = log.version() == before.version() + 1;
                assert!(!is_next || before.voters.may_become(&log.voters), "voters replaced at once");
            }
            before = Some(log);
        }
        let newest = &self.newest().changes;
        let once: BTreeSet<u64> = newest.iter().copied().collect();
        assert_eq!(once.len(), newest.len(), "a change was made twice");
        assert!(self.made.is_subset(&once), "a change that was made is gone");
    }
}

fn play(seed: u64) -> (usize, u64, u64) {
    let mut world = World::new(seed);
    let (loses, doubles) = (world.rng.below(30), world.rng.below(30));
    for _ in 0..1_500 {
        world.step(loses, doubles);
    }
    world.check();
    // In the calm, whoever knows the newest gets a change made.
    world.mail.clear();
    world.nodes.iter_mut().for_each(|node| node.attempt = None);
    let newest = world.newest().clone();
    world.learn(0, newest);
    let made = world.made.len();
    for _ in 0..20 {
        if world.made.len() > made {
            break;
        }
        let what = if world.nodes[0].known.voters.are_joint() { What::Settle } else { What::Add };
        let number = world.number();
        world.attempt(0, Step { number, what });
        while let Some(mail) = world.mail.pop() {
            world.deliver(mail);
        }
    }
    assert!(world.made.len() > made, "nothing can be changed any more");
    world.check();
    (world.made.len(), world.joint_commits, world.disks_lost)
}

#[test]
fn whatever_happens_each_value_is_made_of_the_one_before() {
    let asked = std::env::var("HISTORIES").ok().and_then(|asked| asked.parse().ok());
    let (mut made, mut joint, mut lost) = (0, 0, 0);
    for seed in 0..asked.unwrap_or(2_000) {
        let played = std::panic::catch_unwind(|| play(seed));
        let (changes, joints, disks) = played.unwrap_or_else(|_| panic!("seed {seed}"));
        made += changes;
        joint += joints;
        lost += disks;
    }
    let is_enough = made > 10_000 && joint > 1_000 && lost > 100;
    assert!(is_enough, "{made} changes, {joint} joint, {lost} disks lost: hardly anything was asked");
}

#[test]
fn a_question_that_comes_again_is_answered_the_same() {
    let mut acceptor = Acceptor::default();
    let (low, high) = (Ballot { round: 1, proposer: 9 }, Ballot { round: 2, proposer: 1 });
    assert_eq!(acceptor.answer(low, Question::Accept("a")), Answer::Accepted);
    assert_eq!(acceptor.answer(low, Question::Accept("a")), Answer::Accepted);
    for _ in 0..2 {
        assert_eq!(acceptor.answer(high, Question::Prepare), Answer::Promised(Some((low, "a"))));
    }
    assert_eq!(acceptor.answer(low, Question::Accept("b")), Answer::Outbid(high));
    assert_eq!(acceptor.accepted(), Some(&(low, "a")));
}

#[test]
fn a_change_that_was_refused_was_not_proposed() {
    let seat = Seat { node: NodeId(1), disk: 1 };
    let known = Log { changes: vec![1, 2], voters: Voters::of(BTreeSet::from([seat])) };
    for (version, is_made) in [(2, true), (3, false)] {
        let step = Step { number: 3, what: What::AddAt(version) };
        let mut proposer = Proposer::new(known.clone(), Ballot { round: 1, proposer: 1 }, step);
        assert_eq!(proposer.hear(seat, Answer::Promised(None)), None);
        assert!(proposer.has_proposed(), "a majority accepts the value that a refusal is founded on");
        assert_eq!(proposer.has_proposed_change(), is_made);
    }
}

#[test]
fn what_cannot_have_been_stored_is_not_restored() {
    let ballot = Ballot { round: 1, proposer: 1 };
    assert_eq!(Acceptor::restored(Ballot::default(), Some((ballot, "a"))), None);
    let acceptor =
        Acceptor::restored(ballot, Some((ballot, "a"))).expect("it was accepted where it was promised");
    assert_eq!((acceptor.promised(), acceptor.accepted()), (ballot, Some(&(ballot, "a"))));
}
