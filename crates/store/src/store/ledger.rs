//! The ledger: small rows that change with nearly every operation, packed into one row a batch.
//!
//! Not a journal of everything: it is for the rows of one space, whose names begin with one byte, and those are few and
//! small. A row costs an engine the same however short it is, and it keeps every state of it until it compacts.
//!
//! ```text
//!   engine    ordinary rows, as of the last fold     pack 7     pack 8     pack 9
//!   memory                                           the newest change of each row in a pack
//!   a fold    ordinary rows, as of the open batch    packs 7 to 9 are deleted          all of it in that one batch
//! ```
//!
//! 1. A row of the space is what its newest change in a pack says, and only without one what the ordinary row says:
//!    packs are newer than ordinary rows, and a pack is newer than those with lesser numbers.
//! 2. `slots` holds, once, the newest change of each row that is in a pack or was changed in the open batch.
//! 3. A batch has one pack at most. A fold deletes every pack in the batch that brings their rows: after a crash
//!    there are either all the packs or all the rows that were made of them.
//! 4. The numbers of the packs there are follow one another without gaps, over any number of starts: a new one goes on
//!    from the greatest that was found, so none takes the name of one that is still needed.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::pending::Change;
use crate::{Batch, Commit, StoreError};

/// The first byte of names that are the store's own.
pub(super) const SPACE_OWN: u8 = 0;
/// What the name of a pack begins with; its number follows in 8 bytes.
const PACK: [u8; 2] = [SPACE_OWN, b'p'];
/// Where the names of packs end.
const PACK_END: [u8; 2] = [SPACE_OWN, b'p' + 1];
/// The version of packs.
const PACK_VERSION: u8 = 1;
/// A pack's version, and the sum of all before it at its end: bytes.
const PACK_OVERHEAD_BYTES: usize = 1 + 8;
/// What a change costs in a pack besides its name and value: both lengths, bytes.
const CHANGE_OVERHEAD_BYTES: usize = 6;
/// Stands for the length of a value where the row was deleted.
const DELETED: u32 = u32::MAX;
/// Size of all packs beyond which they are folded, bytes: of large rows a fold then writes about what the packs did.
const PACKED_BYTES_MAX: usize = 1 << 20;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Ledger {
    space: u8,
    packed_changes_max: usize,
    index: HashTable<usize>,
    slots: Vec<Slot>,
    /// The slots that were changed in the open batch.
    open: Vec<usize>,
    open_bytes: usize,
    packs: Vec<u64>,
    next: u64,
    packed_changes: usize,
    packed_bytes: usize,
}

#[derive(Debug)]
struct Slot {
    hash: u64,
    row: Bytes,
    value: Option<Bytes>,
    /// The batch of the change; 0 where it was read from the engine.
    commit: Commit,
}

impl Ledger {
    /// Where the packs are, from (inclusive) and to (exclusive).
    pub(super) const RANGE: ([u8; 2], [u8; 2]) = (PACK, PACK_END);

    /// The ledger of a space, as the packs say that were found.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] where one is missing or damaged.
    pub(super) fn open(
        space: u8,
        packed_changes_max: usize,
        packs: &[(Bytes, Bytes)],
        hash_of: impl Fn(&[u8]) -> u64,
    ) -> Result<Self, StoreError> {
        let mut ledger = Self {
            space,
            packed_changes_max,
            index: HashTable::new(),
            slots: Vec::new(),
            open: Vec::new(),
            open_bytes: 0,
            packs: Vec::with_capacity(packs.len()),
            next: 1,
            packed_changes: 0,
            packed_bytes: 0,
        };
        for (name, pack) in packs {
            let number = number_of(name)?;
            if ledger.packs.last().is_some_and(|last| last.checked_add(1) != Some(number)) {
                return Err(unreadable("a pack is missing"));
            }
            for (row, value) in decode(space, pack)? {
                ledger.set(hash_of(&row), row, value, Commit(0));
                ledger.packed_changes += 1;
            }
            ledger.packed_bytes += pack.len();
            ledger.packs.push(number);
            ledger.next = number.checked_add(1).ok_or_else(|| unreadable("the number of a pack"))?;
        }
        Ok(ledger)
    }

