//! Random values of the causal types, small enough to collide often.

use bytes::Bytes;
use causal::context::Intervals;
use causal::{
    Actor, Amount, Cell, Context, Delta, Dot, Early, Edit, Entries, Entry, Key, Payload, Scope, Stamp, Sweep,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use rust_decimal::Decimal;

pub(crate) fn actor() -> impl Strategy<Value = Actor> {
    (0..4u64).prop_map(Actor)
}

pub(crate) fn dot() -> impl Strategy<Value = Dot> {
    (actor(), 1..40u64).prop_map(|(actor, n)| Dot { actor, n })
}

pub(crate) fn stamp() -> impl Strategy<Value = Stamp> {
    let logical = prop_oneof![0..3u32, Just(u32::MAX)];
    (0..50u64, logical, actor()).prop_map(|(physical_ms, logical, actor)| Stamp {
        physical_ms,
        logical,
        actor,
    })
}

pub(crate) fn cell() -> impl Strategy<Value = Cell> {
    (0..3u8, "[a-c]{0,2}").prop_map(|(database, name)| Cell::string(Key::new(database, name)))
}

pub(crate) fn amount() -> impl Strategy<Value = Amount> {
    let decimal = |(mantissa, scale)| Amount::Decimal(Decimal::new(mantissa, scale));
    prop_oneof![
        (-1_000_000..1_000_000i64).prop_map(Amount::Integer),
        (-1_000_000..1_000_000i64, 0..6u32).prop_map(decimal),
    ]
}

pub(crate) fn payload() -> impl Strategy<Value = Payload> {
    let plain = vec(any::<u8>(), 0..20).prop_map(|bytes| Payload::Plain(Bytes::from(bytes)));
    prop_oneof![plain, amount().prop_map(Payload::Increment)]
}

pub(crate) fn entries() -> impl Strategy<Value = Entries> {
    let entry = |(dot, stamp, payload)| Entry { dot, stamp, payload };
    vec((dot(), stamp(), payload()).prop_map(entry), 0..6).prop_map(Entries::from_iter)
}

pub(crate) fn intervals() -> impl Strategy<Value = Intervals> {
    btree_set(1..60u64, 0..40).prop_map(|numbers| {
        let mut intervals = Intervals::default();
        numbers.into_iter().for_each(|n| intervals.insert(n));
        intervals
    })
}

pub(crate) fn context() -> impl Strategy<Value = Context> {
    vec(dot(), 0..60).prop_map(Context::from_iter)
}

fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![Just(Scope::All), (0..3u8).prop_map(Scope::Database)]
}

pub(crate) fn early() -> impl Strategy<Value = Early> {
    (vec((cell(), dot()), 0..6), vec((scope(), context()), 0..3)).prop_map(|(single, sweeps)| {
        let mut early = Early::default();
        single.into_iter().for_each(|(cell, dot)| early.insert(&cell, dot));
        for (scope, seen) in sweeps {
            early.insert_sweep(&Sweep { scope, seen }, &Context::default());
        }
        early
    })
}

/// Deltas that edit cells.
pub(crate) fn editing() -> impl Strategy<Value = Delta> {
    let edits = btree_map(cell(), (proptest::option::of(payload()), vec(dot(), 0..4)), 0..4);
    (dot(), stamp(), edits).prop_map(|(dot, stamp, edits)| {
        let edit = |(cell, (add, removes))| Edit { cell, add, removes };
        Delta { dot, stamp, edits: edits.into_iter().map(edit).collect(), sweep: None }
    })
}

/// Deltas of either sort.
pub(crate) fn delta() -> impl Strategy<Value = Delta> {
    let sweeping = (dot(), stamp(), scope(), context()).prop_map(|(dot, stamp, scope, seen)| Delta {
        dot,
        stamp,
        edits: Vec::new(),
        sweep: Some(Sweep { scope, seen }),
    });
    prop_oneof![3 => editing(), 1 => sweeping]
}
