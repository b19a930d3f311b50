//! Passing a request on to an owner, and its answer back.
//!
//! A read that gets no answer is asked again elsewhere. A write is never sent twice: whether it was carried out
//! is unknown then, and the client is told so. Who answers that it cannot, and that nothing was applied, may be alone in
//! that: behind a cut that spares this node, with a clock or a disk of its own. So another is tried.

use crate::preference::{self, Order};
use crate::scope;
use crate::state::{Node, Turn};
use crate::task::{finish, is_reachable, no_quorum, number, refuse};
use crate::work::{Kind, Passed, Placing, Work};
use placement::NodeId;
use store::Commit;
use wire::fault::Move;
use wire::peer::{Message, Ticket};
use wire::{Fault, Reply};

/// Passes a request on to `to`.
pub(crate) fn pass(node: &mut Node, turn: &mut Turn<'_>, placing: Placing, to: NodeId) {
    let (ticket, request) = (node.pending.ticket(), placing.request.clone());
    turn.send(node, to, placing.task.partition, Message::Ask { ticket, request });
    let now = turn.now.monotonic_ms;
    let passed = Passed { placing, to };
    node.pending.insert(ticket, Work::Passed(Box::new(passed)), now + node.options.retry_ms);
}

/// The answer has come. Gives a request back that was declined: it is to be placed elsewhere.
#[must_use]
pub(crate) fn answered(
    node: &mut Node,
    turn: &mut Turn<'_>,
    ticket: Ticket,
    reply: Reply,
) -> Option<Placing> {
    match node.pending.take(ticket) {
        Some(Work::Passed(passed)) => {
            let Passed { mut placing, to } = *passed;
            if turn.now.monotonic_ms < placing.task.deadline && is_declined(&reply) {
                placing.declined.push(to);
                placing.refusal = Some(reply);
                return Some(placing);
            }
            finish(node, turn, Commit::default(), placing.task, reply);
        }
        Some(other) => node.pending.put_back(ticket, other),
        None => {}
    }
    None
}

/// Whether somebody could not do it, and another may. Who has too much to do is no reason to give others more.
fn is_declined(reply: &Reply) -> bool {
    let Reply::Error(fault) = reply else { return false };
    fault.next_move() == Move::Retry && fault.code() != Fault::Busy.code()
}

/// No answer yet.
pub(crate) fn visit(node: &mut Node, turn: &mut Turn<'_>, ticket: Ticket, passed: Box<Passed>) {
    let now = turn.now.monotonic_ms;
    let Placing { task, kind, request, .. } = &passed.placing;
    if now >= task.deadline {
        return give_up(node, turn, passed.placing);
    }
    if *kind == Kind::Read {
        let message = Message::Ask { ticket, request: request.clone() };
        turn.send(node, passed.to, task.partition, message);
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
) -> Option<Placing> {
    if passed.to != peer {
        node.pending.put_back(ticket, Work::Passed(passed));
        return None;
    }
    if passed.placing.kind == Kind::Read {
        return Some(passed.placing);
    }
    give_up(node, turn, passed.placing);
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
) -> Option<Placing> {
    let Placing { task, kind, declined, .. } = &passed.placing;
    let sloppy = preference::sloppy(node, task.partition, task.level);
    let other = preference::askable(node, task, Order::of(*kind), sloppy.as_deref())
        .find(|other| !declined.contains(other));
    if passed.to == peer && *kind == Kind::Read && other.is_some_and(|other| is_reachable(node, other)) {
        return Some(passed.placing);
    }
    node.pending.put_back(ticket, Work::Passed(passed));
    None
}

pub(crate) fn give_up(node: &mut Node, turn: &mut Turn<'_>, Placing { task, kind, .. }: Placing) {
    let fault = match kind {
        Kind::Read => no_quorum(node, &task, kind),
        Kind::Write | Kind::Update => {
            let quota = scope::to_write(node, task.partition, task.level);
            Fault::Unknown { held: 0, needed: number(quota.need()) }
        }
    };
    refuse(node, turn, task, fault);
}
