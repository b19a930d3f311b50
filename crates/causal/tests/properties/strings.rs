//! Strings and counters: increments add up in any order, and the newest of several plain values is seen.

use super::arbitrary::{amount, entries};
use crate::properties::merges::Cluster;
use bytes::Bytes;
use causal::{Actor, Amount, Change, Entries, Payload, Value, string};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use rust_decimal::Decimal;

const REPLICAS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Add(usize, Amount),
    Send(usize, usize),
    Restart(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let node = || 0..REPLICAS;
    prop_oneof![
        3 => (node(), amount()).prop_map(|(node, by)| Step::Add(node, by)),
        3 => (node(), any::<usize>()).prop_map(|(node, which)| Step::Send(node, which)),
        1 => node().prop_map(Step::Restart),
    ]
}

fn decimal(amount: Amount) -> Decimal {
    match amount {
        Amount::Integer(by) => Decimal::from(by),
        Amount::Decimal(by) => by,
    }
}

fn shown(entries: &Entries) -> Option<Decimal> {
    string::value(entries)
        .map(|Value::String(text)| std::str::from_utf8(&text).expect("digits").parse().expect("a number"))
}

proptest! {
    #[test]
    fn increments_add_up(steps in vec(step(), 0..40), base in proptest::option::of(-1_000..1_000i64)) {
        let mut cluster = Cluster::new(REPLICAS);
        let mut sum = Decimal::ZERO;
        let mut count = 0;
        if let Some(base) = base {
            let put = cluster.change(0, Change::Put(Bytes::from(base.to_string())));
            (1..REPLICAS).for_each(|node| cluster.deliver(node, put));
            sum += Decimal::from(base);
            count += 1;
        }
        for step in steps {
            match step {
                Step::Add(node, by) => {
                    cluster.change(node, Change::Add(by));
                    sum += decimal(by);
                    count += 1;
                }
                Step::Send(node, which) if count > 0 => cluster.deliver(node, which % count),
                Step::Send(..) => {}
                Step::Restart(node) => cluster.restart(node),
            }
        }
        (0..REPLICAS).for_each(|node| (0..count).rev().for_each(|number| cluster.deliver(node, number)));
        for node in 0..REPLICAS {
            prop_assert_eq!(shown(&cluster.entries(node)), (count > 0).then_some(sum));
        }
    }

    #[test]
    fn the_newest_plain_value_is_seen(entries in entries()) {
        let plain = entries.iter().filter_map(|entry| match &entry.payload {
            Payload::Plain(bytes) => Some((entry.stamp, entry.dot, bytes.clone())),
            Payload::Increment(_) => None,
        });
        let newest = plain.clone().max().map(|(_, _, bytes)| Value::String(bytes));
        if plain.clone().count() == entries.len() {
            prop_assert_eq!(string::value(&entries), newest.clone());
        }
        let siblings = string::siblings(&entries);
        prop_assert_eq!(siblings.is_empty(), entries.is_empty());
        if plain.clone().count() > 1 {
            prop_assert_eq!(siblings.len(), plain.clone().count());
            let greatest = plain.map(|(stamp, ..)| stamp).max();
            let first = entries.iter().filter(|entry| Some(entry.stamp) == greatest);
            prop_assert!(first.clone().any(|entry| matches!(
                (&entry.payload, &siblings[0]), (Payload::Plain(a), Value::String(b)) if a == b
            )));
        }
    }

    #[test]
    fn a_change_removes_what_its_maker_saw(
        entries in entries(),
        change in prop_oneof![
            Just(Change::Keep), Just(Change::Delete), Just(Change::Put(Bytes::from_static(b"v"))),
            amount().prop_map(Change::Add)
        ],
    ) {
        let cell = causal::Cell::string(causal::Key::new(0, "k"));
        let edit = string::edit(cell, change.clone(), &entries, Actor(1));
        let everything: Vec<_> = entries.dots().collect();
        match change {
            Change::Keep => prop_assert!(edit.is_none()),
            Change::Delete if entries.is_empty() => prop_assert!(edit.is_none()),
            Change::Delete => prop_assert_eq!(edit.map(|edit| (edit.add, edit.removes)), Some((None, everything))),
            Change::Put(bytes) => {
                let expected = Some((Some(Payload::Plain(bytes)), everything));
                prop_assert_eq!(edit.map(|edit| (edit.add, edit.removes)), expected);
            }
            Change::Add(_) => {
                let own = entries.iter().filter(|entry| {
                    entry.dot.actor == Actor(1) && matches!(entry.payload, Payload::Increment(_))
                });
                prop_assert_eq!(edit.map(|edit| edit.removes), Some(own.map(|entry| entry.dot).collect()));
            }
        }
    }
}

#[test]
fn sums_go_on_as_decimals_and_stop_at_their_limits() {
    let at = |n, payload| causal::Entry {
        dot: causal::Dot::new(Actor(n), 1),
        stamp: causal::Stamp { physical_ms: n, logical: 0, actor: Actor(n) },
        payload,
    };
    let sum = |amounts: [Amount; 2]| {
        let entries = (1..).zip(amounts).map(|(n, amount)| at(n, Payload::Increment(amount)));
        string::value(&entries.collect())
    };
    let text = |value: String| Some(Value::String(Bytes::from(value)));
    let most = Amount::Integer(i64::MAX);
    assert_eq!(sum([most, most]), text((i128::from(i64::MAX) * 2).to_string()));
    assert_eq!(
        sum([Amount::Integer(i64::MIN), Amount::Integer(-1)]),
        text((i128::from(i64::MIN) - 1).to_string())
    );
    assert_eq!(sum([Amount::Decimal(Decimal::MAX), most]), text(Decimal::MAX.to_string()));
    assert_eq!(
        sum([Amount::Decimal(Decimal::MIN), Amount::Decimal(Decimal::MIN)]),
        text(Decimal::MIN.to_string())
    );
}
