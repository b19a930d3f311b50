//! How many places each gets: d'Hondt's method with a floor and a ceiling for each.
//!
//! Invariants:
//! 1. The shares add up to the total, and each is within its floor and ceiling.
//! 2. Between two that are within their bounds, giving one place of the one to the other would make the
//!    busier of both no less busy.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::spread::{Bounds, Spread};
use crate::member::Member;

/// Who takes part in a division.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) weight: u64,
    pub(super) low: usize,
    pub(super) high: usize,
}

/// How many places each member is due, of all `partitions` times N.
pub(super) fn places_due(members: &[Member], spread: &Spread, partitions: usize) -> Vec<usize> {
    let node_weight = |&node: &usize| u64::from(members[node].weight);
    let zone_weight = |&zone: &usize| -> u64 { spread.zones[zone].nodes.iter().map(node_weight).sum() };
    let claim = |weight, bounds: Bounds| Claim {
        weight,
        low: bounds.low * partitions,
        high: bounds.high * partitions,
    };
    let centers: Vec<_> = spread
        .centers
        .iter()
        .map(|center| claim(center.zones.iter().map(zone_weight).sum(), center.bounds))
        .collect();
    let mut due = vec![0; members.len()];
    let center_dues = apportion(&centers, spread.replicas * partitions);
    for (center, center_due) in spread.centers.iter().zip(center_dues) {
        let zones: Vec<_> =
            center.zones.iter().map(|zone| claim(zone_weight(zone), spread.zones[*zone].bounds)).collect();
        for (&zone, zone_due) in center.zones.iter().zip(apportion(&zones, center_due)) {
            let nodes = &spread.zones[zone].nodes;
            let any = Bounds { low: 0, high: 1 };
            let claims: Vec<_> = nodes.iter().map(|node| claim(node_weight(node), any)).collect();
            for (&node, node_due) in nodes.iter().zip(apportion(&claims, zone_due)) {
                due[node] = node_due;
            }
        }
    }
    due
}

/// Divides `total` over claims by weight; an earlier claim wins a tie.
pub(super) fn apportion(claims: &[Claim], total: usize) -> Vec<usize> {
    let mut shares: Vec<usize> = claims.iter().map(|claim| claim.low).collect();
    let next = |at: usize, share: usize| {
        (share < claims[at].high)
            .then(|| Reverse(Load { places: share as u64 + 1, weight: claims[at].weight, at }))
    };
    let mut heap: BinaryHeap<_> =
        shares.iter().enumerate().filter_map(|(at, &share)| next(at, share)).collect();
    let given: usize = shares.iter().sum();
    assert!(given <= total, "the floors are no more than the total");
    for _ in given..total {
        let Reverse(Load { at, .. }) = heap.pop().expect("the ceilings are no less than the total");
        shares[at] += 1;
        heap.extend(next(at, shares[at]));
    }
    shares
}

/// What a claim would carry with one place more, ordered by places per weight.
#[derive(PartialEq, Eq)]
struct Load {
    places: u64,
    weight: u64,
    at: usize,
}

impl Ord for Load {
    fn cmp(&self, other: &Load) -> Ordering {
        let (mine, theirs) = (self.places * other.weight, other.places * self.weight);
        mine.cmp(&theirs).then(self.at.cmp(&other.at))
    }
}

impl PartialOrd for Load {
    fn partial_cmp(&self, other: &Load) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::{Claim, apportion};
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    fn free(weights: &[u64]) -> Vec<Claim> {
        weights.iter().map(|&weight| Claim { weight, low: 0, high: 1000 }).collect()
    }

    #[test]
    fn seats_are_divided_as_in_the_textbook() {
        // The usual example of d'Hondt's method: 8 seats for 100, 80, 30 and 20 thousand votes.
        assert_eq!(apportion(&free(&[100, 80, 30, 20]), 8), [4, 3, 1, 0]);
        assert_eq!(apportion(&free(&[1, 1, 1]), 4), [2, 1, 1], "an earlier claim wins a tie");
    }

    #[test]
    fn floors_and_ceilings_hold() {
        let claims =
            [(100, 0, 2), (1, 3, 9), (1, 0, 9)].map(|(weight, low, high)| Claim { weight, low, high });
        assert_eq!(apportion(&claims, 5), [2, 3, 0]);
        assert_eq!(apportion(&claims, 9), [2, 4, 3]);
    }

    proptest! {
        #[test]
        fn no_place_is_better_elsewhere(weights in proptest::collection::vec(1..50u64, 1..8), total in 0..300usize) {
            let shares = apportion(&free(&weights), total);
            prop_assert_eq!(shares.iter().sum::<usize>(), total);
            for (i, j) in (0..weights.len()).flat_map(|i| (0..weights.len()).map(move |j| (i, j))) {
                let (mine, theirs) = (shares[i] as u64 * weights[j], (shares[j] as u64 + 1) * weights[i]);
                prop_assert!(mine <= theirs, "{i} holds {} and {j} {}", shares[i], shares[j]);
            }
        }

        #[test]
        fn who_joins_takes_and_nobody_else_gains(
            mut weights in proptest::collection::vec(1..50u64, 2..8), total in 0..300usize,
        ) {
            let with = apportion(&free(&weights), total);
            weights.pop();
            let without = apportion(&free(&weights), total);
            prop_assert!(without.iter().zip(&with).all(|(before, after)| after <= before));
        }
    }
}
