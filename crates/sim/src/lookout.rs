//! Whether members find out how the others are: who is gone is suspected by all.
//!
//! It knows who was gone and who was told to be, and nothing of how nodes come to it.
//!
//! 1. A machine that was down, or cut off from and to all others, for as long as each of them takes to ask all, was
//!    suspected by each that ran all that time.

use std::collections::BTreeMap;

/// What was seen of whom, in microseconds of virtual time. A pair is whoever looks, and the one that is looked at.
#[derive(Debug, Default)]
pub(crate) struct Lookout {
    /// Since when a machine is gone.
    gone: BTreeMap<usize, u64>,
    /// Since when a machine runs, and since when it has not stood still.
    runs: BTreeMap<usize, u64>,
    awake: BTreeMap<usize, u64>,
    /// When one last took another for gone, and for alive.
    suspected: BTreeMap<(usize, usize), u64>,
    trusted: BTreeMap<(usize, usize), u64>,
    /// The latest incarnation of one of which another was told that it is alive, since that was started, and when.
    told: BTreeMap<(usize, usize), (u64, u64)>,
    /// When something last came from one to another.
    heard: BTreeMap<(usize, usize), u64>,
    /// How often somebody had to notice that another was gone.
    pub noticed: u64,
}

/// How a machine is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    /// Whether a node runs on it.
    pub runs: bool,
    /// Whether it does not stand still.
    pub is_awake: bool,
    /// Whether nothing comes from it and nothing comes to it.
    pub is_gone: bool,
}

impl Lookout {
    /// A node has changed its mind about another.
    pub(crate) fn sighted(&mut self, now: u64, at: usize, of: usize, is_alive: bool) {
        let seen = if is_alive { &mut self.trusted } else { &mut self.suspected };
        seen.insert((at, of), now);
    }

    /// Something came to one from another, however late.
    pub(crate) fn heard(&mut self, now: u64, at: usize, of: usize) {
        self.heard.insert((at, of), now);
    }

    /// One was told that another is alive. An incarnation that it may not have known yet is news, however old, and has the other
    /// trusted for some time longer.
    pub(crate) fn told(&mut self, now: u64, at: usize, of: usize, incarnation: u64) {
        let told = self.told.entry((at, of)).or_default();
        if incarnation > told.0 {
            *told = (incarnation, now);
        }
    }

    /// Something has changed: whoever is back from being gone for longer than `span` was suspected. Says who was not.
    pub(crate) fn look(&mut self, now: u64, span: u64, states: &[State]) -> Vec<String> {
        let mut wrongs = Vec::new();
        for (of, state) in states.iter().enumerate() {
            match self.gone.get(&of).copied() {
                None if state.is_gone => drop(self.gone.insert(of, now)),
                Some(since) if !state.is_gone => {
                    self.gone.remove(&of);
                    wrongs.extend((0..states.len()).filter_map(|at| self.missed(now, span, at, of, since)));
                }
                _ => {}
            }
        }
        for (at, state) in states.iter().enumerate() {
            let is_awake = state.runs && state.is_awake;
            if !state.runs {
                self.told.retain(|(told, _), _| *told != at);
            }
            for (since, is_so) in [(&mut self.runs, state.runs), (&mut self.awake, is_awake)] {
                if is_so {
                    since.entry(at).or_insert(now);
                } else {
                    since.remove(&at);
                }
            }
        }
        wrongs
    }

    /// What is to be said of somebody who should have noticed that `of` was gone, and has not.
    fn missed(&mut self, now: u64, span: u64, at: usize, of: usize, since: u64) -> Option<String> {
        let runs = self.runs.get(&at).copied().filter(|_| at != of)?;
        let awake = self.awake.get(&at).copied()?;
        // An old word that comes late may have it trusted once more, or for some time longer; also one that another has heard,
        // and passes on.
        let trusted = self.trusted.get(&(at, of)).copied().unwrap_or(0);
        let heard = self.heard.iter().filter(|((_, said_by), _)| *said_by == of).map(|(_, when)| *when).max();
        let told = self.told.get(&(at, of)).map_or(0, |(_, when)| *when);
        let from = since.max(awake).max(trusted).max(told).max(heard.unwrap_or(0));
        if now - from < span {
            return None;
        }
        self.noticed += 1;
        let suspected = self.suspected.get(&(at, of)).copied();
        let is_missed = suspected.is_none_or(|when| when < runs.max(trusted));
        is_missed
            .then(|| format!("node {of} was gone for {} ms, and {at} has not noticed", (now - from) / 1000))
    }
}

#[cfg(test)]
mod tests {
    use super::{Lookout, State};

    #[test]
    fn who_does_not_notice_is_told_of() {
        let here = State { runs: true, is_awake: true, is_gone: false };
        let gone = State { runs: true, is_awake: true, is_gone: true };
        let mut lookout = Lookout::default();
        assert!(lookout.look(0, 10, &[here, here, here]).is_empty());
        assert!(lookout.look(100, 10, &[here, here, gone]).is_empty());
        lookout.sighted(105, 0, 2, false);
        assert_eq!(lookout.look(120, 10, &[here; 3]).len(), 1, "the second has not");
        lookout.sighted(121, 0, 2, true);
        lookout.look(200, 10, &[here, here, gone]);
        assert!(lookout.look(209, 10, &[here; 3]).is_empty(), "too short for anybody to notice");
        assert_eq!(lookout.noticed, 2);
        lookout.sighted(209, 0, 2, false);
        let asleep = State { runs: true, is_awake: false, is_gone: false };
        lookout.look(210, 10, &[here, here, gone]);
        lookout.sighted(215, 0, 2, false);
        lookout.look(220, 10, &[asleep, here, gone]);
        lookout.look(230, 10, &[here, here, gone]);
        assert_eq!(
            lookout.look(250, 10, &[here; 3]).len(),
            1,
            "who slept has noticed before, the other never"
        );
        lookout.look(300, 10, &[here, here, gone]);
        lookout.sighted(305, 0, 2, false);
        lookout.told(308, 1, 2, 7);
        lookout.told(315, 1, 2, 7);
        assert!(lookout.look(317, 10, &[here; 3]).is_empty(), "it was told of one that it did not know");
        lookout.look(400, 10, &[here, here, gone]);
        lookout.sighted(405, 0, 2, false);
        lookout.told(408, 1, 2, 7);
        assert_eq!(lookout.look(417, 10, &[here; 3]).len(), 1, "that it knew");
    }
}
