//! `armilla server`: merges the settings, opens the log, and lets the server run.
//!
//! Not the server, which stops on SIGINT and SIGTERM by itself; what is here only adds the end of standard input to them.
//!
//! 1. Log lines go to standard error; standard output stays empty.

use std::env;
use std::io::{self, IsTerminal, Read};
use std::process::ExitCode;
use std::thread;

use anyhow::Context;
use server::Stop;
use tracing_subscriber::EnvFilter;

use crate::settings::{self, ServerFlags};

/// Runs a node until it is told to stop.
///
/// # Errors
/// The settings are not good, or the server cannot start or go on.
pub(crate) fn run(flags: &ServerFlags) -> anyhow::Result<ExitCode> {
    let merged = settings::merge(flags, env::vars_os())?;
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&merged.log).context("log")?)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    let stop = Stop::default();
    if flags.stop_with_stdin {
        let stop = stop.clone();
        thread::Builder::new().name("stdin".to_owned()).spawn(move || stop_at_the_end_of_input(&stop))?;
    }
    server::run_until(merged.config, &stop, || {})?;
    Ok(ExitCode::SUCCESS)
}

/// A pipe ends when whoever holds its other end closes it or dies, however it dies.
fn stop_at_the_end_of_input(stop: &Stop) {
    let mut byte = [0];
    while io::stdin().read(&mut byte).is_ok_and(|count| count > 0) {}
    stop.stop();
}
