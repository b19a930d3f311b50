//! What a tally says of every way in which owners can answer.

use super::{Standing, Tally};
use placement::NodeId;

const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);
const C: NodeId = NodeId(3);
const STRANGER: NodeId = NodeId(9);

fn waiting(tally: &Tally) -> Vec<NodeId> {
    tally.waiting().collect()
}

fn two_of_three() -> Tally {
    Tally::new([A, B, C], 2)
}

#[test]
fn enough_acknowledge() {
    let mut tally = two_of_three();
    assert_eq!(tally.standing(), Standing::Open);
    assert_eq!(tally.ack(B), Standing::Open);
    assert_eq!(tally.ack(A), Standing::Met);
    assert_eq!((tally.acked(), tally.need(), waiting(&tally)), (2, 2, vec![C]));
    tally.check();
}

#[test]
fn too_few_are_left() {
    let mut tally = two_of_three();
    assert_eq!(tally.fail(A), Standing::Open);
    assert_eq!(tally.ack(B), Standing::Open);
    assert_eq!(tally.fail(C), Standing::Lost);
    assert_eq!(tally.acked(), 1);
    assert!(waiting(&tally).is_empty());
    tally.check();
}

#[test]
fn one_fails_and_enough_are_left() {
    let mut tally = two_of_three();
    assert_eq!(tally.fail(B), Standing::Open);
    assert_eq!(tally.ack(A), Standing::Open);
    assert_eq!(tally.ack(C), Standing::Met);
}

#[test]
fn an_owner_counts_once() {
    let mut tally = two_of_three();
    tally.ack(A);
    assert_eq!(tally.ack(A), Standing::Open, "a repeated acknowledgement");
    assert_eq!(tally.fail(A), Standing::Open, "a failure after an acknowledgement");
    assert_eq!((tally.acked(), waiting(&tally).len()), (1, 2));
    let mut tally = two_of_three();
    tally.fail(A);
    assert_eq!(tally.ack(A), Standing::Open, "an acknowledgement after a failure");
    assert_eq!(tally.acked(), 0);
    assert_eq!(tally.ack(B), Standing::Open);
}

#[test]
fn others_count_for_nothing() {
    let mut tally = two_of_three();
    assert_eq!(tally.ack(STRANGER), Standing::Open);
    assert_eq!(tally.fail(STRANGER), Standing::Open);
    assert_eq!((tally.acked(), waiting(&tally).len()), (0, 3));
}

#[test]
fn all_of_them_and_none_of_them() {
    let mut all = Tally::new([A, B, C], 3);
    assert_eq!((all.ack(A), all.ack(B), all.ack(C)), (Standing::Open, Standing::Open, Standing::Met));
    assert_eq!(Tally::new([A, B, C], 3).fail(B), Standing::Lost);
    assert_eq!(Tally::new([A], 1).ack(A), Standing::Met);
    assert_eq!(Tally::new([A], 0).standing(), Standing::Met);
    assert_eq!(Tally::new([A], 2).standing(), Standing::Lost, "more are needed than there are");
}

/// Every sequence of four answers of three owners, against the plain meaning: the first answer of an owner counts.
#[test]
fn every_sequence_of_answers() {
    let owners = [A, B, C];
    for need in 0..=4 {
        for code in 0..6_usize.pow(4) {
            let answers = (0..4).map(|place| code / 6_usize.pow(place) % 6);
            let mut tally = Tally::new(owners, need);
            let mut first: [Option<bool>; 3] = [None; 3];
            for answer in answers {
                let (owner, acks) = (answer % 3, answer < 3);
                first[owner].get_or_insert(acks);
                let standing = if acks { tally.ack(owners[owner]) } else { tally.fail(owners[owner]) };
                let acked = first.iter().filter(|said| **said == Some(true)).count();
                let may = first.iter().filter(|said| **said != Some(false)).count();
                let meant = match (acked >= need, may < need) {
                    (true, _) => Standing::Met,
                    (false, true) => Standing::Lost,
                    (false, false) => Standing::Open,
                };
                assert_eq!(standing, meant, "need {need}, {first:?}");
                assert_eq!(tally.acked(), acked);
                tally.check();
            }
        }
    }
}

#[test]
#[should_panic(expected = "waited for twice")]
fn an_owner_named_twice_is_our_bug() {
    Tally::new([A, B, A], 2).check();
}

#[test]
fn of_two_sets_each_must_have_enough() {
    let (d, e) = (NodeId(4), NodeId(5));
    let both = || two_of_three().and(Tally::new([d, e], 2));
    let mut tally = both();
    assert_eq!(
        (tally.need(), waiting(&tally).len(), tally.awaits(e), tally.awaits(STRANGER)),
        (4, 5, true, false)
    );
    assert_eq!(
        [A, B, C].map(|owner| tally.ack(owner)),
        [Standing::Open; 3],
        "three of the one, none of the other"
    );
    assert_eq!((tally.ack(d), tally.ack(d), tally.ack(e)), (Standing::Open, Standing::Open, Standing::Met));
    tally.check();
    let mut tally = both();
    assert_eq!((tally.ack(A), tally.ack(B), tally.fail(d)), (Standing::Open, Standing::Open, Standing::Lost));
}
