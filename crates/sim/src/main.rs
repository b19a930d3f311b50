//! Plays seeds: `sim --seeds N [--from S] [--sometimes]`, or one with its trace: `sim --seed S [--trace]`. And shows what that is worth:
//! `sim --mutants [NAME ...]`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that is read on a terminal")]

mod mutants;

use sim::sometimes::{LIST, Sometimes};
use sim::tally::Faults;
use sim::{Keeps, Outcome, play};
use std::num::NonZero;
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Instant;

/// What the command line asks for.
#[derive(Debug, Default)]
struct Arguments {
    seeds: u64,
    from: u64,
    seed: Option<u64>,
    trace: bool,
    fail_fast: bool,
    sometimes: bool,
    /// The names of mutants and catalogues, if mutants are asked for.
    mutants: Option<Vec<String>>,
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!(
                "{message}\nusage: sim [--seeds N] [--from SEED] [--fail-fast] [--sometimes] | --seed SEED [--trace] | --mutants [NAME ...]"
            );
            return ExitCode::from(2);
        }
    };
    match (&arguments.mutants, arguments.seed) {
        (Some(names), _) => mutants::run(names).unwrap_or_else(|error| {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }),
        (None, Some(seed)) => replay(seed, arguments.trace),
        (None, None) => many(&arguments),
    }
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments { seeds: 100, ..Arguments::default() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let text = words.next().ok_or(format!("{word} takes a number"))?;
            text.parse::<u64>().map_err(|_| format!("{word} takes a number, not {text}"))
        };
        match word.as_str() {
            "--seeds" => arguments.seeds = number()?,
            "--from" => arguments.from = number()?,
            "--seed" => arguments.seed = Some(number()?),
            "--trace" => arguments.trace = true,
            "--fail-fast" => arguments.fail_fast = true,
            "--sometimes" => arguments.sometimes = true,
            "--mutants" => arguments.mutants = Some(words.by_ref().collect()),
            other => return Err(format!("no such option: {other}")),
        }
    }
    Ok(arguments)
}

/// Plays a seed. An assertion that fails in a node is a violation like any other, and its seed is to be known.
fn guarded(seed: u64, keeps: Keeps) -> Outcome {
    catch_unwind(|| play(seed, keeps)).unwrap_or_else(|_| Outcome {
        wrongs: vec!["an assertion failed, as told above".into()],
        ..Outcome::default()
    })
}

fn replay(seed: u64, trace: bool) -> ExitCode {
    let outcome = guarded(seed, if trace { Keeps::Words } else { Keeps::Hash });
    outcome.trace.iter().for_each(|line| println!("{line}"));
    report(seed, &outcome);
    println!("seed {seed}: trace {:016x}, {} operations", outcome.trace_hash, outcome.operations);
    if outcome.wrongs.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn report(seed: u64, outcome: &Outcome) {
    for wrong in &outcome.wrongs {
        println!("VIOLATION at seed {seed}: {wrong}");
    }
    if !outcome.wrongs.is_empty() {
        println!("replay: cargo run --release -p sim -- --seed {seed} --trace");
    }
}

/// What came of many seeds.
#[derive(Default)]
struct Sum {
    played: u64,
    operations: u64,
    succeeded: u64,
    simulated_us: u64,
    violations: u64,
    faults: Faults,
    seen: Sometimes,
}

impl Sum {
    fn add(&mut self, outcome: &Outcome) {
        self.played += 1;
        self.operations += outcome.operations;
        self.succeeded += outcome.succeeded;
        self.simulated_us += outcome.simulated_us;
        self.violations += outcome.wrongs.len() as u64;
        self.faults += outcome.faults;
        self.seen += &outcome.seen;
    }
}

/// Plays the seeds on all cores, or those up to the first that finds something.
fn play_all(arguments: &Arguments) -> Sum {
    let end = arguments.from + arguments.seeds;
    let (next, last, sum) = (AtomicU64::new(arguments.from), AtomicU64::new(end), Mutex::new(Sum::default()));
    let play_some = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= last.load(Ordering::Relaxed) {
                return;
            }
            let outcome = guarded(seed, Keeps::Nothing);
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            report(seed, &outcome);
            sum.add(&outcome);
            if arguments.fail_fast && !outcome.wrongs.is_empty() {
                last.fetch_min(seed + 1, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(play_some);
        }
    });
    let mut sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    if sum.violations > 0 && arguments.fail_fast {
        // Others were at work on later ones by then.
        sum.played = last.into_inner() - arguments.from;
    }
    sum
}

fn many(arguments: &Arguments) -> ExitCode {
    let began = Instant::now();
    let sum = play_all(arguments);
    let Sum { played, operations, succeeded, simulated_us, violations, faults, seen } = sum;
    println!("sometimes");
    seen.counts().for_each(|(count, words)| println!("  {count:>9}  {words}"));
    println!("seeds       {played} from {}", arguments.from);
    println!("simulated   {} s in {:.1} s", simulated_us / 1_000_000, began.elapsed().as_secs_f64());
    println!("operations  {operations}, {succeeded} succeeded");
    println!(
        "faults      {} messages lost, {} duplicated, {} links cut ({} one way), {} crashes, {} clock jumps, \
         {} members gone long enough to be missed",
        faults.lost,
        faults.duplicated,
        faults.cuts,
        faults.one_way_cuts,
        faults.crashes,
        faults.jumps,
        faults.gone
    );
    println!(
        "disks       {} failed, {} filled, {} lost something",
        faults.disks_failed, faults.disks_filled, faults.disks_lost
    );
    println!("supposed    {} power cuts, each right after an answer", faults.supposed);
    println!("violations  {violations}");
    let missed = seen.missed();
    if missed > 0 {
        println!("sometimes   {missed} states of {} were never reached", LIST.len());
    }
    let is_enough = missed == 0 || !arguments.sometimes;
    if violations == 0 && is_enough { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
