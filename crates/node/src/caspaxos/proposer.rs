//! One attempt to change the register, from its first question to its outcome.
//!
//! Not a second attempt: one that was outbid is over, and the next has a ballot of its own.
//!
//! 1. A value is proposed once at a ballot.
//! 2. What is proposed was made from what was accepted at the highest ballot among promises of a majority of the voters that it names.
//! 3. It is committed when a majority of the voters that it names has accepted it.

use super::{Answer, Ballot, Question, Value};
use placement::Seat;
use std::collections::BTreeSet;

/// What is to be made of a value.
pub trait Change<V> {
    /// Why it cannot be made of it.
    type Refusal;

    /// The next value: one version more.
    ///
    /// # Errors
    /// Where it cannot be made of this value. Nothing is changed then, and that is committed.
    fn make(&self, of: &V) -> Result<V, Self::Refusal>;
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<V, R> {
    /// The change was made, and this is what the register holds.
    Made(V),
    /// It was not: the register holds this, of which it cannot be made.
    Refused(V, R),
    /// Nothing was made yet of this value, which is committed. It names two sets of voters, so whoever changes it must know
    /// that first: the next attempt does.
    Found(V),
    /// Somebody else is at work, at this ballot. If anything was proposed here, it may still be committed.
    Outbid(Ballot),
}

/// One attempt.
#[derive(Clone, Debug)]
pub struct Proposer<V, C: Change<V>> {
    ballot: Ballot,
    /// Committed, as far as this proposer knows the newest that is.
    known: V,
    change: C,
    promised: BTreeSet<Seat>,
    /// What was accepted at the highest ballot, of what was promised so far.
    found: Option<(Ballot, V)>,
    proposal: Option<Proposal<V, C::Refusal>>,
}

/// What is proposed.
#[derive(Clone, Debug)]
struct Proposal<V, R> {
    value: V,
    made: Made<R>,
    accepted: BTreeSet<Seat>,
}

/// How a proposal was made of what was found.
#[derive(Clone, Debug)]
enum Made<R> {
    Changed,
    Refused(R),
    Kept,
}

impl<V: Value, C: Change<V>> Proposer<V, C>
where
    C::Refusal: Clone,
{
    /// An attempt at a ballot that nobody else uses, by somebody who knows that a value was committed.
    pub fn new(known: V, ballot: Ballot, change: C) -> Self {
        Self { ballot, known, change, promised: BTreeSet::new(), found: None, proposal: None }
    }

    /// At which ballot.
    pub fn ballot(&self) -> Ballot {
        self.ballot
    }

    /// What is to be changed.
    pub fn change(&self) -> &C {
        &self.change
    }

    /// Whether anything was proposed.
    pub fn has_proposed(&self) -> bool {
        self.proposal.is_some()
    }

    /// Whether the change itself was proposed, and not what there was before.
    pub fn has_proposed_change(&self) -> bool {
        self.proposal.as_ref().is_some_and(|proposal| matches!(proposal.made, Made::Changed))
    }

    /// Who has not answered yet, and what they are asked. To ask again does no harm.
    pub fn questions(&self) -> (BTreeSet<Seat>, Question<V>) {
        match &self.proposal {
            None => {
                let voters = self.base().voters().seats().chain(self.known.voters().seats());
                (&voters.collect() - &self.promised, Question::Prepare)
            }
            Some(Proposal { value, accepted, .. }) => {
                (&value.voters().seats().collect() - accepted, Question::Accept(value.clone()))
            }
        }
    }

    /// What a voter has answered at this attempt's ballot. Gives the outcome once there is one; until then, whoever is in
    /// [`Self::questions`] and was not asked is to be.
    pub fn hear(&mut self, seat: Seat, answer: Answer<V>) -> Option<Outcome<V, C::Refusal>> {
        match (answer, &mut self.proposal) {
            (Answer::Outbid(ballot), _) if ballot > self.ballot => Some(Outcome::Outbid(ballot)),
            (Answer::Promised(accepted), None) => {
                self.promised.insert(seat);
                let found = self.found.as_ref().map(|(ballot, _)| *ballot);
                // What is older than what is known to be committed was given up (a recovery): it comes of no majority any more.
                if let Some((ballot, value)) = accepted
                    && value.version() >= self.known.version()
                    && found.is_none_or(|found| found < ballot)
                {
                    self.found = Some((ballot, value));
                }
                self.propose();
                None
            }
            (Answer::Accepted, Some(proposal)) => {
                proposal.accepted.insert(seat);
                self.outcome()
            }
            // Of the first half, and too late; or never asked for.
            _ => None,
        }
    }

    /// What the next value is made of, as far as is known yet.
    fn base(&self) -> &V {
        self.found.as_ref().map_or(&self.known, |(_, value)| value)
    }

    fn propose(&mut self) {
        let base = self.base();
        if !base.voters().agree(&self.promised) {
            return;
        }
        debug_assert!(
            base.version() >= self.known.version(),
            "a majority shows what was committed, or what came after"
        );
        let (value, made) = if base.voters().are_joint() && base.version() > self.known.version() {
            (base.clone(), Made::Kept)
        } else {
            match self.change.make(base) {
                Ok(next) => (next, Made::Changed),
                Err(refusal) => (base.clone(), Made::Refused(refusal)),
            }
        };
        debug_assert!(base.voters().may_become(value.voters()), "voters are replaced in two changes");
        self.proposal = Some(Proposal { value, made, accepted: BTreeSet::new() });
    }

    fn outcome(&self) -> Option<Outcome<V, C::Refusal>> {
        let Proposal { value, made, accepted } = self.proposal.as_ref()?;
        value.voters().agree(accepted).then(|| match made {
            Made::Changed => Outcome::Made(value.clone()),
            Made::Refused(refusal) => Outcome::Refused(value.clone(), refusal.clone()),
            Made::Kept => Outcome::Found(value.clone()),
        })
    }
}