    /// Whether the row is one of those that are packed.
    pub(super) fn covers(&self, row: &[u8]) -> bool {
        row.first() == Some(&self.space)
    }

    /// The newest change of a row and its batch, unless it was folded.
    pub(super) fn get(&self, hash: u64, row: &[u8]) -> Option<(Option<&Bytes>, Commit)> {
        let slot = &self.slots[*self.index.find(hash, |at| self.is_at(*at, hash, row))?];
        Some((slot.value.as_ref(), slot.commit))
    }

    /// Changes a row in the open batch, `commit`.
    pub(super) fn change(&mut self, hash: u64, row: Bytes, value: Option<Bytes>, commit: Commit) {
        self.open_bytes += change_bytes(&row, value.as_ref());
        let (at, before) = self.set(hash, row, value, commit);
        match before {
            Some((before, bytes)) if before == commit => self.open_bytes -= bytes,
            _ => self.open.push(at),
        }
    }

    /// Writes a slot; gives its place, and the batch and the size of the change that was there.
    fn set(
        &mut self,
        hash: u64,
        row: Bytes,
        value: Option<Bytes>,
        commit: Commit,
    ) -> (usize, Option<(Commit, usize)>) {
        if let Some(at) = self.index.find(hash, |at| self.is_at(*at, hash, &row)).copied() {
            let slot = &mut self.slots[at];
            let before = (slot.commit, change_bytes(&slot.row, slot.value.as_ref()));
            (slot.value, slot.commit) = (value, commit);
            return (at, Some(before));
        }
        let at = self.slots.len();
        self.slots.push(Slot { hash, row, value, commit });
        let Self { index, slots, .. } = self;
        index.insert_unique(hash, at, |at| slots[*at].hash);
        (at, None)
    }

    fn is_at(&self, at: usize, hash: u64, row: &[u8]) -> bool {
        self.slots[at].hash == hash && self.slots[at].row == row
    }

    /// Whether the open batch changes a row here.
    pub(super) fn is_dirty(&self) -> bool {
        !self.open.is_empty()
    }

    /// Names and values that the open batch has here, bytes.
    pub(super) fn open_bytes(&self) -> usize {
        self.open_bytes
    }

    /// Calls `into` with what the open batch is to hold for the rows that changed here: one pack, or a fold.
    pub(super) fn seal(&mut self, mut into: impl FnMut(Bytes, Option<Bytes>)) {
        if self.open.is_empty() {
            return;
        }
        let changes = self.packed_changes + self.open.len();
        if changes > self.packed_changes_max || self.packed_bytes + self.open_bytes > PACKED_BYTES_MAX {
            return self.fold(into);
        }
        let pack = self.encode();
        (self.packed_changes, self.packed_bytes) = (changes, self.packed_bytes + pack.len());
        into(name_of(self.next), Some(pack));
        self.packs.push(self.next);
        self.next += 1;
        self.open.clear();
        self.open_bytes = 0;
    }

    fn fold(&mut self, mut into: impl FnMut(Bytes, Option<Bytes>)) {
        self.packs.drain(..).for_each(|number| into(name_of(number), None));
        self.slots.drain(..).for_each(|slot| into(slot.row, slot.value));
        self.index.clear();
        self.open.clear();
        (self.open_bytes, self.packed_changes, self.packed_bytes) = (0, 0, 0);
    }

