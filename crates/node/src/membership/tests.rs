//! Members that speak with each other: golden scripts of who is taken for what and when, and that all of them agree in the end.
//!
//! Members are `a`, `b`, `c`, ... and look every 20 ms. A line of an answer is what one of them has changed its mind
//! about, `1500 a: b is suspect (1)` for the incarnation 1, or a message while they are shown.
//!
//! | command | what it does |
//! |---|---|
//! | `members 3` | so many, all linked; probes every 500 ms, suspicion for 5000 ms |
//! | `wait 1500` | so many milliseconds pass |
//! | `cut a b`, `mend a b` | what a says to b is lost, or is not; `cut a` cuts it off from and to everybody |
//! | `link a b down`, `link a b up` | a's link to b |
//! | `pause a`, `resume a` | a is stopped: what is said to it waits |
//! | `restart a 7` | a starts anew, its first incarnation 7, and all links to and from it with it |
//! | `load a 100`, `load a error` | a does 100 operations in a second; a says that it is not well |
//! | `show` | how everybody takes everybody |
//! | `messages` | messages are shown from now on |

use super::{Deed, Membership, Speaker};
use goldenscript::{Command, Context, Runner};
use placement::{Duty, Layout, Member, NodeId, Zone};
use proptest::prelude::{prop_assert_eq, proptest};
use std::collections::{BTreeSet, VecDeque};
use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use wire::peer::Message;
use wire::peer::gossip::{Gossip, Health, Load, News, Word};

/// Between two looks, in milliseconds.
const STEP_MS: u64 = 20;

fn name(at: usize) -> char {
    "abcdefghijkl".chars().nth(at).expect("few members")
}

fn member(at: usize) -> Member {
    let name = name(at).to_string();
    Member {
        id: NodeId::of_name(&name),
        client_addr: format!("{name}:1"),
        peer_addr: format!("{name}:2"),
        name,
        weight: 1,
        zone: Zone::default(),
        duty: Duty::Store,
    }
}

fn speaker(at: usize, incarnation: u64) -> Speaker {
    Speaker { incarnation, seed: at as u64, probe_every_ms: 500, suspicion_ms: 5_000 }
}

/// Members and what is between them.
#[derive(Default)]
struct World {
    layout: Option<Layout>,
    members: Vec<Membership>,
    waiting: Vec<VecDeque<(usize, Message)>>,
    cut: BTreeSet<(usize, usize)>,
    paused: BTreeSet<usize>,
    now_ms: u64,
    shows_messages: bool,
    /// Loses messages, of a thousand, by this stream of numbers.
    loss: (u64, u64),
    out: String,
}

impl World {
    fn of(count: usize) -> Self {
        let mut layout = Layout::found(1, 1, 1, 3, member(0), 1).expect("a sound layout");
        for at in 1..count {
            layout = layout.with_member(member(at)).expect("a sound member");
        }
        let start = |at| Membership::new(member(at).id, speaker(at, 1), &layout);
        let mut world = Self {
            members: (0..count).map(start).collect(),
            waiting: vec![VecDeque::new(); count],
            layout: Some(layout),
            ..Self::default()
        };
        (0..count).for_each(|at| world.link_all(at));
        world
    }

    fn link_all(&mut self, at: usize) {
        for other in (0..self.members.len()).filter(|other| *other != at) {
            for (from, to) in [(at, other), (other, at)] {
                self.members[from].linked(self.now_ms, member(to).id, true);
                self.act(from);
            }
        }
    }

    fn at(id: NodeId) -> usize {
        (0..12).find(|at| member(*at).id == id).expect("a member")
    }

    fn is_lost(&mut self, from: usize, to: usize) -> bool {
        self.loss.0 = self.loss.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.cut.contains(&(from, to)) || (self.loss.0 >> 33) % 1000 < self.loss.1
    }

    fn act(&mut self, at: usize) {
        for deed in self.members[at].take_deeds() {
            match deed {
                Deed::Say(to, message) => {
                    let to = Self::at(to);
                    let is_lost = self.is_lost(at, to);
                    if self.shows_messages && message != Message::Alive {
                        let lost = if is_lost { " (lost)" } else { "" };
                        let _ = writeln!(
                            self.out,
                            "{} {} -> {} {}{lost}",
                            self.now_ms,
                            name(at),
                            name(to),
                            text(&message)
                        );
                    }
                    if !is_lost {
                        self.waiting[to].push_back((at, message));
                    }
                }
                Deed::Changed(sighting) => {
                    let silent = if sighting.is_silent { ", silent" } else { "" };
                    let silent = if sighting.load.says_error { ", not well as it says" } else { silent };
                    let _ = writeln!(
                        self.out,
                        "{} {}: {} is {}{silent} ({})",
                        self.now_ms,
                        name(at),
                        name(Self::at(sighting.member)),
                        word(sighting.health),
                        sighting.incarnation
                    );
                }
            }
        }
    }

