//! Who brings the layout on: the steward, which is the first voter that can be reached. Everybody tells it what has come of
//! the moves that they take part in; it has the register take the next steps.
//!
//! ```text
//! every node   Progress { what has come, what is kept, which disk votes } ─▶ every voter
//! steward      voters are being replaced ─▶ finish that
//!              others should vote ─▶ replace them
//!              a member has been down for long ─▶ remove it (`absence`)
//!              partitions have come, or may begin to move ─▶ the next steps, many at a time
//!              a member has given everything away, or is lost and wanted nowhere ─▶ forget it
//! ```
//!
//! This is the "manager", and it is nobody in particular: where two take themselves for it, the register lets one change of each
//! come after the other, and each is made of what is there by then (`placement::layout`). Nothing depends on who it is but how soon it is done.
//!
//! 1. What it is told is checked against the layout when it is used, so what comes late or twice does no harm.

use crate::absence;
use crate::register;
use crate::rows::everything;
use crate::standing;
use crate::state::{Node, Turn};
use crate::steering::SPOKEN_OF;
use crate::task::{is_live, is_reachable};
use crate::tidings::ACT_MS;
use placement::layout::{Advance, Basis, Move, Step};
use placement::{Change, Duty, Layout, NodeId, PartitionId, Seat};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::peer::Message;
use wire::peer::vote::Progress;

/// How many partitions are on their way at once.
const MOVES_MAX: usize = 512;
/// A member that has told nothing for so long does not vote in the place of another, in milliseconds.
const SILENT_MS: u64 = 5_000;
/// How often the steward looks whether there is something to do that nobody has told it, in milliseconds.
const LOOK_MS: u64 = 500;

/// Who brings the layout on, as far as this node can reach anybody.
fn steward(node: &Node) -> Option<NodeId> {
    let voters = node.layout.voters().now.iter().map(|seat| seat.node);
    voters.into_iter().find(|voter| is_reachable(node, *voter))
}

impl Node {
    /// Whether this node is the one that brings the layout on, as far as it can tell; there may be two for a while.
    pub fn is_steward(&self) -> bool {
        self.voting.is_some() && steward(self) == Some(self.identity.node)
    }

    /// Whether it was chosen to vote with a disk that it does not have any more: nobody answers for that one.
    pub fn has_lost_its_votes(&self) -> bool {
        let is_former = |seat: &Seat| seat.node == self.identity.node && Some(*seat) != self.seat();
        self.voting.is_some() && self.layout.voters().seats().any(|seat| is_former(&seat))
    }

    /// As whom it votes where it is chosen: with the disk that it has now. Nothing of a shard that does not vote for its process.
    pub fn seat(&self) -> Option<Seat> {
        self.voting.as_ref().map(|voting| Seat { node: self.identity.node, disk: voting.disk })
    }
}

/// Tells whoever may be the steward, and acts as it.
pub(crate) fn tick(node: &mut Node, turn: &mut Turn<'_>) {
    let now = turn.now.monotonic_ms;
    if node.options.tell_every_ms == u64::MAX {
        return;
    }
    if now >= node.tidings.tell_at {
        node.tidings.tell_at = now + node.options.tell_every_ms;
        tell(node, turn);
    }
    if node.voting.is_some() && now >= node.tidings.look_at {
        node.tidings.look_at = now + LOOK_MS;
        absence::look(node, now);
        act(node, turn);
    }
}

fn tell(node: &mut Node, turn: &mut Turn<'_>) {
    let Some(me) = node.layout.member(node.identity.node) else { return };
    let disk = node.voting.as_ref().map(|voting| voting.disk);
    let is_leaving = me.duty == Duty::Leave;
    let (moves, kept) = (standing::moves(node), standing::kept(node));
    if disk.is_none() && moves.is_empty() && !is_leaving {
        return;
    }
    let progress = Progress { shard: node.options.shard, disk, kept, moves };
    // Any of the voters may be the first that can be reached, as another sees it.
    let voters: Vec<NodeId> = node.layout.voters().now.iter().map(|seat| seat.node).collect();
    for voter in voters.into_iter().filter(|voter| is_live(node, *voter)) {
        // What it has learned is on the disk before anybody relies on it.
        let message = Message::Progress(progress.clone());
        turn.send_after(everything(turn.store), node, voter, SPOKEN_OF, message);
    }
}

