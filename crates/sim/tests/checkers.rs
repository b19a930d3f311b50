//! The checkers on histories made by hand: each kind of wrong is seen, and what only looks wrong is not.

use bytes::Bytes;
use causal::{Actor, Cell, Delta, Dot, Edit, Key, Payload, Stamp};
use placement::PartitionId;
use sim::check::{Terms, counter, number, register, serial, siblings};
use sim::dots::Dots;
use sim::history::{Ask, Operation, Token, Told};

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
        register("key", &self.0.iter().collect::<Vec<_>>(), Terms::of(3))
    }

    fn counter(&self) -> Result<(), String> {
        counter("key", &self.0.iter().collect::<Vec<_>>(), Terms::of(3))
    }

    fn number(&self) -> Result<(), String> {
        number("key", &self.0.iter().collect::<Vec<_>>(), Terms::of(3))
    }

    fn serial(&self, key: &str) -> Result<(), String> {
        serial(key, &self.0.iter().collect::<Vec<_>>())
    }

    fn siblings(&self) -> Result<(), String> {
        siblings("key", &self.0.iter().collect::<Vec<_>>(), Terms::of(3))
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
fn what_a_delete_at_one_owner_uncovers_is_no_wrong() {
    let overwritten = |level| {
        let history =
            History::default().quorum(1, 2, put("a"), Told::Done).quorum(3, 4, put("b"), Told::Done);
        let deleted = history.level(level, 5, 6, Ask::Delete, Told::Done);
        deleted.level((3, 3), 7, 8, Ask::Get, value("a")).register()
    };
    overwritten((1, 1)).expect("the one owner may have held b alone");
    assert!(overwritten((2, 2)).is_err(), "two of three have seen both");
    let unsure = |told| {
        let history = History::default().level((3, 3), 1, 2, put("a"), told);
        let shown = history.quorum(3, 4, put("b"), Told::Done).quorum(4, 5, Ask::Get, value("b"));
        let deleted = shown.level((1, 1), 6, 7, Ask::Delete, Told::Done);
        deleted.quorum(8, 9, Ask::Get, value("a")).register()
    };
    unsure(Told::Unknown).expect("all owners were to have a, and not all do");
    assert!(unsure(Told::Done).is_err(), "all do");
    let kept = History::default().quorum(1, 2, put("a"), Told::Done).quorum(3, 4, put("b"), Told::Done);
    assert!(kept.quorum(5, 6, Ask::Get, value("a")).register().is_err(), "nothing has removed b");
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
fn what_was_shown_may_go_by_a_write_that_had_not_seen_what_lies_beneath() {
    // At level one a SET beside what two owners hold, shown to a reader of both; then, again at level one, it is gone.
    let shown = || {
        let history = History::default().quorum(1, 2, put("beneath"), Told::Done);
        let history = history.level((1, 1), 3, 4, put("beside"), Told::Done);
        history.quorum(5, 6, Ask::Get, value("beside"))
    };
    let deleted = shown().level((1, 1), 7, 8, Ask::Delete, Told::Done);
    assert_eq!(deleted.quorum(9, 10, Ask::Get, value("beneath")).register(), Ok(()));
    let deleted = shown().quorum(7, 8, Ask::Delete, Told::Done);
    assert!(deleted.quorum(9, 10, Ask::Get, value("beneath")).register().is_err());
    assert!(shown().quorum(9, 10, Ask::Get, value("beneath")).register().is_err());
}

#[test]
fn a_counter_that_lost_an_increment_is_seen() {
    let history = History::default().quorum(1, 2, Ask::Add(5), Told::Done).quorum(3, 4, Ask::Get, value("4"));
    assert!(history.counter().is_err());
    let absent = History::default().quorum(1, 2, Ask::Add(5), Told::Done).quorum(3, 4, Ask::Get, ABSENT);
    assert!(absent.counter().is_err());
}

#[test]
fn a_counter_that_counts_too_much_is_seen() {
    let twice = History::default().quorum(1, 2, Ask::Add(5), Told::Done).quorum(3, 4, Ask::Get, value("10"));
    assert!(twice.counter().is_err());
    let refused =
        History::default().quorum(1, 2, Ask::Add(5), Told::Refused).quorum(3, 4, Ask::Get, value("5"));
    assert!(refused.counter().is_err());
    let text = History::default().quorum(1, 2, Ask::Add(5), Told::Done).quorum(3, 4, Ask::Get, value("x"));
    assert!(text.counter().is_err());
}

#[test]
fn a_counter_may_hold_what_is_unknown_or_under_way() {
    for sum in ["5", "8", "12", "15"] {
        let history = History::default()
            .quorum(1, 2, Ask::Add(5), Told::Done)
            .quorum(3, 4, Ask::Add(3), Told::Unknown)
            .silent(5, Ask::Add(7))
            .quorum(6, 8, Ask::Get, value(sum));
        assert_eq!(history.counter(), Ok(()), "{sum}");
    }
}

fn swap(value: &'static str) -> Ask {
    Ask::Swap(Bytes::from_static(value.as_bytes()))
}

#[test]
fn what_a_swap_or_a_take_reads_is_a_read() {
    let put = || History::default().quorum(1, 2, put("a"), Told::Done);
    let right = put()
        .quorum(3, 4, swap("b"), value("a"))
        .quorum(5, 6, Ask::Take, value("b"))
        .quorum(7, 8, Ask::Take, ABSENT)
        .quorum(9, 10, swap("c"), ABSENT)
        .quorum(11, 12, Ask::Get, value("c"));
    assert_eq!(right.register(), Ok(()));
    for ask in [swap("b"), Ask::Take] {
        assert!(put().quorum(3, 4, ask.clone(), ABSENT).register().is_err(), "{ask:?} misses it");
        assert!(put().quorum(3, 4, ask.clone(), value("x")).register().is_err(), "{ask:?} makes it up");
    }
    assert!(put().quorum(3, 4, swap("b"), value("b")).register().is_err(), "it gives its own");
}

#[test]
fn what_a_swap_or_a_take_writes_is_a_write() {
    let put = || History::default().quorum(1, 2, put("a"), Told::Done);
    let swapped = put().quorum(3, 4, swap("b"), value("a")).quorum(5, 6, Ask::Get, value("a"));
    assert!(swapped.register().is_err());
    let taken = put().quorum(3, 4, Ask::Take, value("a")).quorum(5, 6, Ask::Get, value("a"));
    assert!(taken.register().is_err(), "it came back");
    let twice = put().quorum(3, 4, Ask::Take, value("a")).quorum(5, 6, Ask::Take, value("a"));
    assert!(twice.register().is_err(), "it is taken twice, one after the other");
    let nothing = put().quorum(1, 3, Ask::Take, ABSENT).quorum(5, 6, Ask::Get, ABSENT);
    assert!(nothing.register().is_err(), "who took nothing has removed nothing");
    let refused = put().quorum(3, 4, swap("b"), Told::Refused).quorum(5, 6, Ask::Get, value("b"));
    assert!(refused.register().is_err(), "a refused one shows");
    let unknown = || put().quorum(3, 4, Ask::Take, Told::Unknown);
    for shown in [value("a"), ABSENT] {
        assert_eq!(unknown().quorum(5, 6, Ask::Get, shown).register(), Ok(()));
    }
}

#[test]
fn what_a_flush_leaves_is_seen() {
    let flushed =
        || History::default().quorum(1, 2, put("a"), Told::Done).quorum(3, 4, Ask::Flush, Told::Done);
    assert!(flushed().quorum(5, 6, Ask::Get, value("a")).register().is_err());
    assert_eq!(flushed().quorum(5, 6, Ask::Get, ABSENT).register(), Ok(()));
    let meanwhile = flushed().quorum(3, 5, put("b"), Told::Done);
    assert_eq!(meanwhile.quorum(7, 8, Ask::Get, value("b")).register(), Ok(()), "it was under way");
    let refused = History::default()
        .quorum(1, 2, put("a"), Told::Done)
        .quorum(3, 4, Ask::Flush, Told::Refused)
        .quorum(5, 6, Ask::Get, ABSENT);
    assert!(refused.register().is_err(), "a refused one removes nothing");
}

#[test]
fn a_counter_that_is_flushed_begins_anew() {
    let flushed =
        || History::default().quorum(1, 2, Ask::Add(5), value("5")).quorum(3, 4, Ask::Flush, Told::Done);
    assert_eq!(flushed().quorum(5, 6, Ask::Get, ABSENT).counter(), Ok(()));
    assert!(flushed().quorum(5, 6, Ask::Get, value("5")).counter().is_err(), "it came back");
    let later = || flushed().quorum(7, 8, Ask::Add(3), value("3"));
    assert_eq!(later().quorum(9, 10, Ask::Get, value("3")).counter(), Ok(()));
    assert!(later().quorum(9, 10, Ask::Get, ABSENT).counter().is_err(), "what came after it is lost");
    assert!(later().quorum(9, 10, Ask::Get, value("8")).counter().is_err(), "what came before it counts");
    // An increment that is under way may bring back what its node had added before.
    let meanwhile = || flushed().quorum(3, 5, Ask::Add(2), value("7"));
    for sum in ["2", "7"] {
        assert_eq!(meanwhile().quorum(7, 8, Ask::Get, value(sum)).counter(), Ok(()), "{sum}");
    }
    assert!(meanwhile().quorum(7, 8, Ask::Get, value("8")).counter().is_err());
}

#[test]
fn what_an_increment_answers_is_a_sum() {
    let added = || History::default().quorum(1, 2, Ask::Add(5), value("5"));
    assert_eq!(added().quorum(3, 4, Ask::Add(2), value("7")).counter(), Ok(()));
    assert!(added().quorum(3, 4, Ask::Add(2), value("2")).counter().is_err(), "it missed the first");
    assert!(added().quorum(3, 4, Ask::Add(2), value("5")).counter().is_err(), "it missed its own");
    assert!(added().quorum(3, 4, Ask::Add(2), value("9")).counter().is_err(), "it counted twice");
}

#[test]
fn a_number_is_what_was_put_and_what_was_added() {
    let history = || {
        History::default().quorum(1, 2, put("1000000"), Told::Done).quorum(
            3,
            4,
            Ask::Add(5),
            value("1000005"),
        )
    };
    assert_eq!(history().quorum(5, 6, Ask::Get, value("1000005")).number(), Ok(()));
    assert!(history().quorum(5, 6, Ask::Get, value("1000000")).number().is_err(), "the increment is lost");
    assert!(history().quorum(5, 6, Ask::Get, value("5")).number().is_err(), "what was put is lost");
    assert!(history().quorum(5, 6, Ask::Get, ABSENT).number().is_err(), "both are lost");
    assert!(history().quorum(5, 6, Ask::Get, value("x")).number().is_err(), "it is no number");
    let again = || history().quorum(5, 6, put("2000000"), Told::Done);
    assert_eq!(again().quorum(7, 8, Ask::Get, value("2000000")).number(), Ok(()));
    assert!(again().quorum(7, 8, Ask::Get, value("2000005")).number().is_err(), "an old increment counts");
    assert!(again().quorum(7, 8, Ask::Get, value("1000000")).number().is_err(), "an old value shows");
    let taken = || history().quorum(5, 6, Ask::Take, value("1000005"));
    assert_eq!(taken().quorum(7, 8, Ask::Get, ABSENT).number(), Ok(()));
    assert!(taken().quorum(7, 8, Ask::Get, value("5")).number().is_err(), "the increment came back");
    assert!(taken().quorum(7, 8, Ask::Get, value("1000000")).number().is_err(), "what was put came back");
    let refused = history().quorum(5, 6, Ask::Add(9), Told::Refused).quorum(7, 8, Ask::Get, value("1000014"));
    assert!(refused.number().is_err(), "a refused increment counts");
}

fn all(values: &[&'static str]) -> Told {
    Told::Values(values.iter().map(|value| Bytes::from_static(value.as_bytes())).collect())
}

/// A resolve with a token that was asked for at some time and came with these values.
fn resolve(value: &'static str, of: &str, asked_at: u64, values: &[&'static str]) -> Ask {
    let values = values.iter().map(|value| Bytes::from_static(value.as_bytes())).collect();
    Ask::Resolve(Bytes::from_static(value.as_bytes()), Token { of: of.to_owned(), values, asked_at, read: 2 })
}

/// Two values that nobody has settled.
fn conflict() -> History {
    History::default().quorum(1, 2, resolve("a", "key", 0, &[]), Told::Done).quorum(
        3,
        4,
        resolve("b", "key", 0, &[]),
        Told::Done,
    )
}

#[test]
fn siblings_stay_until_they_are_settled() {
    assert_eq!(conflict().quorum(5, 6, Ask::Siblings, all(&["b", "a"])).siblings(), Ok(()));
    for shown in [all(&["b"]), all(&["a"]), all(&[])] {
        assert!(conflict().quorum(5, 6, Ask::Siblings, shown.clone()).siblings().is_err(), "{shown:?}");
    }
    let made_up = conflict().quorum(5, 6, Ask::Siblings, all(&["b", "a", "x"]));
    assert!(made_up.siblings().is_err());
    for shown in ["a", "b"] {
        assert_eq!(conflict().quorum(5, 6, Ask::Get, value(shown)).siblings(), Ok(()), "either may be seen");
    }
    assert!(conflict().quorum(5, 6, Ask::Get, ABSENT).siblings().is_err());
    assert!(conflict().quorum(5, 6, Ask::Get, value("x")).siblings().is_err());
}

#[test]
fn a_resolve_removes_what_its_token_names_and_nothing_else() {
    let shown = || conflict().quorum(5, 6, Ask::Siblings, all(&["b", "a"]));
    let meanwhile = || shown().quorum(7, 8, resolve("c", "key", 0, &[]), Told::Done);
    let settled = || meanwhile().quorum(9, 10, resolve("d", "key", 5, &["b", "a"]), Told::Done);
    assert_eq!(settled().quorum(11, 12, Ask::Siblings, all(&["d", "c"])).siblings(), Ok(()));
    assert!(settled().quorum(11, 12, Ask::Siblings, all(&["d"])).siblings().is_err(), "c was not named");
    assert!(
        settled().quorum(11, 12, Ask::Siblings, all(&["d", "c", "a"])).siblings().is_err(),
        "a came back"
    );
    assert!(settled().quorum(11, 12, Ask::Get, value("b")).siblings().is_err(), "b came back");
    let refused = meanwhile().quorum(9, 10, resolve("d", "key", 5, &["b", "a"]), Told::Refused);
    assert!(refused.quorum(11, 12, Ask::Siblings, all(&["d", "c"])).siblings().is_err(), "it was refused");
    for left in [all(&["c", "b", "a"]), all(&["d", "c"])] {
        let unknown = meanwhile().quorum(9, 10, resolve("d", "key", 5, &["b", "a"]), Told::Unknown);
        assert_eq!(unknown.quorum(11, 12, Ask::Siblings, left).siblings(), Ok(()));
    }
}

#[test]
fn a_token_of_one_owner_may_be_old() {
    let settled = |read| {
        let Ask::Resolve(value, token) = resolve("d", "key", 5, &["b", "a"]) else { unreachable!() };
        conflict()
            .level((read, 2), 5, 6, Ask::Siblings, all(&["b", "a"]))
            .quorum(7, 8, Ask::Resolve(value, Token { read, ..token }), Told::Done)
            .quorum(9, 10, Ask::Siblings, all(&["d", "a"]))
    };
    assert_eq!(settled(1).siblings(), Ok(()), "it may name an entry that another has replaced since");
    assert!(settled(2).siblings().is_err());
}

#[test]
fn a_value_that_was_shown_stays_without_an_acknowledgement() {
    let shown = || {
        History::default().quorum(1, 2, resolve("a", "key", 0, &[]), Told::Unknown).quorum(
            3,
            4,
            Ask::Siblings,
            all(&["a"]),
        )
    };
    assert!(shown().quorum(5, 6, Ask::Siblings, all(&[])).siblings().is_err(), "reads went back in time");
    assert_eq!(shown().quorum(3, 6, Ask::Siblings, all(&[])).siblings(), Ok(()), "it began before that");
}

#[test]
fn a_put_is_seen_and_what_others_held_may_stay_behind_it() {
    let put = || conflict().quorum(5, 6, put("c"), Told::Done);
    assert_eq!(put().quorum(7, 8, Ask::Siblings, all(&["c"])).siblings(), Ok(()));
    assert_eq!(put().quorum(7, 8, Ask::Siblings, all(&["c", "a"])).siblings(), Ok(()));
    assert!(put().quorum(7, 8, Ask::Siblings, all(&["a", "c"])).siblings().is_err(), "it is hidden");
    for removal in [Ask::Delete, Ask::Flush] {
        let removed = || conflict().quorum(5, 6, removal.clone(), Told::Done);
        assert_eq!(removed().quorum(7, 8, Ask::Siblings, all(&[])).siblings(), Ok(()));
        assert!(removed().quorum(7, 8, Ask::Siblings, all(&["b"])).siblings().is_err(), "{removal:?}");
    }
}

#[test]
fn a_token_of_another_key_that_is_taken_is_seen() {
    let foreign = |told| conflict().quorum(5, 6, resolve("c", "another", 0, &["x"]), told);
    assert!(foreign(Told::Done).siblings().is_err());
    assert_eq!(foreign(Told::Refused).siblings(), Ok(()));
    let unknown = foreign(Told::Unknown);
    assert!(unknown.quorum(7, 8, Ask::Siblings, all(&["c", "b", "a"])).siblings().is_err(), "it shows");
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

/// When somebody asks, in microseconds.
const PEACE: u64 = 1_000_000;

#[test]
fn in_peace_whatever_is_asked_is_done() {
    let asked = |told| History::default().quorum(PEACE, PEACE + 1, Ask::Get, told);
    assert!(asked(Told::Refused).serial("register-0").is_err());
    assert!(asked(Told::Unknown).serial("register-0").is_err());
    assert!(History::default().silent(PEACE, Ask::Take).serial("register-0").is_err());
    asked(ABSENT).serial("register-0").expect("it was done");
    let alone = |told| History::default().quorum(PEACE, PEACE + 5, put("a"), told);
    assert!(alone(Told::Unknown).serial("register-0").is_err(), "it has met nobody");
    let meets = |told, from| alone(told).quorum(from, from + 5, put("b"), Told::Done).serial("register-0");
    meets(Told::Unknown, PEACE + 3).expect("which of two came first may be unknown");
    assert!(meets(Told::Unknown, PEACE + 6).is_err(), "that came later");
    assert!(meets(Told::Refused, PEACE + 3).is_err());
    for outcome in [Told::Refused, Told::Unknown] {
        let behind = |told, ask| {
            let two = alone(told).quorum(PEACE + 1, PEACE + 6, put("b"), Told::Done);
            two.quorum(PEACE + 2, PEACE + 4, ask, outcome.clone()).serial("register-0")
        };
        behind(Told::Unknown, Ask::Delete).expect("it waits for its turn");
        assert!(behind(Told::Unknown, Ask::Get).is_err(), "that waits for nobody");
        assert!(behind(Told::Done, Ask::Delete).is_err(), "nobody keeps it waiting");
    }
}

#[test]
fn in_peace_sums_are_a_chain() {
    let add = |history: History, from, by, sum| {
        history.quorum(PEACE + from, PEACE + from + 5, Ask::Add(by), value(sum))
    };
    let two = add(add(History::default(), 0, 2, "2"), 10, 3, "5");
    two.serial("counter-0").expect("one after the other");
    assert!(add(two, 20, 1, "5").serial("counter-0").is_err(), "the same sum twice");
    assert!(
        add(add(History::default(), 0, 2, "2"), 10, 3, "3").serial("counter-0").is_err(),
        "one is missing"
    );
    let backwards = add(add(History::default(), 0, 3, "5"), 10, 2, "2");
    assert!(backwards.serial("counter-0").is_err(), "the later one is counted first");
    let at_once = add(add(History::default(), 2, 3, "5"), 0, 2, "2");
    at_once.serial("counter-0").expect("either may be first");
}

#[test]
fn in_peace_one_alone_sets_what_is_absent() {
    let one = History::default().quorum(PEACE, PEACE + 5, put_absent("a"), Told::Done);
    let other = one.quorum(PEACE + 1, PEACE + 6, put_absent("b"), Told::NotDone);
    other.serial("absent-0").expect("one has set it");
    let both = other.quorum(PEACE + 2, PEACE + 7, put_absent("c"), Told::Done);
    assert!(both.serial("absent-0").is_err());
}
