//! Levels: what their words are, how many owners they wait for, and how they travel.

use bytes::BytesMut;
use placement::PartitionId;
use wire::Level;
use wire::peer::{Envelope, Message, Ticket};
use wire::request::{Job, Request};

fn parse(words: &str) -> Option<Level> {
    let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
    Level::parse(&words, 3)
}

fn exact(read: u8, write: u8) -> Level {
    Level::Exact { read, write }
}

#[test]
fn words_name_levels_in_any_case() {
    assert_eq!(parse("one"), Some(Level::One));
    assert_eq!(parse("QUORUM"), Some(Level::Quorum));
    assert_eq!(parse("All"), Some(Level::All));
    assert_eq!(parse("Sloppy"), Some(Level::Sloppy));
    assert_eq!(parse("LOCAL_QUORUM"), Some(Level::LocalQuorum));
    assert_eq!(parse("each_quorum"), Some(Level::EachQuorum));
    assert_eq!(parse("1 3"), Some(exact(1, 3)));
    assert_eq!(parse("3 1"), Some(exact(3, 1)));
}

#[test]
fn other_words_name_none() {
    for words in
        ["", "two", "quorum all", "2", "0 2", "2 0", "4 1", "1 4", "256 1", "-1 1", "1 2 3", "1 x", "one 1"]
    {
        assert_eq!(parse(words), None, "{words:?}");
    }
    assert_eq!(Level::parse(&[], 3), None);
    assert_eq!(Level::parse(&[b"\xff", b"1"], 3), None, "bytes that are no text");
}

#[test]
fn numbers_go_up_to_the_owners_that_there_are() {
    assert_eq!(Level::parse(&[b"5", b"5"], 5), Some(exact(5, 5)));
    assert_eq!(Level::parse(&[b"1", b"1"], 0), None);
    assert_eq!(Level::parse(&[b"255", b"1"], u8::MAX), Some(exact(255, 1)));
}

#[test]
fn a_level_is_shown_in_the_words_that_name_it() {
    let by_datacenter = [Level::LocalQuorum, Level::EachQuorum];
    let others = [Level::One, Level::Quorum, Level::All, Level::Sloppy, exact(1, 3), exact(2, 2)];
    for level in others.into_iter().chain(by_datacenter) {
        assert_eq!(parse(&level.to_string()), Some(level));
    }
    assert_eq!(Level::default(), Level::Quorum);
}

#[test]
fn levels_count_owners() {
    for (owners, quorum) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)] {
        assert_eq!((Level::One.read(owners), Level::One.write(owners)), (1, 1));
        assert_eq!((Level::Quorum.read(owners), Level::Quorum.write(owners)), (quorum, quorum));
        assert_eq!((Level::Sloppy.read(owners), Level::Sloppy.write(owners)), (quorum, quorum));
        assert_eq!((Level::All.read(owners), Level::All.write(owners)), (owners, owners));
        assert_eq!((Level::LocalQuorum.read(owners), Level::EachQuorum.write(owners)), (quorum, quorum));
    }
    assert_eq!((exact(1, 3).read(3), exact(1, 3).write(3)), (1, 3));
}

/// What makes a read see every acknowledged write: any R owners and any W owners have one in common.
#[test]
fn quorums_meet() {
    for owners in 1..=7 {
        assert!(Level::Quorum.read(owners) + Level::Quorum.write(owners) > owners, "{owners} owners");
        assert!(Level::All.read(owners) + Level::One.write(owners) > owners, "{owners} owners");
    }
    assert!(Level::One.read(3) + Level::One.write(3) <= 3, "one and one promise nothing");
}

fn travelled(level: Level) -> Option<Level> {
    let request = Request { level, job: Job::Count { database: 0 } };
    let message = Message::Ask { ticket: Ticket(1), request };
    let mut bytes = BytesMut::new();
    Envelope { epoch: 1, partition: PartitionId(0), message }.encode(&mut bytes);
    match Envelope::decode(bytes.freeze()).ok()?.message {
        Message::Ask { request, .. } => Some(request.level),
        _ => None,
    }
}

#[test]
fn levels_travel_between_nodes() {
    let by_datacenter = [Level::LocalQuorum, Level::EachQuorum];
    let others =
        [Level::One, Level::Quorum, Level::All, Level::Sloppy, exact(1, 1), exact(7, 3), exact(255, 255)];
    for level in others.into_iter().chain(by_datacenter) {
        assert_eq!(travelled(level), Some(level));
    }
}

#[test]
fn a_peer_cannot_ask_for_no_owner_at_all() {
    assert_eq!(travelled(exact(0, 2)), None);
    assert_eq!(travelled(exact(2, 0)), None);
}
