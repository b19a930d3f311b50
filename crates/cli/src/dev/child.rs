//! One node as a child process.
//!
//! Not who decides when it starts or stops.
//!
//! 1. The child holds the reading end of a pipe as its standard input and stops when the writing end, here, is closed:
//!    by [`Child::stop`], or by the system when this process dies in whatever way.
//! 2. It is in a process group of its own, so that Ctrl-C at the terminal reaches only us and the order of stopping is ours.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{self, Command, ExitStatus, Stdio};

use anyhow::Context;

use super::plan::{Plan, PlannedNode};

/// Settings that differ from node to node, so that a variable for all of them would be wrong.
const OWN_VARIABLES: [&str; 9] = [
    "ARMILLA_ID",
    "ARMILLA_ROLE",
    "ARMILLA_ADDR",
    "ARMILLA_PEER_ADDR",
    "ARMILLA_HTTP_ADDR",
    "ARMILLA_ANNOUNCE",
    "ARMILLA_DIR",
    "ARMILLA_JOIN",
    "ARMILLA_CONFIG",
];
/// Lines of a log that are shown when a node dies before all are ready.
const LAST_WORDS_LINES: usize = 8;

/// A node that was started.
#[derive(Debug)]
pub(super) struct Child {
    id: String,
    client: SocketAddr,
    process: process::Child,
    log: PathBuf,
    line: Vec<OsString>,
}

impl Child {
    /// Starts a node; its log begins anew, and the one before it is kept as `log.old`.
    ///
    /// # Errors
    /// The system refuses the process or the log.
    pub(super) fn start(plan: &Plan, node: &PlannedNode) -> anyhow::Result<Self> {
        let cannot = || format!("cannot start {}", node.id);
        let (program, log) = (env::current_exe().with_context(cannot)?, node.log());
        fs::create_dir_all(&node.dir).with_context(cannot)?;
        if log.exists() {
            fs::rename(&log, log.with_extension("old")).with_context(cannot)?;
        }
        let written = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let arguments = node.arguments(&plan.rest);
        let mut command = Command::new(&program);
        command.args(&arguments).arg("--stop-with-stdin").process_group(0);
        OWN_VARIABLES.iter().for_each(|name| {
            command.env_remove(name);
        });
        command.stdin(Stdio::piped()).stdout(written.try_clone().with_context(cannot)?).stderr(written);
        let process = command.spawn().with_context(cannot)?;
        let line = [vec![program.into_os_string()], arguments].concat();
        Ok(Self { id: node.id.clone(), client: node.client, process, log, line })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Where clients reach it.
    pub(super) fn client(&self) -> SocketAddr {
        self.client
    }

    /// What is told of it once it has started.
    pub(super) fn line(&self, node: &PlannedNode) -> String {
        format!("{}  pid {}  clients {}  peers {}", node.id, self.pid(), node.client, node.peer)
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(super) fn log(&self) -> &PathBuf {
        &self.log
    }

    /// Tells it to stop.
    pub(super) fn stop(&mut self) {
        drop(self.process.stdin.take());
    }

    /// Kills it if it is still there, and says so.
    pub(super) fn kill(&mut self) -> Option<String> {
        if self.ended().is_some() {
            return None;
        }
        // It may end by itself just now, which is what we want.
        let _ = self.process.kill();
        let _ = self.process.wait();
        Some(format!("{} (pid {}) did not stop and was killed", self.id, self.pid()))
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<String> {
        let how = match self.process.try_wait() {
            Ok(None) => return None,
            Ok(Some(status)) => told(status),
            Err(error) => format!("cannot be waited for: {error}"),
        };
        Some(format!("{} (pid {}) {how}", self.id, self.pid()))
    }

    /// The line that starts it again by hand.
    pub(super) fn again(&self) -> String {
        let words: Vec<String> = self.line.iter().map(|word| quoted(&word.to_string_lossy())).collect();
        words.join(" ")
    }

    /// The end of its log.
    pub(super) fn last_words(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(LAST_WORDS_LINES)..];
        if last.is_empty() {
            return format!("its log, {}, is empty", self.log.display());
        }
        format!("its log, {}, ends with:\n  {}", self.log.display(), last.join("\n  "))
    }
}

fn told(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("has stopped with exit code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => format!("has stopped: {status}"),
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:,=+@%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::{quoted, told};
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    #[test]
    fn ends_are_told_in_words() {
        assert_eq!(told(ExitStatus::from_raw(2 << 8)), "has stopped with exit code 2");
        assert_eq!(told(ExitStatus::from_raw(9)), "was killed by signal 9");
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("127.0.0.1:7001"), "127.0.0.1:7001");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("a dir/it's"), r"'a dir/it'\''s'");
    }
}
