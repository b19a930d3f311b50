//! `armilla dev`: a cluster on this machine, its nodes children of this process.
//!
//! ```text
//! plan -> lock the directory -> ports free? -> start each, wait until it answers -> all see all -> `ready` -> watch
//! ```
//!
//! Not a supervisor: a node that dies is reported and stays dead. Nodes come and go only where that is asked for (`capacity`). Not another way to run a server: each child is
//! `armilla server` with flags that anybody could write.
//!
//! 1. No child outlives this process: each holds the end of a pipe and stops when the other end is gone.
//! 2. Nothing is started unless everything can be: the directory is ours and all ports are free.
//! 3. `ready` is printed once, when every node answers and sees every other.

mod capacity;
mod child;
mod directory;
mod local;
mod plan;
mod ready;
mod signals;

use std::env;
use std::io;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::flags::DevFlags;
use crate::talk;
use capacity::Capacity;
use child::Child;
use plan::Plan;

/// How often children are looked at, in milliseconds.
const LOOK_MS: u64 = 50;
/// Longest wait for a node to answer, in seconds. A node with much data opens it first.
const ANSWER_SECONDS_MAX: u64 = 60;
/// Longest wait for all nodes to see each other, in seconds.
const LINK_SECONDS_MAX: u64 = 30;
/// Longest wait for a node to stop by itself, in seconds; then it is killed.
const STOP_SECONDS_MAX: u64 = 10;
/// All nodes died.
const EXIT_ALL_DEAD: u8 = 1;

/// Runs `armilla dev` until it is told to stop or no node is left.
///
/// # Errors
/// The plan cannot be carried out, or a node dies before all are ready.
pub(crate) fn run(flags: &DevFlags) -> anyhow::Result<ExitCode> {
    if flags.autoscale.is_none() && !flags.marks.marks().is_empty() {
        bail!("between how many nodes? Say so with --autoscale MIN..MAX");
    }
    let mut plan = Plan::of(flags)?;
    let _lock = directory::open(&mut plan, flags.fresh)?;
    let mut capacity = Capacity::of(flags)?;
    plan.require_free_ports()?;
    let stop = signals::stops()?;
    let mut children = Vec::new();
    let begun = start_all(&plan, &stop, &mut children);
    let done = match begun {
        Ok(true) => {
            say(&ready_line(&plan));
            say(&what_next(&plan));
            Ok(watch(&plan, &mut children, &mut capacity, &stop))
        }
        Ok(false) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
    };
    stop_all(&mut children, &stop);
    done
}

/// Starts the nodes and waits until all see all. Nodes that have to join start one after the other, so that each finds
/// the others; those that are members already start at once, for each waits a while for the others before it answers.
/// False: told to stop before that.
fn start_all(plan: &Plan, stop: &Receiver<()>, children: &mut Vec<Child>) -> anyhow::Result<bool> {
    let join = plan.nodes.iter().any(|node| !server::is_of_member(&node.dir));
    for node in &plan.nodes {
        let child = Child::start(plan, node)?;
        say(&child.line(node));
        children.push(child);
        if join
            && !wait(children, stop, ANSWER_SECONDS_MAX, &format!("{} to answer", node.id), || {
                ready::answers(node)
            })?
        {
            return Ok(false);
        }
    }
    wait(children, stop, LINK_SECONDS_MAX, "all nodes to see each other", || {
        plan.nodes.iter().all(|node| ready::sees(node, plan.nodes.len()))
    })
}

/// Waits until something holds; false if told to stop before.
fn wait(
    children: &mut [Child],
    stop: &Receiver<()>,
    seconds_max: u64,
    what: &str,
    holds: impl Fn() -> bool,
) -> anyhow::Result<bool> {
    let deadline = Instant::now() + Duration::from_secs(seconds_max);
    loop {
        for child in children.iter_mut() {
            if let Some(end) = child.ended() {
                bail!("{end}; {}", child.last_words());
            }
        }
        if holds() {
            return Ok(true);
        }
        if Instant::now() > deadline {
            let logs: Vec<String> = children.iter().map(|child| child.log().display().to_string()).collect();
            bail!("waited {seconds_max} s for {what}, in vain; what they say is in {}", logs.join(" "));
        }
        if told_to_stop(stop) {
            return Ok(false);
        }
    }
}

/// Waits a moment for the word to stop.
fn told_to_stop(stop: &Receiver<()>) -> bool {
    !matches!(stop.recv_timeout(Duration::from_millis(LOOK_MS)), Err(RecvTimeoutError::Timeout))
}

/// Reports each child that dies, and has children come and go with the load, until told to stop or all are dead.
fn watch(
    plan: &Plan,
    children: &mut Vec<Child>,
    capacity: &mut Option<Capacity>,
    stop: &Receiver<()>,
) -> ExitCode {
    while !told_to_stop(stop) {
        if let Some(capacity) = capacity {
            capacity.look(plan, children);
        }
        children.retain_mut(|child| {
            let Some(end) = child.ended() else { return true };
            if capacity.as_mut().is_some_and(|capacity| capacity.note_end(child.id(), &end)) {
                return true;
            }
            warn(&end);
            warn(&format!("it is not started again by itself; this does it:\n  {}", child.again()));
            false
        });
        if children.is_empty() {
            warn("no node is left");
            return ExitCode::from(EXIT_ALL_DEAD);
        }
    }
    ExitCode::SUCCESS
}

/// Tells all to stop at once, waits for them, and kills those that do not; a second word to stop kills at once.
fn stop_all(children: &mut [Child], stop: &Receiver<()>) {
    children.iter_mut().for_each(Child::stop);
    let deadline = Instant::now() + Duration::from_secs(STOP_SECONDS_MAX);
    while children.iter_mut().any(|child| child.ended().is_none()) {
        if Instant::now() > deadline || told_to_stop(stop) {
            for end in children.iter_mut().filter_map(Child::kill) {
                warn(&end);
            }
            return;
        }
    }
}

fn ready_line(plan: &Plan) -> String {
    let addresses: Vec<String> = plan.nodes.iter().map(|node| node.client.to_string()).collect();
    format!("ready {}", addresses.join(" "))
}

fn what_next(plan: &Plan) -> String {
    let (first, last) = (plan.nodes[0].client, plan.nodes[plan.nodes.len() - 1].client);
    // As it was called, so that the lines work where this one did.
    let armilla = env::args().next().unwrap_or_else(|| "armilla".to_owned());
    let lines = [
        (format!("{armilla} cli -s {first} SET greeting hello"), "one command"),
        (format!("{armilla} cli -s {last} GET greeting"), "at any node"),
        (format!("{armilla} cli -s {first}"), "a prompt with help and completion"),
        (format!("{armilla} status -s {first}"), "the members and what they hold"),
        (format!("redis-cli -p {} INCR visits", first.port()), "any Redis client"),
    ];
    let width = lines.iter().map(|(line, _)| line.len()).max().unwrap_or_default();
    let lines = lines.map(|(line, why)| format!("  {line:width$}   {why}\n"));
    let dir = plan.dir.display();
    format!("\nTry, in another terminal:\n{}Ctrl-C stops all nodes; the data stays in {dir}.", lines.concat())
}

fn say(line: &str) {
    talk::print(&mut io::stdout(), line.as_bytes());
}

fn warn(line: &str) {
    talk::print(&mut io::stderr(), line.as_bytes());
}
