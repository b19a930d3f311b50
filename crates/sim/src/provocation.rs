//! Crashes of nodes that have just said something while their disk was at work: what they said must not rest on what they
//! lose.
//!
//! ```text
//! from ── anything ──▶ to        from crashes before its disk is done
//!                                to goes on for a while, perhaps as far as an answer, and crashes too
//! ```
//!
//! Drawn from a stream of its own, like `unrest`.

use crate::rng::Rng;
use crate::unrest::Turmoil;
use crate::world::{Happening, World};

/// How long the one who was told goes on at most, in microseconds.
const GOES_ON_US: [u64; 3] = [2_000, 20_000, 150_000];
/// When somebody looks at most, in microseconds after that.
const LOOKS_US: u64 = 100_000;

/// How often it happens, of ten thousand messages that are sent while a disk is at work.
#[derive(Debug)]
pub(crate) struct Provocation {
    rng: Rng,
    per_ten_thousand: u64,
}

impl Provocation {
    /// That of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x0070_726f_766f_6b65);
        let often = rng.between(1, 30);
        let per_ten_thousand = if rng.chance(300) { often } else { 0 };
        Self { rng, per_ten_thousand }
    }
}

impl World {
    /// A node has sent something: perhaps it is the last that it did.
    pub(crate) fn provoke(&mut self, from: usize, to: usize) {
        let is_provoked = self.storming && self.unrest.provocation.per_ten_thousand > 0;
        if !is_provoked || !self.machines[from].is_writing() {
            return;
        }
        let Provocation { rng, per_ten_thousand } = &mut self.unrest.provocation;
        if rng.below(10_000) >= *per_ten_thousand {
            return;
        }
        let longest = rng.pick(&GOES_ON_US);
        let (falls, follows) = (rng.between(1, 300), rng.between(300, longest));
        let looks = [(); 2].map(|()| follows + rng.between(1, LOOKS_US));
        self.plan(falls, Happening::Unrest(Turmoil::Falls { machine: from }));
        self.plan(follows, Happening::Unrest(Turmoil::Falls { machine: to }));
        let waited_for = self.history.iter().rev().find(|operation| operation.told.is_none());
        let Some(key) = waited_for.map(|operation| operation.key.clone()) else { return };
        for look in looks {
            self.plan(look, Happening::Look { key: key.clone() });
        }
    }
}
