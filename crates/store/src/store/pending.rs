//! Changes that are not settled: the open batch, and the sealed ones in the committer's hands.
//!
//! Not a copy of them: the index points into the batches, so a put clones neither name nor value, and a sealed
//! batch is shared with the committer.
//!
//! 1. `index` has one place per row in any of the batches: that of its newest change.
//! 2. The open batch has each row at most once; so has every sealed one.
//! 3. Sealed batches are numbered in a run that ends before the open one.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashTable;

use crate::{Batch, Commit};

/// A change in range, as a scan wants it.
pub(super) struct Change<'a> {
    pub(super) row: &'a Bytes,
    pub(super) value: Option<&'a Bytes>,
    pub(super) commit: Commit,
}

#[derive(Debug)]
pub(super) struct Pending {
    index: HashTable<Place>,
    batches: Batches,
}

/// Where a change is: which batch, and which row of it.
#[derive(Debug, Clone, Copy)]
struct Place {
    hash: u64,
    commit: u64,
    change: usize,
}

#[derive(Debug)]
struct Batches {
    open: Batch,
    open_hashes: Vec<u64>,
    open_commit: u64,
    sealed: VecDeque<Sealed>,
}

#[derive(Debug)]
struct Sealed {
    batch: Arc<Batch>,
    hashes: Vec<u64>,
    /// The changes in the order of their rows, made at the first scan.
    order: OnceCell<Vec<usize>>,
}

impl Pending {
    pub(super) fn new() -> Self {
        let batches =
            Batches { open: Batch::new(), open_hashes: Vec::new(), open_commit: 1, sealed: VecDeque::new() };
        Self { index: HashTable::new(), batches }
    }

    pub(super) fn get(&self, hash: u64, row: &[u8]) -> Option<(Option<&Bytes>, Commit)> {
        let place = self.index.find(hash, |place| self.batches.is_at(place, hash, row))?;
        Some((self.batches.at(place).1.as_ref(), Commit(place.commit)))
    }

    pub(super) fn change(&mut self, hash: u64, row: Bytes, value: Option<Bytes>) {
        let Self { index, batches } = self;
        match index.find_mut(hash, |place| batches.is_at(place, hash, &row)) {
            Some(place) if place.commit == batches.open_commit => batches.open.replace(place.change, value),
            Some(place) => *place = batches.push(hash, row, value),
            None => {
                let place = batches.push(hash, row, value);
                index.insert_unique(hash, place, |place| place.hash);
            }
        }
    }

    /// Has the open batch be synced.
    pub(super) fn urge(&mut self) {
        self.batches.open.urge();
    }

    pub(super) fn seal(&mut self) -> Option<(Commit, Arc<Batch>)> {
        self.batches.seal()
    }

    /// Gives up the batches up to `upto`, and to `keep` each row whose newest change was in one of them.
    pub(super) fn settle(&mut self, upto: Commit, mut keep: impl FnMut(u64, Bytes, Option<Bytes>)) {
        assert!(upto < self.open_commit(), "only a sealed batch settles");
        while self.settled_commit() < upto {
            let commit = self.settled_commit().0 + 1;
            let Some(Sealed { batch, hashes, .. }) = self.batches.sealed.pop_front() else { return };
            let rows = Arc::unwrap_or_clone(batch).into_rows();
            for (change, ((row, value), hash)) in rows.into_iter().zip(hashes).enumerate() {
                if let Ok(newest) = self.index.find_entry(hash, |place| place.is(commit, change)) {
                    newest.remove();
                    keep(hash, row, value);
                }
            }
        }
    }

