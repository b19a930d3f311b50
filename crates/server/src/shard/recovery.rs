//! Whether this process is making up for something, for itself or for others, and telling in the log when that begins and
//! ends.
//!
//! ```text
//! learning   partitions have lost something and do not count for every quorum until they are whole
//! scrubbed   everything stored was read and checked
//! behind     exchanges with other owners bring what was missed
//! keeps      what is written for nodes that are down is kept for them, as far as there is room
//! ```
//!
//! Not what is done about it (`node`), and not every difference: operations that are merely under way are none.
//!
//! 1. Each beginning of learning and of keeping has one line, and each end, with how long it took, also where both lie between two
//!    looks; that there is no room has one line each time.

use node::{HandoffFigures, SyncFigures};

/// What to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// So many partitions begin to learn.
    Learns(u64),
    /// All are whole, after so many milliseconds.
    Whole(u64),
    /// What was missed is here, after so many milliseconds and exchanges.
    Equal(u64, u64),
    /// Everything was read, and so many partitions were found damaged.
    Scrubbed(u64),
    /// Something is kept for nodes that are down.
    Keeps,
    /// There is no room to keep more; this much is kept, in bytes.
    Full(u64),
    /// All that was kept is where it belongs, after so many milliseconds.
    HandedOver(u64),
}

/// What is being made up for, as of the last look.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// Since when partitions learn, by the monotonic clock in milliseconds.
    learns_since: Option<u64>,
    /// How often any had begun to, by the last look.
    quarantines: u64,
    /// How often everything was read by then, and how many partitions had been found damaged.
    scrubbed: (u64, u64),
    /// Since when exchanges go on, and how many were finished before.
    takes_since: Option<(u64, u64)>,
    /// How many were finished by the last look.
    finished: u64,
    /// Since when something is kept for others.
    keeps_since: Option<u64>,
    /// How many operations found no room, as far as that was told.
    refused: u64,
    is_full: bool,
}

