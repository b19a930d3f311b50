//! A provisioner of child processes.
//!
//! Not who decides that one starts, and not the draining: a node that is reaped here is a member no more.
//!
//! 1. The directory of a node is removed only when the node is a member no more, for which it has given everything away. Its
//!    log stays, as `DIR/NAME.log`.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use server::autoscale::Provisioner;

use super::child::Child;
use super::plan::{Plan, PlannedNode};
use super::{LOOK_MS, STOP_SECONDS_MAX, say};

/// The children of this process.
pub(super) struct Local<'a> {
    pub(super) plan: &'a Plan,
    pub(super) children: &'a mut Vec<Child>,
    /// A member that a newcomer can ask.
    pub(super) join: SocketAddr,
}

impl Provisioner for Local<'_> {
    fn start(&mut self, node: &str) -> Result<String, String> {
        let planned = self.planned(node)?;
        planned.require_free_ports().map_err(|error| format!("{error:#}"))?;
        let child = Child::start(self.plan, &planned).map_err(|error| format!("{error:#}"))?;
        say(&child.line(&planned));
        let told = format!("pid {}", child.pid());
        self.children.push(child);
        Ok(told)
    }

    fn retire(&mut self, node: &str) -> Result<String, String> {
        if let Some(at) = self.children.iter().position(|child| child.id() == node) {
            let mut child = self.children.remove(at);
            child.stop();
            let deadline = Instant::now() + Duration::from_secs(STOP_SECONDS_MAX);
            while child.ended().is_none() && Instant::now() < deadline {
                sleep(Duration::from_millis(LOOK_MS));
            }
            child.kill();
        }
        remove(&self.planned(node)?).map_err(|error| error.to_string())?;
        Ok(String::new())
    }
}

impl Local<'_> {
    fn planned(&self, node: &str) -> Result<PlannedNode, String> {
        self.plan.newcomer(node, self.join).ok_or_else(|| format!("{node} is no name of a node here"))
    }
}

/// Removes what a node has left, but for its log.
fn remove(node: &PlannedNode) -> io::Result<()> {
    fs::rename(node.log(), node.dir.with_extension("log"))?;
    fs::remove_dir_all(&node.dir)
}
