//! The conformance suite of the `Engine` trait: every engine passes every case in `suite`.
//!
//! A new engine is one more `Bed` and one more line at the end of this file.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod beds;
mod suite;

/// One test per case, on one bed.
macro_rules! conforms {
    ($engine:ident on $bed:ty: $($case:ident)*) => {
        mod $engine {
            $(
                #[test]
                fn $case() {
                    crate::suite::$case(&mut <$bed as crate::beds::Bed>::new(stringify!($case)));
                }
            )*
        }
    };
}

/// The list of cases, once for all engines.
macro_rules! all_conform {
    ($($engine:ident on $bed:ty),* $(,)?) => {
        $(conforms!($engine on $bed:
            an_empty_engine_has_nothing
            rows_read_back
            rows_are_overwritten
            rows_are_deleted
            values_may_be_empty
            rows_and_values_are_any_bytes
            values_may_be_large
            rows_of_every_length_are_kept
            rows_and_values_have_limits
            the_last_change_of_a_row_in_a_batch_wins
            a_scan_is_in_order_and_bounded
            a_scan_of_many_rows_is_whole
            a_commit_is_seen_whole_once_it_returned
            a_group_is_one_commit_in_order
            what_was_synced_survives_a_crash
            a_crash_leaves_a_prefix
            a_reopened_engine_goes_on
            what_was_lost_is_told_until_it_is_known
            a_damaged_row_is_an_error_until_it_is_written
            a_checkpoint_equals_its_source
            a_checkpoint_is_of_one_instant
            a_checkpoint_goes_only_into_an_empty_engine
        );)*
    };
}

all_conform!(memory on crate::beds::MemoryBed);
#[cfg(feature = "lsm")]
all_conform!(lsm on crate::beds::LsmBed);
