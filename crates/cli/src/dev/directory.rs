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

/// Locks the directory, made if missing, and checks that the plan has all nodes that it holds, or removes them. Where nodes may come
/// and go, those that an earlier run has left there are in the plan from then on.
///
/// # Errors
/// It cannot be used, another run uses it, or it holds more nodes.
pub(super) fn open(plan: &mut Plan, fresh: bool) -> anyhow::Result<File> {
    let dir = plan.dir.display().to_string();
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
    } else if stored.len() > plan.nodes.len() && !plan.grow(&stored) {
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
        Plan::of(&DevFlags { nodes, dir, ..DevFlags::default() }).unwrap()
    }

    struct Gone(PathBuf);

    impl Drop for Gone {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn one_at_a_time() {
        let mut plan = plan("lock", 3);
        let _gone = Gone(plan.dir.clone());
        let lock = open(&mut plan, false).unwrap();
        let refusal = open(&mut plan, true).unwrap_err().to_string();
        assert!(refusal.starts_with("another `armilla dev` runs in "), "{refusal}");
        drop(lock);
        open(&mut plan, false).unwrap();
    }

    #[test]
    fn nodes_that_have_come_are_started_again() {
        let dir = plan("come", 3).dir;
        let _gone = Gone(dir.clone());
        for name in ["server1", "server2", "server3", "server5"] {
            fs::create_dir_all(dir.join(name)).unwrap();
        }
        fs::write(dir.join("lock"), "").unwrap();
        let started = |most| {
            let flags = DevFlags { autoscale: Some((3, most)), dir: dir.clone(), ..DevFlags::default() };
            let mut plan = Plan::of(&flags).unwrap();
            open(&mut plan, false).map(|_| plan.nodes.len())
        };
        assert_eq!(started(5).unwrap(), 5);
        assert!(started(4).unwrap_err().to_string().contains("holds 4 nodes"));
    }

    #[test]
    fn fresh_removes_nodes_and_nothing_else() {
        let mut plan = plan("fresh", 2);
        let _gone = Gone(plan.dir.clone());
        for name in ["server1", "server2", "server3", "servers", "photos"] {
            fs::create_dir_all(plan.dir.join(name)).unwrap();
        }
        // Without a lock file nobody knows that these are ours.
        open(&mut plan, true).unwrap();
        assert!(plan.dir.join("server1").exists());
        let refusal = open(&mut plan, false).unwrap_err().to_string();
        assert!(
            refusal.contains("holds 3 nodes: start them with --nodes 3, or begin anew with --fresh"),
            "{refusal}"
        );
        open(&mut plan, true).unwrap();
        assert!(!plan.dir.join("server1").exists() && !plan.dir.join("server3").exists());
        assert!(plan.dir.join("servers").exists() && plan.dir.join("photos").exists());
    }
}
