//! Of which layout a change is to be made: so that of two who change the cluster at once one is first, and the other is told.
//!
//! Not who is first: the register of the layout decides that.
//!
//! 1. What the steward does to bring about what was asked for is nobody's change: it bothers no operator.

use super::{Layout, LayoutError, change::Change};
use crate::member::{Duty, Member, NodeId, Zone};
use std::sync::Arc;

/// Of which layout a change is to be made.
#[derive(Clone, Debug, PartialEq)]
pub enum Basis {
    /// Of any.
    Any,
    /// Of that of one epoch alone.
    Epoch(u64),
    /// Of any by which the cluster is to be as by this one: who is to stay, with which weights and in which zones, and how many copies.
    Like(Arc<Layout>),
}

impl Basis {
    /// The layout of the next epoch, if there is one to be made of this one; nothing where another was meant.
    ///
    /// # Errors
    /// As [`Layout::changed`]; what is so already is so, whoever has made it so.
    pub fn changed(&self, layout: &Layout, change: &Change) -> Option<Result<Layout, LayoutError>> {
        match self {
            Self::Any => Some(layout.changed(change)),
            Self::Epoch(epoch) => (*epoch == layout.epoch()).then(|| layout.changed(change)),
            Self::Like(other) => match layout.changed(change) {
                Err(LayoutError::Same) => Some(Err(LayoutError::Same)),
                changed => layout.is_to_be_like(other).then_some(changed),
            },
        }
    }
}

impl Layout {
    /// Whether those who run the cluster have asked for the same by two layouts.
    fn is_to_be_like(&self, other: &Layout) -> bool {
        self.copies() == other.copies() && self.asked_for().eq(other.asked_for())
    }

    fn asked_for(&self) -> impl Iterator<Item = (NodeId, u32, &Zone, Duty)> {
        let stays = |member: &&Member| matches!(member.duty, Duty::Store | Duty::Route);
        self.members.iter().filter(stays).map(|member| (member.id, member.weight, &member.zone, member.duty))
    }
}

#[cfg(test)]
mod tests {
    use super::Basis;
    use crate::layout::tests::{grown, member};
    use crate::layout::{Advance, Move};
    use crate::{Change, Layout, LayoutError};
    use std::sync::Arc;

    fn cluster() -> Layout {
        grown(64, 3, (1..=4).map(|number| member(number, 1, "dc/r")))
    }

    fn weigh(number: usize, weight: u32) -> Change {
        Change::Weigh(member(number, 1, "dc/r").id, weight)
    }

    #[test]
    fn of_two_changes_at_once_one_is_made() {
        let before = Arc::new(cluster());
        let like = Basis::Like(Arc::clone(&before));
        let after = like.changed(&before, &weigh(2, 9)).unwrap().unwrap();
        assert_eq!(like.changed(&after, &weigh(2, 4)), None);
        assert_eq!(like.changed(&after, &Change::Leave(member(3, 1, "dc/r").id)), None);
        // Who has asked for the very same has what was asked for; so has who proposed it twice.
        assert_eq!(like.changed(&after, &weigh(2, 9)), Some(Err(LayoutError::Same)));
    }

    #[test]
    fn what_follows_from_a_change_bothers_nobody() {
        let before = cluster().changed(&weigh(2, 9)).unwrap();
        let moves =
            before.may_begin().into_iter().map(|partition| Move { partition, advance: Advance::Begin });
        let after = before.changed(&Change::Move(moves.collect())).unwrap();
        assert_eq!(Basis::Epoch(before.epoch()).changed(&after, &weigh(3, 2)), None);
        assert!(Basis::Like(Arc::new(before)).changed(&after, &weigh(3, 2)).unwrap().is_ok());
        assert!(Basis::Any.changed(&after, &weigh(3, 2)).unwrap().is_ok());
    }
}
