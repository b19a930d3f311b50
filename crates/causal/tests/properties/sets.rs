//! Intervals, contexts and early removals behave as the plain sets that they stand for.

use super::arbitrary::{cell, context, dot, early, intervals};
use causal::context::Intervals;
use causal::{Context, Dot};
use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use std::collections::BTreeSet;

const NUMBERS: std::ops::Range<u64> = 1..70;

fn numbers(intervals: &Intervals) -> BTreeSet<u64> {
    NUMBERS.filter(|n| intervals.contains(*n)).collect()
}

fn dots(context: &Context) -> BTreeSet<Dot> {
    let of = |(actor, runs): (_, &Intervals)| {
        numbers(runs).into_iter().map(move |n| Dot { actor, n }).collect::<Vec<_>>()
    };
    context.actors().flat_map(of).collect()
}

/// A context of `actor` alone, for the invariants of its intervals.
fn check(intervals: &Intervals) {
    let mut context = Context::default();
    context.insert_all(causal::Actor(1), intervals);
    context.check();
    assert_eq!(context.of(causal::Actor(1)).cloned().unwrap_or_default(), *intervals);
}

proptest! {
    #[test]
    fn intervals_are_a_set_of_numbers(steps in vec((any::<bool>(), NUMBERS, 0..5u64), 0..60)) {
        let (mut intervals, mut model) = (Intervals::default(), BTreeSet::new());
        for (one, first, more) in steps {
            if one {
                intervals.insert(first);
                model.insert(first);
            } else {
                intervals.insert_run(first, (first + more).min(69));
                model.extend(first..=(first + more).min(69));
            }
            check(&intervals);
            prop_assert_eq!(numbers(&intervals), model.clone());
            prop_assert_eq!(intervals.len(), model.len() as u64);
            prop_assert_eq!(intervals.greatest(), model.last().copied().unwrap_or(0));
        }
    }

    #[test]
    fn intervals_unite_and_subtract(a in intervals(), b in intervals()) {
        let mut both = a.clone();
        both.unite(&b);
        check(&both);
        prop_assert_eq!(numbers(&both), &numbers(&a) | &numbers(&b));
        let left = a.without(&b);
        check(&left);
        prop_assert_eq!(numbers(&left), &numbers(&a) - &numbers(&b));
    }

    #[test]
    fn contexts_are_sets_of_dots(all in vec(dot(), 0..60), b in context()) {
        let model: BTreeSet<Dot> = all.iter().copied().collect();
        let a = Context::from_iter(all);
        a.check();
        prop_assert_eq!(dots(&a), model.clone());
        prop_assert_eq!(a.len(), model.len() as u64);
        prop_assert_eq!(a.is_empty(), model.is_empty());
        let mut both = a.clone();
        both.unite(&b);
        both.check();
        prop_assert_eq!(dots(&both), &model | &dots(&b));
        let left = a.without(&b);
        left.check();
        prop_assert_eq!(dots(&left), &model - &dots(&b));
        prop_assert!(both.without(&a).without(&b).is_empty());
    }

    #[test]
    fn early_forgets_what_was_applied(early in early(), applied in context(), cell in cell(), dot in dot()) {
        let mut pruned = early.clone();
        pruned.prune(&applied);
        pruned.check(&applied);
        let awaited = early.contains(&cell, dot) && !applied.contains(dot);
        prop_assert_eq!(pruned.contains(&cell, dot), awaited);
        prop_assert_eq!(pruned.of(&cell).contains(&cell, dot), awaited);
        let mut one_by_one = early.clone();
        for dot in dots(&applied) {
            one_by_one.forget(dot);
        }
        prop_assert_eq!(one_by_one, pruned);
    }

    #[test]
    fn early_unites(a in early(), b in early(), cell in cell(), dot in dot()) {
        let mut both = a.clone();
        both.unite(&b);
        prop_assert_eq!(both.contains(&cell, dot), a.contains(&cell, dot) || b.contains(&cell, dot));
    }
}
