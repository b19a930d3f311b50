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
    pub(crate) disk: Option<(u64, u64)>,
    pub(crate) heard_at: u64,
    /// Of each of its shards, of how many partitions something is left, by which epoch.
    pub(crate) kept: BTreeMap<u16, (u64, u64)>,
    pub(crate) shards: u16,
}

impl Tidings {
    /// Something has come that is to be told soon.
    pub(crate) fn hurry(&mut self, now: u64) {
        self.tell_at = self.tell_at.min(now + GATHER_MS);
        self.look_at = self.look_at.min(now + ACT_MS);
    }

    /// What those have told is forgotten who are members no more, and what has been done already. Who is one again has another disk.
    pub(crate) fn forget(&mut self, layout: &Layout) {
        self.told.retain(|member, _| layout.member(*member).is_some());
        for told in self.told.values_mut() {
            told.disk = told.disk.filter(|(_, epoch)| *epoch >= layout.left_at());
        }
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
