//! The copy of the workspace in which things are broken: `target/mutants/tree`, built in `target/mutants/target`.
//!
//! 1. Equal files are left alone, and so are their times: builds stay incremental.
//! 2. After a mutant the copy is whole again.

use super::Verdict;
use super::catalogue::Mutant;
use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The copy.
pub(crate) struct Tree {
    copy: PathBuf,
    target: PathBuf,
}

/// A command that has run.
pub(crate) struct Ran {
    /// Whether it ended well, and in time.
    pub passes: bool,
    /// What it said.
    pub said: String,
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Tree {
    /// Makes the copy equal to the workspace, as git lists it.
    ///
    /// # Errors
    /// Where git or the file system fail.
    pub(crate) fn copy() -> Result<Self> {
        let root = root();
        let listed = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let Output { status, stdout, .. } = Command::new("git").args(listed).current_dir(&root).output()?;
        ensure!(status.success(), "git does not list the files of the workspace");
        let listed = String::from_utf8(stdout)?;
        let names: BTreeSet<&str> = listed.split('\0').filter(|name| root.join(name).is_file()).collect();
        let folder = root.join("target/mutants");
        let tree = Self { copy: folder.join("tree"), target: folder.join("target") };
        for name in &names {
            let (source, copy) = (root.join(name), tree.copy.join(name));
            let text = fs::read(&source)?;
            if fs::read(&copy).ok().as_ref() != Some(&text) {
                fs::create_dir_all(copy.parent().unwrap_or(&tree.copy))?;
                fs::copy(&source, &copy).with_context(|| copy.display().to_string())?;
            }
        }
        drop_others(&tree.copy, &tree.copy, &names)?;
        Ok(tree)
    }

    /// Does something while a mutant is in place.
    ///
    /// # Errors
    /// Where the file system fails, or what is done.
    pub(crate) fn broken(&self, mutant: &Mutant, what: impl FnOnce() -> Result<Verdict>) -> Result<Verdict> {
        let path = self.copy.join(&mutant.file);
        let whole = fs::read_to_string(&path).with_context(|| mutant.file.clone())?;
        let times = whole.matches(&mutant.find).count();
        if times != 1 {
            return Ok(Verdict::Not(format!("its line is there {times} times")));
        }
        fs::write(&path, whole.replace(&mutant.find, &mutant.replace))?;
        let verdict = what();
        fs::write(&path, whole)?;
        verdict
    }

    /// Runs a command of a catalogue in the copy; after so many seconds it is stopped, and has failed.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub(crate) fn run(&self, command: &str, seconds: u64) -> Result<Ran> {
        let both = format!("exec 2>&1; {command}");
        let Output { status, stdout, .. } = Command::new("timeout")
            .args(["--kill-after=5", &seconds.to_string(), "sh", "-c", &both])
            .current_dir(&self.copy)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("RUST_BACKTRACE", "0")
            .output()?;
        Ok(Ran { passes: status.success(), said: String::from_utf8_lossy(&stdout).into_owned() })
    }
}

/// Removes from the copy what the workspace does not have any more.
fn drop_others(copy: &Path, folder: &Path, names: &BTreeSet<&str>) -> Result<()> {
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.is_dir() {
            drop_others(copy, &path, names)?;
        } else if !path.strip_prefix(copy)?.to_str().is_some_and(|name| names.contains(name)) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
