//! Whether this process is making up for something, and telling in the log when that begins and ends.
//!
//! ```text
//! learning   partitions have lost something and count for no quorum until they are whole
//! behind     exchanges with other owners bring what was missed
//! ```
//!
//! Not what is done about it (`node`), and not every difference: operations that are merely under way are none.
//!
//! 1. Each beginning of learning has one line, and each end, with how long it took.

use node::SyncFigures;

/// What to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// So many partitions begin to learn.
    Learns(u64),
    /// All are whole, after so many milliseconds.
    Whole(u64),
    /// What was missed is here, after so many milliseconds and exchanges.
    Equal(u64, u64),
}

/// What is being made up for, as of the last look.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// Since when partitions learn, by the monotonic clock in milliseconds.
    learns_since: Option<u64>,
    /// Since when exchanges go on, and how many were finished before.
    takes_since: Option<(u64, u64)>,
    /// How many were finished by the last look.
    finished: u64,
}

impl Recovery {
    /// Looks at the figures of all shards together, and tells in the log what has changed.
    pub(super) fn look(&mut self, now_ms: u64, figures: &SyncFigures) {
        for news in self.note(now_ms, figures).into_iter().flatten() {
            match news {
                News::Learns(partitions) => tracing::warn!(
                    partitions,
                    "partitions have lost something and learn it from other owners: they count for no quorum until they are whole"
                ),
                News::Whole(took_ms) => {
                    tracing::warn!(took_ms, "no partition is learning any more: all count again");
                }
                News::Equal(took_ms, exchanges) => {
                    tracing::info!(
                        took_ms,
                        exchanges,
                        "what this node had missed it has taken from other owners"
                    );
                }
            }
        }
    }

    fn note(&mut self, now_ms: u64, figures: &SyncFigures) -> [Option<News>; 2] {
        let learns = match (self.learns_since, figures.learning) {
            (None, 1..) => {
                self.learns_since = Some(now_ms);
                Some(News::Learns(figures.learning))
            }
            (Some(since), 0) => {
                self.learns_since = None;
                Some(News::Whole(now_ms.saturating_sub(since)))
            }
            _ => None,
        };
        let before = std::mem::replace(&mut self.finished, figures.finished);
        let takes = figures.open > 0 || figures.finished > before;
        let equal = match self.takes_since {
            None if takes => {
                self.takes_since = Some((now_ms, before));
                None
            }
            Some((since, finished)) if !takes => {
                self.takes_since = None;
                let exchanges = figures.finished.saturating_sub(finished);
                (exchanges > 0).then_some(News::Equal(now_ms.saturating_sub(since), exchanges))
            }
            _ => None,
        };
        [learns, equal]
    }
}

#[cfg(test)]
mod tests {
    use super::{News, Recovery};
    use node::SyncFigures;

    fn news(looks: &[(u64, u64, u64)]) -> Vec<News> {
        let mut recovery = Recovery::default();
        let looks = (0..).step_by(1_000).zip(looks);
        let noted = looks.map(|(now_ms, &(learning, open, finished))| {
            recovery.note(now_ms, &SyncFigures { learning, open, finished, ..SyncFigures::default() })
        });
        noted.flatten().flatten().collect()
    }

    #[test]
    fn the_beginning_and_the_end_of_learning_are_told_once() {
        let told = news(&[(0, 0, 0), (7, 0, 0), (5, 0, 0), (0, 0, 0), (0, 0, 0), (1, 0, 0)]);
        assert_eq!(told, [News::Learns(7), News::Whole(2_000), News::Learns(1)]);
    }

    #[test]
    fn what_was_missed_is_told_of_when_it_is_there() {
        let told = news(&[(0, 0, 0), (0, 3, 0), (0, 2, 9), (0, 0, 12), (0, 0, 12), (0, 0, 12)]);
        assert_eq!(told, [News::Equal(3_000, 12)]);
        assert_eq!(
            news(&[(0, 0, 0), (0, 1, 0), (0, 0, 0)]),
            [],
            "an exchange that was given up brought nothing"
        );
    }
}
