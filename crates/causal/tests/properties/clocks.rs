//! The two invariants of the hybrid clock.

use super::arbitrary::stamp;
use causal::limits::STAMP_AHEAD_MS_MAX;
use causal::{Actor, Clock, Stamp};
use proptest::collection::vec;
use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};

#[derive(Clone, Debug)]
enum Step {
    Read(u64),
    Observe(Stamp),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![(0..60u64).prop_map(Step::Read), stamp().prop_map(Step::Observe)]
}

proptest! {
    #[test]
    fn readings_grow_and_rise_above_what_was_observed(steps in vec(step(), 0..60)) {
        let mut clock = Clock::new(Actor(2));
        let (mut last, mut observed) = (None, None);
        for step in steps {
            match step {
                Step::Observe(stamp) => {
                    clock.observe(&stamp);
                    observed = observed.max(Some(stamp));
                }
                Step::Read(wall_ms) => {
                    let reading = clock.read(wall_ms);
                    prop_assert!(Some(reading) > last && Some(reading) > observed);
                    prop_assert!(reading.physical_ms >= wall_ms);
                    prop_assert_eq!(reading.actor, Actor(2));
                    last = Some(reading);
                }
            }
        }
    }

    #[test]
    fn only_the_future_is_refused(wall_ms in 0..100_000u64, stamp in stamp(), ahead in 0..3_000u64) {
        let physical_ms = wall_ms + ahead;
        let stamp = Stamp { physical_ms, ..stamp };
        prop_assert_eq!(stamp.is_too_far_ahead(wall_ms), ahead > STAMP_AHEAD_MS_MAX);
    }
}