    fn wait(&mut self, ms: u64) {
        for _ in 0..ms / STEP_MS {
            self.now_ms += STEP_MS;
            for at in (0..self.members.len()).filter(|at| !self.paused.contains(at)).collect::<Vec<_>>() {
                if self.members[at].next_look() <= self.now_ms {
                    self.members[at].tick(self.now_ms);
                    self.act(at);
                }
            }
            self.deliver();
        }
    }

    fn deliver(&mut self) {
        while let Some(to) =
            (0..self.members.len()).find(|at| !self.paused.contains(at) && !self.waiting[*at].is_empty())
        {
            let Some((from, message)) = self.waiting[to].pop_front() else { return };
            let gossip = if let Message::Gossip(gossip) = &message { Some(gossip) } else { None };
            self.members[to].hear(self.now_ms, member(from).id, gossip);
            self.act(to);
        }
    }

    /// Every way from and to a member.
    fn ways(&self, a: usize) -> Vec<(usize, usize)> {
        (0..self.members.len()).flat_map(|b| [(a, b), (b, a)]).collect()
    }

    fn restart(&mut self, at: usize, incarnation: u64) {
        let layout = self.layout.as_ref().expect("there are members");
        self.members[at] = Membership::new(member(at).id, speaker(at, incarnation), layout);
        self.waiting[at].clear();
        self.paused.remove(&at);
        for other in (0..self.members.len()).filter(|other| *other != at).collect::<Vec<_>>() {
            self.members[other].linked(self.now_ms, member(at).id, false);
            self.act(other);
        }
        self.link_all(at);
    }

    fn show(&mut self) {
        for (at, membership) in self.members.iter().enumerate() {
            let _ = write!(self.out, "{}:", name(at));
            for seen in membership.sightings() {
                let silent = if seen.is_silent { " silent" } else { "" };
                let load = seen.load.operations_per_s;
                let load = if load > 0 { format!(" {load}/s") } else { String::new() };
                let of = name(Self::at(seen.member));
                let _ = write!(self.out, " {of} {}{silent} ({}){load}", word(seen.health), seen.incarnation);
            }
            self.out.push('\n');
        }
    }
}

fn word(health: Health) -> &'static str {
    match health {
        Health::Alive => "alive",
        Health::Suspect => "suspect",
        Health::Down => "down",
    }
}

fn text(message: &Message) -> String {
    let Message::Gossip(Gossip { word: said, news }) = message else { return format!("{message:?}") };
    let who = |id: NodeId| name(World::at(id));
    let said = match *said {
        Word::Probe { asker, .. } => format!("are you there? for {}", who(asker)),
        Word::ProbeFor { member, .. } => format!("is {} there?", who(member)),
        Word::Answer { member, asker, .. } => format!("{} is there, for {}", who(member), who(asker)),
    };
    let news = news
        .iter()
        .map(|news: &News| format!("{} {} ({})", who(news.member), word(news.health), news.incarnation));
    format!("{said}; {}", news.collect::<Vec<_>>().join(", "))
}

impl Runner for World {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Box<dyn Error>> {
        let mut arguments = command.consume_args();
        let mut words = Vec::new();
        while let Some(word) = arguments.next_pos() {
            words.push(word.to_string());
        }
        let of =
            |text: &str| text.bytes().next().map(|byte| usize::from(byte.wrapping_sub(b'a'))).ok_or("who?");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match (command.name.as_str(), &words[..]) {
            ("members", [count]) => *self = Self::of(count.parse()?),
            ("wait", [ms]) => self.wait(ms.parse()?),
            ("cut", [a]) => self.cut.extend(self.ways(of(a)?)),
            ("mend", [a]) => self.cut.retain(|(from, to)| !a.starts_with([name(*from), name(*to)])),
            ("cut", [a, b]) => drop(self.cut.insert((of(a)?, of(b)?))),
            ("mend", [a, b]) => drop(self.cut.remove(&(of(a)?, of(b)?))),
            ("link", [a, b, state]) => {
                let at = of(a)?;
                self.members[at].linked(self.now_ms, member(of(b)?).id, *state == "up");
                self.act(at);
                self.deliver();
            }
            ("pause", [a]) => drop(self.paused.insert(of(a)?)),
            ("resume", [a]) => drop(self.paused.remove(&of(a)?)),
            ("restart", [a, incarnation]) => {
                self.restart(of(a)?, incarnation.parse()?);
                self.deliver();
            }
            ("load", [a, "error"]) => {
                self.members[of(a)?].set_load(Load { says_error: true, ..Load::default() });
            }
            ("load", [a, operations_per_s]) => {
                let operations_per_s = operations_per_s.parse()?;
                self.members[of(a)?].set_load(Load { operations_per_s, ..Load::default() });
            }
            ("show", []) => self.show(),
            ("messages", []) => self.shows_messages = true,
            other => return Err(format!("no such command: {other:?}").into()),
        }
        Ok(std::mem::take(&mut self.out))
    }
}

