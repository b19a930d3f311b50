//! What members have told of the moves that they take part in, and when that is looked at. Data alone; `steward` tells what is made of it.

use placement::layout::Move;
use placement::{Layout, NodeId};
use std::collections::{BTreeMap, BTreeSet};

/// How soon something new is told, in milliseconds: more may come with it.
const GATHER_MS: u64 = 20;
/// How soon something that was told is used, in milliseconds: each change is a layout for everybody.
pub(crate) const ACT_MS: u64 = 80;

/// What members have told, and when it is looked at.
#[derive(Debug, Default)]
pub(crate) struct Tidings {
    pub(crate) told: BTreeMap<NodeId, Told>,
    pub(crate) moves: BTreeSet<Move>,
    /// When this node tells the steward.
    pub(crate) tell_at: u64,
    /// When it looks whether it is to do something as that.
    pub(crate) look_at: u64,
}

/// What a member has told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The name of the disk with which it votes, and by which epoch it has said so.
    disk: Option<(u64, u64)>,
    pub(crate) heard_at: u64,
    /// Of each of its shards, of how many partitions something is left, by which epoch.
    kept: BTreeMap<u16, (u64, u64)>,
    shards: u16,
}

impl Told {
    /// Notes with which disk it votes, as it has said by an epoch. Gives whether that is news.
    pub(crate) fn note_disk(&mut self, disk: u64, epoch: u64) -> bool {
        if self.disk.is_some_and(|(_, before)| before > epoch) {
            return false;
        }
        let before = self.disk.replace((disk, epoch));
        before.is_none_or(|(before, _)| before != disk)
    }

    /// With which disk it votes: who has left and come again since it said so has another.
    pub(crate) fn disk(&self, layout: &Layout, member: NodeId) -> Option<u64> {
        let (disk, epoch) = self.disk?;
        layout.was_member(member, epoch).then_some(disk)
    }

    /// Notes of how many partitions something is left in one of its shards, of which it has so many now.
    pub(crate) fn note_kept(&mut self, (shard, shards): (u16, u16), kept: u64, epoch: u64) {
        self.shards = shards;
        self.kept.insert(shard, (kept, epoch));
        self.kept.retain(|shard, _| *shard < shards);
    }

    /// Whether it has nothing left, as all its shards have said by an epoch that is not older.
    pub(crate) fn has_nothing_left(&self, epoch: u64) -> bool {
        let is_empty = |(kept, by): &(u64, u64)| *kept == 0 && *by >= epoch;
        self.kept.len() >= usize::from(self.shards) && self.kept.values().all(is_empty)
    }
}

impl Tidings {
    /// Something has come that is to be told soon.
    pub(crate) fn hurry(&mut self, now: u64) {
        self.tell_at = self.tell_at.min(now + GATHER_MS);
        self.look_at = self.look_at.min(now + ACT_MS);
    }

    /// What those have told is forgotten who are members no more, and what has been done already.
    pub(crate) fn forget(&mut self, layout: &Layout) {
        self.told.retain(|member, _| layout.member(*member).is_some());
        self.moves.retain(|of| layout.takes(of));
    }

    /// When there is something to do next, for a node that tells so often, and may be the steward or not.
    pub(crate) fn due(&self, tell_every_ms: u64, may_be_steward: bool) -> u64 {
        if tell_every_ms == u64::MAX {
            return u64::MAX;
        }
        if may_be_steward { self.tell_at.min(self.look_at) } else { self.tell_at }
    }
}

#[cfg(test)]
mod tests {
    use super::Told;

    #[test]
    fn all_shards_that_there_are_have_nothing_left() {
        let mut told = Told::default();
        (0..3).for_each(|shard| told.note_kept((shard, 4), 0, 7));
        assert!(!told.has_nothing_left(7), "the fourth has not said it");
        told.note_kept((3, 4), 1, 7);
        assert!(!told.has_nothing_left(7));
        told.note_kept((0, 1), 0, 8);
        assert!(told.has_nothing_left(8), "it was started again with one");
        assert!(!told.has_nothing_left(9), "it may have taken something since");
    }

    #[test]
    fn what_was_said_by_an_older_layout_is_not_news() {
        let mut told = Told::default();
        let said = [(1, 5, true), (1, 6, false), (2, 6, true), (1, 5, false), (2, 7, false)];
        for (disk, epoch, is_news) in said {
            assert_eq!(told.note_disk(disk, epoch), is_news, "disk {disk} by epoch {epoch}");
        }
    }
}
