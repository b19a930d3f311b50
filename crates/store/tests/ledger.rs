//! Packed rows: a crash after any commit of any life, and damage.
//!
//! The random mixes are in `model.rs`; here every prefix of commits is tried, on both sides of folds and of starts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use store::{Batch, Commit, Engine, Memory, Store, StoreError, StoreOptions};

type Map = BTreeMap<Bytes, Bytes>;

/// What the names of packed rows begin with.
const SPACE: u8 = b'c';
/// Batches of one life, and lives.
const BATCHES: usize = 8;
const LIVES: usize = 3;

fn open(memory: &Arc<Memory>) -> Result<Store<Memory>, StoreError> {
    let mut store =
        Store::new(Arc::clone(memory), StoreOptions { packed_changes_max: 5, ..StoreOptions::default() });
    store.pack(SPACE).map(|()| store)
}

fn all(store: &Store<Memory>) -> Map {
    store.scan(b"", b"", usize::MAX).unwrap().0.into_iter().collect()
}

/// A few changes, other ones in each batch: puts and deletes of packed rows, and one ordinary row.
fn write(store: &mut Store<Memory>, batch: usize) {
    let row = |name: usize| Bytes::from(format!("c{}", name % 4));
    store.put(row(batch), Bytes::from(format!("value {batch}")));
    store.put(row(batch + 1), Bytes::from(format!("first {batch}")));
    store.put(row(batch + 1), Bytes::from(format!("other {batch}")));
    if batch.is_multiple_of(3) {
        store.delete(row(batch + 2));
    }
    store.put(Bytes::from(format!("d{batch}")), Bytes::from_static(b"1"));
}

/// Lives one life on top of `found` and then, for each prefix of its commits, the next.
fn live(rows: &Map, found: &Map, life: usize) {
    for kept in 0..=BATCHES {
        let memory = Arc::new(Memory::new());
        let mut before = Batch::new();
        rows.iter().for_each(|(row, value)| before.put(row.clone(), value.clone()));
        memory.commit(&before).unwrap();
        memory.sync().unwrap();
        let mut store = open(&memory).unwrap();
        assert_eq!(all(&store), *found, "life {life}, {kept} kept");
        let mut history = vec![found.clone()];
        for batch in 0..BATCHES {
            write(&mut store, batch + life);
            store.check();
            let (commit, sealed) = store.seal().unwrap();
            history.push(all(&store));
            memory.commit(&sealed).unwrap();
            drop(sealed);
            // Some settle late.
            if batch.is_multiple_of(2) {
                store.settled(commit);
                store.check();
            }
        }
        memory.crash(kept);
        let found = all(&open(&memory).unwrap());
        assert_eq!(found, history[kept], "life {life}, {kept} kept");
        if life < LIVES {
            let rows = memory.scan(b"", b"", usize::MAX).unwrap().into_iter().collect();
            live(&rows, &found, life + 1);
        }
    }
}

#[test]
fn after_a_crash_there_is_what_was_committed_whatever_was_folded() {
    live(&Map::new(), &Map::new(), 1);
}

#[test]
fn a_batch_writes_one_row_for_all_that_are_packed_and_folds_take_them_away() {
    let memory = Arc::new(Memory::new());
    let mut store =
        Store::new(Arc::clone(&memory), StoreOptions { packed_changes_max: 100, ..StoreOptions::default() });
    store.pack(SPACE).unwrap();
    let mut folds = 0;
    for batch in 0..40 {
        for row in 0..10 {
            store.put(Bytes::from(format!("c{row}")), Bytes::from(format!("{batch}")));
        }
        assert!(store.is_dirty());
        assert_eq!(store.get(b"c3").unwrap().1, store.open_commit());
        let (commit, sealed) = store.seal().unwrap();
        assert!(!store.is_dirty() && store.seal().is_none());
        folds += usize::from(sealed.len() > 1);
        assert!(sealed.len() == 1 || sealed.len() == 10 + 10, "a pack, or ten packs folded");
        memory.commit(&sealed).unwrap();
        drop(sealed);
        assert_eq!(store.get(b"c3").unwrap(), (Some(Bytes::from(format!("{batch}"))), commit));
        store.settled(commit);
        assert_eq!(store.get(b"c3").unwrap(), (Some(Bytes::from(format!("{batch}"))), Commit(0)));
    }
    assert_eq!(folds, 3);
    assert!(memory.len() <= 20);
}

/// An engine with three packs, and their names.
fn packed() -> (Arc<Memory>, Vec<(Bytes, Bytes)>) {
    let memory = Arc::new(Memory::new());
    let mut store = open(&memory).unwrap();
    for batch in 0..3 {
        store.put(Bytes::from_static(b"c1"), Bytes::from(format!("{batch}")));
        if batch == 1 {
            store.delete(Bytes::from_static(b"c2"));
        }
        memory.commit(&store.seal().unwrap().1).unwrap();
    }
    let packs = memory.scan(b"", b"", usize::MAX).unwrap();
    assert_eq!(packs.len(), 3);
    (memory, packs)
}

fn is_refused(memory: &Arc<Memory>, row: &Bytes, value: Option<Bytes>) -> bool {
    let mut batch = Batch::new();
    batch.push(row.clone(), value);
    memory.commit(&batch).unwrap();
    matches!(open(memory), Err(StoreError::Unreadable(_)))
}

#[test]
fn a_damaged_pack_is_an_error() {
    let (memory, packs) = packed();
    let (name, pack) = &packs[1];
    for length in 0..pack.len() {
        assert!(is_refused(&memory, name, Some(pack.slice(..length))), "cut to {length}");
    }
    for bit in 0..pack.len() * 8 {
        let mut damaged = pack.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(is_refused(&memory, name, Some(damaged.into())), "bit {bit}");
    }
    assert!(!is_refused(&memory, name, Some(pack.clone())));
    assert!(is_refused(&memory, &Bytes::from([name, &b"x"[..]].concat()), Some(pack.clone())), "a long name");
}

#[test]
fn a_pack_that_is_missing_is_an_error() {
    let (memory, packs) = packed();
    assert!(is_refused(&memory, &packs[1].0, None));
}

#[test]
fn packs_of_another_space_are_not_taken_for_nothing() {
    let (memory, _) = packed();
    let mut store = Store::new(memory, StoreOptions::default());
    assert!(matches!(store.pack(b'd'), Err(StoreError::Unreadable(_))));
}

#[test]
#[should_panic(expected = "is_dirty")]
fn what_was_put_before_is_not_packed_unseen() {
    let mut store = Store::new(Arc::new(Memory::new()), StoreOptions::default());
    store.put(Bytes::from_static(b"c1"), Bytes::new());
    store.pack(SPACE).unwrap();
}
