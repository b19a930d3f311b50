//! Random histories of the causal map, and those of its executable specification.
//!
//! `HISTORIES=20000 cargo test -p causal --test histories` plays more of them than the default.

mod memory;

mod histories {
    pub(crate) mod play;
    pub(crate) mod recorded;
    pub(crate) mod rng;
    pub(crate) mod truth;
    pub(crate) mod world;
}

use histories::play::{Plan, play};

/// Plays `histories` seeds of `plan`, or as many as the environment asks for.
fn play_all(histories: u64, plan: Plan) {
    let asked = std::env::var("HISTORIES").ok().and_then(|asked| asked.parse().ok());
    let wrong = (0..asked.unwrap_or(histories)).find_map(|seed| play(seed, plan).err());
    assert_eq!(wrong, None, "a history went wrong");
}

const PLAIN: Plan = Plan { steps: 200, cells: 4, sweeps: 0, mends: 0 };

#[test]
fn plain() {
    play_all(1_200, PLAIN);
}

#[test]
fn long() {
    play_all(40, Plan { steps: 500, ..PLAIN });
}

#[test]
fn with_sweeps() {
    play_all(500, Plan { sweeps: 12, ..PLAIN });
}

#[test]
fn with_more_cells() {
    play_all(200, Plan { cells: 12, sweeps: 3, ..PLAIN });
}

#[test]
fn with_cells_mended() {
    play_all(500, Plan { sweeps: 5, mends: 10, ..PLAIN });
}

#[test]
fn of_the_specification() {
    histories::recorded::replay(include_str!("histories/specification.txt"));
}
