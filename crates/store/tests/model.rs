//! The store against a model: any mix of changes, seals, commits, syncs, settlings and crashes.
//!
//! The model is a `BTreeMap` per commit. What the store answers is the newest map; what is there after a crash is
//! the map of some commit, not older than the last one that was synced. Rows that are packed are no different.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use proptest::test_runner::Config;
use store::{Batch, Commit, Engine, Fault, Memory, Store, StoreError, StoreOptions, commit_group};

type Map = BTreeMap<Bytes, Bytes>;

#[derive(Debug, Clone)]
enum Step {
    Put(Bytes, Bytes),
    Delete(Bytes),
    Get(Bytes),
    Scan(Bytes, Bytes, usize),
    Learn(usize),
    Seal,
    /// The committer takes up to so many batches.
    Commit {
        batches: usize,
        sync: bool,
    },
    /// A commit or a sync fails, and the process gives up.
    Fail(Fault, usize),
    Crash(usize),
}

/// The names that are packed.
const SPACE: u8 = b'a';

/// Few names, so that they meet; of several lengths, so that one is the prefix of another.
fn row() -> impl Strategy<Value = Bytes> {
    let first = prop_oneof![Just(SPACE), Just(b'b'), Just(1), Just(0xff)];
    let rest = prop::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), Just(0), Just(0xff)], 1..3);
    (first, rest).prop_map(|(first, rest)| [vec![first], rest].concat().into())
}

fn bound() -> impl Strategy<Value = Bytes> {
    prop_oneof![1 => Just(Bytes::new()), 4 => row()]
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop::collection::vec(any::<u8>(), 0..6).prop_map(Bytes::from);
    prop_oneof![
        12 => (row(), value).prop_map(|(row, value)| Step::Put(row, value)),
        6 => row().prop_map(Step::Delete),
        8 => row().prop_map(Step::Get),
        6 => (bound(), bound(), 0usize..8).prop_map(|(from, to, limit)| Step::Scan(from, to, limit)),
        3 => (0usize..6).prop_map(Step::Learn),
        5 => Just(Step::Seal),
        4 => (1usize..4, any::<bool>()).prop_map(|(batches, sync)| Step::Commit { batches, sync }),
        1 => (prop_oneof![Just(Fault::Commit), Just(Fault::Sync)], 0usize..5)
            .prop_map(|(fault, keep)| Step::Fail(fault, keep)),
        1 => (0usize..5).prop_map(Step::Crash),
    ]
}

struct World {
    memory: Arc<Memory>,
    options: StoreOptions,
    store: Store<Memory>,
    /// The rows after each commit of this life, by its number; 0 is what the life began with.
    history: Vec<Map>,
    open: Map,
    queue: VecDeque<(Commit, Arc<Batch>)>,
    committed: Commit,
    synced: Commit,
}

fn open(memory: &Arc<Memory>, options: StoreOptions) -> Store<Memory> {
    let mut store = Store::new(Arc::clone(memory), options);
    store.pack(SPACE).unwrap();
    store
}

impl World {
    fn new(options: StoreOptions) -> Self {
        let memory = Arc::new(Memory::new());
        Self {
            store: open(&memory, options),
            memory,
            options,
            history: vec![Map::new()],
            open: Map::new(),
            queue: VecDeque::new(),
            committed: Commit(0),
            synced: Commit(0),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Put(row, value) => {
                self.open.insert(row.clone(), value.clone());
                self.store.put(row, value);
            }
            Step::Delete(row) => {
                self.open.remove(&row);
                self.store.delete(row);
            }
            Step::Get(row) => self.get(&row),
            Step::Scan(from, to, limit) => self.scan(&from, &to, limit),
            Step::Learn(limit) => self.learn(limit),
            Step::Seal => self.seal(),
            Step::Commit { batches, sync } => self.commit(batches, sync),
            Step::Fail(fault, keep) => self.fail(fault, keep),
            Step::Crash(keep) => self.crash(keep),
        }
        self.store.check();
    }

