//! The checkers on histories made by hand: each kind of wrong is seen, and what only looks wrong is not.

use bytes::Bytes;
use causal::{Actor, Cell, Delta, Dot, Edit, Key, Payload, Stamp};
use placement::PartitionId;
use sim::check::{Owners, counter, register};
use sim::dots::Dots;
use sim::history::{Ask, Operation, Told};

/// A history is made line by line; `quorum` and `level` say of how many of three owners.
#[derive(Default)]
struct History(Vec<Operation>);

impl History {
    fn level(mut self, (read, write): (usize, usize), from: u64, to: u64, ask: Ask, told: Told) -> Self {
        let told = Some((to, told));
        self.0.push(Operation { key: "key".into(), ask, read, write, asked_at: from, told });
        self
    }

    fn quorum(self, from: u64, to: u64, ask: Ask, told: Told) -> Self {
        self.level((2, 2), from, to, ask, told)
    }

    /// An operation that was never answered.
    fn silent(mut self, from: u64, ask: Ask) -> Self {
        self.0.push(Operation { key: "key".into(), ask, read: 2, write: 2, asked_at: from, told: None });
        self
    }

    fn register(&self) -> Result<(), String> {
        register("key", &self.0.iter().collect::<Vec<_>>(), Owners(3))
    }

    fn counter(&self) -> Result<(), String> {
        counter("key", &self.0.iter().collect::<Vec<_>>(), Owners(3))
    }
}

fn put(value: &'static str) -> Ask {
    Ask::Put(Bytes::from_static(value.as_bytes()))
}

fn put_absent(value: &'static str) -> Ask {
    Ask::PutAbsent(Bytes::from_static(value.as_bytes()))
}

fn value(value: &'static str) -> Told {
    Told::Read(Some(Bytes::from_static(value.as_bytes())))
}

const ABSENT: Told = Told::Read(None);

#[test]
fn a_plain_history_is_right() {
    let history = History::default()
        .quorum(1, 2, Ask::Get, ABSENT)
        .quorum(3, 4, put("a"), Told::Done)
        .quorum(5, 6, Ask::Get, value("a"))
        .quorum(7, 8, Ask::Delete, Told::Done)
        .quorum(9, 10, Ask::Get, ABSENT)
        .quorum(11, 12, Ask::Delete, Told::NotDone)
        .quorum(13, 14, put_absent("b"), Told::Done)
        .quorum(15, 16, put_absent("c"), Told::NotDone)
        .quorum(17, 18, Ask::Get, value("b"));
    assert_eq!(history.register(), Ok(()));
}

#[test]
fn a_lost_write_is_seen() {
    let history = History::default().quorum(1, 2, put("a"), Told::Done).quorum(3, 4, Ask::Get, ABSENT);
    assert!(history.register().is_err());
}

#[test]
fn a_stale_read_is_seen() {
    let history = History::default()
        .quorum(1, 2, put("a"), Told::Done)
        .quorum(3, 4, put("b"), Told::Done)
        .quorum(5, 6, Ask::Get, value("a"));
    assert!(history.register().is_err());
}

#[test]
fn a_value_that_was_deleted_and_came_back_is_seen() {
    let history = History::default()
        .quorum(1, 2, put("a"), Told::Done)
        .quorum(3, 4, Ask::Delete, Told::Done)
        .quorum(5, 6, Ask::Get, value("a"));
    assert!(history.register().is_err());
}

#[test]
fn a_value_that_nobody_wrote_is_seen() {
    let history = History::default().quorum(1, 2, put("a"), Told::Done).quorum(3, 4, Ask::Get, value("b"));
    assert!(history.register().is_err());
    let before = History::default().quorum(1, 2, Ask::Get, value("a")).quorum(3, 4, put("a"), Told::Done);
    assert!(before.register().is_err(), "it is written after it was read");
}

#[test]
fn a_refused_write_that_shows_is_seen() {
    let refused = History::default().quorum(1, 2, put("a"), Told::Refused).quorum(3, 4, Ask::Get, value("a"));
    assert!(refused.register().is_err());
    let unknown = History::default().quorum(1, 2, put("a"), Told::Unknown).quorum(3, 4, Ask::Get, value("a"));
    assert_eq!(unknown.register(), Ok(()), "what is unknown may show");
    let silent = History::default().silent(1, put("a")).quorum(3, 4, Ask::Get, value("a"));
    assert_eq!(silent.register(), Ok(()), "what was never answered may show");
}

