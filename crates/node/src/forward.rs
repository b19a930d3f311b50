//! Passing a request on to an owner, once, and its answer back.
//!
//! A read that gets no answer is asked again elsewhere. A write is never sent twice: whether it was carried out
//! is unknown then, and the client is told so.

use crate::preference;
use crate::state::{Node, Turn};
use crate::task::{finish, is_reachable, no_quorum, number, refuse};
use crate::work::{Kind, Passed, Task, Work};
use placement::NodeId;
use store::Commit;
use wire::peer::{Message, Request, Ticket};
use wire::{Fault, Reply};

/// Passes a request on to `to`.
pub(crate) fn pass(
    node: &mut Node,
    turn: &mut Turn<'_>,
    task: Task,
    kind: Kind,
    to: NodeId,
    request: Request,
) {
    let ticket = node.pending.ticket();
    turn.send(node, to, task.partition, Message::Ask { ticket, request: request.clone() });
    let now = turn.now.monotonic_ms;
    let passed = Passed { task, kind, to, request };
    node.pending.insert(ticket, Work::Passed(Box::new(passed)), now + node.options.retry_ms);
}

/// The answer has come.
pub(crate) fn answered(node: &mut Node, turn: &mut Turn<'_>, ticket: Ticket, reply: Reply) {
    match node.pending.take(ticket) {
        Some(Work::Passed(passed)) => finish(node, turn, Commit::default(), passed.task, reply),
        Some(other) => node.pending.put_back(ticket, other),
        None => {}
    }
}

/// No answer yet.
pub(crate) fn visit(node: &mut Node, turn: &mut Turn<'_>, ticket: Ticket, passed: Box<Passed>) {
    let now = turn.now.monotonic_ms;
    if now >= passed.task.deadline {
        return give_up(node, turn, *passed);
    }
    if passed.kind == Kind::Read {
        let message = Message::Ask { ticket, request: passed.request.clone() };
        turn.send(node, passed.to, passed.task.partition, message);
    }
    node.pending.put_back(ticket, Work::Passed(passed));
    node.pending.visit_again(ticket, now + node.options.retry_ms);
}

/// The link to `peer` broke. Gives a read back that waited for it: it is to be placed elsewhere.
#[must_use]
pub(crate) fn link_down(
    node: &mut Node,
    turn: &mut Turn<'_>,
    ticket: Ticket,
    passed: Box<Passed>,
    peer: NodeId,
) -> Option<Box<Passed>> {
    if passed.to != peer {
        node.pending.put_back(ticket, Work::Passed(passed));
        return None;
    }
    if passed.kind == Kind::Read {
        return Some(passed);
    }
    give_up(node, turn, *passed);
    None
}

/// `peer` does not answer others. Gives a read back that waited for it, as [`link_down`] does, if another can be asked; a
/// write may have been carried out.
#[must_use]
pub(crate) fn suspected(
    node: &mut Node,
    ticket: Ticket,
    passed: Box<Passed>,
    peer: NodeId,
) -> Option<Box<Passed>> {
    let sloppy = preference::sloppy(node, passed.task.partition, passed.task.level);
    let other = preference::askable(node, passed.task.partition, sloppy.as_deref()).next();
    if passed.to == peer && passed.kind == Kind::Read && other.is_some_and(|other| is_reachable(node, other))
    {
        return Some(passed);
    }
    node.pending.put_back(ticket, Work::Passed(passed));
    None
}

pub(crate) fn give_up(node: &mut Node, turn: &mut Turn<'_>, passed: Passed) {
    let fault = match passed.kind {
        Kind::Read => no_quorum(node, &passed.task, passed.kind),
        Kind::Write | Kind::Update => {
            let owners = node.layout.owners(passed.task.partition).len();
            Fault::Unknown { held: 0, needed: number(passed.task.level.write(owners)) }
        }
    };
    refuse(node, turn, passed.task, fault);
}
