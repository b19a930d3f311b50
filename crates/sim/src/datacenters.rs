//! Two datacenters: clients wait for the owners in one of them, or for those in each, and now and then one is cut off from the other.
//!
//! ```text
//! dc1   machines 0 1 2     three copies
//! dc2   machines 3 4 5     two or three
//!
//! near      everything at `local_quorum`, in one of them: what the other does is no matter
//! each      everything at `each_quorum`, anywhere
//! written   what writes at `each_quorum`, anywhere, and what reads at `local_quorum`, in one
//! ```
//!
//! Whichever it is, what that one has acknowledged is checked as if a quorum of three owners had. In dc2 machines take the place of others. Drawn from a stream of its own. Seeds
//! below [`SEEDS_FROM`] have none of it.

use crate::history::Ask;
use crate::rng::Rng;
use placement::{Copies, Duty, Member, NodeId, Zone};
use wire::Level;

/// The first seed that may have any of it.
const SEEDS_FROM: u64 = 1_500_000_000;
/// Of how many seeds in a thousand.
const PER_MILLE: u64 = 300;
/// How many machines are in the first datacenter; the others are in the second.
pub(crate) const MACHINES_NEAR: usize = 3;

/// What one seed has of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Datacenters {
    pub(crate) is_due: bool,
    pub(crate) rng: Rng,
    habit: Habit,
    /// Whether that one is the second.
    is_far: bool,
    pub(crate) cut_off_every_us: u64,
}

/// What clients wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Habit {
    #[default]
    Near,
    Each,
    Written,
}

impl Datacenters {
    /// That of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x6461_7461_6365_6e74);
        let is_due = seed >= SEEDS_FROM && rng.chance(PER_MILLE);
        let habit = rng.pick(&[Habit::Near, Habit::Near, Habit::Each, Habit::Written]);
        let cut_off_every_us = rng.some(600, 500_000, 4_000_000);
        let is_far = rng.chance(500);
        Self { is_due, rng, habit, is_far, cut_off_every_us }
    }

    /// The same, of a copy in which nothing is planned.
    pub(crate) fn at_rest(&self) -> Self {
        Self { cut_off_every_us: 0, ..self.clone() }
    }

    /// How many machines there are where nobody joins later.
    pub(crate) fn machines(&mut self) -> u64 {
        self.rng.between(5, 6)
    }

    /// How many copies there are to be, where it would be so many.
    pub(crate) fn copies(&mut self, replicas: u8) -> Copies {
        if self.is_due { self.some_copies(3) } else { Copies::Anywhere(replicas) }
    }

    /// ... and later, of at least so many in the first one.
    pub(crate) fn some_copies(&mut self, least: u64) -> Copies {
        let near = u8::try_from(self.rng.between(least, 3)).unwrap_or(3);
        let far = u8::try_from(self.rng.between(2, 3)).unwrap_or(3);
        Copies::In([("dc1".to_owned(), near), ("dc2".to_owned(), far)].into())
    }

    /// A member by its number.
    pub(crate) fn member(&self, number: u64) -> Member {
        let member = member(number);
        if !self.is_due {
            return member;
        }
        let datacenter = if number < MACHINES_NEAR as u64 { "dc1" } else { "dc2" };
        let zone = Zone { datacenter: datacenter.to_owned(), rack: format!("rack{number}") };
        Member { zone, ..member }
    }

    /// At which level something is asked, if not at that which the client had chosen.
    pub(crate) fn level(&self, ask: &Ask, level: Level) -> Level {
        let reads = matches!(ask, Ask::Get | Ask::Siblings);
        match self.habit {
            _ if !self.is_due => level,
            Habit::Near => Level::LocalQuorum,
            Habit::Written if reads => Level::LocalQuorum,
            Habit::Each | Habit::Written => Level::EachQuorum,
        }
    }

    /// Whether that is asked of a machine.
    pub(crate) fn may_ask(&self, machine: usize, level: Level) -> bool {
        !self.is_due || level != Level::LocalQuorum || (machine < MACHINES_NEAR) != self.is_far
    }
}

/// A member by its number, wherever.
fn member(number: u64) -> Member {
    let name = format!("node{number}");
    Member {
        id: NodeId::of_name(&name),
        client_addr: format!("{name}:7000"),
        peer_addr: format!("{name}:10000"),
        name,
        weight: 1,
        zone: Zone::default(),
        duty: Duty::Store,
    }
}
