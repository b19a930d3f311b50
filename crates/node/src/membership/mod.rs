//! How the other members are: whether they answer, what they have to do, and what to believe of what others say.
//!
//! ```text
//! each period   probe one member: Probe ─▶ ◀─ Answer
//!               no answer for a while, or no link: have some others probe it
//!               none by the end of the period: it is suspect
//! suspect       it hears so at once, from all who take it for that, and says that it is not, by a higher incarnation
//!               it has not for long: it is down
//! news          rides on probes and answers, each piece so often as it takes to reach all
//! ```
//!
//! This is SWIM (Das, Gupta and Motivala, 2002), with the buddies of Lifeguard (Dadgar, Phillips and Currey, 2018): a
//! member that is suspected is told so first. It is written here and not taken from a library such as `foca`: those own
//! the question of who is a member, and here the layout does. What spreads is only how members are; one that is down stays
//! a member, goes on being probed and is trusted again as soon as it answers. And its word steers requests only: who
//! owns what, and how many acknowledge, never follows from it.
//!
//! Its messages travel on the links that requests travel on, and not as datagrams of their own: a datagram that passes
//! where a link does not, or the other way round, would say the wrong thing.
//!
//! Three things keep a node from taking its own troubles for those of others, and theirs for true. *Awake time*: a node that was stopped, or
//! is late for everything, must not count that time against others. So timeouts are measured by a clock that goes on by
//! [`STEP_MS_MAX`] at most between two looks. *Silence*: a member that others hear, and this node does not, is alive and
//! not asked from here while that lasts. *Hearsay*: one that was cut off comes back and takes everybody for down. Of a member
//! that this node has just heard itself it does not believe such a thing: it tells the member, who denies it.
//!
//! Not a failover: nothing moves. No socket, clock or random source: the time, a seed and a first incarnation are passed in.
//!
//! A member that says of itself that it is not well is believed: it is asked after others too.
//!
//! 1. Of two words about a member the one of the higher incarnation counts, of one incarnation the worse (`roster`).
//! 2. Only a member raises its own incarnation, and it does so whenever it hears of itself anything but its newest word.
//! 3. Every message carries the news of its sender and of whom it is sent to, so two that can speak agree on each other.
//! 4. Every member is probed once in as many periods as there are others, so how soon this node finds out is bounded.

mod roster;
mod round;

#[cfg(test)]
mod tests;

use crate::membership::roster::{Peer, Roster, Taken};
use crate::membership::round::Round;
use placement::{Layout, NodeId};
use std::collections::VecDeque;
use wire::peer::Message;
use wire::peer::gossip::{Gossip, Health, Load, News, Word};

/// Members that are asked to probe one that does not answer.
const OTHERS_ASKED: usize = 3;
/// The part of a period after which others are asked: one in so many.
const OTHERS_ASKED_PART: u64 = 2;
/// The longest that the clock of timeouts goes on between two looks, in milliseconds: what is longer is no time that
/// this node was awake.
const STEP_MS_MAX: u64 = 200;
/// How often a node looks, in milliseconds; well below [`STEP_MS_MAX`].
const LOOK_MS: u64 = 100;
/// Something is said on every link so often, in milliseconds.
const KEEP_ALIVE_MS: u64 = 1_000;
/// The number of an answer to no probe.
const UNASKED: u64 = 0;
/// A linked member that was not heard for so long is silent, in milliseconds.
const SILENT_MS: u64 = 3_000;

/// What the node needs that speaks for its process. Times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Speaker {
    /// The first incarnation of this start: the wall clock in milliseconds. Should an earlier start have had a higher
    /// one, it hears so from whoever remembers and goes above it.
    pub incarnation: u64,
    /// Decides the order of probes.
    pub seed: u64,
    /// The time from one probe to the next, in which it is to be answered.
    pub probe_every_ms: u64,
    /// How long a member is suspect before it is taken for down.
    pub suspicion_ms: u64,
}

/// How a member is, as this node sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The member.
    pub member: NodeId,
    /// How it is taken to be.
    pub health: Health,
    /// Whether this node has a link to it and has not heard it for long, or is answered through others alone, although it is
    /// alive as others say.
    pub is_silent: bool,
    /// Which of its words this goes by.
    pub incarnation: u64,
    /// Since when it is so, by this node's monotonic clock in milliseconds.
    pub since_ms: u64,
    /// What it has to do.
    pub load: Load,
}

