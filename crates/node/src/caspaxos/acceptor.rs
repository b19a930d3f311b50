//! One voter: what it has promised and what it has accepted.
//!
//! Not which seat this is, and not whether it is stored: whoever keeps it answers no question to another seat, and lets an
//! answer out when what is here is durable.
//!
//! 1. What is promised never goes down.
//! 2. Nothing was accepted above what is promised.

use super::{Answer, Ballot, Question};

/// What one voter has promised and accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptor<V> {
    promised: Ballot,
    accepted: Option<(Ballot, V)>,
}

impl<V> Default for Acceptor<V> {
    fn default() -> Self {
        Self { promised: Ballot::default(), accepted: None }
    }
}

impl<V: Clone> Acceptor<V> {
    /// That of the one voter of a register that is begun with this value.
    #[must_use]
    pub fn founding(first: V) -> Self {
        Self { promised: Ballot::default(), accepted: Some((Ballot::default(), first)) }
    }

    /// One that was stored.
    ///
    /// Nothing where it cannot have been: where something was accepted above what is promised.
    #[must_use]
    pub fn restored(promised: Ballot, accepted: Option<(Ballot, V)>) -> Option<Self> {
        let is_above = accepted.as_ref().is_some_and(|(ballot, _)| *ballot > promised);
        if is_above { None } else { Some(Self { promised, accepted }) }
    }

    /// The ballot below which it answers nobody.
    #[must_use]
    pub fn promised(&self) -> Ballot {
        self.promised
    }

    /// What it has accepted last, and at which ballot.
    #[must_use]
    pub fn accepted(&self) -> Option<&(Ballot, V)> {
        self.accepted.as_ref()
    }

    /// Answers a question. The same question again is answered the same.
    pub fn answer(&mut self, ballot: Ballot, question: Question<V>) -> Answer<V> {
        if ballot < self.promised {
            return Answer::Outbid(self.promised);
        }
        self.promised = ballot;
        match question {
            Question::Prepare => Answer::Promised(self.accepted.clone()),
            Question::Accept(value) => {
                self.accepted = Some((ballot, value));
                Answer::Accepted
            }
        }
    }
}
