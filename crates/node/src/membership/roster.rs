//! What is known of each member, and which of two words about it counts.
//!
//! ```text
//! (incarnation, health)   the greater counts; Alive < Suspect < Down
//! (incarnation, beat)     of a load the later counts
//! ```
//!
//! Not when somebody is to be suspected. Both orders are joins, so it does not matter in which order, and how often, news comes.
//!
//! 1. Who is not in the layout is nobody here, whatever is said of it.
//! 2. This node itself is always alive here, at an incarnation that nothing it has heard of itself reaches.

use crate::membership::Sighting;
use placement::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use wire::peer::gossip::{Health, Load, NEWS_MAX, News};

/// A piece of news is told this often for each doubling of the members: enough that it reaches nearly all, and whoever
/// it misses hears it from the one it is about.
const TOLD_FACTOR: u32 = 3;

/// A member that has answered so many probes in a row through others alone does not hear this node.
const DETOURS_MAX: u32 = 2;

/// A member.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peer {
    pub(super) health: Health,
    pub(super) is_linked: bool,
    /// When something was said to it last, in awake time.
    pub(super) spoken_at: u64,
    incarnation: u64,
    load: Load,
    /// When it was heard last, in awake time.
    heard_at: u64,
    /// Until when it may say that it is not so, in awake time, where it is suspect.
    until: u64,
    /// How often its news was told.
    told: u32,
    /// Whether nothing but its load is new.
    is_minor: bool,
    is_silent: bool,
    /// Whether it has not answered the last probe.
    is_unanswered: bool,
    /// How many probes in a row it has answered through others alone.
    detours: u32,
    /// Of what whoever asked was told last, and since when it is so.
    shown: (Health, bool, bool),
    since_ms: u64,
}

impl Peer {
    pub(super) fn sighting(&self, member: NodeId) -> Sighting {
        let Self { health, is_silent, incarnation, since_ms, load, .. } = *self;
        Sighting { member, health, is_silent, incarnation, since_ms, load }
    }

    fn news(&self, member: NodeId) -> News {
        News { member, incarnation: self.incarnation, health: self.health, load: self.load }
    }

    /// It is to be told that it is so.
    fn is_new(&mut self) {
        (self.told, self.is_minor) = (0, false);
    }
}

/// What news calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Nothing.
    Silently,
    /// It is about this node, and not how it is: whoever said it is to hear that.
    Untrue,
    /// Somebody is suspect from now on: it is to hear that, and may say that it is not so.
    Suspicion,
}

/// All members.
#[derive(Debug)]
pub(super) struct Roster {
    me: NodeId,
    peers: BTreeMap<NodeId, Peer>,
}

impl Roster {
    pub(super) fn new(me: NodeId, incarnation: u64) -> Self {
        Self { me, peers: BTreeMap::from([(me, Peer { incarnation, ..Peer::default() })]) }
    }

    /// These are the members from now on.
    pub(super) fn adopt(&mut self, members: impl Iterator<Item = NodeId>, now_ms: u64) {
        let members: BTreeSet<NodeId> = members.chain([self.me]).collect();
        self.peers.retain(|id, _| members.contains(id));
        for id in members {
            self.peers.entry(id).or_insert(Peer { since_ms: now_ms, told: u32::MAX, ..Peer::default() });
        }
    }

    pub(super) fn me(&self) -> NodeId {
        self.me
    }

    pub(super) fn set_own_load(&mut self, load: Load) {
        let me = self.me;
        let own = self.peers.entry(me).or_default();
        own.load = Load { beat: own.load.beat + 1, ..load };
    }

    pub(super) fn get(&self, member: NodeId) -> Option<&Peer> {
        self.peers.get(&member)
    }

    pub(super) fn members(&self) -> impl Iterator<Item = (NodeId, &Peer)> {
        self.peers.iter().map(|(id, peer)| (*id, peer))
    }

    pub(super) fn others(&self) -> impl Iterator<Item = (NodeId, &Peer)> {
        self.members().filter(|(id, _)| *id != self.me)
    }

    /// It did not answer. It may say that it is there until then, in awake time.
    pub(super) fn suspect(&mut self, member: NodeId, until: u64) {
        if let Some(peer) = self.peers.get_mut(&member).filter(|peer| peer.health == Health::Alive) {
            (peer.health, peer.until) = (Health::Suspect, until);
            peer.is_new();
        }
    }

    /// Suspects whose time is over are down.
    pub(super) fn give_up_suspects(&mut self, awake_ms: u64) {
        let is_over = |peer: &&mut Peer| peer.health == Health::Suspect && peer.until <= awake_ms;
        for peer in self.peers.values_mut().filter(is_over) {
            peer.health = Health::Down;
            peer.is_new();
        }
    }

    /// Whether a member was heard since then, in awake time.
    pub(super) fn is_heard_since(&self, member: NodeId, since: u64) -> bool {
        self.get(member).is_some_and(|peer| peer.heard_at > since)
    }

    /// It has answered a probe, by itself or through another.
    pub(super) fn note_answered(&mut self, member: NodeId, is_detour: bool) {
        if let Some(peer) = self.peers.get_mut(&member) {
            peer.is_unanswered = false;
            peer.detours = if is_detour { peer.detours.saturating_add(1) } else { 0 };
        }
    }