impl Sighting {
    /// Whether it is to be asked before those that are not.
    pub fn is_trusted(&self) -> bool {
        self.health == Health::Alive && !self.is_silent && !self.load.says_error
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Deed {
    Say(NodeId, Message),
    /// A member is not as it was.
    Changed(Sighting),
}

/// The members as this node sees them, and what it is about to find out. See the head of this file.
#[derive(Debug)]
pub(crate) struct Membership {
    speaker: Speaker,
    roster: Roster,
    round: Round,
    probe: Option<Probe>,
    number: u64,
    /// When the next probe begins, in awake time.
    next_probe_at: u64,
    now_ms: Option<u64>,
    /// Awake time, in milliseconds.
    awake_ms: u64,
    deeds: VecDeque<Deed>,
}

/// A question that is open.
#[derive(Debug)]
struct Probe {
    number: u64,
    member: NodeId,
    /// When others are asked, in awake time; nothing once they were.
    others_at: Option<u64>,
    /// When it began, in awake time, and what the member's newest word was then.
    began_at: u64,
    incarnation: u64,
}

impl Membership {
    pub(crate) fn new(me: NodeId, speaker: Speaker, layout: &Layout) -> Self {
        let mut membership = Self {
            speaker,
            roster: Roster::new(me, speaker.incarnation),
            round: Round::new(speaker.seed),
            probe: None,
            number: speaker.incarnation,
            next_probe_at: speaker.probe_every_ms,
            now_ms: None,
            awake_ms: 0,
            deeds: VecDeque::new(),
        };
        membership.adopt(layout);
        membership
    }

    /// Goes by the members of a layout.
    pub(crate) fn adopt(&mut self, layout: &Layout) {
        self.roster.adopt(layout.members().iter().map(|member| member.id), self.now_ms.unwrap_or(0));
        let me = self.roster.me();
        self.round.fill(layout.members().iter().map(|member| member.id).filter(|id| *id != me));
        if self.probe.as_ref().is_some_and(|probe| layout.member(probe.member).is_none()) {
            self.probe = None;
        }
    }

    /// What is to be done, in order.
    pub(crate) fn take_deeds(&mut self) -> VecDeque<Deed> {
        std::mem::take(&mut self.deeds)
    }

    /// When [`Self::tick`] is due, by the monotonic clock in milliseconds: no later than the next probe, or every period
    /// would take until the look after its end.
    pub(crate) fn next_look(&self) -> u64 {
        let others_at = self.probe.as_ref().and_then(|probe| probe.others_at).unwrap_or(u64::MAX);
        let due_ms = self.next_probe_at.min(others_at).saturating_sub(self.awake_ms).max(1);
        self.now_ms.map_or(0, |now_ms| now_ms + LOOK_MS.min(due_ms))
    }

    /// This node's own load is now so. It is told to others as its next word.
    pub(crate) fn set_load(&mut self, load: Load) {
        self.roster.set_own_load(load);
    }

    /// Every member as it is seen, this one too.
    pub(crate) fn sightings(&self) -> impl Iterator<Item = Sighting> {
        self.roster.members().map(|(member, peer)| peer.sighting(member))
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now_ms: u64) {
        self.wake(now_ms);
        if let Some(probe) = &mut self.probe
            && probe.others_at.is_some_and(|at| at <= self.awake_ms)
        {
            probe.others_at = None;
            let (number, member) = (probe.number, probe.member);
            self.ask_others(number, member);
        }
        if self.next_probe_at <= self.awake_ms {
            self.end_probe();
            self.begin_probe();
        }
        self.roster.give_up_suspects(self.awake_ms);
        self.keep_alive();
        self.note_changes(now_ms);
    }

    /// A probe that is still open was not answered. But the member may have come back meanwhile and been heard: that counts
    /// once. One that speaks and answers nobody hears nobody.
    fn end_probe(&mut self) {
        let Some(Probe { member, began_at, incarnation, .. }) = self.probe.take() else { return };
        if self.roster.incarnation(member) != incarnation {
            return;
        }
        let is_excused = self.roster.is_heard_since(member, began_at);
        if self.roster.note_unanswered(member) || !is_excused {
            self.roster.suspect(member, self.awake_ms + self.speaker.suspicion_ms);
        }
    }

    fn begin_probe(&mut self) {
        self.next_probe_at = self.awake_ms + self.speaker.probe_every_ms;
        let Some(member) = self.round.next() else { return };
        self.number += 1;
        let (number, asker) = (self.number, self.roster.me());
        let is_said = self.say(member, Word::Probe { number, asker });
        let others_at = is_said.then(|| self.awake_ms + self.speaker.probe_every_ms / OTHERS_ASKED_PART);
        let (began_at, incarnation) = (self.awake_ms, self.roster.incarnation(member));
        self.probe = Some(Probe { number, member, others_at, began_at, incarnation });
        if !is_said {
            self.ask_others(number, member);
        }
    }

    fn ask_others(&mut self, number: u64, member: NodeId) {
        let is_fit = |id: NodeId, peer: &Peer| id != member && peer.is_linked && peer.health == Health::Alive;
        let fit = self.roster.others().filter(|(id, peer)| is_fit(*id, peer)).map(|(id, _)| id);
        for other in self.round.pick(fit.collect(), OTHERS_ASKED) {
            self.say(other, Word::ProbeFor { number, member });
        }
    }

    /// A member has said something; where it is gossip, here it is.
    pub(crate) fn hear(&mut self, now_ms: u64, from: NodeId, gossip: Option<&Gossip>) {
        // Looked at with each message that comes, so it costs next to nothing while nothing is new.
        let awake_ms = self.wake(now_ms);
        let Some(was_silent) = self.roster.note_heard(from, awake_ms) else { return };
        let Some(gossip) = gossip else {
            if was_silent {
                self.note_changes(now_ms);
            }
            return;
        };
        let (mut is_untrue, until) = (false, awake_ms + self.speaker.suspicion_ms);
        let lately = awake_ms.saturating_sub(self.speaker.probe_every_ms);
        for news in &gossip.news {
            if self.roster.is_hearsay(news, lately) {
                self.introduce(news.member);
                continue;
            }
            match self.roster.take(news, until) {
                Taken::Silently => {}
                Taken::Untrue => is_untrue = true,
                Taken::Suspicion => self.introduce(news.member),
            }
        }
        self.answer(from, gossip.word, is_untrue);
        self.note_changes(now_ms);
    }

    fn answer(&mut self, from: NodeId, word: Word, is_untrue: bool) {
        let me = self.roster.me();
        match word {
            Word::Probe { number, asker } => {
                self.say(from, Word::Answer { number, asker, member: me });
                return;
            }
            Word::ProbeFor { number, member } if member != me => {
                self.say(member, Word::Probe { number, asker: from });
            }
            Word::ProbeFor { .. } => {}
            Word::Answer { number: UNASKED, asker, .. } if asker == me => {}
            Word::Answer { number, asker, member } if asker == me => {
                let was_open =
                    self.probe.take_if(|probe| (probe.number, probe.member) == (number, member)).is_some();
                if was_open || from == member {
                    self.roster.note_answered(member, from != member);
                }
            }
            Word::Answer { asker, .. } => {
                self.say(asker, word);
            }
        }
        if is_untrue {
            self.introduce(from);
        }
    }

    /// Says how this node is, and how it takes the other to be, to one that has not asked.
    fn introduce(&mut self, to: NodeId) {
        self.say(to, Word::Answer { number: UNASKED, asker: to, member: self.roster.me() });
    }

    /// The link to a member came up or went down.
    pub(crate) fn linked(&mut self, now_ms: u64, member: NodeId, up: bool) {
        let awake_ms = self.wake(now_ms);
        self.roster.set_linked(member, up, awake_ms);
        if up {
            self.introduce(member);
        }
        self.note_changes(now_ms);
    }

    /// Says a word with what news there is; tells whether there was a link to say it on.
    fn say(&mut self, to: NodeId, word: Word) -> bool {
        let is_linked = self.roster.get(to).is_some_and(|peer| peer.is_linked);
        if is_linked {
            let news: Vec<News> = self.roster.news_for(to);
            self.roster.note_spoken(to, self.awake_ms);
            self.deeds.push_back(Deed::Say(to, Message::Gossip(Gossip { word, news })));
        }
        is_linked
    }

    fn keep_alive(&mut self) {
        let is_due = |peer: &Peer| peer.is_linked && peer.spoken_at + KEEP_ALIVE_MS <= self.awake_ms;
        let due: Vec<NodeId> =
            self.roster.others().filter(|(_, peer)| is_due(peer)).map(|(id, _)| id).collect();
        for to in due {
            self.roster.note_spoken(to, self.awake_ms);
            self.deeds.push_back(Deed::Say(to, Message::Alive));
        }
    }

    /// Lets the clock of timeouts go on.
    fn wake(&mut self, now_ms: u64) -> u64 {
        let passed = now_ms.saturating_sub(self.now_ms.unwrap_or(now_ms));
        self.awake_ms += passed.min(STEP_MS_MAX);
        self.now_ms = Some(now_ms);
        self.awake_ms
    }

    fn note_changes(&mut self, now_ms: u64) {
        let silent_since = self.awake_ms.checked_sub(SILENT_MS);
        for sighting in self.roster.changes(now_ms, silent_since) {
            self.deeds.push_back(Deed::Changed(sighting));
        }
    }
}
