//! Which owner comes first.
//!
//! Each node is home to its part of the partitions that it owns, to the rounding of one. Homes change along
//! chains, as places do, but only among a partition's owners, so no data moves.
//!
//! Invariants:
//! 1. Owners stay the same; only their order changes.
//! 2. A home that need not change does not.

use std::collections::VecDeque;

use super::Seat;
use super::apportion::{Claim, apportion};
use crate::member::Member;

/// Puts the home of each partition first.
///
/// Best effort: a node for which no chain is left stays one or a few homes short, which costs speed and not
/// safety.
pub(super) fn settle(owners: &mut [Seat], members: &[Member], replicas: usize) {
    let mut partitions_of = vec![Vec::new(); members.len()];
    for (place, &seat) in owners.iter().enumerate() {
        partitions_of[usize::from(seat)].push(place / replicas * replicas);
    }
    let claims = members.iter().zip(&partitions_of).map(|(member, partitions)| Claim {
        weight: u64::from(member.weight),
        low: partitions.len() / replicas,
        high: partitions.len().div_ceil(replicas),
    });
    let due = apportion(&claims.collect::<Vec<_>>(), owners.len() / replicas);
    let mut held = vec![0; members.len()];
    owners.iter().step_by(replicas).for_each(|&home| held[usize::from(home)] += 1);
    for node in 0..members.len() {
        while held[node] < due[node] {
            let Some(chain) = chain(node, owners, &partitions_of, |giver| held[giver] > due[giver]) else {
                break;
            };
            held[usize::from(owners[chain[0].start])] -= 1;
            held[node] += 1;
            for Link { start, taker } in chain {
                let at =
                    owners[start..start + replicas].iter().position(|&owner| usize::from(owner) == taker);
                owners.swap(start, start + at.expect("only owners become homes"));
            }
        }
    }
}

/// One link of a chain: `taker` becomes the home of the partition whose places begin at `start`.
#[derive(Clone, Copy)]
struct Link {
    start: usize,
    taker: usize,
}

/// The shortest chain that makes `needy` the home of one partition more, from a node that can give one.
fn chain(
    needy: usize,
    owners: &[Seat],
    partitions_of: &[Vec<usize>],
    can_give: impl Fn(usize) -> bool,
) -> Option<Vec<Link>> {
    let mut reached: Vec<Option<Link>> = vec![None; partitions_of.len()];
    let mut queue = VecDeque::from([needy]);
    while let Some(taker) = queue.pop_front() {
        for &start in &partitions_of[taker] {
            let giver = usize::from(owners[start]);
            if giver == taker || giver == needy || reached[giver].is_some() {
                continue;
            }
            let link = Link { start, taker };
            if can_give(giver) {
                return Some(std::iter::successors(Some(link), |link| reached[link.taker]).collect());
            }
            reached[giver] = Some(link);
            queue.push_back(giver);
        }
    }
    None
}
