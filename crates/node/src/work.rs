//! What waits for peers: a task and what is known of it so far. Data alone; what is done with it is told in
//! `read`, `write` and `forward`.

use crate::event::RequestId;
use crate::quota::Quota;
use crate::rows::Seen;
use crate::tally::Tally;
use bytes::Bytes;
use causal::{Cell, Context, Delta, Edit, Entries, Key, Scope, Sweep};
use placement::{NodeId, PartitionId};
use store::Commit;
use wire::peer::exchange::Hashes;
use wire::peer::{Message, Report, Shown, Ticket};
use wire::request::Request;
use wire::{Level, Reply};

/// Who waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A client of this node.
    Client(RequestId),
    /// A node that has passed the request on.
    Peer(NodeId, Ticket),
}

/// What every piece of work carries until its answer.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) origin: Origin,
    pub(crate) partition: PartitionId,
    pub(crate) level: Level,
    /// When its client is told, whatever has come of it by then.
    pub(crate) deadline: u64,
    /// The key whose turn it is having: the next in its queue comes when this one ends.
    pub(crate) queued: Option<Key>,
}

/// What kind of work a request is, for whoever must choose where it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    Write,
    /// Read, then write, one after another for each key: at the home.
    Update,
}

/// Something that waits for peers.
#[derive(Debug)]
pub(crate) enum Work {
    /// A write that is not yet on enough owners.
    Write(Box<Write>),
    /// A read that has not yet heard from enough owners.
    Read(Box<Read>),
    /// A request that was passed on.
    Passed(Box<Passed>),
}

/// A request that was passed on.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) placing: Placing,
    pub(crate) to: NodeId,
}

/// A request for which somebody is looked for who can carry it out.
#[derive(Debug)]
pub(crate) struct Placing {
    pub(crate) task: Task,
    pub(crate) kind: Kind,
    pub(crate) request: Request,
    /// Those that could not, and applied nothing.
    pub(crate) declined: Vec<NodeId>,
    /// What the last of them said.
    pub(crate) refusal: Option<Reply>,
}

/// What an operation is to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) edits: Vec<Edit>,
    pub(crate) sweep: Option<Sweep>,
    /// Whether it must be what is seen afterwards, as a plain `SET` must.
    pub(crate) plain: bool,
    /// What its maker has just read and nothing has changed since.
    pub(crate) seen: Option<Seen>,
    /// The answers of those whose changes are part of it, beside its first.
    pub(crate) joined: Vec<(Task, Reply)>,
}

impl Plan {
    /// About how many bytes its operation takes.
    pub(crate) fn bytes_about(&self) -> usize {
        self.edits.iter().map(Edit::bytes_about).sum()
    }
}

/// A write that is not yet on enough owners.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) task: Task,
    pub(crate) reply: Reply,
    pub(crate) joined: Vec<(Task, Reply)>,
    pub(crate) plain: bool,
    pub(crate) delta: Delta,
    /// The write for which the operation removes others: nobody is to have the one without the other.
    pub(crate) rests_on: Option<Delta>,
    pub(crate) after: Commit,
    pub(crate) tally: Tally,
    pub(crate) asker: Option<Hashes>,
    /// The nodes that count in the place of owners, where the level is sloppy and too few of those can be reached.
    pub(crate) sloppy: Option<Vec<NodeId>>,
    /// Those that would not take it, at the level sloppy: they are not counted again.
    pub(crate) refusers: Vec<NodeId>,
    /// What owners hold beside it, or know of the cell, where they do not all hold it alone and know the same.
    pub(crate) beside: Option<Context>,
    /// Whether all owners are to be asked before it is ranked, and not W.
    pub(crate) asks_all: bool,
    pub(crate) ahead_ms: Option<u64>,
}

/// What a read is for.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// The answer of a command.
    Command {
        key: Key,
        words: Vec<Bytes>,
    },
    /// The first half of an update of the task's queued key.
    Update {
        words: Vec<Bytes>,
        /// How many waited for the same key when this read began.
        waiting: usize,
    },
    Siblings(Key),
    Explain(Key),
    /// How a plain write ranks, which W owners hold.
    Settle(Box<Write>),
    /// What has been applied anywhere, so that all of it can be removed.
    Flush(Scope),
}

/// A read that has not yet heard from enough owners.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) task: Task,
    pub(crate) purpose: Purpose,
    pub(crate) cell: Option<Cell>,
    pub(crate) held: Entries,
    pub(crate) after: Commit,
    /// The owners that must agree.
    pub(crate) quota: Quota,
    pub(crate) asked: Vec<NodeId>,
    pub(crate) same: Vec<NodeId>,
    pub(crate) reports: Vec<(NodeId, Report)>,
    /// Whether the write that it ranks was shown anywhere.
    pub(crate) shown: Shown,
    pub(crate) repair: Option<Repair>,
    /// How many repairs were not enough.
    pub(crate) rounds: u32,
    /// Whether an owner that is behind has no room for what it misses.
    pub(crate) is_stuck: bool,
    /// Whether all owners are asked, because one of them was stuck.
    pub(crate) asks_all: bool,
    /// Those that have refused what they had missed: others are asked before them.
    pub(crate) refusers: Vec<NodeId>,
    /// What was held and known here when the others were asked, where some may have answered "the same" by the time
    /// that another differs.
    pub(crate) base: Option<Box<Report>>,
    /// The nodes that are asked in the place of owners, where the level is sloppy and too few of those can be reached.
    pub(crate) sloppy: Option<Vec<NodeId>>,
}

/// The owners that are behind and what they were sent.
#[derive(Debug)]
pub(crate) struct Repair {
    pub(crate) tally: Tally,
    pub(crate) sent: Vec<(NodeId, Message)>,
    /// What all of them are to hold and know, and its hashes.
    pub(crate) merged: Report,
    pub(crate) asker: Hashes,
    /// What the first that was counted shows.
    pub(crate) shown: Option<Entries>,
}
