//! A consistent hash ring that stands on its own.
//!
//! Servers take places on a circle, keys are hashed onto it, and a key belongs to the first server clockwise.
//! When a server comes it takes over arcs from others, when it goes its arcs fall to others, and no other arc
//! changes hands. Source: Karger et al., "Consistent Hashing and Random Trees" (1997); many tokens per server
//! and preference lists as in Dynamo (2007).
//!
//! ```text
//!          0
//!      a#1 . b#0            a key at k belongs to b, whose token b#0 is the first at k or after it;
//!     .         .           b's arc runs from just after a#1 up to and with b#0.
//!    .         k .
//!    b#1         a#0        A server of weight w has w x tokens_per_weight tokens, named `id#0`, `id#1`, ...
//!      .       .            and hashed like keys.
//!        . . .
//! ```
//!
//! A token that falls on a taken place moves clockwise to the next free one, over the end to 0 if need be; it
//! never drives another away. So what is guaranteed is this:
//!
//! * The set of taken places depends on the servers alone, while servers are only added.
//! * While no two tokens wanted one place, which 64 bits make all but certain, the whole ring depends on the
//!   servers alone: not on the order in which they came, nor on others that were here and went.
//! * Where two tokens did want one place, the server that came first keeps it. Those who must agree even then
//!   add servers in one order; [`Ring::with_servers`] adds them in the order of their ids.
//!
//! The price of the other rule, "the lower id keeps the place", would be arcs that change hands between two
//! servers when a third comes.
//!
//! ```
//! use placement::ring::{Ring, xxh3};
//! use placement::Zone;
//!
//! let mut ring = Ring::new(128, xxh3);
//! for (server, rack) in [("server1", "dc1/r1"), ("server2", "dc1/r2"), ("server3", "dc1/r1")] {
//!     ring.add_server(server, 1, rack.parse::<Zone>()?)?;
//! }
//! let owners = ring.owners(b"user:1", 2);
//! assert!(owners.contains(&&"server2"), "two owners lie in two racks, and only server2 is in r2");
//!
//! let before = ring.clone();
//! ring.remove_server(&"server3");
//! assert!(before.moves_to(&ring).iter().all(|arc| arc.from == Some("server3")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! It is not a store: it maps positions and knows no keys, so two keys that collide share a server and stay
//! two keys. It does not bound anyone's load: for that the layout has fixed partitions.
//!
//! Invariants:
//! 1. Tokens are sorted by place, and no two share a place.
//! 2. Each server has exactly its weight's number of tokens.
//! 3. Adding or removing a server changes no other server's tokens.

mod hash;
mod moves;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;

pub use hash::{md5, redis_slot, xxh3};
pub use moves::Move;

use crate::member::Zone;

/// The most tokens of a ring.
pub const TOKENS_MAX: u64 = 1 << 24;

/// Why a ring does not take a server.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RingError {
    /// A server of this id is on the ring.
    #[error("server {0} is on the ring already")]
    Taken(String),
    /// Weight times tokens per weight is 0.
    #[error("server {0} would have no token: weight and tokens per weight must be at least 1")]
    Weightless(String),
    /// There are too few free places for its tokens.
    #[error("server {id} needs {wanted} places and the ring has {free} left")]
    Full {
        /// The server that was to be added.
        id: String,
        /// How many tokens it has.
        wanted: u64,
        /// How many more tokens the ring can take.
        free: u64,
    },
}

type Hash = dyn Fn(&[u8]) -> u64 + Send + Sync;

/// A ring of servers with ids of type `S`.
#[derive(Clone)]
pub struct Ring<S> {
    hash: Arc<Hash>,
    tokens_per_weight: u32,
    last_place: u64,
    tokens: Vec<Token>,
    /// A server keeps its seat while it is here; a free seat is taken again.
    seats: Vec<Option<Server<S>>>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Token {
    place: u64,
    seat: u32,
}

#[derive(Clone)]
struct Server<S> {
    id: S,
    weight: u32,
    zone: Zone,
}

impl<S: Ord + Clone + fmt::Display> Ring<S> {
    /// An empty ring of 2^64 places.
    pub fn new(tokens_per_weight: u32, hash: impl Fn(&[u8]) -> u64 + Send + Sync + 'static) -> Ring<S> {
        let seats = Vec::new();
        Ring { hash: Arc::new(hash), tokens_per_weight, last_place: u64::MAX, tokens: Vec::new(), seats }
    }

    /// An empty ring of `places` places; a hash is taken modulo `places`.
    pub fn with_places(
        places: NonZeroU64,
        tokens_per_weight: u32,
        hash: impl Fn(&[u8]) -> u64 + Send + Sync + 'static,
    ) -> Ring<S> {
        Ring { last_place: places.get() - 1, ..Ring::new(tokens_per_weight, hash) }
    }

    /// This ring with all these servers added in the order of their ids.
    ///
    /// # Errors
    /// As [`Ring::add_server`], of the first server that was not taken.
    pub fn with_servers(
        mut self,
        servers: impl IntoIterator<Item = (S, u32, Zone)>,
    ) -> Result<Ring<S>, RingError> {
        let mut servers: Vec<_> = servers.into_iter().collect();
        servers.sort_by(|a, b| a.0.cmp(&b.0));
        let mut arrivals = BTreeMap::new();
        for (id, weight, zone) in servers {
            self.seat(Server { id, weight, zone }, &mut arrivals)?;
        }
        self.take_in(arrivals);
        Ok(self)
    }