    fn get(&mut self, row: &Bytes) {
        let (value, commit) = self.store.get(row).unwrap();
        assert_eq!(value.as_ref(), self.open.get(row));
        // Once that commit is settled, the answer is what the disk holds.
        assert!(commit == Commit(0) || commit > self.store.settled_commit());
        let settled = self.history.get(usize::try_from(commit.0).unwrap()).unwrap_or(&self.open);
        let told = if commit == Commit(0) { &self.history[self.settled()] } else { settled };
        assert_eq!(value.as_ref(), told.get(row), "the commit named is the one that made the value");
    }

    /// Whatever was learned, every row is found as it is.
    fn learn(&mut self, limit: usize) {
        self.store.learn(limit).unwrap();
        let rows: Vec<_> = self.open.keys().cloned().collect();
        rows.iter().for_each(|row| self.get(row));
    }

    fn scan(&mut self, from: &Bytes, to: &Bytes, limit: usize) {
        let (rows, commit) = self.store.scan(from, to, limit).unwrap();
        let within = self.open.iter().filter(|(row, _)| *row >= from && (to.is_empty() || *row < to));
        let want: Vec<_> = within.take(limit).map(|(row, value)| (row.clone(), value.clone())).collect();
        assert_eq!(rows, want);
        for (row, _) in rows {
            assert!(self.store.get(&row).unwrap().1 <= commit, "a scan waits for all of its rows");
        }
    }

    fn seal(&mut self) {
        if let Some((commit, batch)) = self.store.seal() {
            self.history.push(self.open.clone());
            assert_eq!(commit.0 + 1, self.history.len() as u64);
            self.queue.push_back((commit, batch));
        }
    }

    fn commit(&mut self, batches: usize, sync: bool) {
        let taken = batches.min(self.queue.len());
        let group: Vec<_> = self.queue.drain(..taken).collect();
        let batches: Vec<_> = group.iter().map(|(_, batch)| Arc::clone(batch)).collect();
        commit_group(&*self.memory, &batches, sync).unwrap();
        drop(batches);
        if let Some((commit, _)) = group.last() {
            self.committed = *commit;
        }
        if sync {
            self.synced = self.committed;
            self.store.settled(self.synced);
        }
    }

    fn fail(&mut self, fault: Fault, keep: usize) {
        self.memory.fail_next(fault);
        let group: Vec<_> = self.queue.iter().take(1).map(|(_, batch)| Arc::clone(batch)).collect();
        let outcome = commit_group(&*self.memory, &group, true);
        if fault == Fault::Sync || !group.is_empty() {
            assert!(matches!(outcome, Err(StoreError::Write(_))));
            assert_eq!(self.memory.sync(), Err(StoreError::Poisoned));
            assert_eq!(self.memory.commit(&Batch::new()), Err(StoreError::Poisoned));
        }
        if fault == Fault::Sync && !group.is_empty() {
            self.committed = Commit(self.committed.0 + 1);
        }
        self.crash(keep);
    }

    fn crash(&mut self, keep: usize) {
        self.memory.crash(keep);
        self.store = open(&self.memory, self.options);
        let (rows, _) = self.store.scan(b"", b"", usize::MAX).unwrap();
        let found: Map = rows.into_iter().collect();
        let could_be = usize::try_from(self.synced.0).unwrap()..=usize::try_from(self.committed.0).unwrap();
        assert!(self.history[could_be].contains(&found), "after a crash: {found:?}");
        self.history = vec![found.clone()];
        self.open = found;
        self.queue.clear();
        self.committed = Commit(0);
        self.synced = Commit(0);
    }

    fn settled(&self) -> usize {
        usize::try_from(self.store.settled_commit().0).unwrap()
    }
}

proptest! {
    #![proptest_config(Config { cases: 1000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn the_store_is_its_model(
        cache_bytes in prop_oneof![Just(0), Just(1500), Just(100_000)],
        packed_changes_max in prop_oneof![Just(0), Just(1), Just(4), Just(12), Just(100)],
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut world = World::new(StoreOptions { cache_bytes, hash_seed: 1, packed_changes_max });
        for step in steps {
            world.step(step);
        }
        world.seal();
        world.commit(usize::MAX, true);
        world.scan(&Bytes::new(), &Bytes::new(), usize::MAX);
        world.crash(0);
    }
}
