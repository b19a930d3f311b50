//! Finding servers: clockwise from a place.
//!
//! The owners of a key are the first distinct servers clockwise, but a server in a zone that has one already
//! waits until every zone has one; then zones may have two, and so on. After the owners the stand-ins follow,
//! in the order in which the walk met them.
//!
//! Invariants:
//! 1. No list names a server twice.
//! 2. `n` owners lie in `n` zones if the ring has so many, else in every zone.

use std::collections::BTreeMap;
use std::fmt;

use super::{Ring, Server, Token};

impl<S: Ord + Clone + fmt::Display> Ring<S> {
    /// The server of a key: the first clockwise. None if the ring is empty.
    #[must_use]
    pub fn server_of(&self, key: &[u8]) -> Option<&S> {
        self.server_at(self.place_of(key))
    }

    /// The server of a place: whose token is the first there or after it.
    #[must_use]
    pub fn server_at(&self, place: u64) -> Option<&S> {
        let token = self.tokens.get(self.token_from(place)).or(self.tokens.first())?;
        Some(&self.server(token.seat).id)
    }

    /// All servers in the order in which a walk clockwise from a place meets them, zones left aside.
    pub fn walk(&self, place: u64) -> impl Iterator<Item = &S> {
        self.servers_from(place).map(|server| &server.id)
    }

    /// The first `n` distinct servers clockwise of a key, spread over zones; all if there are fewer.
    #[must_use]
    pub fn owners(&self, key: &[u8], n: usize) -> Vec<&S> {
        self.owners_at(self.place_of(key), n)
    }

    /// The same of a place.
    #[must_use]
    pub fn owners_at(&self, place: u64, n: usize) -> Vec<&S> {
        let (owners, _) = self.split(place, n);
        owners
    }

    /// Every server: first the `n` owners of a key, then the stand-ins.
    #[must_use]
    pub fn preference_list(&self, key: &[u8], n: usize) -> Vec<&S> {
        let (mut list, waiting) = self.split(self.place_of(key), n);
        list.extend(waiting);
        list
    }

    /// The owners of a place and the servers that are left.
    fn split(&self, place: u64, n: usize) -> (Vec<&S>, impl Iterator<Item = &S>) {
        let mut walk = self.servers_from(place);
        let (mut owners, mut waiting) = (Vec::new(), Vec::new());
        let mut in_zone = BTreeMap::new();
        while owners.len() < n {
            let Some(server) = walk.next() else { break };
            if in_zone.insert(&server.zone, 1).is_none() {
                owners.push(&server.id);
            } else {
                waiting.push(server);
            }
        }
        for most in 2..=n {
            waiting.retain(|server| {
                let here = in_zone.get_mut(&server.zone).expect("it waited because its zone was met");
                let chosen = owners.len() < n && *here < most;
                if chosen {
                    *here += 1;
                    owners.push(&server.id);
                }
                !chosen
            });
        }
        (owners, waiting.into_iter().chain(walk).map(|server| &server.id))
    }

    fn servers_from(&self, place: u64) -> impl Iterator<Item = &Server<S>> {
        // It does not stop when all are met: counting the servers costs more than most walks are long.
        let (before, after) = self.tokens.split_at(self.token_from(place));
        let mut met = vec![false; self.seats.len()];
        let first_met = move |token: &&Token| !std::mem::replace(&mut met[token.seat as usize], true);
        after.iter().chain(before).filter(first_met).map(|token| self.server(token.seat))
    }

    fn token_from(&self, place: u64) -> usize {
        self.tokens.partition_point(|token| token.place < place)
    }
}
