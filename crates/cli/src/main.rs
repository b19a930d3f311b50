//! The hand: the `armilla` binary, which runs a node, a cluster on one machine, or asks a node.
//!
//! Not what a node does: that is `server` and below it. A command here is one module, and this file only chooses.
//!
//! 1. Exit code 2 says that the command could not do its work at all: wrong usage, no connection, a server that cannot
//!    start. What else a command's exit code says is in its `--help`.
//! 2. An error is one sentence on standard error.

mod address;
mod changes;
mod chaos;
mod client;
mod dev;
mod flags;
mod manual;
mod ring;
mod serve;
mod settings;
mod show;
mod status;
mod talk;

use std::io;
use std::process::ExitCode;

use clap::Parser;

use flags::{Armilla, Command};

/// The rows of a batch are allocated by a shard's thread and freed by another, which mimalloc does without locks.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The command could not do its work at all (clap's code for wrong usage is the same).
const EXIT_FAILED: u8 = 2;

fn main() -> ExitCode {
    let done = match Armilla::parse().command {
        Command::Server(flags) => serve::run(&flags),
        Command::Dev(flags) => dev::run(&flags),
        Command::Cli(flags) => talk::run(flags),
        Command::Status(flags) => status::run(&flags),
        Command::Chaos(flags) => chaos::run(&flags),
        Command::Ring(change) => ring::change(&change),
        Command::Plan(flags) => ring::plan(&flags),
        Command::Watch(flags) => ring::watch(&flags),
        Command::Man(flags) => manual::man(&flags),
        Command::Completions(flags) => manual::completions(&flags),
    };
    done.unwrap_or_else(|error| {
        talk::print(&mut io::stderr(), format!("armilla: {error:#}").as_bytes());
        ExitCode::from(EXIT_FAILED)
    })
}
