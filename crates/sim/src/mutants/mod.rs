//! Mutants: breaks the code one line at a time and expects somebody to notice.
//!
//! `sim --mutants` runs the catalogue of the simulator, `mutants/sim.toml`; `sim --mutants NAME ...` those catalogues, and
//! those mutants of any of them. It prints a table: which mutant, in which file, and the median of seeds until it was
//! caught, of several runs that begin at different seeds; or the command that caught it. How a catalogue is written is told
//! in `mutants/causal.toml`.
//!
//! 1. Nothing of the workspace is touched: what is broken is a copy (`tree`).
//! 2. A mutant is caught where most runs find something. One that does not build, or whose line is not in its file exactly
//!    once, is not.
//! 3. What catches a mutant passes on the tree that nobody broke.

mod catalogue;
mod tree;

use anyhow::{Result, bail, ensure};
use catalogue::{Catalogue, Catcher, Mutant};
use std::collections::BTreeSet;
use std::process::ExitCode;
use tree::{Ran, Tree};

/// Where the runs of one mutant begin: far apart, and not where seeds are played every day.
const STARTS: [u64; 5] = [100_000_000, 200_000_000, 300_000_000, 400_000_000, 500_000_000];

/// So many seeds are played from each start at first, and then as many again as before.
const BATCH_SEEDS: u64 = 5;

/// So many seeds from each start find nothing on the tree that nobody broke.
const UNBROKEN_SEEDS: u64 = 20;

/// So many of the last characters that a failed build has said are shown.
const SHOWN_CHARACTERS: usize = 1_500;

/// What became of a mutant.
enum Verdict {
    /// Somebody noticed: after so many seeds, or which command.
    Caught(String),
    /// Nobody did, or there was nothing to notice, and why.
    Not(String),
}

/// Runs the mutants that are named, or those of the simulator, and prints what became of them.
///
/// # Errors
/// Where a catalogue cannot be read, a name is not known, or the unbroken tree fails.
pub(crate) fn run(names: &[String]) -> Result<ExitCode> {
    let chosen = catalogue::choose(&tree::root(), names)?;
    let tree = Tree::copy()?;
    let (mut caught, mut all) = (0, 0);
    println!("| mutant | file | caught after |\n|---|---|---|");
    for catalogue in &chosen {
        check_unbroken(&tree, catalogue)?;
        for mutant in &catalogue.mutants {
            let verdict = tree.broken(mutant, || try_out(&tree, catalogue, mutant))?;
            let words = match verdict {
                Verdict::Caught(after) => {
                    caught += 1;
                    after
                }
                Verdict::Not(why) => format!("**not caught**: {why}"),
            };
            all += 1;
            println!("| {} | `{}` | {words} |", mutant.name, mutant.file);
        }
    }
    println!("\ncaught {caught} of {all}");
    Ok(if caught == all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds a mutant and has it looked for.
fn try_out(tree: &Tree, catalogue: &Catalogue, mutant: &Mutant) -> Result<Verdict> {
    let built = tree.run(&catalogue.build, catalogue.seconds)?;
    if !built.passes {
        return Ok(Verdict::Not(format!("it does not build: {}", tail(&built.said))));
    }
    match catalogue.catcher(mutant)? {
        Catcher::Seeds(seeds) => match (play(tree, catalogue, mutant, seeds)?, &catalogue.otherwise) {
            (Verdict::Not(why), Some(command)) if tree.run(command, catalogue.seconds)?.passes => {
                Ok(Verdict::Not(why))
            }
            (Verdict::Not(_), Some(command)) => Ok(Verdict::Caught(format!("`{command}`"))),
            (verdict, _) => Ok(verdict),
        },
        Catcher::Command(command) if tree.run(&command, catalogue.seconds)?.passes => {
            Ok(Verdict::Not(mutant.breaks.clone()))
        }
        Catcher::Command(command) => Ok(Verdict::Caught(format!("`{command}`"))),
    }
}

/// Plays seeds from every start, a few here and a few there, until most have found something.
fn play(tree: &Tree, catalogue: &Catalogue, mutant: &Mutant, seeds: u64) -> Result<Verdict> {
    let (mut found, mut starts) = (Vec::new(), starts(catalogue).to_vec());
    let (mut before, mut batch) = (0, BATCH_SEEDS);
    let most = STARTS.len() / 2 + 1;
    while found.len() < most && before < seeds {
        let mut left = Vec::new();
        for from in starts {
            let ran = tree.run(&playing(catalogue, batch, from + before)?, catalogue.seconds)?;
            if ran.passes {
                left.push(from);
            } else {
                // One that had to be stopped has found something, and took longer than any other.
                found.push(played(&ran).map_or(u64::MAX, |played| before + played));
            }
        }
        (starts, before) = (left, before + batch);
        batch = before.min(seeds - before);
    }
    found.sort_unstable();
    Ok(match found.get(STARTS.len() / 2) {
        None => Verdict::Not(format!("{} of {} runs found it: {}", found.len(), STARTS.len(), mutant.breaks)),
        Some(1) => Verdict::Caught("1 seed".into()),
        Some(&u64::MAX) => Verdict::Caught("it stands still".into()),
        Some(seeds) => Verdict::Caught(format!("{seeds} seeds")),
    })
}

/// Where the runs of a catalogue begin.
fn starts(catalogue: &Catalogue) -> [u64; 5] {
    STARTS.map(|start| catalogue.from + start)
}

fn playing(catalogue: &Catalogue, seeds: u64, from: u64) -> Result<String> {
    let Some(player) = &catalogue.player else { bail!("a catalogue with `seeds` says who is the `player`") };
    Ok(format!("{player} --seeds {seeds} --from {from} --fail-fast"))
}

/// How many seeds a run has played, by its own account; none if it was stopped.
fn played(ran: &Ran) -> Option<u64> {
    let line = ran.said.lines().find_map(|line| line.strip_prefix("seeds "))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What fails on the unbroken tree, or runs nothing, catches nothing.
fn check_unbroken(tree: &Tree, catalogue: &Catalogue) -> Result<()> {
    let built = tree.run(&catalogue.build, catalogue.seconds)?;
    ensure!(built.passes, "the unbroken tree does not build: {}", tail(&built.said));
    let mut commands = BTreeSet::new();
    for mutant in &catalogue.mutants {
        match catalogue.catcher(mutant)? {
            Catcher::Command(command) => drop(commands.insert(command)),
            Catcher::Seeds(_) => {
                for from in starts(catalogue) {
                    commands.insert(playing(catalogue, UNBROKEN_SEEDS, from)?);
                }
            }
        }
    }
    commands.extend(catalogue.otherwise.clone());
    for command in commands {
        let ran = tree.run(&command, catalogue.seconds)?;
        ensure!(ran.passes, "the unbroken tree fails `{command}`: {}", tail(&ran.said));
        let mut tests = ran.said.lines().filter_map(|line| line.strip_prefix("running ")).peekable();
        let runs_none = tests.peek().is_some() && tests.all(|count| count.starts_with("0 "));
        ensure!(!runs_none, "`{command}` runs no test");
    }
    Ok(())
}

fn tail(said: &str) -> String {
    let from = said.char_indices().rev().nth(SHOWN_CHARACTERS).map_or(0, |(at, _)| at);
    said[from..].to_owned()
}
