//! What changes hands between two rings.
//!
//! Invariants:
//! 1. The arcs are disjoint, and outside of them every place has the same server in both rings.
//! 2. No two arcs that touch have the same `from` and the same `to`: they would be one.

use std::fmt;

use super::Ring;

/// An arc that changes hands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Move<S> {
    /// The first place of the arc.
    pub start: u64,
    /// The last place of the arc. It lies before `start` if the arc goes over the end of the ring to 0.
    pub end: u64,
    /// Who had it. None if the ring was empty.
    pub from: Option<S>,
    /// Who has it now. None if the ring is empty now.
    pub to: Option<S>,
}

impl<S: Ord + Clone + fmt::Display> Ring<S> {
    /// The arcs that change hands when this ring becomes `after`, in ring order.
    ///
    /// # Panics
    /// If the rings do not have the same number of places.
    #[must_use]
    pub fn moves_to(&self, after: &Ring<S>) -> Vec<Move<S>> {
        assert_eq!(self.last_place, after.last_place, "only rings of one size can be compared");
        let mut ends: Vec<u64> = self.tokens.iter().chain(&after.tokens).map(|token| token.place).collect();
        ends.sort_unstable();
        ends.dedup();
        let mut moves: Vec<Move<S>> = Vec::new();
        // Between two neighbouring tokens of either ring nobody else's arc begins, so one look is enough.
        let Some(mut start) = ends.last().map(|&last| self.next_place(last)) else { return moves };
        for end in ends {
            let (from, to) = (self.server_at(end).cloned(), after.server_at(end).cloned());
            if from != to {
                self.push(&mut moves, Move { start, end, from, to });
            }
            start = self.next_place(end);
        }
        self.join_ends(&mut moves);
        moves
    }

    fn push(&self, moves: &mut Vec<Move<S>>, next: Move<S>) {
        match moves.last_mut() {
            Some(last) if self.touches(last, &next) => last.end = next.end,
            _ => moves.push(next),
        }
    }

    /// The first and the last arc may be one that goes over the end.
    fn join_ends(&self, moves: &mut Vec<Move<S>>) {
        if let [first, .., last] = moves.as_mut_slice()
            && self.touches(last, first)
        {
            first.start = last.start;
            moves.pop();
        }
    }

    fn touches(&self, a: &Move<S>, b: &Move<S>) -> bool {
        self.next_place(a.end) == b.start && a.from == b.from && a.to == b.to
    }
}