fn run(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/membership").join(name);
    goldenscript::run(&mut World::default(), path).expect("the script runs");
}

#[test]
fn a_member_that_is_gone_is_suspect_and_then_down() {
    run("gone");
}

#[test]
fn a_member_that_was_paused_is_trusted_again_at_once() {
    run("paused");
}

#[test]
fn an_old_rumour_is_put_right() {
    run("restarted");
}

#[test]
fn others_are_asked_before_anybody_is_suspected() {
    run("cuts");
}

#[test]
fn a_member_that_hears_nobody_is_suspected_although_it_speaks() {
    run("deaf");
}

#[test]
fn loads_are_known_everywhere() {
    run("loads");
}

#[test]
fn words_from_strangers_are_not_heard() {
    let mut world = World::of(2);
    let stranger = member(7).id;
    let news = News { member: stranger, incarnation: 9, health: Health::Down, load: Load::default() };
    let gossip = Gossip { word: Word::Probe { number: 1, asker: stranger }, news: vec![news] };
    world.members[0].take_deeds();
    world.members[0].hear(0, stranger, Some(&gossip));
    world.members[0].hear(0, member(1).id, Some(&gossip));
    assert!(world.members[0].sightings().all(|seen| seen.member != stranger));
    let answers = Vec::from(world.members[0].take_deeds());
    assert!(matches!(&answers[..], [Deed::Say(to, _)] if *to == member(1).id), "{answers:?}");
}

#[test]
fn the_highest_incarnation_there_is_does_no_harm() {
    let mut world = World::of(2);
    let me = member(0).id;
    let news = News { member: me, incarnation: u64::MAX, health: Health::Down, load: Load::default() };
    let gossip = Gossip { word: Word::Answer { number: 0, asker: me, member: me }, news: vec![news] };
    world.members[0].hear(0, member(1).id, Some(&gossip));
    assert!(world.members[0].sightings().all(|seen| seen.is_trusted()));
    // Said of both to both, it is not disputed for ever.
    for (at, other) in [(0, 1), (1, 0)] {
        let news = [member(0), member(1)].map(|of| News { member: of.id, ..gossip.news[0] });
        let gossip = Gossip { word: Word::Answer { number: 0, asker: me, member: me }, news: news.to_vec() };
        world.members[at].hear(0, member(other).id, Some(&gossip));
        world.act(at);
    }
    world.wait(1_000);
}

proptest! {
    /// Whatever was lost, whoever was paused and started again: once all of it is over, everybody trusts everybody.
    #[test]
    fn all_that_live_are_alive_in_the_end(count in 2usize..8, seed: u64, loss in 0u64..1000, rounds in 1u64..12) {
        let mut world = World::of(count);
        world.loss = (seed, loss);
        for round in 0..rounds {
            let chance = seed.rotate_left(u32::try_from(round * 5).expect("few")) % 97;
            let at = usize::try_from(chance).expect("small") % count;
            match chance % 4 {
                0 => drop(world.paused.insert(at)),
                1 => world.restart(at, chance % 5),
                _ => drop(world.paused.remove(&at)),
            }
            world.wait(100 + chance * 50);
        }
        world.loss.1 = 0;
        world.paused.clear();
        // A round of probes, the time that one takes, and what is left of a silence.
        world.wait(500 * (count as u64 + 1) + 1_000);
        world.out.clear();
        for (at, membership) in world.members.iter().enumerate() {
            for seen in membership.sightings() {
                let of = name(World::at(seen.member));
                prop_assert_eq!((name(at), of, seen.health, seen.is_silent), (name(at), of, Health::Alive, false));
            }
        }
    }
}