    /// It has not; tells whether it had not the last time, either.
    pub(super) fn note_unanswered(&mut self, member: NodeId) -> bool {
        self.peers.get_mut(&member).is_some_and(|peer| std::mem::replace(&mut peer.is_unanswered, true))
    }

    /// The newest word of a member.
    pub(super) fn incarnation(&self, member: NodeId) -> u64 {
        self.get(member).map_or(0, |peer| peer.incarnation)
    }

    /// Whether it is said of a member that it does not answer, that this node has heard since then, in awake time.
    pub(super) fn is_hearsay(&self, news: &News, lately: u64) -> bool {
        let Some(peer) = self.get(news.member).filter(|peer| peer.health == Health::Alive) else {
            return false;
        };
        let is_bad = news.health != Health::Alive && news.incarnation >= peer.incarnation;
        is_bad && peer.is_linked && self.is_heard_since(news.member, lately)
    }

    /// Takes what somebody says of a member. One that is suspect from now on may say otherwise until then, in awake time.
    pub(super) fn take(&mut self, news: &News, until: u64) -> Taken {
        let (is_me, often) = (news.member == self.me, self.often());
        let Some(peer) = self.peers.get_mut(&news.member) else { return Taken::Silently };
        let is_later = (news.incarnation, news.health) > (peer.incarnation, peer.health);
        if is_me {
            let own = peer.incarnation;
            if is_later {
                peer.incarnation = news.incarnation.saturating_add(1);
            }
            // What cannot be denied, for there is no higher incarnation, is not disputed: two might do so without end.
            let is_denied = peer.incarnation > own || news.incarnation < own;
            return if is_denied { Taken::Untrue } else { Taken::Silently };
        }
        if is_later {
            let was = peer.health;
            if (news.incarnation, news.load.beat) > (peer.incarnation, peer.load.beat) {
                peer.load = news.load;
            }
            (peer.incarnation, peer.health, peer.until) = (news.incarnation, news.health, until);
            peer.is_new();
            if was == Health::Alive && peer.health != Health::Alive {
                return Taken::Suspicion;
            }
        } else if news.incarnation == peer.incarnation && news.load.beat > peer.load.beat {
            peer.load = news.load;
            // What is still being told takes its load along.
            if peer.told >= often {
                (peer.told, peer.is_minor) = (0, true);
            }
        }
        Taken::Silently
    }

    /// How often a piece of news is told.
    fn often(&self) -> u32 {
        TOLD_FACTOR * (self.peers.len() as u64).ilog2().saturating_add(1)
    }

    /// Somebody was heard; tells whether it was silent until now, and nothing where it is no member.
    pub(super) fn note_heard(&mut self, from: NodeId, awake_ms: u64) -> Option<bool> {
        let me = self.me;
        let peer = self.peers.get_mut(&from).filter(|_| from != me)?;
        peer.heard_at = awake_ms;
        Some(peer.is_silent)
    }

    pub(super) fn note_spoken(&mut self, to: NodeId, awake_ms: u64) {
        if let Some(peer) = self.peers.get_mut(&to) {
            peer.spoken_at = awake_ms;
        }
    }

    /// A link came up or went down. Once it is up the member has some time to be heard; that it went down is no word of it.
    pub(super) fn set_linked(&mut self, member: NodeId, up: bool, awake_ms: u64) {
        if let Some(peer) = self.peers.get_mut(&member) {
            (peer.is_linked, peer.is_silent) = (up, false);
            if up {
                (peer.heard_at, peer.is_unanswered, peer.detours) = (awake_ms, false, 0);
            }
        }
    }

    /// What `to` is to be told: how this node is, how `to` is taken to be, and what was told least so far; loads after
    /// everything else.
    pub(super) fn news_for(&mut self, to: NodeId) -> Vec<News> {
        let (me, often) = (self.me, self.often());
        let fresh = self.others().filter(|(id, peer)| *id != to && peer.told < often);
        let mut fresh: Vec<(bool, u32, NodeId)> =
            fresh.map(|(id, peer)| (peer.is_minor, peer.told, id)).collect();
        fresh.sort_unstable();
        let mut news: Vec<News> =
            [me, to].iter().filter_map(|id| Some(self.peers.get(id)?.news(*id))).collect();
        for (_, _, id) in fresh.into_iter().take(NEWS_MAX - news.len()) {
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.told += 1;
                news.push(peer.news(id));
            }
        }
        news
    }

    /// The members that are not as they were shown last. Who was not heard since then, in awake time, is silent, and so is
    /// who answers through others alone.
    pub(super) fn changes(&mut self, now_ms: u64, silent_since: Option<u64>) -> Vec<Sighting> {
        let mut changes = Vec::new();
        for (id, peer) in self.peers.iter_mut().filter(|(id, _)| **id != self.me) {
            let is_alive = peer.health == Health::Alive;
            let is_unheard = silent_since.is_some_and(|since| peer.heard_at < since);
            peer.is_silent = is_alive && peer.is_linked && (is_unheard || peer.detours >= DETOURS_MAX);
            let state = (peer.health, peer.is_silent, peer.load.says_error);
            if std::mem::replace(&mut peer.shown, state) != state {
                peer.since_ms = now_ms;
                changes.push(peer.sighting(*id));
            }
        }
        changes
    }
}