#[test]
fn a_read_that_goes_back_in_time_is_seen() {
    let seen =
        || {
            History::default()
                .quorum(1, 2, put("a"), Told::Done)
                .quorum(3, 4, put("b"), Told::Unknown)
                .quorum(5, 6, Ask::Get, value("b"))
        };
    assert!(seen().quorum(7, 8, Ask::Get, value("a")).register().is_err(), "b was read, so it is there");
    let overlapping = seen().quorum(5, 8, Ask::Get, value("a"));
    assert_eq!(overlapping.register(), Ok(()), "it began before b was read");
}

#[test]
fn a_condition_that_did_not_hold_is_seen() {
    let history =
        History::default().quorum(1, 2, put("a"), Told::Done).quorum(3, 4, put_absent("b"), Told::Done);
    assert!(history.register().is_err());
    let nothing =
        History::default().quorum(1, 2, put("a"), Told::Done).quorum(3, 4, Ask::Delete, Told::NotDone);
    assert!(nothing.register().is_err());
}

#[test]
fn concurrent_writes_may_end_either_way() {
    for last in ["a", "b"] {
        let history = History::default()
            .quorum(1, 5, put("a"), Told::Done)
            .quorum(2, 6, put("b"), Told::Done)
            .quorum(7, 8, Ask::Get, value(last));
        assert_eq!(history.register(), Ok(()), "{last}");
    }
}

#[test]
fn a_level_that_promises_less_is_held_to_less() {
    let read_one = |level| {
        History::default()
            .level(level, 1, 2, put("a"), Told::Done)
            .level(level, 3, 4, put("b"), Told::Done)
            .level((1, 1), 5, 6, Ask::Get, value("a"))
    };
    assert_eq!(read_one((2, 2)).register(), Ok(()), "one owner of three may be the one that was left out");
    assert!(read_one((1, 3)).register().is_err(), "no owner was left out");
}

#[test]
fn a_counter_that_lost_an_increment_is_seen() {
    let history = History::default().quorum(1, 2, Ask::Add(5), Told::Done).quorum(3, 4, Ask::Sum, value("4"));
    assert!(history.counter().is_err());
    let absent = History::default().quorum(1, 2, Ask::Add(5), Told::Done).quorum(3, 4, Ask::Sum, ABSENT);
    assert!(absent.counter().is_err());
}

#[test]
fn a_counter_that_counts_too_much_is_seen() {
    let twice = History::default().quorum(1, 2, Ask::Add(5), Told::Done).quorum(3, 4, Ask::Sum, value("10"));
    assert!(twice.counter().is_err());
    let refused =
        History::default().quorum(1, 2, Ask::Add(5), Told::Refused).quorum(3, 4, Ask::Sum, value("5"));
    assert!(refused.counter().is_err());
    let text = History::default().quorum(1, 2, Ask::Add(5), Told::Done).quorum(3, 4, Ask::Sum, value("x"));
    assert!(text.counter().is_err());
}

#[test]
fn a_counter_may_hold_what_is_unknown_or_under_way() {
    for sum in ["5", "8", "12", "15"] {
        let history = History::default()
            .quorum(1, 2, Ask::Add(5), Told::Done)
            .quorum(3, 4, Ask::Add(3), Told::Unknown)
            .silent(5, Ask::Add(7))
            .quorum(6, 8, Ask::Sum, value(sum));
        assert_eq!(history.counter(), Ok(()), "{sum}");
    }
}

#[test]
fn a_dot_that_is_made_twice_is_seen() {
    let delta = |value: &'static str| {
        let (dot, stamp) = (Dot::new(Actor(1), 1), Stamp { physical_ms: 1, logical: 0, actor: Actor(1) });
        let add = Some(Payload::Plain(Bytes::from_static(value.as_bytes())));
        let cell = Cell::string(Key::new(0, "key"));
        Delta { dot, stamp, edits: vec![Edit { cell, add, removes: Vec::new() }], sweep: None }
    };
    let mut dots = Dots::default();
    assert_eq!(dots.see(PartitionId(1), &delta("a")), Ok(()));
    assert_eq!(dots.see(PartitionId(1), &delta("a")), Ok(()), "sent again");
    assert_eq!(dots.see(PartitionId(2), &delta("b")), Ok(()), "another partition counts for itself");
    assert!(dots.see(PartitionId(1), &delta("b")).is_err());
}
