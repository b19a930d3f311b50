//! The golden scripts of the node: a few nodes, one partition, and a network, disks and clocks moved by hand.
//!
//! Nodes are `a`, `b`, `c`, ...; the owners of the partition are `a`, `b` and `c`, and `a` is its home. An operation
//! is named by its maker and its number, `a1`; once a was started again its operations are `a'1`. Every line of an
//! answer is something that was decided: `a -> b ...` is a message sent, `a answers ...` what a client is told.
//! `UPDATE_GOLDENFILES=1 cargo test -p node` writes the answers anew; look at the difference.
//!
//! | command | what it does |
//! |---|---|
//! | `nodes 3` | a new cluster of so many nodes, all linked; with a fourth, that one owns nothing |
//! | `nodes 3 comparing` | the same, and owners compare what they hold each second; `wait` has time pass for that |
//! | `nodes 5 in two datacenters` | `a`, `b` and `c` are in one and the others in another; all are owners |
//! | `level quorum`, `level 2 3` | the level of the requests from now on |
//! | `a SET k v`, `a GET k`, ... | a client asks a: any command on one key, `FLUSHALL`, `COUNT`, `LIST 2`, `LIST 2 on` (from where the last list ended), `EXPLAIN k`, `SIBLINGS k` and `RESOLVE k token1 v` |
//! | `deliver`, `deliver a b` | what is under way arrives: all of it until nothing is left, or only what waits from a to b |
//! | `hold a b`, `release a b` | what a sends to b is kept under way, and the nodes do not notice; `hold a` holds all to and from a |
//! | `drop a b`, `repeat a b` | what waits from a to b is lost; what arrived last from a at b arrives once more; `repeat a b 1`: the one before that |
//! | `link a b down`, `link a b up` | a link breaks or comes back, what was under way is lost, and both notice |
//! | `suspect a b`, `trust a b` | a takes b for one that does not answer, or no more |
//! | `disk a slow`, `settle a`, `settle all` | a's disk syncs only when it is told to; it syncs |
//! | `disk a copied`, `disk a put back` | a copy of a's disk is made; it is put in the place of the disk, while a does not run |
//! | `crash a`, `restart a` | a is gone with all that its disk has not synced; a starts again on its disk |
//! | `wait 300` | so many milliseconds pass |
//! | `clock a 300 behind`, `clock a 2000 ahead`, `clock a right` | how far a's clock is off |
//! | `show k` | what every node holds of k, and the operations that it has applied |
//! | `join c`, `join c route` | one more node, that holds its share or is a gateway; only it goes by the newer layout at first |

mod script;

use std::path::Path;

fn run(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts").join(name);
    goldenscript::run(&mut script::Script::default(), path).expect("the script runs");
}

macro_rules! scripts {
    ($($name:ident)*) => {
        $(#[test] fn $name() { run(stringify!($name)); })*

        #[test]
        fn every_script_is_run() {
            let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
            let there = std::fs::read_dir(dir).expect("the scripts").count();
            assert_eq!(there, [$(stringify!($name)),*].len());
        }
    };
}

scripts! {
    write_at_quorum write_with_an_owner_down write_refused write_unknown written_again
    read_where_all_agree read_repair reads_never_go_back one_owner_only
    clock_behind datacenters clock_ahead
    increments increments_under_a_cut one_after_another joined
    deletes brought_along flush siblings hot_key
    passed_on declined restart newer_layout shown_first
    disk_full disk_failed gone_back suspected
    explain keys
    handoff handed_sweep sloppy gateway anti_entropy snapshot
    durable_first siblings_meanwhile replaced_meanwhile outranked_meanwhile
}
