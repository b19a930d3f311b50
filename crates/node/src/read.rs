//! A read, from its question to its answer; the first half of a read-modify-write too.
//!
//! ```text
//! begin     what do I hold? ask R - 1 other owners whether they hold the same
//! fetched   R agree ─▶ conclude
//!           somebody differs ─▶ `repair` ─▶ all R hold the same ─▶ conclude
//! conclude  the command's answer, or the write that follows
//! ```
//!
//! Invariants:
//! 1. At a level where R is a quorum, a quorum holds durably what is answered before the answer leaves, so reads
//!    never go back in time.
//! 2. Nothing is refused before its deadline because others write the same key.
//! 3. Where stand-ins count (`preference`) the answer is the merge of what R healthy nodes hold, and promises no more.

use crate::evaluate;
use crate::explain;
use crate::preference::{self, Order};
use crate::quota::Quota;
use crate::repair::{self, Next, Start};
use crate::report;
use crate::room::Room;
use crate::rows::Shelf;
use crate::scope;
use crate::shown::both;
use crate::siblings;
use crate::state::{Node, Turn};
use crate::task::{finish, is_live, is_reachable, knows_enough, no_quorum, number, patience_ms, refuse};
use crate::work::{Kind, Plan, Purpose, Read, Task, Work};
use crate::write;
use bytes::Bytes;
use causal::{Cell, Change, Entries, Scope, Sweep, string};
use placement::NodeId;
use store::Commit;
use wire::peer::quorum::Quorums;
use wire::peer::{Message, Report, Shown, Ticket, Verdict};
use wire::{Fault, Level, Reply};

/// Looks here and asks the others.
pub(crate) fn begin(node: &mut Node, turn: &mut Turn<'_>, task: Task, purpose: Purpose) {
    ask(node, turn, (task, purpose), false, Vec::new());
}

/// ... as many as are needed, or all of them, and those last that have refused what they had missed.
fn ask(
    node: &mut Node,
    turn: &mut Turn<'_>,
    (task, purpose): (Task, Purpose),
    asks_all: bool,
    refusers: Vec<NodeId>,
) {
    let sloppy = preference::sloppy_at_work(node, task.partition, task.level);
    if sloppy.is_none() && !knows_enough(node, &task, node.identity.node) {
        // It may have waited since before something was lost here.
        return fail(node, turn, task, purpose, Fault::Storage);
    }
    let me = node.identity.node;
    let quota = needed(node, &task, &purpose, asks_all, sloppy.as_deref());
    // How a write ranks is not asked where stand-ins count: it is counted anew.
    let is_short = match sloppy {
        Some(_) => matches!(purpose, Purpose::Settle(_)),
        None => !quota.is_met(|owner| is_live(node, owner)),
    };
    if is_short {
        let fault = no_quorum(node, &task, Kind::Read);
        return fail(node, turn, task, purpose, fault);
    }
    if turn.now.monotonic_ms >= task.deadline {
        // It has begun before, and what it found has changed again and again.
        let fault = Fault::NoQuorum { needed: number(quota.need()), reachable: 1 };
        return fail(node, turn, task, purpose, fault);
    }
    let cell = cell_of(&task, &purpose);
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), task.partition);
    let held = match cell.as_ref().map_or_else(|| Ok(Entries::default()), |cell| shelf.get(cell)) {
        Ok(held) => held,
        Err(error) => {
            node.note_damage(task.partition, &error);
            return fail(node, turn, task, purpose, Fault::Storage);
        }
    };
    let replica = node.replicas.get(&task.partition);
    let after = replica.map_or(shelf.after, |replica| replica.known_after(&shelf));
    let base =
        if quota.need() > 2 && sloppy.is_none() { base(node, &task, cell.as_ref(), &held) } else { None };
    let shown = match (&purpose, replica) {
        (Purpose::Settle(write), Some(replica)) => replica.shown(write.delta.dot),
        _ => Shown::default(),
    };
    let nothing_yet = Read::new(task, purpose, quota);
    let mut read =
        Box::new(Read { cell, held, after, shown, asks_all, refusers, base, sloppy, ..nothing_yet });
    if read.quota.is_met(|owner| owner == me) {
        return conclude(node, turn, *read);
    }
    let ticket = node.pending.ticket();
    while !read.quota.is_met(|owner| owner == me || read.asked.contains(&owner))
        && ask_another(node, turn, ticket, &mut read)
    {}
    node.pending.insert(ticket, Work::Read(read), turn.now.monotonic_ms + node.options.retry_ms);
}

