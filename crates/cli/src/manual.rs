//! Manual pages and shell completions, made from the command line's own description.
//!
//! Not the manual of commands: that is `HELP` at the prompt.
//!
//! 1. A page exists for every command that `--help` shows.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;

use crate::flags::{Armilla, CompletionsFlags, ManFlags};

/// Runs `armilla man`.
///
/// # Errors
/// A page cannot be written.
pub(crate) fn man(flags: &ManFlags) -> anyhow::Result<ExitCode> {
    match &flags.dir {
        Some(dir) => {
            make(dir)?;
            clap_mangen::generate_to(Armilla::command(), dir)
                .with_context(|| format!("cannot write into {}", dir.display()))?;
        }
        None => clap_mangen::Man::new(Armilla::command()).render(&mut io::stdout())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs `armilla completions`.
///
/// # Errors
/// The completions cannot be written.
pub(crate) fn completions(flags: &CompletionsFlags) -> anyhow::Result<ExitCode> {
    let mut command = Armilla::command();
    match &flags.dir {
        Some(dir) => {
            make(dir)?;
            clap_complete::generate_to(flags.shell, &mut command, "armilla", dir)
                .with_context(|| format!("cannot write into {}", dir.display()))?;
        }
        None => clap_complete::generate(flags.shell, &mut command, "armilla", &mut io::stdout()),
    }
    Ok(ExitCode::SUCCESS)
}

fn make(dir: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make the directory {}", dir.display()))
}
