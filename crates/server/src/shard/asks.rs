//! Who waits for which answer: the open requests of the clients of one shard.
//!
//! ```text
//!   RequestId    shard 8 bits | generation 28 bits | index 28 bits
//! ```
//!
//! How long they wait in the mean follows from how many wait (Little's law), and so costs no reading of a clock for each:
//!
//! ```text
//!   waited = sum over turns of (how many waited between two turns) x (the time between them)      mean = waited / answered
//! ```
//!
//! 1. An id names one request for the life of the process, but for 2^28 requests that took the same place one after
//!    another: a late answer finds another generation there and is dropped.

use std::rc::Rc;

use node::RequestId;

use crate::connection::Connection;
use crate::host::Waits;

/// Shards that an id can name.
pub(crate) const SHARDS_MAX: usize = 1 << SHARD_BITS;

const SHARD_BITS: u32 = 8;
const PLACE_BITS: u32 = 28;
const PLACE_MASK: u64 = (1 << PLACE_BITS) - 1;

/// Where an answer goes.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) connection: Rc<Connection>,
    pub(crate) slot: u64,
    pub(crate) part: u32,
}

/// The open requests of one shard's clients.
#[derive(Debug)]
pub(crate) struct Asks {
    shard: u64,
    places: Vec<(u64, Option<Ask>)>,
    free: Vec<usize>,
    waits: Waits,
    /// How many have waited since the last turn, and since when, in microseconds.
    resting: (u64, u64),
}

impl Asks {
    pub(crate) fn new(shard: usize) -> Self {
        debug_assert!(shard < SHARDS_MAX);
        Self {
            shard: shard as u64,
            places: Vec::new(),
            free: Vec::new(),
            waits: Waits::default(),
            resting: (0, 0),
        }
    }

    /// Enters a request; nothing if there are too many.
    pub(crate) fn enter(&mut self, ask: Ask) -> Option<RequestId> {
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.places.len() as u64 > PLACE_MASK => return None,
            None => {
                self.places.push((0, None));
                self.places.len() - 1
            }
        };
        let (generation, place) = &mut self.places[index];
        *place = Some(ask);
        Some(RequestId(self.shard << (2 * PLACE_BITS) | *generation << PLACE_BITS | index as u64))
    }

    /// Takes a request out that is answered now; nothing if it was already.
    pub(crate) fn take(&mut self, id: RequestId) -> Option<Ask> {
        let index = usize::try_from(id.0 & PLACE_MASK).ok()?;
        let (generation, place) = self.places.get_mut(index)?;
        if (id.0 >> PLACE_BITS & PLACE_MASK) != *generation {
            return None;
        }
        let ask = place.take()?;
        *generation = (*generation + 1) & PLACE_MASK;
        self.free.push(index);
        self.waits.answered += 1;
        Some(ask)
    }

    /// A turn begins, at this time in microseconds.
    pub(super) fn begin_turn(&mut self, now_us: u64) {
        let (waiting, since) = self.resting;
        self.waits.waited_us += waiting * now_us.saturating_sub(since);
        self.resting = (0, now_us);
    }

    /// It is over: who waits now waits for another.
    pub(super) fn end_turn(&mut self) {
        self.resting.0 = self.len() as u64;
    }

    /// What they have waited.
    pub(super) fn waits(&self) -> Waits {
        self.waits
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }
}

/// The shard whose client asked.
pub(crate) fn shard_of(id: RequestId) -> usize {
    (id.0 >> (2 * PLACE_BITS)) as usize
}
