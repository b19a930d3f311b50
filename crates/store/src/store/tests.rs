//! The store's own cases, over the in-memory engine; the random ones are in `tests/model.rs`.

use std::sync::Arc;

use bytes::Bytes;

use super::pending::Pending;
use super::{Store, StoreOptions};
use crate::{Commit, Fault, Memory, StoreError, commit_group};

const CACHE_BYTES: usize = 1 << 20;

fn store(cache_bytes: usize) -> Store<Memory> {
    Store::new(Arc::new(Memory::new()), StoreOptions { cache_bytes, hash_seed: 7, ..StoreOptions::default() })
}

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn settle(store: &mut Store<Memory>) {
    let (commit, batch) = store.seal().expect("something was changed");
    commit_group(&*store.engine(), &[batch], true).unwrap();
    store.settled(commit);
    store.check();
}

#[test]
fn a_row_names_the_commit_it_waits_for() {
    let mut store = store(CACHE_BYTES);
    assert_eq!(store.get(b"aa"), Ok((None, Commit(0))));
    store.put(text("aa"), text("1"));
    assert_eq!(store.get(b"aa"), Ok((Some(text("1")), Commit(1))));
    let (first, _) = store.seal().unwrap();
    store.put(text("aa"), text("2"));
    store.put(text("bb"), text("3"));
    assert_eq!(store.get(b"aa"), Ok((Some(text("2")), Commit(2))));
    store.check();
    store.settled(first);
    assert_eq!(store.get(b"aa"), Ok((Some(text("2")), Commit(2))), "the newer change still waits");
    settle(&mut store);
    assert_eq!(store.get(b"aa"), Ok((Some(text("2")), Commit(0))));
    assert_eq!(store.settled_commit(), Commit(2));
    assert_eq!(store.figures().pending_rows, 0);
}

#[test]
fn an_absence_waits_for_its_delete() {
    let mut store = store(CACHE_BYTES);
    store.put(text("aa"), text("1"));
    settle(&mut store);
    store.delete(text("aa"));
    assert_eq!(store.get(b"aa"), Ok((None, Commit(2))));
    assert_eq!(store.scan(b"", b"", 9), Ok((vec![], Commit(2))));
    settle(&mut store);
    assert_eq!(store.get(b"aa"), Ok((None, Commit(0))));
    assert!(store.engine().is_empty());
}

#[test]
fn a_batch_has_a_row_once() {
    let mut store = store(CACHE_BYTES);
    store.put(text("aa"), text("first"));
    store.put(text("bb"), text("x"));
    store.delete(text("aa"));
    store.put(text("aa"), text("last"));
    let (_, batch) = store.seal().unwrap();
    assert_eq!(batch.rows(), [(text("aa"), Some(text("last"))), (text("bb"), Some(text("x")))]);
    assert_eq!(batch.bytes(), 9);
    assert!(store.seal().is_none(), "nothing was changed since");
    assert!(!store.is_dirty());
    assert_eq!(store.open_commit(), Commit(2));
}

#[test]
fn hot_rows_and_absences_are_not_read_again() {
    let mut store = store(CACHE_BYTES);
    store.put(text("aa"), text("1"));
    settle(&mut store);
    for _ in 0..3 {
        assert_eq!(store.get(b"aa").unwrap().0, Some(text("1")));
        assert_eq!(store.get(b"no").unwrap().0, None);
    }
    let figures = store.figures();
    assert_eq!((figures.reads_hot, figures.reads_cold), (5, 1));
    assert_eq!(figures.cached_rows, 2);
}

#[test]
fn absent_rows_are_known_once_all_names_are_learned() {
    let mut first = store(CACHE_BYTES);
    for row in 0..100 {
        first.put(text(&format!("row{row:02}")), text("1"));
    }
    settle(&mut first);
    let mut store = Store::new(
        first.engine(),
        StoreOptions { cache_bytes: CACHE_BYTES, hash_seed: 8, ..StoreOptions::default() },
    );
    store.engine().fail_next(Fault::Read);
    assert!(matches!(store.learn(60), Err(StoreError::Read(_))));
    assert_eq!(store.learn(60), Ok(true));
    for absent in 0..100 {
        assert_eq!(store.get(format!("absent{absent}").as_bytes()), Ok((None, Commit(0))));
    }
    assert!(store.figures().reads_cold < 10, "names below the sixtieth were learned");
    assert_eq!(store.get(b"row99").unwrap().0, Some(text("1")), "not learned is not absent");
    assert_eq!(store.learn(60), Ok(false));
    assert_eq!(store.learn(60), Ok(false));
    let cold = store.figures().reads_cold;
    for absent in 0..100 {
        assert_eq!(store.get(format!("s{absent}").as_bytes()), Ok((None, Commit(0))));
        assert_eq!(store.get(format!("row{absent:02}").as_bytes()).unwrap().0, Some(text("1")));
    }
    assert!(store.figures().reads_cold < cold + 110, "rows that are there, and a few mistaken ones");
    store.delete(text("row07"));
    settle(&mut store);
    store.put(text("row07"), text("2"));
    settle(&mut store);
    assert_eq!(store.get(b"row07").unwrap().0, Some(text("2")));
}