    /// Adds a server with `weight` times the ring's tokens per weight.
    ///
    /// # Errors
    /// If the id is taken, if it would have no token, or if there are too few free places. The ring is then as
    /// it was.
    pub fn add_server(&mut self, id: S, weight: u32, zone: Zone) -> Result<(), RingError> {
        let mut arrivals = BTreeMap::new();
        self.seat(Server { id, weight, zone }, &mut arrivals)?;
        self.take_in(arrivals);
        Ok(())
    }

    /// Takes a server off the ring. Says whether it was there.
    pub fn remove_server(&mut self, id: &S) -> bool {
        let Some(seat) = self.seats.iter().position(|seat| seat.as_ref().is_some_and(|s| s.id == *id)) else {
            return false;
        };
        self.seats[seat] = None;
        self.tokens.retain(|token| token.seat as usize != seat);
        true
    }

    /// The servers with their weights and zones, in the order of their ids.
    pub fn servers(&self) -> impl Iterator<Item = (&S, u32, &Zone)> {
        let mut servers: Vec<_> = self.seats.iter().flatten().collect();
        servers.sort_by(|a, b| a.id.cmp(&b.id));
        servers.into_iter().map(|server| (&server.id, server.weight, &server.zone))
    }

    /// The taken places in order, each with its server.
    pub fn tokens(&self) -> impl Iterator<Item = (u64, &S)> {
        self.tokens.iter().map(|token| (token.place, &self.server(token.seat).id))
    }

    /// Where a key, or a token's name, falls on the ring.
    #[must_use]
    pub fn place_of(&self, key: &[u8]) -> u64 {
        let hash = (self.hash)(key);
        if self.last_place == u64::MAX { hash } else { hash % (self.last_place + 1) }
    }

    /// Panics if an invariant is broken.
    pub fn check(&self) {
        assert!(
            self.tokens.windows(2).all(|pair| pair[0].place < pair[1].place),
            "places are sorted and differ"
        );
        assert!(self.tokens.last().is_none_or(|token| token.place <= self.last_place), "places exist");
        let mut counts = vec![0; self.seats.len()];
        for token in &self.tokens {
            counts[token.seat as usize] += 1;
        }
        for (seat, count) in self.seats.iter().zip(counts) {
            let due = seat.as_ref().map_or(0, |server| self.token_count(server.weight));
            assert_eq!(count, due, "each server has its weight's tokens");
        }
    }

    fn server(&self, seat: u32) -> &Server<S> {
        self.seats[seat as usize].as_ref().expect("a token's seat is taken: tokens leave with their server")
    }

    fn token_count(&self, weight: u32) -> u64 {
        u64::from(weight) * u64::from(self.tokens_per_weight)
    }

    /// Gives a server a seat and its tokens places, which go to `arrivals`.
    fn seat(&mut self, server: Server<S>, arrivals: &mut BTreeMap<u64, u32>) -> Result<(), RingError> {
        let id = server.id.to_string();
        if self.seats.iter().flatten().any(|seated| seated.id == server.id) {
            return Err(RingError::Taken(id));
        }
        let wanted = self.token_count(server.weight);
        let free =
            self.last_place.saturating_add(1).min(TOKENS_MAX) - (self.tokens.len() + arrivals.len()) as u64;
        match wanted {
            0 => return Err(RingError::Weightless(id)),
            _ if wanted > free => return Err(RingError::Full { id, wanted, free }),
            _ => {}
        }
        let seat = self.seats.iter().position(Option::is_none).unwrap_or(self.seats.len());
        if seat == self.seats.len() {
            self.seats.push(None);
        }
        self.seats[seat] = Some(server);
        let seat =
            u32::try_from(seat).expect("every server has a token, of which there are at most TOKENS_MAX");
        for number in 0..wanted {
            let mut place = self.place_of(format!("{id}#{number}").as_bytes());
            while arrivals.contains_key(&place) || self.is_taken(place) {
                place = self.next_place(place);
            }
            arrivals.insert(place, seat);
        }
        Ok(())
    }

    fn take_in(&mut self, arrivals: BTreeMap<u64, u32>) {
        self.tokens.extend(arrivals.into_iter().map(|(place, seat)| Token { place, seat }));
        // The stable sort sees two sorted runs and merges them.
        self.tokens.sort();
        debug_assert!({
            self.check();
            true
        });
    }

    fn is_taken(&self, place: u64) -> bool {
        self.tokens.binary_search_by_key(&place, |token| token.place).is_ok()
    }

    fn next_place(&self, place: u64) -> u64 {
        if place == self.last_place { 0 } else { place + 1 }
    }
}

impl<S: fmt::Debug> fmt::Debug for Ring<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<_> = self.seats.iter().flatten().map(|server| (&server.id, server.weight)).collect();
        f.debug_struct("Ring").field("servers", &servers).field("tokens", &self.tokens.len()).finish()
    }
}
