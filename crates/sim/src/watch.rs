//! A bystander who tells by what nodes say and answer which states a run has reached (`sometimes`).
//!
//! It sees what goes over the wire, what clients are told, and the figures that a node publishes; nothing that a node
//! does not show. So it tells fewer of some states than there were, and never one that was not.

use crate::history::{Ask, Operation, Told};
use crate::sometimes::{Rare, Sometimes};
use causal::map::Knowledge;
use node::{Sighting, SyncFigures};
use placement::PartitionId;
use std::collections::{BTreeMap, BTreeSet};
use wire::peer::exchange::Step;
use wire::peer::gossip::{Gossip, Health, Word};
use wire::peer::quorum::Counts;
use wire::peer::{Envelope, Message, Shown, Ticket, Verdict};
use wire::{Fault, Reply};

/// Two that ask each other within this time take from each other at once, in microseconds.
const AT_ONCE_US: u64 = 50_000;

/// What the bystander remembers.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub seen: Sometimes,
    /// Questions and requests that were sent, by sender and ticket, and the last question of each.
    asked: BTreeMap<(usize, Ticket), Step>,
    passed: BTreeSet<(usize, Ticket)>,
    came: BTreeSet<(usize, Ticket)>,
    applied: BTreeSet<(usize, usize, Ticket)>,
    repeated: BTreeSet<(usize, Ticket)>,
    /// When one last took from another.
    taking: BTreeMap<(PartitionId, usize, usize), u64>,
    suspected: BTreeSet<(usize, usize)>,
}

impl Watch {
    /// A client was told something.
    pub(crate) fn told(&mut self, operation: &Operation, reply: &Reply) {
        if let Reply::Error(fault) = reply {
            self.refused(operation, fault);
        }
        match &operation.told {
            Some((_, Told::Values(values))) if values.len() > 1 => self.seen.see(Rare::SiblingsShown),
            Some((_, Told::NotDone)) => self.seen.see(Rare::ConditionFailed),
            _ => {}
        }
    }

    fn refused(&mut self, operation: &Operation, fault: &Fault) {
        let is_foreign = matches!(&operation.ask, Ask::Resolve(_, token) if token.of != operation.key);
        let rare = match fault.code() {
            "UNKNOWN" => Rare::Unknown,
            "NOQUORUM" => Rare::NoQuorum,
            "CLOCKAHEAD" => Rare::ClockAhead,
            "DISKFULL" => Rare::DiskFull,
            "STORAGE" => Rare::Storage,
            "BUSY" => Rare::Busy,
            "ERR" if is_foreign => Rare::ForeignToken,
            _ => return,
        };
        self.seen.see(rare);
    }

    /// A node sends another something.
    pub(crate) fn sent(&mut self, now: u64, (from, to): (usize, usize), envelope: &Envelope) {
        match &envelope.message {
            Message::Apply { ticket, deltas, asker, passes_on, .. } => {
                self.see_if(*passes_on, Rare::CrossedOnce);
                self.see_if(deltas.len() > 1 && asker.is_none(), Rare::Outranked);
                self.see_if(deltas.len() > 1 && asker.is_some(), Rare::RepairedByOperations);
                self.see_if(deltas.iter().any(|delta| delta.sweep.is_some()), Rare::Sweep);
                let is_again = !self.applied.insert((from, to, *ticket));
                self.see_if(is_again, Rare::SentAgain);
            }
            Message::Mend { deltas, .. } => {
                let rare = if deltas.is_empty() { Rare::RepairedByCell } else { Rare::BroughtAlong };
                self.seen.see(rare);
            }
            Message::Applied { verdict, .. } => self.verdict(verdict),
            Message::Fetch { ranks, .. } => self.see_if(ranks.is_some(), Rare::RankAsked),
            Message::Fetched { report, shown, .. } => {
                report.iter().for_each(|report| self.known(&report.found.knowledge));
                self.see_if(matches!(shown, Shown::Yes(_)), Rare::ShownBefore);
                self.see_if(*shown == Shown::Forgotten, Rare::ShownForgotten);
            }
            Message::Unreadable { .. } => self.seen.see(Rare::Unreadable),
            Message::Ask { ticket, .. } => {
                let is_again = !self.passed.insert((from, *ticket));
                self.see_if(is_again, Rare::AskedAgain);
            }
            Message::Exchange { ticket, step } => {
                self.step(now, (from, to), envelope.partition, *ticket, step);
            }
            Message::Gossip(Gossip { word: Word::ProbeFor { .. }, .. }) => {
                self.seen.see(Rare::OthersProbed);
            }
            _ => {}
        }
    }

