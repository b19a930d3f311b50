//! The simulator itself: a seed is the whole of a run, and a few of them find nothing.
//!
//! Not the search for bugs, which takes thousands of seeds and a release build: `cargo run --release -p sim -- --seeds
//! 10000`.

use sim::{Keeps, play};

/// Seeds that are played twice.
const TWICE: std::ops::Range<u64> = 0..20;
/// Seeds that are played once more than that.
const ONCE: std::ops::Range<u64> = 20..60;

fn wrongs(seed: u64) -> Vec<String> {
    play(seed, Keeps::Nothing).wrongs.into_iter().map(|wrong| format!("seed {seed}: {wrong}")).collect()
}

#[test]
fn a_seed_played_twice_is_the_same_run() {
    for seed in TWICE {
        let (first, again) = (play(seed, Keeps::Hash), play(seed, Keeps::Hash));
        assert_eq!(first.trace_hash, again.trace_hash, "seed {seed}");
        assert_eq!(
            (first.operations, first.simulated_us),
            (again.operations, again.simulated_us),
            "seed {seed}"
        );
        assert!(first.wrongs.is_empty(), "seed {seed}: {:?}", first.wrongs);
    }
}

#[test]
fn seeds_differ() {
    assert_ne!(play(0, Keeps::Hash).trace_hash, play(1, Keeps::Hash).trace_hash);
}

#[test]
fn a_trace_that_is_kept_is_the_one_that_is_hashed() {
    let (kept, hashed) = (play(2, Keeps::Words), play(2, Keeps::Hash));
    assert_eq!(kept.trace_hash, hashed.trace_hash);
    assert!(kept.trace.len() as u64 > kept.operations, "each operation is asked and most are answered");
    assert!(hashed.trace.is_empty(), "words are kept only where somebody wants to read them");
}

#[test]
fn some_seeds_find_nothing_although_much_breaks() {
    let (mut succeeded, mut crashes, mut cuts, mut lost) = (0, 0, 0, 0);
    for seed in ONCE {
        let outcome = play(seed, Keeps::Nothing);
        assert!(outcome.wrongs.is_empty(), "seed {seed}: {:?}", outcome.wrongs);
        succeeded += outcome.succeeded;
        crashes += outcome.faults.crashes;
        cuts += outcome.faults.cuts;
        lost += outcome.faults.lost;
    }
    assert!(succeeded > 10_000, "only {succeeded} operations succeeded");
    assert!(
        crashes > 50 && cuts > 50 && lost > 1_000,
        "{crashes} crashes, {cuts} cuts, {lost} messages lost"
    );
}

#[test]
fn seeds_that_once_found_something_find_nothing() {
    let lines = include_str!("../seeds.txt").lines().filter(|line| !line.starts_with('#'));
    let seeds = lines.map(|line| line.split(' ').next().and_then(|seed| seed.parse().ok()));
    let seeds: Vec<u64> = seeds.collect::<Option<_>>().expect("each line begins with a seed");
    let wrongs: Vec<String> = seeds.into_iter().flat_map(wrongs).collect();
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
}
