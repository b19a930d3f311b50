//! Work that waits for peers, and when to look at it again.
//!
//! Every piece of work is looked at once each retry interval: those that did not answer are asked again, and
//! what is past its deadline ends. One interval for all keeps the queue of visits in order by itself.

use crate::work::Work;
use std::collections::{BTreeMap, VecDeque};
use wire::peer::Ticket;

/// All work that waits, by its ticket.
#[derive(Debug)]
pub(crate) struct Pending {
    next: u64,
    works: BTreeMap<Ticket, Work>,
    visits: VecDeque<(u64, Ticket)>,
}

impl Pending {
    /// No work. Tickets count from `first`, which must not be that of an earlier start of this node.
    pub(crate) fn new(first: u64) -> Self {
        Self { next: first, works: BTreeMap::new(), visits: VecDeque::new() }
    }

    /// A ticket that was never given out.
    pub(crate) fn ticket(&mut self) -> Ticket {
        self.next = self.next.wrapping_add(1);
        Ticket(self.next)
    }

    /// Keeps new work, to be looked at when `visit_at` comes.
    pub(crate) fn insert(&mut self, ticket: Ticket, work: Work, visit_at: u64) {
        self.works.insert(ticket, work);
        self.visits.push_back((visit_at, ticket));
    }

    /// Puts work back that was taken out and still waits.
    pub(crate) fn put_back(&mut self, ticket: Ticket, work: Work) {
        self.works.insert(ticket, work);
    }

    /// Looks at work again when `visit_at` comes.
    pub(crate) fn visit_again(&mut self, ticket: Ticket, visit_at: u64) {
        self.visits.push_back((visit_at, ticket));
    }

    /// Takes work out; nothing where it is done.
    pub(crate) fn take(&mut self, ticket: Ticket) -> Option<Work> {
        self.works.remove(&ticket)
    }

    /// The next ticket whose time has come.
    pub(crate) fn due(&mut self, now: u64) -> Option<Ticket> {
        while let Some(&(at, ticket)) = self.visits.front() {
            if at > now && self.works.contains_key(&ticket) {
                return None;
            }
            self.visits.pop_front();
            if self.works.contains_key(&ticket) {
                return Some(ticket);
            }
        }
        None
    }

    /// When the next visit is due.
    pub(crate) fn next_visit(&self) -> Option<u64> {
        self.visits.front().map(|&(at, _)| at)
    }

    /// Every ticket with work, oldest first as far as tickets have not wrapped.
    pub(crate) fn tickets(&self) -> Vec<Ticket> {
        self.works.keys().copied().collect()
    }

    /// How much work waits.
    pub(crate) fn len(&self) -> usize {
        self.works.len()
    }
}
