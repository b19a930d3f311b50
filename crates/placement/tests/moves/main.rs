//! The protocol of `placement::layout::place`, played: whatever moves meanwhile, nothing that was acknowledged is lost.
//!
//! One partition and seven nodes. A history is a seed; what happens in it is in `world`. Every read must see all writes that were
//! acknowledged before it began, and in the end all must come to rest. Then each rule is broken alone (`lapse`), and something must
//! be lost within so many histories: a rule without which nothing is lost would be none.
//!
//! It takes for granted that the layout is one register, and that no more fail than `trouble` says.
//!
//! `HISTORIES=100000 cargo test -p placement --test moves` plays more than the default.

mod dice;
mod glance;
mod lapse;
mod mood;
mod node;
mod operators;
mod peace;
mod request;
mod tally;
mod trouble;
mod world;

use lapse::Lapse;
use placement::Layout;
use std::sync::Arc;
use tally::Tally;
use world::World;

/// Events of a history.
const EVENTS: usize = 800;
/// Histories within which something is lost without one of the rules.
const HISTORIES_MAX: u64 = 3_000;

/// What came of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Everything was read that was acknowledged.
    Whole,
    /// A read missed something, or is going to.
    Lost,
    /// Something never came to rest.
    Stuck,
}

fn play(seed: u64, lapse: Option<Lapse>, starts: &[Arc<Layout>]) -> (End, Tally) {
    let mut world = World::new(seed, lapse, starts);
    for _ in 0..EVENTS {
        world.step();
        if world.missed {
            return (End::Lost, world.tally);
        }
    }
    let end = match (world.settles(), world.holds_all()) {
        (false, _) => End::Stuck,
        (true, false) => End::Lost,
        (true, true) => End::Whole,
    };
    (end, world.tally)
}

#[test]
fn nothing_that_was_acknowledged_is_lost() {
    let asked = std::env::var("HISTORIES").ok().and_then(|asked| asked.parse().ok());
    let histories = asked.unwrap_or(2_500);
    let (starts, mut all) = (world::starts(), Tally::default());
    for seed in 0..histories {
        let (end, tally) = play(seed, None, &starts);
        assert_eq!(end, End::Whole, "seed {seed}");
        all.add(&tally);
    }
    println!("{all:?}");
    let is_much = |count: u64| 3 * count > histories;
    let asked =
        [all.reads / 10, all.settled, all.shrunk, all.lost_while_settling, all.disks_lost, all.at_stake];
    assert!(asked.into_iter().all(is_much), "hardly anything was asked: {all:?}");
}

#[test]
fn without_one_of_its_rules_something_is_lost() {
    let starts = world::starts();
    let is_lost = |seed: u64, lapse| play(seed, Some(lapse), &starts).0 == End::Lost;
    for lapse in Lapse::ALL {
        let first = (0..HISTORIES_MAX).find(|seed| is_lost(*seed, lapse));
        println!("{lapse:?}: {first:?}");
        assert!(first.is_some(), "nothing is lost by {lapse:?}");
    }
}