    /// The newest changes in a range, in the order of their rows; those settled wait for nothing.
    pub(super) fn range(&self, from: &[u8], to: &[u8], settled: Commit) -> Vec<Change<'_>> {
        // Most scans are of another space.
        if from.first() > Some(&self.space) || (!to.is_empty() && *to <= *[self.space].as_slice()) {
            return Vec::new();
        }
        let within = |slot: &&Slot| *slot.row >= *from && (to.is_empty() || *slot.row < *to);
        let mut changes: Vec<_> = self.slots.iter().filter(within).map(|slot| slot.change(settled)).collect();
        changes.sort_unstable_by(|left, right| left.row.cmp(right.row));
        changes
    }

    fn encode(&self) -> Bytes {
        let mut pack = BytesMut::with_capacity(PACK_OVERHEAD_BYTES + self.open_bytes);
        pack.put_u8(PACK_VERSION);
        for slot in self.open.iter().map(|at| &self.slots[*at]) {
            let bytes = slot.value.as_ref().map_or(Some(DELETED), |value| value.len().try_into().ok());
            pack.put_u16(slot.row.len().try_into().expect("a row's name is within the batch's limit"));
            pack.put_u32(bytes.expect("a row's value is within the batch's limit"));
            pack.put_slice(&slot.row);
            pack.put_slice(slot.value.as_deref().unwrap_or_default());
        }
        pack.put_u64(xxh3_64(&pack));
        pack.freeze()
    }

    /// The invariants that can be seen from here.
    pub(super) fn check(&self, open_commit: Commit, hash_of: impl Fn(&[u8]) -> u64) {
        assert_eq!(self.index.len(), self.slots.len(), "a row has one slot");
        for slot in &self.slots {
            assert!(self.covers(&slot.row), "a row of another space");
            assert_eq!(slot.hash, hash_of(&slot.row));
            let (value, commit) = self.get(slot.hash, &slot.row).expect("a slot is found");
            assert_eq!((value, commit), (slot.value.as_ref(), slot.commit), "a row has one slot");
        }
        let open = self.slots.iter().filter(|slot| slot.commit == open_commit);
        assert_eq!(open.count(), self.open.len(), "the open batch knows its changes");
        let bytes =
            self.open.iter().map(|at| change_bytes(&self.slots[*at].row, self.slots[*at].value.as_ref()));
        assert_eq!(bytes.sum::<usize>(), self.open_bytes);
        assert!(self.packs.windows(2).all(|pair| pair[0] + 1 == pair[1]), "packs follow one another");
        assert!(self.packs.last().is_none_or(|last| last + 1 == self.next));
    }
}

impl Slot {
    fn change(&self, settled: Commit) -> Change<'_> {
        let commit = if self.commit > settled { self.commit } else { Commit(0) };
        Change { row: &self.row, value: self.value.as_ref(), commit }
    }
}

fn change_bytes(row: &Bytes, value: Option<&Bytes>) -> usize {
    CHANGE_OVERHEAD_BYTES + row.len() + value.map_or(0, Bytes::len)
}

fn name_of(number: u64) -> Bytes {
    [&PACK[..], &number.to_be_bytes()].concat().into()
}

fn number_of(name: &[u8]) -> Result<u64, StoreError> {
    let number = name.strip_prefix(&PACK).and_then(|number| number.try_into().ok());
    number.map(u64::from_be_bytes).ok_or_else(|| unreadable("the name of a pack"))
}

/// The changes of a pack, in their order.
fn decode(space: u8, pack: &[u8]) -> Result<Vec<(Bytes, Option<Bytes>)>, StoreError> {
    let damaged = || unreadable("a pack is damaged");
    let (mut rest, sum) = pack.split_last_chunk().ok_or_else(damaged)?;
    if u64::from_be_bytes(*sum) != xxh3_64(rest) {
        return Err(damaged());
    }
    if rest.try_get_u8() != Ok(PACK_VERSION) {
        return Err(unreadable("the version of a pack"));
    }
    let mut changes = Vec::new();
    while !rest.is_empty() {
        changes.push(decode_change(space, &mut rest).ok_or_else(damaged)?);
    }
    Ok(changes)
}

fn decode_change(space: u8, rest: &mut &[u8]) -> Option<(Bytes, Option<Bytes>)> {
    let row_bytes = usize::from(rest.try_get_u16().ok()?);
    let value_bytes = rest.try_get_u32().ok()?;
    let row = rest.split_off(..row_bytes)?;
    if row.first() != Some(&space) || row.len() < Batch::ROW_BYTES_MIN {
        return None;
    }
    let value = match value_bytes {
        DELETED => None,
        bytes => Some(Bytes::copy_from_slice(rest.split_off(..usize::try_from(bytes).ok()?)?)),
    };
    Some((Bytes::copy_from_slice(row), value))
}

fn unreadable(what: &str) -> StoreError {
    StoreError::Unreadable(format!("the ledger: {what}"))
}