    pub(crate) fn see_if(&mut self, is_so: bool, rare: Rare) {
        if is_so {
            self.seen.see(rare);
        }
    }

    fn known(&mut self, knowledge: &Knowledge) {
        self.see_if(!knowledge.early.is_empty(), Rare::Early);
    }

    fn verdict(&mut self, verdict: &Verdict) {
        let rare = match verdict {
            Verdict::Held { .. } => return,
            Verdict::StampAhead { .. } => Rare::StampRefused,
            Verdict::Refused => Rare::OwnerRefuses,
            Verdict::Learning => Rare::OwnerLearns,
        };
        self.seen.see(rare);
    }

    fn step(
        &mut self,
        now: u64,
        (from, to): (usize, usize),
        partition: PartitionId,
        ticket: Ticket,
        step: &Step,
    ) {
        match step {
            Step::Open(_) | Step::Descend { .. } | Step::Take { .. } => {
                self.see_if(
                    matches!(step, Step::Open(_)) && !self.asked.contains_key(&(from, ticket)),
                    Rare::ExchangeOpened,
                );
                let back = self.taking.get(&(partition, to, from)).copied();
                self.see_if(back.is_some_and(|at| now - at < AT_ONCE_US), Rare::TakenFromEachOther);
                self.taking.insert((partition, from, to), now);
                let last = self.asked.insert((from, ticket), step.clone());
                match last {
                    Some(last) if last == *step => drop(self.repeated.insert((from, ticket))),
                    Some(_) if self.repeated.remove(&(from, ticket)) => {
                        self.seen.see(Rare::ExchangeResumed);
                    }
                    _ => {}
                }
            }
            Step::Opened { knowledge, counts, .. } => {
                self.known(knowledge);
                self.see_if(*counts == Counts::Locally, Rare::CountsLocally);
            }
            Step::Differs(state) => self.see_if(state.counts == Counts::Locally, Rare::CountsLocally),
            Step::Forgotten(_) => self.seen.see(Rare::Forgotten),
            Step::Gone => self.seen.see(Rare::SnapshotGone),
            Step::Later => self.seen.see(Rare::SumsNotReady),
            _ => {}
        }
    }

    /// Something comes to a node.
    pub(crate) fn arrived(&mut self, from: usize, message: &Message) {
        if let Message::Ask { ticket, .. } = message {
            let is_again = !self.came.insert((from, *ticket));
            self.see_if(is_again, Rare::CameTwice);
        }
    }

    /// A node has passed a request on that it could have carried out: the first owner, if it is not whom it was passed
    /// to, and whether the one that passed it on has lost something.
    pub(crate) fn passed_on(&mut self, from: usize, round: Option<usize>, learns: bool) {
        self.see_if(round.is_some_and(|first| self.suspected.contains(&(from, first))), Rare::RoundSuspected);
        self.see_if(learns, Rare::LearnerPassesOn);
    }

    /// Operations wait for an exchange, so many more than before something came to a node.
    pub(crate) fn waits(&mut self, is_mend: bool, before: usize, now: usize) {
        self.see_if(now > before, Rare::Deferred);
        self.see_if(before > 0 && is_mend, Rare::MendedMeanwhile);
    }

    /// One has changed its mind about another.
    pub(crate) fn sighted(&mut self, at: usize, of: usize, sighting: &Sighting) {
        let was_suspected = if sighting.is_trusted() {
            self.suspected.remove(&(at, of))
        } else {
            !self.suspected.insert((at, of))
        };
        let rare = match sighting.health {
            Health::Alive if sighting.is_silent => Rare::Silent,
            Health::Alive if was_suspected => Rare::Denied,
            Health::Suspect => Rare::Suspect,
            Health::Down => Rare::Down,
            Health::Alive => return,
        };
        self.seen.see(rare);
    }

    /// A node ends, with these figures.
    pub(crate) fn ended(&mut self, figures: &SyncFigures) {
        self.seen.see_times(Rare::ExchangeFinished, figures.finished);
        self.seen.see_times(Rare::ExchangeAbandoned, figures.abandoned);
        self.seen.see_times(Rare::Damaged, figures.damaged);
    }
}
