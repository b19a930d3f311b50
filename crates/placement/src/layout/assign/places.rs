//! The table of owner places, and how it is filled with little movement.
//!
//! Invariants:
//! 1. No node has two places in one partition.
//! 2. After [`Table::repair`], and after every chain, each partition's owners are without strain.
//! 3. After [`Table::fill`] every place has an owner and every node the number it is due.

use std::collections::VecDeque;
use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use super::Seat;
use super::spread::Spread;

/// N places for each partition, one partition after the other. None is a hole.
pub(super) struct Table {
    replicas: usize,
    places: Vec<Option<Seat>>,
}

/// One link of a chain: a node takes over a place.
#[derive(Clone, Copy)]
struct Link {
    place: usize,
    taker: Seat,
}

impl Table {
    /// A table with the places of the table before, and holes where it had none or N has grown.
    pub(super) fn new(before: &[Option<Seat>], partitions: usize, replicas: usize) -> Table {
        let mut places = Vec::with_capacity(partitions * replicas);
        for owners in before.chunks(before.len() / partitions) {
            places.extend((0..replicas).map(|slot| owners.get(slot).copied().flatten()));
        }
        Table { replicas, places }
    }

    /// Makes holes where a partition's owners can no longer stay together.
    pub(super) fn repair(&mut self, spread: &Spread, due: &[usize]) {
        let mut held = self.held(due.len());
        for start in (0..self.places.len()).step_by(self.replicas) {
            let partition = start..start + self.replicas;
            while spread.strain(&self.places[partition.clone()]) > 0 {
                // The one whose going helps most; among those, one that has too much anyway.
                let worst =
                    partition.clone().filter(|&place| self.places[place].is_some()).min_by_key(|&place| {
                        let seat = usize::from(self.places[place].expect("holes are left out"));
                        (self.strain_with(spread, place, None), due[seat] as i64 - held[seat] as i64)
                    });
                let worst = worst.expect("a partition of holes has no strain");
                let gone = self.places[worst].take().expect("holes are left out");
                held[usize::from(gone)] -= 1;
            }
        }
    }

    /// Gives every node the number of places it is due.
    pub(super) fn fill(&mut self, spread: &Spread, due: &[usize]) {
        let mut held = self.held(due.len());
        for node in 0..due.len() {
            let needy = Seat::try_from(node).expect("there are at most MEMBERS_MAX members");
            while held[node] < due[node] {
                let chain = self.chain(needy, spread, due, &held);
                let chain = chain.expect("a full table exists, so a chain leads towards it");
                if let Some(giver) = self.places[chain[0].place] {
                    held[usize::from(giver)] -= 1;
                }
                for link in chain {
                    self.places[link.place] = Some(link.taker);
                }
                held[node] += 1;
            }
        }
    }

    /// The owners, now that no hole is left.
    pub(super) fn into_owners(self) -> Vec<Seat> {
        self.places.into_iter().map(|place| place.expect("dues add up to the number of places")).collect()
    }

    /// The shortest chain that gives `needy` a place: its first link takes a hole or a place of a node with
    /// too many, its last link is `needy`'s.
    fn chain(&self, needy: Seat, spread: &Spread, due: &[usize], held: &[usize]) -> Option<Vec<Link>> {
        let mut reached: Vec<Option<Link>> = vec![None; due.len()];
        let mut queue = VecDeque::from([needy]);
        while let Some(taker) = queue.pop_front() {
            for partition in self.partitions(taker, held[usize::from(needy)]) {
                if self.places[partition.clone()].contains(&Some(taker)) {
                    continue;
                }
                for place in partition {
                    let giver = self.places[place].map(usize::from);
                    let known =
                        giver.is_some_and(|giver| giver == usize::from(needy) || reached[giver].is_some());
                    if known || self.strain_with(spread, place, Some(taker)) > 0 {
                        continue;
                    }
                    let link = Link { place, taker };
                    match giver {
                        Some(giver) if held[giver] <= due[giver] => {
                            reached[giver] = Some(link);
                            queue.push_back(Seat::try_from(giver).expect("it was a seat"));
                        }
                        _ => return Some(trace(link, &reached)),
                    }
                }
            }
        }
        None
    }

    /// All partitions once, in an order that looks random, so that a node's places come from many others.
    fn partitions(&self, taker: Seat, turn: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let (count, replicas) = (self.places.len() / self.replicas, self.replicas);
        let hash = xxh3_64(&(u64::from(taker) << 32 | turn as u64).to_le_bytes());
        let below_count = |number: u64| usize::try_from(number % count as u64).expect("the count is a usize");
        // The count is a power of two, so an odd stride meets every partition.
        let (start, stride) = (below_count(hash >> 32), below_count(hash) | 1);
        (0..count)
            .map(move |step| (start + step * stride) % count * replicas)
            .map(move |at| at..at + replicas)
    }

    /// The strain of a partition if one of its places had another owner.
    fn strain_with(&self, spread: &Spread, place: usize, owner: Option<Seat>) -> usize {
        let start = place / self.replicas * self.replicas;
        let mut owners = [None; crate::copies::COPIES_MAX];
        let owners = &mut owners[..self.replicas];
        owners.copy_from_slice(&self.places[start..start + self.replicas]);
        owners[place - start] = owner;
        spread.strain(owners)
    }

    /// How many places each node has.
    fn held(&self, nodes: usize) -> Vec<usize> {
        let mut held = vec![0; nodes];
        self.places.iter().flatten().for_each(|&seat| held[usize::from(seat)] += 1);
        held
    }
}

/// The chain from its first link to the one that nobody has to make good for.
fn trace(first: Link, reached: &[Option<Link>]) -> Vec<Link> {
    std::iter::successors(Some(first), |link| reached[usize::from(link.taker)]).collect()
}
