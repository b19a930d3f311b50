//! The end of a node whose disk has failed: whoever waits for it is told.
//!
//! Not a recovery: another node is opened over what the disk holds, with a new actor, and knows nothing of this.
//!
//! 1. A write that was applied anywhere is told `UNKNOWN`; what was not begun is refused, because there is no room if
//!    that is why the disk has failed.
//! 2. Nothing that waited for the disk is done: no acknowledgement leaves, and no answer says what is not durable.

use crate::event::{Action, ChangeError, Now, Outbox};
use crate::forward;
use crate::room::Room;
use crate::rows::Storage;
use crate::state::{Node, Turn};
use crate::task::refuse;
use crate::work::{Purpose, Work};
use crate::write;
use store::Commit;
use wire::peer::Message;
use wire::{Fault, Reply};

impl Node {
    /// Ends everything that waits for peers, and what was decided and waits for a commit (`held`), with answers that wait
    /// for nothing. Nothing is to be handled afterwards.
    pub fn abandon(
        &mut self,
        now: Now,
        store: &mut Storage,
        held: impl IntoIterator<Item = Action>,
        out: &mut Outbox,
    ) {
        for action in held.into_iter().filter_map(unsettled) {
            out.push(Commit::default(), action);
        }
        let mut turn = Turn { now, store, out };
        let fault = if self.room == Room::Gone { Fault::DiskFull } else { Fault::Storage };
        for ticket in self.pending.tickets() {
            match self.pending.take(ticket) {
                Some(Work::Write(write)) => write::give_up(self, &mut turn, *write),
                Some(Work::Read(read)) if matches!(read.purpose, Purpose::Settle(_)) => {
                    if let Purpose::Settle(write) = read.purpose {
                        write::give_up(self, &mut turn, *write);
                    }
                }
                // It has read and not yet written: what it was for was not applied.
                Some(Work::Read(read)) => {
                    let writes = matches!(read.purpose, Purpose::Update { .. } | Purpose::Flush(_));
                    let fault = if writes { fault.clone() } else { Fault::Storage };
                    refuse(self, &mut turn, read.task, fault);
                }
                Some(Work::Passed(passed)) => forward::give_up(self, &mut turn, passed.placing),
                None => {}
            }
        }
        // Each that ends lets the next of its key come.
        while let Some((task, _)) = self.queues.next_ready() {
            refuse(self, &mut turn, task, fault.clone());
        }
    }
}

/// What is left of an action that waited for a commit which will never settle.
fn unsettled(action: Action) -> Option<Action> {
    match action {
        Action::Answer { id, .. } => Some(Action::Answer { id, reply: Reply::Error(Fault::StorageFailed) }),
        Action::Send { to, mut envelope } => match envelope.message {
            Message::Answer { ticket, .. } => {
                let reply = Reply::Error(Fault::StorageFailed);
                envelope.message = Message::Answer { ticket, reply };
                Some(Action::Send { to, envelope })
            }
            _ => None,
        },
        Action::Changed { id, .. } => Some(Action::Changed { id, outcome: Err(ChangeError::Unknown) }),
        Action::Adopt(_) | Action::Health(_) | Action::Renew => None,
    }
}
