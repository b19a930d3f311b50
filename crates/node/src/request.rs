//! A client's request from the moment it comes in until somebody works on it: place it, or pass it on. Who has it from
//! another passes it on only where it has lost something itself, or is no owner and sees more of them than the other did.
//!
//! ```text
//!            ┌ not an owner (nor who stands in for one, where those count) ─▶ forward, to an owner
//! accept ────┼ a read-modify-write, not at home ─▶ forward, to the first live owner
//!            └ otherwise ─▶ coordinate: read, write, or read and then write
//! ```

use crate::evaluate;
use crate::forward;
use crate::list;
use crate::preference::{self, Order};
use crate::queue;
use crate::read;
use crate::siblings;
use crate::state::{Node, Turn};
use crate::task::{finish, is_reachable, knows_enough, no_quorum, patience_ms, refuse};
use crate::work::{Kind, Origin, Placing, Plan, Purpose, Task};
use crate::write;
use bytes::Bytes;
use causal::{Cell, Key};
use placement::{NodeId, PartitionId};
use store::Commit;
use wire::command::{self, Class};
use wire::request::{Job, Request};
use wire::{Fault, Reply};

/// Takes a request in.
pub(crate) fn accept(
    node: &mut Node,
    turn: &mut Turn<'_>,
    origin: Origin,
    partition: PartitionId,
    request: Request,
) {
    let deadline = turn.now.monotonic_ms + patience_ms(node, origin);
    let task = Task { origin, partition, level: request.level, deadline, queued: None };
    let kind = match kind_of(&request.job) {
        Ok(kind) => kind,
        Err(fault) => return refuse(node, turn, task, fault),
    };
    // Before anything can be refused: what is being carried out must not be said to have been applied nowhere.
    if kind != Kind::Read && is_repeated(node, turn, origin) {
        return;
    }
    if let Err(fault) = admit(node, turn, partition, kind) {
        return refuse(node, turn, task, fault);
    }
    place(node, turn, Placing { task, kind, request, declined: Vec::new(), refusal: None });
}

/// Has somebody work on a request: this node, or one that it is passed on to. A read that got no answer there is placed
/// once more, and so is anything that could not be done there.
pub(crate) fn place(node: &mut Node, turn: &mut Turn<'_>, placing: Placing) {
    let Placing { task, kind, request, declined, .. } = &placing;
    let (me, partition, kind) = (node.identity.node, task.partition, *kind);
    let owners = node.layout.owners(partition);
    let knows_enough = knows_enough(node, task, me);
    let is_client = matches!(task.origin, Origin::Client(_));
    let sloppy = preference::sloppy(node, partition, task.level);
    // Who stands in has few keys: it is not asked to list or count them while any owner can be.
    let lists = matches!(request.job, Job::Count { .. } | Job::List { .. });
    let is_up = |owner: &NodeId| is_reachable(node, *owner);
    let sloppy = sloppy.filter(|_| !lists || !owners.iter().any(is_up));
    let may_act = |healthy: &Vec<NodeId>| healthy.contains(&me) || !is_client && preference::may_hold(node);
    let stands_in = sloppy.as_ref().is_some_and(may_act);
    let acts = stands_in || (owners.contains(&me) && knows_enough);
    let place = |owner: &NodeId| owners.iter().position(|other| other == owner);
    // What was refused for certain is not made unknown by somebody who may not answer.
    let is_risky = |other: &NodeId| !declined.is_empty() && kind != Kind::Read && !is_reachable(node, *other);
    let order = Order::of(kind);
    let first_live = preference::askable(node, task, order, sloppy.as_deref()).find(|other| match *other {
        other if declined.contains(&other) || is_risky(&other) => false,
        other if other == me => acts,
        // Only to one behind this one, where it was passed on because of a loss: so it goes round no circle.
        other => is_client || knows_enough || place(&other) > place(&me),
    });
    let is_at_home = kind != Kind::Update || !is_client || first_live == Some(me);
    match first_live {
        _ if acts && is_at_home => coordinate(node, turn, placing.task, kind, placing.request.job),
        Some(owner) => forward::pass(node, turn, placing, owner),
        None => {
            let refusal =
                placing.refusal.unwrap_or_else(|| Reply::Error(no_quorum(node, &placing.task, kind)));
            finish(node, turn, Commit::default(), placing.task, refusal);
        }
    }
}