impl Recovery {
    /// Looks at the figures of all shards together, and tells in the log what has changed.
    pub(super) fn look(&mut self, now_ms: u64, figures: &SyncFigures, handoff: &HandoffFigures) {
        let learned = self.note_learning(now_ms, figures);
        let all =
            learned.into_iter().chain(self.note_taken(now_ms, figures)).chain(self.note_scrubbed(figures));
        for news in all.chain(self.note_kept(now_ms, handoff).into_iter().flatten()) {
            match news {
                News::Learns(partitions) => tracing::warn!(
                    partitions,
                    "partitions have lost something and learn it from other owners: they do not count for every quorum until they are whole"
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
                News::Scrubbed(0) => tracing::info!("everything stored here was read and is sound"),
                News::Scrubbed(partitions) => tracing::warn!(
                    partitions,
                    "everything stored here was read, and some of it was damaged: it is learned from other owners"
                ),
                News::Keeps => {
                    tracing::info!(
                        "this node keeps what is written for nodes that are down (armilla status)"
                    );
                }
                News::Full(bytes) => tracing::warn!(
                    bytes,
                    "there is no room to keep more for nodes that are down (--handoff-bytes-max): what is written \
                     meanwhile they get from other owners when they are back"
                ),
                News::HandedOver(took_ms) => {
                    tracing::info!(took_ms, "all that was kept for other nodes is where it belongs");
                }
            }
        }
    }

    fn note_kept(&mut self, now_ms: u64, handoff: &HandoffFigures) -> [Option<News>; 2] {
        let kept = match (self.keeps_since, handoff.bytes) {
            (None, 1..) => {
                self.keeps_since = Some(now_ms);
                Some(News::Keeps)
            }
            (Some(since), 0) => {
                (self.keeps_since, self.is_full) = (None, false);
                Some(News::HandedOver(now_ms.saturating_sub(since)))
            }
            _ => None,
        };
        // A store that is opened again counts from the beginning.
        let more = handoff.refused > self.refused;
        self.refused = handoff.refused;
        let is_news = more && !self.is_full;
        self.is_full |= more;
        [kept, is_news.then_some(News::Full(handoff.bytes))]
    }

    fn note_learning(&mut self, now_ms: u64, figures: &SyncFigures) -> Vec<News> {
        // A shard that is opened again counts from the beginning, and the others go on.
        let before = std::mem::replace(&mut self.quarantines, figures.quarantines);
        let begun = figures.quarantines.saturating_sub(before);
        let mut news = Vec::new();
        if self.learns_since.is_none() && (begun > 0 || figures.learning > 0) {
            self.learns_since = Some(now_ms);
            news.push(News::Learns(begun.max(figures.learning)));
        }
        if let Some(since) = self.learns_since
            && figures.learning == 0
        {
            self.learns_since = None;
            news.push(News::Whole(now_ms.saturating_sub(since)));
        }
        news
    }

    fn note_scrubbed(&mut self, figures: &SyncFigures) -> Option<News> {
        let (rounds, damaged) = self.scrubbed;
        if figures.scrubs <= rounds {
            // A store that is opened again counts from the beginning.
            self.scrubbed = (figures.scrubs, self.scrubbed.1.min(figures.damaged));
            return None;
        }
        self.scrubbed = (figures.scrubs, figures.damaged);
        Some(News::Scrubbed(figures.damaged.saturating_sub(damaged)))
    }

    fn note_taken(&mut self, now_ms: u64, figures: &SyncFigures) -> Option<News> {
        let before = std::mem::replace(&mut self.finished, figures.finished);
        let takes = figures.open > 0 || figures.finished > before;
        match self.takes_since {
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{News, Recovery};
    use node::{HandoffFigures, SyncFigures};

    fn news(looks: &[(u64, u64, u64)]) -> Vec<News> {
        let mut recovery = Recovery::default();
        let looks = (0..).step_by(1_000).zip(looks);
        let noted = looks.flat_map(|(now_ms, &(learning, open, finished))| {
            let figures = SyncFigures { learning, open, finished, ..SyncFigures::default() };
            recovery.note_learning(now_ms, &figures).into_iter().chain(recovery.note_taken(now_ms, &figures))
        });
        noted.collect()
    }

    #[test]
    fn the_beginning_and_the_end_of_learning_are_told_once() {
        let told = news(&[(0, 0, 0), (7, 0, 0), (5, 0, 0), (0, 0, 0), (0, 0, 0), (1, 0, 0)]);
        assert_eq!(told, [News::Learns(7), News::Whole(2_000), News::Learns(1)]);
    }

    #[test]
    fn what_was_learned_between_two_looks_is_told_too() {
        let mut recovery = Recovery::default();
        let mut look = |now_ms, quarantines, learning| {
            recovery.note_learning(now_ms, &SyncFigures { quarantines, learning, ..SyncFigures::default() })
        };
        assert_eq!(look(0, 0, 0), []);
        assert_eq!(look(1_000, 3, 0), [News::Learns(3), News::Whole(0)]);
        assert_eq!(look(2_000, 3, 0), []);
        assert_eq!(look(3_000, 5, 1), [News::Learns(2)]);
        assert_eq!(look(4_000, 9, 2), [], "it goes on");
        assert_eq!(look(5_000, 9, 0), [News::Whole(2_000)]);
        assert_eq!(look(6_000, 1, 0), [], "a shard was opened again");
        assert_eq!(look(7_000, 2, 0), [News::Learns(1), News::Whole(0)]);
    }

    #[test]
    fn each_round_of_reading_everything_is_told_of() {
        let mut recovery = Recovery::default();
        let mut look = |scrubs, damaged| {
            recovery.note_scrubbed(&SyncFigures { scrubs, damaged, ..SyncFigures::default() })
        };
        let told = [look(0, 0), look(1, 0), look(1, 2), look(2, 3), look(0, 0), look(1, 0)];
        assert_eq!(
            told,
            [None, Some(News::Scrubbed(0)), None, Some(News::Scrubbed(3)), None, Some(News::Scrubbed(0))]
        );
    }

    #[test]
    fn what_is_kept_for_others_is_told_of_until_they_have_it() {
        let mut recovery = Recovery::default();
        let mut told = Vec::new();
        let looks = [(0, 0), (70, 0), (90, 3), (90, 8), (0, 8), (0, 8), (5, 8), (9, 9)];
        for (now_ms, (bytes, refused)) in (0..).step_by(1_000).zip(looks) {
            let handoff = HandoffFigures { bytes, refused, ..HandoffFigures::default() };
            told.extend(recovery.note_kept(now_ms, &handoff).into_iter().flatten());
        }
        assert_eq!(told, [News::Keeps, News::Full(90), News::HandedOver(3_000), News::Keeps, News::Full(9)]);
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