/// Which owners must agree.
fn needed(node: &Node, task: &Task, purpose: &Purpose, asks_all: bool, sloppy: Option<&[NodeId]>) -> Quota {
    let me = node.identity.node;
    let all = || Quota::all_of(scope::counted(node, task.partition, task.level));
    match (purpose, sloppy) {
        _ if asks_all => all(),
        (Purpose::Explain(_), _) => {
            let owners = node.layout.owners(task.partition).iter().copied();
            Quota::all_of(owners.filter(|owner| is_live(node, *owner)).collect())
        }
        // Of all datacenters, whoever counts: each may have shown it.
        (Purpose::Settle(write), _) if write.asks_all => {
            Quota::all_of(node.layout.owners(task.partition).to_vec())
        }
        (Purpose::Settle(_), _) => scope::to_write(node, task.partition, task.level),
        (_, Some(healthy)) => {
            let enough = preference::enough(node.layout.owners(task.partition).len(), healthy.len());
            let others = healthy.iter().copied().filter(|other| *other != me);
            Quota::new(others.chain([me]).collect(), enough)
        }
        (_, None) => scope::to_read(node, task.partition, task.level),
    }
}

fn base(node: &Node, task: &Task, cell: Option<&Cell>, held: &Entries) -> Option<Box<Report>> {
    let replica = node.replicas.get(&task.partition)?;
    Some(Box::new(report::report(replica, cell?, held.clone())))
}

fn cell_of(task: &Task, purpose: &Purpose) -> Option<Cell> {
    let key = match purpose {
        Purpose::Command { key, .. } | Purpose::Siblings(key) | Purpose::Explain(key) => Some(key),
        Purpose::Update { .. } => task.queued.as_ref(),
        Purpose::Settle(write) => return write.delta.edits.first().map(|edit| edit.cell.clone()),
        Purpose::Flush(_) => None,
    };
    key.map(|key| Cell::string(key.clone()))
}

/// Asks a live owner that was not asked yet; tells whether there was one.
fn ask_another(node: &Node, turn: &mut Turn<'_>, ticket: Ticket, read: &mut Read) -> bool {
    let me = node.identity.node;
    let fresh = |owner: &NodeId| *owner != me && !read.asked.contains(owner);
    let askable =
        || preference::askable(node, &read.task, Order::Nearest, read.sloppy.as_deref()).filter(fresh);
    let is_asked = |owner: NodeId| owner == me || read.asked.contains(&owner);
    let is_needed = |owner: &NodeId| read.quota.needs(*owner, is_asked);
    let is_willing = |owner: &NodeId| !read.refusers.contains(owner);
    // At a level of one datacenter there may be some to ask that do not count.
    let far = read.quota.owners().filter(|owner| fresh(owner) && is_live(node, *owner));
    let best = askable().chain(far).find(|owner| is_willing(owner) && is_needed(owner));
    let Some(owner) = best.or_else(|| askable().find(is_willing)).or_else(|| askable().next()) else {
        return false;
    };
    read.asked.push(owner);
    fetch(node, turn, ticket, read, owner);
    true
}

fn fetch(node: &Node, turn: &mut Turn<'_>, ticket: Ticket, read: &Read, owner: NodeId) {
    let asker = node.hashes(read.task.partition, read.cell.as_ref(), &read.held);
    let ranks = match &read.purpose {
        Purpose::Settle(write) => Some(write.delta.dot),
        _ => None,
    };
    let quorum = scope::quorum(read.task.level);
    let message = Message::Fetch { ticket, cell: read.cell.clone(), asker, ranks, quorum };
    turn.send(node, owner, read.task.partition, message);
}

/// An owner says what it holds.
pub(crate) fn fetched(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    ticket: Ticket,
    report: Option<Box<Report>>,
    shown: Shown,
) {
    let Some(mut read) = take_read(node, ticket) else { return };
    if read.repair.is_none() && read.asked.contains(&from) && !read.has_heard(&from) {
        read.shown = both(std::mem::take(&mut read.shown), scope::heard_from(node, from, shown));
        match report {
            None => read.same.push(from),
            Some(report) => read.reports.push((from, *report)),
        }
        let me = node.identity.node;
        if read.quota.is_met(|owner| owner == me || read.has_heard(&owner)) {
            return compare(node, turn, ticket, read);
        }
    }
    node.pending.put_back(ticket, Work::Read(read));
}

