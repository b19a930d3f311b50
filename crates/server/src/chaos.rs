//! Failing on purpose, for practice and for tests: what this process was told to do wrong.
//!
//! ```text
//!   what is said to a peer     shard ── fate ─▶ the link, late, or nowhere
//!   what a peer says           link ── loses ─▶ the shard, or nowhere
//!   connections                refuses ─▶ broken, and not made
//!   the health check           says_error ─▶ PING, and what others hear of how this member is
//! ```
//!
//! At the edge alone: the node knows nothing of it, and does what it would do if all this were so. Not for any other
//! purpose: a process that was not started with `enable_chaos` has none of this.
//!
//! 1. Everything ends by itself, and by then at the latest it is in the log that it has.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use placement::NodeId;
use wire::command::local::{Disorder, Wrong};

/// Messages of one shard that may be late at once; what comes on top is lost.
pub(crate) const LATE_MAX: usize = 10_000;

/// What becomes of a message to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Passes,
    Late(Duration),
    Lost,
}

/// What a process does wrong.
#[derive(Debug, Default)]
pub(crate) struct Chaos {
    /// Whether there is anything: looked at with every message.
    reigns: AtomicBool,
    told: Mutex<Vec<Told>>,
}

/// Something that it was told to do, and until when, by the monotonic clock in milliseconds.
#[derive(Clone, Debug)]
struct Told {
    disorder: Disorder,
    with: Option<NodeId>,
    until_ms: u64,
}

impl Chaos {
    /// Does something wrong from now on, with all peers or with one.
    pub(crate) fn begin(&self, disorder: Disorder, with: Option<NodeId>, now_ms: u64) {
        tracing::warn!("failing on purpose from now on: {disorder}", disorder = Shown(&disorder));
        let until_ms = now_ms + disorder.for_ms;
        let mut told = self.told();
        let kind = |wrong: &Wrong| std::mem::discriminant(wrong);
        told.retain(|old| kind(&old.disorder.wrong) != kind(&disorder.wrong) || old.with != with);
        told.push(Told { disorder, with, until_ms });
        self.reigns.store(true, Ordering::Relaxed);
    }

    /// No more of it.
    pub(crate) fn end(&self) {
        self.end_if(|_| true);
    }

    /// No more of what was to end by now.
    pub(crate) fn expire(&self, now_ms: u64) {
        if self.reigns.load(Ordering::Relaxed) {
            self.end_if(|told| told.until_ms <= now_ms);
        }
    }

    fn end_if(&self, is_over: impl Fn(&Told) -> bool) {
        let mut told = self.told();
        for over in told.extract_if(.., |told| is_over(told)) {
            tracing::warn!("no longer failing on purpose: {disorder}", disorder = Shown(&over.disorder));
        }
        self.reigns.store(!told.is_empty(), Ordering::Relaxed);
    }

    /// What there is of it, a line each.
    pub(crate) fn lines(&self, now_ms: u64) -> Vec<String> {
        let left = |told: &Told| told.until_ms.saturating_sub(now_ms).div_ceil(1_000);
        let line = |told: &Told| format!("{}, for {} s more", Shown(&told.disorder), left(told));
        self.told().iter().map(line).collect()
    }

    /// What becomes of a message to a peer.
    pub(crate) fn fate(&self, peer: NodeId) -> Fate {
        if self.happens(Some(peer), |wrong| wrong == Wrong::Drop).is_some() {
            return Fate::Lost;
        }
        match self.happens(Some(peer), |wrong| matches!(wrong, Wrong::Delay { .. })) {
            Some(Wrong::Delay { by_ms }) => Fate::Late(Duration::from_millis(by_ms)),
            _ => Fate::Passes,
        }
    }

    /// Whether a message from a peer is lost.
    pub(crate) fn loses(&self, peer: NodeId) -> bool {
        self.happens(Some(peer), |wrong| wrong == Wrong::Drop).is_some()
    }