/// A member tells what has come.
pub(crate) fn hear(node: &mut Node, turn: &mut Turn<'_>, (from, epoch): (NodeId, u64), progress: Progress) {
    if node.voting.is_none() {
        return;
    }
    let now = turn.now.monotonic_ms;
    let told = node.tidings.told.entry(from).or_default();
    told.heard_at = now;
    let is_new_disk = progress.disk.is_some_and(|disk| told.note_disk(disk, epoch));
    told.note_kept(progress.shard, progress.kept, epoch);
    let is_news = !progress.moves.is_empty() || is_new_disk;
    let own = progress.moves.into_iter().filter(|of| match of.advance {
        Advance::Begin => false,
        Advance::Copied { newcomer: member, .. } | Advance::Arrived { owner: member, .. } => member == from,
    });
    node.tidings.moves.extend(own);
    if is_news {
        node.tidings.look_at = node.tidings.look_at.min(now + ACT_MS);
    }
}

/// Has the next change made, if this node is the steward and there is one.
fn act(node: &mut Node, turn: &mut Turn<'_>) {
    let is_steward = node.is_steward();
    let Some(voting) = &node.voting else { return };
    if voting.is_busy() {
        return;
    }
    if voting.is_unfinished(turn.now.monotonic_ms) {
        // Of a change that changes nothing comes what there is, and that it is committed.
        return register::wish(node, turn, None, Change::Move(Vec::new()), Basis::Any);
    }
    if !is_steward {
        return;
    }
    let layout = Arc::clone(&voting.committed);
    if let Some(change) = next_change(node, &layout, turn.now.monotonic_ms) {
        node.tidings.look_at = turn.now.monotonic_ms + ACT_MS;
        // What somebody has said since is to be looked at before anybody is removed, and who has come since before anybody is to vote.
        let is_bound = matches!(change, Change::Lose { .. } | Change::Welcome(_) | Change::Seat(_));
        let of = if is_bound { Basis::Epoch(layout.epoch()) } else { Basis::Any };
        register::wish(node, turn, None, change, of);
    }
}

fn next_change(node: &mut Node, layout: &Layout, now: u64) -> Option<Change> {
    if layout.voters().are_joint() {
        return Some(Change::Seated);
    }
    let told = node.tidings.told.iter().filter(|(_, told)| now < told.heard_at + SILENT_MS);
    let can_vote: BTreeMap<NodeId, u64> =
        told.filter_map(|(member, told)| Some((*member, told.disk(layout, *member)?))).collect();
    if let Some(seats) = layout.voters_wanted(&can_vote) {
        return Some(Change::Seat(seats));
    }
    if let Some(member) = absence::returned(node, layout) {
        return Some(Change::Welcome(member));
    }
    if let Some(member) = absence::due(node, layout) {
        return Some(Change::Lose { member, accepts_loss: false });
    }
    let moves = next_moves(node, layout);
    if !moves.is_empty() {
        return Some(Change::Move(moves));
    }
    let gone = layout.members().iter().find(|member| has_nothing_left(node, layout, member.id, member.duty));
    gone.map(|member| Change::Forget(member.id))
}

/// What has come, and what may begin.
fn next_moves(node: &mut Node, layout: &Layout) -> Vec<Move> {
    let told = std::mem::take(&mut node.tidings.moves);
    let mut moves: Vec<Move> = told.into_iter().filter(|of| layout.takes(of)).collect();
    let can_come = |newcomer: NodeId| is_reachable(node, newcomer);
    // What is on its way to somebody who has gone silent holds up nothing else.
    let is_held_up =
        |at: &PartitionId| layout.place(*at).newcomer().is_some_and(|newcomer| !can_come(newcomer));
    let room = MOVES_MAX.saturating_sub(layout.moving().filter(|at| !is_held_up(at)).count());
    let is_resting = |at: &PartitionId| *layout.place(*at).step() == Step::Resting;
    let (resting, moving): (Vec<_>, Vec<_>) = layout.may_begin().into_iter().partition(is_resting);
    let resting = resting.into_iter().filter(|at| layout.coming(*at).is_none_or(can_come)).take(room);
    // What is on its way to somebody who is not wanted any more, or is lost, goes another way whatever else there is.
    let begin = moving.into_iter().chain(resting);
    moves.extend(begin.map(|partition| Move { partition, advance: Advance::Begin }));
    // Until the next layout is here they may be told once more, and are taken for new then.
    moves
}

/// Whether a member can be forgotten.
fn has_nothing_left(node: &Node, layout: &Layout, id: NodeId, duty: Duty) -> bool {
    let is_free = || layout.changed(&Change::Forget(id)).is_ok();
    match duty {
        Duty::Store | Duty::Route => false,
        Duty::Lost => is_free(),
        Duty::Leave => {
            let told = node.tidings.told.get(&id);
            told.is_some_and(|told| told.has_nothing_left(layout.epoch())) && is_free()
        }
    }
}