/// An owner cannot read it: another is asked.
pub(crate) fn unreadable(node: &mut Node, turn: &mut Turn<'_>, from: NodeId, ticket: Ticket) {
    let Some(mut read) = take_read(node, ticket) else { return };
    if read.asked.contains(&from) {
        ask_another(node, turn, ticket, &mut read);
    }
    node.pending.put_back(ticket, Work::Read(read));
}

fn take_read(node: &mut Node, ticket: Ticket) -> Option<Box<Read>> {
    match node.pending.take(ticket)? {
        Work::Read(read) => Some(read),
        other => {
            node.pending.put_back(ticket, other);
            None
        }
    }
}

/// Enough have answered: do they agree?
fn compare(node: &mut Node, turn: &mut Turn<'_>, ticket: Ticket, mut read: Box<Read>) {
    let only_reports = matches!(read.purpose, Purpose::Explain(_) | Purpose::Flush(_));
    let Some(cell) = read.cell.clone().filter(|_| !only_reports && !read.reports.is_empty()) else {
        return conclude(node, turn, *read);
    };
    match repair::start(node, turn, &cell, &mut read) {
        Ok(Start::Agreed) => conclude(node, turn, *read),
        Ok(Start::Behind) => {
            repair::send(node, turn, ticket, &read);
            node.pending.put_back(ticket, Work::Read(read));
        }
        Ok(Start::NoRoom) => {
            read.is_stuck = true;
            node.pending.put_back(ticket, Work::Read(read));
        }
        Err(_) => fail(node, turn, read.task, read.purpose, Fault::Storage),
    }
}

/// An owner that was behind has answered.
pub(crate) fn repaired(
    node: &mut Node,
    turn: &mut Turn<'_>,
    ticket: Ticket,
    mut read: Box<Read>,
    from: NodeId,
    verdict: &Verdict,
) {
    match repair::heard(node, turn, &mut read, from, verdict) {
        Ok(Next::Wait) => node.pending.put_back(ticket, Work::Read(read)),
        Ok(Next::Conclude) => conclude(node, turn, *read),
        Ok(Next::SendTo(owner)) => {
            repair::send_to(node, turn, ticket, &read, owner);
            node.pending.put_back(ticket, Work::Read(read));
        }
        Ok(Next::Elsewhere) => ask(node, turn, (read.task, read.purpose), false, read.refusers),
        Ok(Next::Again) if turn.now.monotonic_ms >= read.task.deadline => {
            let fault = read.in_vain();
            fail(node, turn, read.task, read.purpose, fault);
        }
        Ok(Next::Again) => {
            // Under a ticket of its own: an answer to this round that comes late says nothing of the next.
            let ticket = node.pending.ticket();
            let visit_at = turn.now.monotonic_ms + node.options.retry_ms;
            node.pending.visit_again(ticket, visit_at);
            compare(node, turn, ticket, read);
        }
        Err(_) => fail(node, turn, read.task, read.purpose, Fault::Storage),
    }
}

/// Some have not answered yet: they are asked again, and one more with them.
pub(crate) fn visit(node: &mut Node, turn: &mut Turn<'_>, ticket: Ticket, mut read: Box<Read>) {
    let now = turn.now.monotonic_ms;
    let halftime = read.task.deadline.saturating_sub(patience_ms(node, read.task.origin) / 2);
    if now >= halftime && matches!(read.purpose, Purpose::Explain(_)) {
        // Who does not answer is what the client wants to know, and a node that passed the question on waits for
        // the whole time only.
        return conclude(node, turn, *read);
    }
    let ranks = matches!(read.purpose, Purpose::Settle(_));
    if now >= halftime && read.task.level == Level::Sloppy && !ranks {
        // Who was believed to be healthy is not: what has been heard is enough.
        read.sloppy = Some(preference::healthy(node, read.task.partition));
        read.repair = None;
        return compare(node, turn, ticket, read);
    }
    if now >= read.task.deadline {
        let fault = read.in_vain();
        return fail(node, turn, read.task, read.purpose, fault);
    }
    if preference::sloppy_at_work(node, read.task.partition, read.task.level) != read.sloppy {
        return begin(node, turn, read.task, read.purpose);
    }
    if read.is_stuck
        && read.is_plain()
        && scope::counted(node, read.task.partition, read.task.level)
            .iter()
            .all(|owner| is_live(node, *owner))
    {
        // Where none shows anything else nothing need be kept anywhere.
        return ask(node, turn, (read.task, read.purpose), true, Vec::new());
    }
    if read.repair.is_some() {
        repair::send(node, turn, ticket, &read);
    } else {
        for owner in read.asked.iter().filter(|owner| !read.has_heard(owner)) {
            fetch(node, turn, ticket, &read, *owner);
        }
        ask_another(node, turn, ticket, &mut read);
    }
    node.pending.put_back(ticket, Work::Read(read));
    node.pending.visit_again(ticket, now + node.options.retry_ms);
}