    /// Whether a connection with a peer is broken, or not made.
    pub(crate) fn refuses(&self, peer: NodeId) -> bool {
        self.happens(Some(peer), |wrong| wrong == Wrong::Refuse).is_some()
    }

    /// Whether the health check is answered with an error this time.
    pub(crate) fn says_error(&self) -> bool {
        self.happens(None, |wrong| wrong == Wrong::Health).is_some()
    }

    fn happens(&self, peer: Option<NodeId>, is_meant: impl Fn(Wrong) -> bool) -> Option<Wrong> {
        if !self.reigns.load(Ordering::Relaxed) {
            return None;
        }
        let told = self.told();
        let mut meant = told.iter().filter(|told| is_meant(told.disorder.wrong));
        let meant = meant.find(|told| told.with.is_none() || told.with == peer)?;
        // A system without random bits fails every time.
        let chance = getrandom::u64().unwrap_or(0) % 100;
        (chance < u64::from(meant.disorder.percent)).then_some(meant.disorder.wrong)
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Vec<Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A disorder in words.
struct Shown<'a>(&'a Disorder);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Disorder { wrong, peer, percent, .. } = self.0;
        let peer = peer.as_deref().unwrap_or("every member");
        match wrong {
            Wrong::Health => write!(f, "the health check is answered with ERROR ({percent} %)"),
            Wrong::Drop => write!(f, "messages from and to {peer} are lost ({percent} %)"),
            Wrong::Delay { by_ms } => write!(f, "messages to {peer} leave {by_ms} ms late ({percent} %)"),
            Wrong::Refuse => write!(f, "connections from and to {peer} are refused ({percent} %)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Chaos, Fate};
    use placement::NodeId;
    use std::time::Duration;
    use wire::command::local::{Disorder, Wrong};

    fn disorder(wrong: Wrong, for_ms: u64) -> Disorder {
        Disorder { wrong, peer: None, percent: 100, for_ms }
    }

    #[test]
    fn it_is_done_with_whom_it_was_told_for_and_ends() {
        let (a, b) = (NodeId(1), NodeId(2));
        let chaos = Chaos::default();
        assert_eq!((chaos.fate(a), chaos.loses(a), chaos.refuses(a)), (Fate::Passes, false, false));
        chaos.begin(disorder(Wrong::Drop, 1_000), Some(a), 0);
        chaos.begin(disorder(Wrong::Delay { by_ms: 7 }, 3_000), None, 0);
        assert_eq!((chaos.fate(a), chaos.fate(b)), (Fate::Lost, Fate::Late(Duration::from_millis(7))));
        assert!(chaos.loses(a) && !chaos.loses(b) && !chaos.says_error());
        chaos.expire(999);
        assert_eq!(chaos.lines(999).len(), 2);
        chaos.expire(1_000);
        assert_eq!(chaos.lines(1_000), ["messages to every member leave 7 ms late (100 %), for 2 s more"]);
        assert_eq!(chaos.fate(a), Fate::Late(Duration::from_millis(7)));
        chaos.end();
        assert_eq!(chaos.fate(a), Fate::Passes);
    }

    #[test]
    fn the_same_again_takes_the_place_of_the_first() {
        let chaos = Chaos::default();
        chaos.begin(disorder(Wrong::Delay { by_ms: 7 }, 1_000), None, 0);
        chaos.begin(disorder(Wrong::Delay { by_ms: 9 }, 1_000), None, 0);
        assert_eq!(chaos.lines(0).len(), 1);
        assert_eq!(chaos.fate(NodeId(1)), Fate::Late(Duration::from_millis(9)));
    }

    #[test]
    fn half_of_the_times_is_neither_never_nor_always() {
        let chaos = Chaos::default();
        chaos.begin(Disorder { percent: 50, ..disorder(Wrong::Health, 1_000) }, None, 0);
        let errors = (0..1_000).filter(|_| chaos.says_error()).count();
        assert!((300..700).contains(&errors), "{errors} of 1000");
    }
}