/// Whether a write was passed on to this node before: it is being carried out, or was.
fn is_repeated(node: &mut Node, turn: &Turn<'_>, origin: Origin) -> bool {
    let memory_ms = node.options.waited_for_ms();
    match origin {
        Origin::Client(_) => false,
        Origin::Peer(from, ticket) => !node.heard.is_new(turn.now.monotonic_ms, memory_ms, from, ticket),
    }
}

/// Refuses what cannot be done, before anything is.
fn admit(node: &Node, turn: &Turn<'_>, partition: PartitionId, kind: Kind) -> Result<(), Fault> {
    if u32::from(partition.0) >= node.layout.keyspace().partition_count() {
        return Err(Fault::Forming);
    }
    if node.pending.len() + node.queues.len() >= node.options.requests_max {
        return Err(Fault::Busy);
    }
    if kind == Kind::Read {
        return Ok(());
    }
    match node.ahead {
        Some((until, ahead_ms)) if turn.now.monotonic_ms < until => {
            Err(Fault::ClockAhead { ahead_ms, allowed_ms: causal::limits::STAMP_AHEAD_MS_MAX })
        }
        _ => Ok(()),
    }
}

fn kind_of(job: &Job) -> Result<Kind, Fault> {
    match job {
        Job::Command { words, .. } => match command::resolve(words)?.class(words) {
            Class::Read(_) => Ok(Kind::Read),
            Class::Write(_) => Ok(Kind::Write),
            Class::Update(_) => Ok(Kind::Update),
            _ => Err(Fault::unknown_command(&words[0], &words[1..])),
        },
        Job::Siblings { .. } | Job::Explain { .. } | Job::Count { .. } | Job::List { .. } => Ok(Kind::Read),
        Job::Resolve { .. } | Job::Flush { .. } => Ok(Kind::Write),
    }
}

/// Starts the work on a request that this node coordinates.
fn coordinate(node: &mut Node, turn: &mut Turn<'_>, task: Task, kind: Kind, job: Job) {
    if !node.room.admits(kind, &job) {
        return refuse(node, turn, task, Fault::DiskFull);
    }
    match job {
        Job::Command { key, words } => match kind {
            Kind::Read => read::begin(node, turn, task, Purpose::Command { key, words }),
            Kind::Update => queue::enter(node, turn, task, key, words),
            Kind::Write => write_blind(node, turn, task, key, &words),
        },
        Job::Siblings { key } => read::begin(node, turn, task, Purpose::Siblings(key)),
        Job::Explain { key } => read::begin(node, turn, task, Purpose::Explain(key)),
        Job::Flush { scope } => read::begin(node, turn, task, Purpose::Flush(scope)),
        Job::Count { database } => {
            let count = node.replicas.get(&task.partition).map_or(0, |replica| replica.keys(database));
            finish(node, turn, Commit::default(), task, Reply::Integer(count));
        }
        Job::List { database, from, limit } => {
            match list::keys(node, turn, task.partition, database, from, limit) {
                Ok((after, reply)) => finish(node, turn, after, task, reply),
                Err(_) => refuse(node, turn, task, Fault::Storage),
            }
        }
        Job::Resolve { key, token, value } => {
            let plan = |edit| Plan { edits: vec![edit], ..Plan::default() };
            match siblings::resolve(node.layout.keyspace(), key, &token, value).map(plan) {
                Ok(plan) => write::begin(node, turn, task, plan, Reply::ok()),
                Err(fault) => refuse(node, turn, task, fault),
            }
        }
    }
}

/// A command that writes without looking, a plain `SET`.
fn write_blind(node: &mut Node, turn: &mut Turn<'_>, task: Task, key: Key, words: &[Bytes]) {
    match evaluate::run(words, None) {
        Ok((reply, change)) => {
            write::change(node, turn, task, Cell::string(key), change, (reply, Vec::new()));
        }
        Err(fault) => refuse(node, turn, task, fault),
    }
}