#[test]
fn the_cache_keeps_to_its_budget() {
    let mut store = store(20_000);
    for row in 0..1000u32 {
        store.put(text(&format!("row{row}")), Bytes::from(vec![0; 100]));
        store.get(format!("absent{row}").as_bytes()).unwrap();
        settle(&mut store);
    }
    assert!(store.figures().cached_rows > 20);
    assert!(store.figures().cached_bytes <= 20_000);
    assert_eq!(store.get(b"row0").unwrap().0.map(|value| value.len()), Some(100));
}

#[test]
fn a_row_too_heavy_for_the_cache_leaves_no_older_state_in_it() {
    let mut store = store(2_000);
    store.put(text("aa"), text("small"));
    settle(&mut store);
    store.put(text("aa"), Bytes::from(vec![1; 5_000]));
    settle(&mut store);
    assert_eq!(store.get(b"aa").unwrap().0.map(|value| value.len()), Some(5_000));
    assert_eq!(store.figures().reads_cold, 1);
}

#[test]
fn a_scan_looks_behind_deleted_rows() {
    let mut store = store(0);
    for row in 10..60 {
        store.put(text(&format!("r{row}")), text("engine"));
    }
    settle(&mut store);
    for row in 10..50 {
        store.delete(text(&format!("r{row}")));
    }
    store.seal().unwrap();
    store.put(text("r55"), text("open"));
    store.put(text("r500"), text("open"));
    let names = |from: &str, to: &str, limit| {
        let (rows, commit) = store.scan(from.as_bytes(), to.as_bytes(), limit).unwrap();
        let rows: Vec<_> = rows.iter().map(|(row, _)| String::from_utf8(row.to_vec()).unwrap()).collect();
        (rows.join(" "), commit.0)
    };
    assert_eq!(names("r1", "", 3), ("r50 r500 r51".into(), 3));
    assert_eq!(names("r1", "", 1), ("r50".into(), 2));
    assert_eq!(names("r51", "r54", 9), ("r51 r52 r53".into(), 0));
    assert_eq!(names("r51", "r53", 9), ("r51 r52".into(), 0));
    assert_eq!(names("r58", "", 9), ("r58 r59".into(), 0));
    assert_eq!(names("r10", "r20", 9), (String::new(), 2));
    assert_eq!(names("r5", "r1", 9), (String::new(), 0));
    assert_eq!(names("r1", "", 0), (String::new(), 0));
}

#[test]
fn a_failed_read_is_not_an_absence() {
    let mut store = store(CACHE_BYTES);
    store.put(text("aa"), text("1"));
    settle(&mut store);
    let mut cold = Store::new(store.engine(), StoreOptions::default());
    store.engine().fail_next(Fault::Read);
    assert!(matches!(cold.get(b"aa"), Err(StoreError::Read(_))));
    assert_eq!(cold.get(b"aa"), Ok((Some(text("1")), Commit(0))));
    store.engine().fail_next(Fault::Read);
    assert!(matches!(cold.scan(b"", b"", 1), Err(StoreError::Read(_))));
}

#[test]
#[should_panic(expected = "only a sealed batch settles")]
fn an_open_batch_cannot_settle() {
    let mut store = store(CACHE_BYTES);
    store.put(text("aa"), text("1"));
    store.settled(Commit(1));
}

#[test]
fn rows_whose_hashes_collide_stay_distinct() {
    let mut pending = Pending::new();
    for (row, value) in [("aa", "1"), ("bb", "2"), ("aa", "3")] {
        pending.change(0, text(row), Some(text(value)));
    }
    let (first, _) = pending.seal().unwrap();
    pending.change(0, text("bb"), None);
    pending.check(|_| 0);
    assert_eq!(pending.get(0, b"aa"), Some((Some(&text("3")), Commit(1))));
    assert_eq!(pending.get(0, b"bb"), Some((None, Commit(2))));
    assert_eq!(pending.get(0, b"cc"), None);
    let mut settled = Vec::new();
    pending.settle(first, |_, row, value| settled.push((row, value)));
    assert_eq!(settled, [(text("aa"), Some(text("3")))]);
    pending.check(|_| 0);
}