impl Read {
    fn new(task: Task, purpose: Purpose, quota: Quota) -> Self {
        Self {
            task,
            purpose,
            cell: None,
            held: Entries::default(),
            after: Commit::default(),
            quota,
            asked: Vec::new(),
            same: Vec::new(),
            reports: Vec::new(),
            shown: Shown::default(),
            repair: None,
            rounds: 0,
            is_stuck: false,
            asks_all: false,
            refusers: Vec::new(),
            base: None,
            sloppy: None,
        }
    }

    /// Whether another owner has said what it holds.
    fn has_heard(&self, owner: &NodeId) -> bool {
        self.same.contains(owner) || self.reports.iter().any(|(from, _)| from == owner)
    }

    /// This node, and the others that have said what they hold.
    pub(crate) fn answered(&self, me: NodeId) -> impl Iterator<Item = NodeId> {
        let differ = self.reports.iter().map(|(owner, _)| *owner);
        std::iter::once(me).chain(self.same.iter().copied()).chain(differ)
    }

    /// Whether its answer is all that comes of it.
    pub(crate) fn is_plain(&self) -> bool {
        self.sloppy.is_none() && matches!(self.purpose, Purpose::Command { .. } | Purpose::Siblings(_))
    }

    /// Owners that have answered, this one with them.
    fn answers(&self) -> usize {
        let others = self.same.len() + self.reports.len();
        self.repair.as_ref().map_or(1 + others, |repair| repair.tally.acked())
    }

    /// What its client is told where too few have answered in time.
    fn in_vain(&self) -> Fault {
        let needed = self.quota.need();
        Fault::NoQuorum { needed: number(needed), reachable: number(self.answers().min(needed)) }
    }
}

/// `peer` is believed not to answer. A read that waits for it begins again, if there are enough without it.
pub(crate) fn suspected(node: &mut Node, turn: &mut Turn<'_>, ticket: Ticket, read: Box<Read>, peer: NodeId) {
    let is_enough = read.quota.is_met(|owner| is_reachable(node, owner));
    if is_enough || read.task.level == Level::Sloppy {
        link_down(node, turn, ticket, read, peer);
    } else {
        node.pending.put_back(ticket, Work::Read(read));
    }
}

/// The link to `peer` broke. A read that waited for it begins again with those that are left.
pub(crate) fn link_down(node: &mut Node, turn: &mut Turn<'_>, ticket: Ticket, read: Box<Read>, peer: NodeId) {
    let waits = match &read.repair {
        Some(repair) => repair.tally.awaits(peer),
        None => read.asked.contains(&peer),
    };
    if waits {
        begin(node, turn, read.task, read.purpose);
    } else {
        node.pending.put_back(ticket, Work::Read(read));
    }
}

/// Ends a read in vain. A write that wanted to know how it ranks has been applied: it is not refused.
fn fail(node: &mut Node, turn: &mut Turn<'_>, task: Task, purpose: Purpose, fault: Fault) {
    match purpose {
        Purpose::Settle(write) => write::wait(node, turn, write),
        _ => refuse(node, turn, task, fault),
    }
}

/// Notes that a reader is answered with this, as far as a quorum holds it.
fn show(node: &mut Node, turn: &Turn<'_>, read: &Read) {
    let (partition, level) = (read.task.partition, read.task.level);
    let enough =
        if read.asks_all { scope::to_read(node, partition, level).need() } else { read.quota.need() };
    let by = scope::agreed(node, partition, level, enough);
    if read.sloppy.is_some() || by == Quorums::default() {
        return;
    }
    let lately = turn.lately(&node.options);
    let replica = node.replicas.entry(read.task.partition).or_default();
    if read.is_plain() && (read.asks_all || node.room == Room::Gone) {
        // It may come here later, by itself: it has been shown for all that.
        read.held.dots().for_each(|dot| replica.note_come(lately, dot));
    }
    replica.show(&read.held, by);
    read.held.iter().for_each(|entry| write::observe(node, turn, &entry.stamp));
}

