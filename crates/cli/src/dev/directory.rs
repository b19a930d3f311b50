//! The directory of a cluster on one machine: ours alone while we run, and kept between runs.
//!
//! Not what is in a node's own directory.
//!
//! 1. Whoever holds the lock on `DIR/lock` may start nodes there or remove them; the system drops it with the process.
//! 2. Only what an earlier run made is ever removed: directories called as nodes are, beside a lock file that was there.

use std::fs::{self, File, TryLockError};
use std::path::PathBuf;

use anyhow::{Context, bail};

use super::plan::{self, Plan};

/// Locks the directory, made if missing, and checks that the plan has all nodes that it holds, or removes them.
///
/// # Errors
/// It cannot be used, another run uses it, or it holds more nodes.
pub(super) fn open(plan: &Plan, fresh: bool) -> anyhow::Result<File> {
    let dir = plan.dir.display();
    let cannot = || format!("cannot use the directory {dir}");
    fs::create_dir_all(&plan.dir).with_context(cannot)?;
    let path = plan.dir.join("lock");
    let known = path.exists();
    let lock = File::options().create(true).append(true).open(path).with_context(cannot)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => bail!(
            "another `armilla dev` runs in {dir}: stop that one, or choose another directory with --dir"
        ),
        Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
    }
    let stored = if known { stored(plan)? } else { Vec::new() };
    if fresh {
        for node in &stored {
            fs::remove_dir_all(node).with_context(|| format!("cannot remove {}", node.display()))?;
        }
    } else if stored.len() > plan.nodes.len() {
        // The others would wait for those that are missing. Fewer are no harm: a node that is new joins, or says why not.
        bail!(
            "{dir} holds {} nodes: start them with --nodes {0}, or begin anew with --fresh, which removes their data",
            stored.len()
        );
    }
    Ok(lock)
}

/// The directories of nodes that are there.
fn stored(plan: &Plan) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(&plan.dir).with_context(|| format!("cannot read {}", plan.dir.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && entry.file_name().to_str().is_some_and(plan::is_node_name) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::open;
    use crate::dev::plan::Plan;
    use crate::flags::DevFlags;
    use std::fs;
    use std::path::PathBuf;

    fn plan(name: &str, nodes: u16) -> Plan {
        let dir = std::env::temp_dir().join(format!("armilla-dev-{}-{name}", std::process::id()));
        Plan::of(&DevFlags { nodes, port: 7001, dir, fresh: false, rest: vec![] }).unwrap()
    }

    struct Gone(PathBuf);

    impl Drop for Gone {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn one_at_a_time() {
        let plan = plan("lock", 3);
        let _gone = Gone(plan.dir.clone());
        let lock = open(&plan, false).unwrap();
        let refusal = open(&plan, true).unwrap_err().to_string();
        assert!(refusal.starts_with("another `armilla dev` runs in "), "{refusal}");
        drop(lock);
        open(&plan, false).unwrap();
    }

    #[test]
    fn fresh_removes_nodes_and_nothing_else() {
        let plan = plan("fresh", 2);
        let _gone = Gone(plan.dir.clone());
        for name in ["server1", "server2", "server3", "servers", "photos"] {
            fs::create_dir_all(plan.dir.join(name)).unwrap();
        }
        // Without a lock file nobody knows that these are ours.
        open(&plan, true).unwrap();
        assert!(plan.dir.join("server1").exists());
        let refusal = open(&plan, false).unwrap_err().to_string();
        assert!(
            refusal.contains("holds 3 nodes: start them with --nodes 3, or begin anew with --fresh"),
            "{refusal}"
        );
        open(&plan, true).unwrap();
        assert!(!plan.dir.join("server1").exists() && !plan.dir.join("server3").exists());
        assert!(plan.dir.join("servers").exists() && plan.dir.join("photos").exists());
    }
}
