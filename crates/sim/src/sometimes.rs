//! What a run must have seen sometimes: states that are rare, and where the bugs are. A storm that never reaches one says
//! nothing about it, however many seeds find no fault.
//!
//! Left out is what the small values of the simulator cannot reach: cells of an exchange that take more than one answer.
//!
//! Not what must always hold (`check`), and not how a state is told (`watch`): this is the list, with counts.
//!
//! 1. Everything of [`LIST`] is counted from the start, so that what was never reached is shown too.

use std::collections::BTreeMap;
use std::ops::AddAssign;

/// A state that a run reaches sometimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "`LIST` says it of each")]
pub enum Rare {
    Unknown,
    NoQuorum,
    ClockAhead,
    DiskFull,
    Storage,
    Busy,
    SiblingsShown,
    ForeignToken,
    ConditionFailed,
    Outranked,
    RankAsked,
    ShownBefore,
    ShownForgotten,
    SentAgain,
    OwnerRefuses,
    OwnerLearns,
    StampRefused,
    Unreadable,
    RepairedByOperations,
    RepairedByCell,
    BroughtAlong,
    Early,
    Sweep,
    AskedAgain,
    CameTwice,
    RoundSuspected,
    LearnerPassesOn,
    ExchangeOpened,
    ExchangeResumed,
    ExchangeFinished,
    ExchangeAbandoned,
    SnapshotGone,
    SumsNotReady,
    TakenFromEachOther,
    Deferred,
    MendedMeanwhile,
    Forgotten,
    Renewed,
    Damaged,
    Suspect,
    Down,
    Silent,
    Denied,
    OthersProbed,
    Bridged,
    Flapped,
    Paused,
    QuorumAlone,
    Changed,
    ChangeUnknown,
    ChangedMeanwhile,
    Replaced,
    StaleAsked,
    CutOff,
    CrossedOnce,
    CountsLocally,
}

/// Every such state, and what it is.
pub const LIST: [(Rare, &str); 56] = [
    (Rare::Unknown, "a client was told UNKNOWN"),
    (Rare::NoQuorum, "... NOQUORUM"),
    (Rare::ClockAhead, "... CLOCKAHEAD"),
    (Rare::DiskFull, "... DISKFULL"),
    (Rare::Storage, "... STORAGE"),
    (Rare::Busy, "... BUSY"),
    (Rare::SiblingsShown, "a client was shown two values of a key"),
    (Rare::ForeignToken, "a token of another key was refused"),
    (Rare::ConditionFailed, "a conditional write found its condition false"),
    (Rare::Outranked, "a write was outranked, and what ranks above it removed"),
    (Rare::RankAsked, "owners were asked whether a write was shown"),
    (Rare::ShownBefore, "... and it was"),
    (Rare::ShownForgotten, "... and it is not remembered"),
    (Rare::SentAgain, "an operation was sent to an owner again"),
    (Rare::OwnerRefuses, "an owner refused an operation"),
    (Rare::OwnerLearns, "an owner that has lost something took one, and did not count"),
    (Rare::StampRefused, "an owner refused one for its stamp"),
    (Rare::Unreadable, "an owner could not read what it was asked for"),
    (Rare::RepairedByOperations, "a read sent an owner the operations that it missed"),
    (Rare::RepairedByCell, "a read sent an owner a cell"),
    (Rare::BroughtAlong, "a delete or an increment brought an owner along that held what was gone"),
    (Rare::Early, "a removal came before what it removes"),
    (Rare::Sweep, "a flush was sent to an owner"),
    (Rare::AskedAgain, "a request was passed on, and again for want of an answer"),
    (Rare::CameTwice, "a request that was passed on came twice"),
    (Rare::RoundSuspected, "a request went round an owner that is suspected"),
    (Rare::LearnerPassesOn, "an owner that has lost something passed a request on"),
    (Rare::ExchangeOpened, "an exchange was opened"),
    (Rare::ExchangeResumed, "... went on after a question was asked again"),
    (Rare::ExchangeFinished, "... was finished"),
    (Rare::ExchangeAbandoned, "... was given up"),
    (Rare::SnapshotGone, "... found its snapshot gone"),
    (Rare::SumsNotReady, "... was to wait until sums were read"),
    (Rare::TakenFromEachOther, "two owners took from each other"),
    (Rare::Deferred, "an operation waited for an exchange that brings it"),
    (Rare::MendedMeanwhile, "a cell was mended while operations waited for an exchange"),
    (Rare::Forgotten, "an owner was told that it has forgotten something"),
    (Rare::Renewed, "a store was begun anew because rows could not be dropped"),
    (Rare::Damaged, "a scrub found damage"),
    (Rare::Suspect, "a member was suspected"),
    (Rare::Down, "... taken for down"),
    (Rare::Silent, "... not heard, although others hear it"),
    (Rare::Denied, "... denied it"),
    (Rare::OthersProbed, "... probed through others"),
    (Rare::Bridged, "two groups saw each other through one node alone"),
    (Rare::Flapped, "a node came and went several times in a row"),
    (Rare::Paused, "a machine stood still"),
    (Rare::QuorumAlone, "a quorum alone was healed, and served"),
    (Rare::Changed, "the layout was changed"),
    (Rare::ChangeUnknown, "somebody was told that it may have been"),
    (Rare::ChangedMeanwhile, "... that somebody else had changed it"),
    (Rare::Replaced, "a member that stayed down was removed, and nobody had asked for it"),
    (Rare::StaleAsked, "somebody wrote at a node that went by a layout of before"),
    (Rare::CutOff, "a datacenter was cut off"),
    (Rare::CrossedOnce, "a write crossed to another datacenter once"),
    (Rare::CountsLocally, "an owner knew enough for its datacenter, and not for the other"),
];

/// How often each was reached.
#[derive(Clone, Debug)]
pub struct Sometimes(BTreeMap<Rare, u64>);

impl Default for Sometimes {
    fn default() -> Self {
        Self(LIST.iter().map(|(rare, _)| (*rare, 0)).collect())
    }
}

impl Sometimes {
    /// It was reached.
    pub fn see(&mut self, rare: Rare) {
        self.see_times(rare, 1);
    }

    /// It was reached so often.
    pub fn see_times(&mut self, rare: Rare, times: u64) {
        *self.0.entry(rare).or_default() += times;
    }

    /// What was reached, how often, and in words, in the order of the list.
    pub fn counts(&self) -> impl Iterator<Item = (u64, &'static str)> {
        LIST.iter().map(|(rare, words)| (self.0.get(rare).copied().unwrap_or_default(), *words))
    }

    /// How much of the list was never reached.
    pub fn missed(&self) -> usize {
        self.counts().filter(|(count, _)| *count == 0).count()
    }
}

impl AddAssign<&Sometimes> for Sometimes {
    fn add_assign(&mut self, other: &Sometimes) {
        for (rare, times) in &other.0 {
            self.see_times(*rare, *times);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LIST, Rare, Sometimes};

    #[test]
    fn all_are_listed_once() {
        let mut rares: Vec<Rare> = LIST.iter().map(|(rare, _)| *rare).collect();
        rares.sort();
        rares.dedup();
        assert_eq!(rares.len(), LIST.len());
    }

    #[test]
    fn what_was_never_reached_is_told() {
        let (mut all, mut one) = (Sometimes::default(), Sometimes::default());
        one.see(Rare::Unknown);
        all += &one;
        all += &one;
        assert_eq!(all.counts().next(), Some((2, "a client was told UNKNOWN")));
        assert_eq!(all.missed(), LIST.len() - 1);
    }
}