/// All R hold the same: answer, or go on with what the read was for.
fn conclude(node: &mut Node, turn: &mut Turn<'_>, read: Read) {
    let ends_late = read.sloppy.is_some() || matches!(read.purpose, Purpose::Explain(_));
    if turn.now.monotonic_ms >= read.task.deadline && !ends_late {
        // Who said so long ago may have lost it since, and learned without it (`lessons`).
        let fault = read.in_vain();
        return fail(node, turn, read.task, read.purpose, fault);
    }
    show(node, turn, &read);
    let Read { task, purpose, held, after, reports, same, cell, shown, .. } = read;
    let reply = match purpose {
        Purpose::Command { words, .. } => {
            evaluate::run(&words, string::value(&held).as_ref()).map(|(reply, _)| reply)
        }
        Purpose::Update { words, waiting } => {
            return update(node, turn, task, cell, (words, waiting), (&held, after));
        }
        Purpose::Siblings(key) => Ok(siblings::render(node.layout.keyspace(), &key, &held)),
        Purpose::Explain(key) => Ok(explain::render(node, &task, &key, &held, &same, &reports)),
        Purpose::Settle(write) => {
            let has_said =
                |owner: &NodeId| same.contains(owner) || reports.iter().any(|(from, _)| from == owner);
            let is_heard = |owner: &NodeId| *owner == node.identity.node || has_said(owner);
            let is_met = scope::meets_readers(node, task.partition, |owner| is_heard(&owner));
            let shown = match scope::shown(node, task.level, shown) {
                // Nobody was asked of those who may have answered a reader at another kind of level, and cannot be.
                Shown::No { .. } if !is_met && write.asks_all => Some(Shown::Forgotten),
                // Somebody who was told, and has not said that it has not, may have shown it.
                Shown::No { told } if !is_met || !told.iter().all(is_heard) => None,
                shown => Some(shown),
            };
            if let Some(write) = write::settled(node, turn, write, &held, (after, shown)) {
                begin(node, turn, task, Purpose::Settle(write));
            }
            return;
        }
        Purpose::Flush(scope) => return flush(node, turn, task, scope, &reports),
    };
    finish(node, turn, after, task, reply.unwrap_or_else(Reply::Error));
}

/// The second half of an update. This replica holds all that was acknowledged before; what it holds *now* is
/// what a change is made of, as a plain write may have come in since. But an answer alone rests on what R owners
/// hold: what has come in since may go again with this node.
fn update(
    node: &mut Node,
    turn: &mut Turn<'_>,
    task: Task,
    cell: Option<Cell>,
    (words, waiting): (Vec<Bytes>, usize),
    (agreed, after): (&Entries, Commit),
) {
    let Some(cell) = cell else { return refuse(node, turn, task, Fault::Syntax) };
    let ran = match evaluate::run(&words, string::value(agreed).as_ref()) {
        Ok((reply, Change::Keep)) => return finish(node, turn, after, task, reply),
        Err(fault) => return finish(node, turn, after, task, Reply::Error(fault)),
        ran => ran,
    };
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), task.partition);
    let Ok(entries) = shelf.get(&cell) else { return refuse(node, turn, task, Fault::Storage) };
    let is_agreed = entries.dots().eq(agreed.dots());
    let ran = if is_agreed { ran } else { evaluate::run(&words, string::value(&entries).as_ref()) };
    match ran {
        Ok((_, Change::Keep)) | Err(_) => begin(node, turn, task, Purpose::Update { words, waiting }),
        Ok((reply, Change::Add(by))) => {
            let (by, joined) = evaluate::join(&mut node.queues, &task, &entries, by, waiting);
            write::change(node, turn, task, cell, Change::Add(by), (reply, joined));
        }
        Ok((reply, change)) => write::change(node, turn, task, cell, change, (reply, Vec::new())),
    }
}

/// Removes everything that R owners have applied.
fn flush(node: &mut Node, turn: &mut Turn<'_>, task: Task, scope: Scope, reports: &[(NodeId, Report)]) {
    let replica = node.replicas.entry(task.partition).or_default();
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), task.partition);
    let Ok(sweep) = replica.map().sweep_of(scope, &mut shelf) else {
        return refuse(node, turn, task, Fault::Storage);
    };
    let mut seen = sweep.seen;
    reports.iter().for_each(|(_, report)| seen.unite(&report.found.knowledge.context));
    if seen.is_empty() {
        return finish(node, turn, Commit::default(), task, Reply::ok());
    }
    let plan = Plan { sweep: Some(Sweep { scope, seen }), ..Plan::default() };
    write::begin(node, turn, task, plan, Reply::ok());
}
