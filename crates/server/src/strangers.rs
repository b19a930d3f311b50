//! Members at whose address somebody else was found, and members of other clusters that call here.
//!
//! ```text
//!   a member wiped and started without --join      founds a cluster of its own at its old address
//!   the others ── greeting: their cluster, it ──▶ it ── one byte back ──▶ they say so in their logs, and it ends
//! ```
//!
//! A node that has others in its cluster, or was there before, does not end for what a caller says. Then both try again for as
//! long as they live, so each is told of once and then now and then.
//!
//! 1. Nobody is told of more often than once in [`TOLD_EVERY_MS`].

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use placement::NodeId;

/// How often the same stranger is told of, in milliseconds.
const TOLD_EVERY_MS: u64 = 60_000;
/// How many are remembered: a caller may give any name.
const STRANGERS_MAX: usize = 64;

/// When each was told of last.
#[derive(Debug, Default)]
pub(crate) struct Strangers(Mutex<BTreeMap<NodeId, u64>>);

impl Strangers {
    /// Whether there is reason to tell of one.
    pub(crate) fn is_news(&self, now_ms: u64, who: NodeId) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| now_ms.saturating_sub(*at) < TOLD_EVERY_MS);
        let is_news = told.len() < STRANGERS_MAX && !told.contains_key(&who);
        if is_news {
            told.insert(who, now_ms);
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::{STRANGERS_MAX, Strangers, TOLD_EVERY_MS};
    use placement::NodeId;

    #[test]
    fn each_is_told_of_once_a_minute() {
        let strangers = Strangers::default();
        let told: Vec<u64> =
            (0..=2 * TOLD_EVERY_MS).step_by(50).filter(|at| strangers.is_news(*at, NodeId(1))).collect();
        assert_eq!(told, [0, TOLD_EVERY_MS, 2 * TOLD_EVERY_MS]);
        assert!(strangers.is_news(50, NodeId(2)), "another one");
    }

    #[test]
    fn whoever_makes_up_names_is_not_listened_to() {
        let strangers = Strangers::default();
        let told = (0..1_000).filter(|name| strangers.is_news(0, NodeId(*name))).count();
        assert_eq!(told, STRANGERS_MAX);
    }
}
