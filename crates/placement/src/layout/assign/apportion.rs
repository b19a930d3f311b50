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
