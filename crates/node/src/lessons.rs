//! From whom a replica that has lost something has learned, and when that is enough.

use placement::NodeId;
use std::collections::BTreeSet;

/// From whom a replica that has lost something has taken over what they have.
#[derive(Debug, Default)]
pub(crate) struct Lessons {
    pub(crate) whole: BTreeSet<NodeId>,
    /// Those that had lost something themselves.
    pub(crate) lame: BTreeSet<NodeId>,
}

impl Lessons {
    pub(crate) fn note(&mut self, from: NodeId, is_whole: bool) {
        if is_whole {
            self.whole.insert(from)
        } else {
            self.lame.insert(from)
        };
    }

    /// Whether nothing more is to be learned. What a majority has acknowledged, beside this replica, is known to one of
    /// any `owners - majority + 1` others. And where all others have been asked, and some of them have lost something
    /// too, there is no more: what is gone is gone, and to refuse for ever brings none of it back.
    pub(crate) fn is_done(&self, owners: usize) -> bool {
        // A coordinator may still count what was acknowledged here before: of more than four owners that matters.
        let enough = if owners > 4 { owners - 1 } else { owners - owners / 2 };
        self.whole.len() >= enough || self.whole.union(&self.lame).count() + 1 >= owners
    }
}
