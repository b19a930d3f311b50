//! A provisioner that runs the user's commands, by `/bin/sh`, and waits for each.
//!
//! ```text
//!   scale-out = "ssh pool start-armilla {node} $ARMILLA_JOIN"      {node}, $ARMILLA_NODE   the node
//!   scale-in  = "ssh pool stop-armilla {node}"                     $ARMILLA_JOIN           a member to join by
//! ```
//!
//! Not a promise that a node runs: that is seen when it is a member.
//!
//! 1. A command finds nothing in its environment that this server was told: a node that it starts would take it for its own.
//! 2. What a command writes goes to a file: what it leaves running may keep that open for as long as it likes.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Provisioner;

/// How long a command may take; then it is killed, and has failed.
const COMMAND_MAX: Duration = Duration::from_secs(600);
/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(50);
/// So many of its last lines are told, and so many letters of them.
const LINES_TOLD: usize = 3;
const LETTERS_TOLD: usize = 300;

/// The two commands, and what they are given.
#[derive(Clone, Debug)]
pub(crate) struct Commands {
    pub(super) scale_out: String,
    pub(super) scale_in: String,
    /// The client address of a member.
    pub(super) join: String,
    /// Where the last command has written to.
    pub(super) output: PathBuf,
}

impl Provisioner for Commands {
    fn start(&mut self, node: &str) -> Result<String, String> {
        self.run("scale-out", &self.scale_out, node)
    }

    fn retire(&mut self, node: &str) -> Result<String, String> {
        self.run("scale-in", &self.scale_in, node)
    }
}

impl Commands {
    fn run(&self, what: &str, line: &str, node: &str) -> Result<String, String> {
        let ended = self.begin(line, node).and_then(|mut child| wait(&mut child, COMMAND_MAX));
        let told = match &ended {
            Ok(Some(status)) => format!("{what} ended with {}", end(*status)),
            Ok(None) => format!("{what} was killed after {} s", COMMAND_MAX.as_secs()),
            Err(error) => format!("{what} cannot be run: {error}"),
        };
        let said = last_lines(&fs::read(&self.output).unwrap_or_default());
        let told = if said.is_empty() { told } else { format!("{told} and said: {said}") };
        if matches!(ended, Ok(Some(status)) if status.success()) { Ok(told) } else { Err(told) }
    }

    fn begin(&self, line: &str, node: &str) -> io::Result<Child> {
        let written = File::create(&self.output)?;
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(line.replace("{node}", node));
        let ours = env::vars_os().map(|(name, _)| name);
        for name in ours.filter(|name| name.as_encoded_bytes().starts_with(b"ARMILLA_")) {
            shell.env_remove(name);
        }
        shell.env("ARMILLA_NODE", node).env("ARMILLA_JOIN", &self.join);
        shell.stdin(Stdio::null()).stdout(written.try_clone()?).stderr(written).spawn()
    }
}

/// Waits for the end of a process; one that takes too long is killed.
fn wait(child: &mut Child, max: Duration) -> io::Result<Option<ExitStatus>> {
    let until = Instant::now() + max;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        sleep(LOOK);
    }
}

fn end(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit code {code}"))
}

/// The end of what a command has written, in one line.
fn last_lines(written: &[u8]) -> String {
    let text = String::from_utf8_lossy(written);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(LINES_TOLD)..].join(" / ");
    let letters = last.chars().count();
    last.chars().skip(letters.saturating_sub(LETTERS_TOLD)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Commands, last_lines, wait};
    use crate::autoscale::Provisioner;
    use std::process::Command;
    use std::time::Duration;

    #[test]
    fn a_command_is_given_the_node_and_waited_for() {
        let output = env_dir().join(format!("armilla-commands-{}", std::process::id()));
        let mut commands = Commands {
            scale_out: "echo one; echo {node} $ARMILLA_NODE $ARMILLA_JOIN".to_owned(),
            scale_in: "echo no such machine >&2; exit 3".to_owned(),
            join: "h:1".to_owned(),
            output: output.clone(),
        };
        let started = "scale-out ended with exit code 0 and said: one / auto1 auto1 h:1";
        assert_eq!(commands.start("auto1").as_deref(), Ok(started));
        let failed = "scale-in ended with exit code 3 and said: no such machine";
        assert_eq!(commands.retire("auto1").unwrap_err(), failed);
        let _ = std::fs::remove_file(output);
    }

    fn env_dir() -> std::path::PathBuf {
        std::env::temp_dir()
    }

    #[test]
    fn one_that_takes_too_long_is_killed() {
        let mut child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        assert!(wait(&mut child, Duration::from_millis(1)).unwrap().is_none());
    }

    #[test]
    fn only_the_last_lines_are_told() {
        assert_eq!(last_lines(b"a\nb\n\n c \nd\n"), "b / c / d");
        assert_eq!(last_lines(&[b'x'; 1_000]).len(), super::LETTERS_TOLD);
    }
}
