//! Whether owners agree on a cell: not only that they hold the same, but that none of them knows of an operation
//! on it that another does not.
//!
//! Holding the same is not enough. A write that got no further than one owner may have removed there what others
//! still hold; an owner that has seen neither looks the same, and a quorum with it would let the removed value
//! come back. So whoever is asked sends what it has applied wherever that differs, and the coordinator has a
//! quorum know all of it before it answers.
//!
//! Under load the contexts of a partition differ all the time, by operations on other cells that are on their
//! way. An owner names those that it remembers (`idle`), and they count for nothing here.

use crate::replica::Replica;
use bytes::{BufMut, BytesMut};
use causal::map::Knowledge;
use causal::{Cell, Context, Entries};
use wire::peer::Report;
use xxhash_rust::xxh3::xxh3_64;

/// What is held and known of a cell somewhere, as far as it matters for the cell.
pub(crate) struct View<'a> {
    pub(crate) entries: &'a Entries,
    pub(crate) knowledge: &'a Knowledge,
    pub(crate) idle: &'a Context,
}

impl<'a> View<'a> {
    pub(crate) fn of(report: &'a Report) -> Self {
        View { entries: &report.found.entries, knowledge: &report.found.knowledge, idle: &report.idle }
    }

    /// Whether something is known of the cell here that is not known in `other`.
    pub(crate) fn knows_more_than(&self, other: &View<'_>, cell: &Cell) -> bool {
        let known = self.knowledge.dots_of(cell).without(self.idle);
        let known = known.without(&other.knowledge.dots_of(cell));
        !known.without(&other.entries.dots().collect()).is_empty()
    }

    /// Whether both hold the same and neither knows more.
    pub(crate) fn agrees_with(&self, other: &View<'_>, cell: &Cell) -> bool {
        let same = self.entries.dots().eq(other.entries.dots());
        same && !self.knows_more_than(other, cell) && !other.knows_more_than(self, cell)
    }
}

/// What this replica reports of a cell that holds `entries`.
pub(crate) fn report(replica: &Replica, cell: &Cell, entries: Entries) -> Report {
    let map = replica.map();
    let knowledge = Knowledge { context: map.context().clone(), early: map.knowledge().early.of(cell) };
    Report { found: wire::peer::Found { entries, knowledge }, idle: replica.recent().idle(cell) }
}

/// A hash of the dots that a cell holds, by which owners find out that they agree.
pub(crate) fn dots_hash(entries: &Entries) -> u64 {
    let mut bytes = BytesMut::with_capacity(64);
    for dot in entries.dots() {
        bytes.put_u64(dot.actor.0);
        bytes.put_u64(dot.n);
    }
    xxh3_64(&bytes)
}
