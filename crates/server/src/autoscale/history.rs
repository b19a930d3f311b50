//! What the autoscaler has decided: when, what, why, and what came of it.
//!
//! Not a log: it is as long as [`RECORDS_MAX`], and gone with the process. Whoever runs the autoscaler writes its lines down.
//!
//! 1. Only the last record has still to end.

use std::collections::VecDeque;

/// How many decisions are kept.
const RECORDS_MAX: usize = 100;

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it was made, by the monotonic clock in milliseconds.
    pub at_ms: u64,
    /// What was decided.
    pub what: String,
    /// Why.
    pub why: String,
    /// What came of it so far.
    pub outcome: String,
}

/// The last decisions, and lines that nobody has written down yet.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    records: VecDeque<Record>,
    lines: Vec<String>,
}

impl History {
    /// Something is decided.
    pub(super) fn begin(&mut self, at_ms: u64, what: String, why: String, outcome: &str) {
        self.lines.push(format!("{what}: {why}"));
        if self.records.len() == RECORDS_MAX {
            self.records.pop_front();
        }
        self.records.push_back(Record { at_ms, what, why, outcome: outcome.to_owned() });
    }

    /// It has come to this.
    pub(super) fn end(&mut self, outcome: String) {
        if let Some(record) = self.records.back_mut() {
            self.lines.push(format!("{}: {outcome}", record.what));
            record.outcome = outcome;
        }
    }

    /// The decisions, the oldest first.
    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter()
    }

    /// What there is to write down since the last time.
    pub(super) fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }
}

#[cfg(test)]
mod tests {
    use super::{History, RECORDS_MAX};

    #[test]
    fn the_oldest_go_first() {
        let mut history = History::default();
        for at_ms in 0..RECORDS_MAX as u64 + 5 {
            history.begin(at_ms, "start a".to_owned(), "so".to_owned(), "under way");
        }
        history.end("done".to_owned());
        assert_eq!(history.records().count(), RECORDS_MAX);
        assert_eq!(history.records().next().map(|record| record.at_ms), Some(5));
        assert_eq!(history.records().last().map(|record| record.outcome.as_str()), Some("done"));
        assert_eq!(history.take_lines().last().map(String::as_str), Some("start a: done"));
        assert!(history.take_lines().is_empty());
    }
}