    /// The newest changes of the rows in a range, in their order.
    pub(super) fn range(&self, from: &[u8], to: &[u8]) -> Vec<Change<'_>> {
        let within = |row: &[u8]| row >= from && (to.is_empty() || row < to);
        let mut changes: Vec<Change<'_>> = Vec::new();
        let open = Commit(self.batches.open_commit);
        let rows = self.batches.open.rows().iter().filter(|(row, _)| within(row));
        changes.extend(rows.map(|(row, value)| Change { row, value: value.as_ref(), commit: open }));
        for (sealed, commit) in self.batches.sealed.iter().zip(self.settled_commit().0 + 1..) {
            let rows = sealed.batch.rows();
            let order = sealed.order();
            let start = order.partition_point(|change| rows[*change].0 < from);
            let run = order[start..].iter().take_while(|change| within(&rows[**change].0));
            let newest = run.filter(|change| self.is_newest(sealed.hashes[**change], commit, **change));
            changes.extend(newest.map(|change| {
                let (row, value) = &rows[*change];
                Change { row, value: value.as_ref(), commit: Commit(commit) }
            }));
        }
        changes.sort_unstable_by(|left, right| left.row.cmp(right.row));
        changes
    }

    /// Every row that some batch gives a value.
    pub(super) fn rows_put(&self) -> impl Iterator<Item = &Bytes> {
        let sealed = self.batches.sealed.iter().flat_map(|sealed| sealed.batch.rows());
        let rows = self.batches.open.rows().iter().chain(sealed);
        rows.filter(|(_, value)| value.is_some()).map(|(row, _)| row)
    }

    fn is_newest(&self, hash: u64, commit: u64, change: usize) -> bool {
        self.index.find(hash, |place| place.is(commit, change)).is_some()
    }

    pub(super) fn open_commit(&self) -> Commit {
        Commit(self.batches.open_commit)
    }

    pub(super) fn settled_commit(&self) -> Commit {
        Commit(self.batches.open_commit - 1 - self.batches.sealed.len() as u64)
    }

    pub(super) fn is_dirty(&self) -> bool {
        !self.batches.open.is_empty()
    }

    pub(super) fn rows(&self) -> usize {
        self.index.len()
    }

    pub(super) fn bytes(&self) -> usize {
        let sealed = self.batches.sealed.iter().map(|sealed| sealed.batch.bytes());
        self.batches.open.bytes() + sealed.sum::<usize>()
    }

    pub(super) fn batches(&self) -> usize {
        self.batches.sealed.len()
    }

    pub(super) fn check(&self, hash_of: impl Fn(&[u8]) -> u64) {
        let first = self.settled_commit().0 + 1;
        for place in &self.index {
            assert!((first..=self.batches.open_commit).contains(&place.commit), "a place is in a live batch");
            assert_eq!(place.hash, hash_of(&self.batches.at(place).0), "a place has its row's hash");
        }
        let mut newest = std::collections::BTreeMap::new();
        for commit in first..=self.batches.open_commit {
            let batch = self.batches.batch(commit);
            let mut seen = std::collections::BTreeSet::new();
            for (change, (row, _)) in batch.rows().iter().enumerate() {
                assert!(seen.insert(row), "a batch has a row once");
                newest.insert(row, (commit, change));
            }
        }
        assert_eq!(newest.len(), self.index.len(), "one place per row");
        for (row, (commit, change)) in newest {
            assert!(self.is_newest(hash_of(row), commit, change), "a row is found at its newest change");
        }
        assert_eq!(self.batches.open.len(), self.batches.open_hashes.len());
    }
}

impl Place {
    fn is(&self, commit: u64, change: usize) -> bool {
        self.commit == commit && self.change == change
    }
}

impl Batches {
    fn push(&mut self, hash: u64, row: Bytes, value: Option<Bytes>) -> Place {
        let change = self.open.len();
        self.open.push(row, value);
        self.open_hashes.push(hash);
        Place { hash, commit: self.open_commit, change }
    }

    fn seal(&mut self) -> Option<(Commit, Arc<Batch>)> {
        if self.open.is_empty() {
            return None;
        }
        // The next batch is likely as large as this one: no growing by doubling on the way.
        let next = Batch::with_capacity(self.open.len());
        let batch = Arc::new(std::mem::replace(&mut self.open, next));
        let hashes = std::mem::replace(&mut self.open_hashes, Vec::with_capacity(batch.len()));
        self.sealed.push_back(Sealed { batch: Arc::clone(&batch), hashes, order: OnceCell::new() });
        self.open_commit += 1;
        Some((Commit(self.open_commit - 1), batch))
    }

    fn batch(&self, commit: u64) -> &Batch {
        if commit == self.open_commit {
            return &self.open;
        }
        let back = usize::try_from(self.open_commit - commit).expect("live batches fit in memory");
        &self.sealed[self.sealed.len() - back].batch
    }

    fn at(&self, place: &Place) -> &(Bytes, Option<Bytes>) {
        &self.batch(place.commit).rows()[place.change]
    }

    fn is_at(&self, place: &Place, hash: u64, row: &[u8]) -> bool {
        place.hash == hash && self.at(place).0 == row
    }
}

impl Sealed {
    fn order(&self) -> &[usize] {
        self.order.get_or_init(|| {
            let rows = self.batch.rows();
            let mut order: Vec<usize> = (0..rows.len()).collect();
            order.sort_unstable_by(|left, right| rows[*left].0.cmp(&rows[*right].0));
            order
        })
    }
}
