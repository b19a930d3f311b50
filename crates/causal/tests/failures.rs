//! What may go wrong around a map: rows that cannot be read, exchanges given up, replaced or finished too late.

mod memory;

use bytes::Bytes;
use causal::map::{Applied, Knowledge, Map, Rows};
use causal::{Actor, Cell, Delta, Dot, Edit, Entries, Key, Payload, Scope, Stamp, Sweep};
use memory::{MemoryRows, Unreadable};

fn cell(name: &'static str) -> Cell {
    Cell::string(Key::new(0, name))
}

fn delta(actor: u64, n: u64, cells: &[(&'static str, &[Dot])]) -> Delta {
    let edit = |(name, removes): &(&'static str, &[Dot])| Edit {
        cell: cell(name),
        add: Some(Payload::Plain(Bytes::from_static(b"v"))),
        removes: removes.to_vec(),
    };
    let stamp = Stamp { physical_ms: n, logical: 0, actor: Actor(actor) };
    Delta { dot: Dot::new(Actor(actor), n), stamp, edits: cells.iter().map(edit).collect(), sweep: None }
}

fn sweep(actor: u64, n: u64, seen: &[Dot]) -> Delta {
    let sweep = Sweep { scope: Scope::All, seen: seen.iter().copied().collect() };
    Delta { edits: Vec::new(), sweep: Some(sweep), ..delta(actor, n, &[]) }
}

fn dot(actor: u64, n: u64) -> Dot {
    Dot::new(Actor(actor), n)
}

#[derive(Clone, Default)]
struct Replica {
    map: Map,
    rows: MemoryRows,
}

impl Replica {
    fn with(deltas: &[Delta]) -> Self {
        let mut replica = Self::default();
        deltas.iter().for_each(|delta| assert_eq!(replica.apply(delta), Ok(Applied::Fresh)));
        replica
    }

    fn apply(&mut self, delta: &Delta) -> Result<Applied, Unreadable> {
        let applied = self.map.apply(delta, &mut self.rows);
        self.map.check(&self.rows.cells);
        applied
    }

    fn held(&self, name: &'static str) -> Entries {
        self.rows.cells.get(&cell(name)).cloned().unwrap_or_default()
    }

    fn state(&self) -> (Knowledge, u64, bool, MemoryRows) {
        let rows = MemoryRows { reads_left: None, ..self.rows.clone() };
        (self.map.knowledge().clone(), self.map.digest(), self.map.is_ahead(), rows)
    }

    /// Lets every read of `call` fail in turn and finds that nothing changes, until it reads no more than it may.
    fn fails_whole<T: std::fmt::Debug>(
        &self,
        call: impl Fn(&mut Map, &mut MemoryRows) -> Result<T, Unreadable>,
    ) -> u32 {
        for reads in 0.. {
            let mut replica = self.clone();
            replica.rows.reads_left = Some(reads);
            if call(&mut replica.map, &mut replica.rows).is_ok() {
                return reads;
            }
            assert_eq!(replica.state(), self.state(), "after {reads} reads");
        }
        unreachable!("some number of reads is enough")
    }
}

#[test]
fn a_failed_read_changes_nothing() {
    let replica = Replica::with(&[delta(1, 1, &[("a", &[]), ("b", &[])]), delta(1, 2, &[("c", &[])])]);
    let writes = delta(2, 1, &[("a", &[dot(1, 1)]), ("b", &[dot(1, 1)]), ("d", &[])]);
    assert_eq!(replica.fails_whole(|map, rows| map.apply(&writes, rows)), 3);
    let sweeps = sweep(2, 1, &[dot(1, 1), dot(1, 2)]);
    assert_eq!(replica.fails_whole(|map, rows| map.apply(&sweeps, rows)), 4);
    let peer = Replica::with(&[sweep(3, 1, &[dot(1, 1)]), delta(2, 1, &[("c", &[dot(1, 2)])])]);
    let knowledge = peer.map.knowledge();
    let other = Replica::with(&[sweep(3, 1, &[dot(9, 1)]), delta(2, 1, &[("c", &[dot(9, 2)])])]);
    let mut open = replica.clone();
    open.map.begin(other.map.knowledge(), &mut open.rows).expect("memory");
    assert_eq!(open.fails_whole(|map, rows| map.finish(other.map.knowledge(), rows)), 4);
    assert_eq!(replica.fails_whole(|map, rows| map.take(&cell("c"), &peer.held("c"), knowledge, rows)), 1);
    assert_eq!(
        replica.fails_whole(|map, rows| map.mend(&cell("c"), &peer.held("c"), knowledge, false, rows)),
        1
    );
}

#[test]
fn an_exchange_that_replaces_another_loses_nothing_that_waited() {
    let news = delta(1, 1, &[("a", &[])]);
    let (first, second) = (Replica::with(std::slice::from_ref(&news)), Replica::default());
    let mut replica = Replica::default();
    replica.map.begin(first.map.knowledge(), &mut replica.rows).expect("memory");
    assert_eq!(replica.apply(&news), Ok(Applied::Deferred));
    replica.map.begin(second.map.knowledge(), &mut replica.rows).expect("memory");
    assert!(replica.map.context().contains(news.dot));
    assert_eq!(replica.held("a").len(), 1);
}

#[test]
fn an_exchange_finished_after_it_was_abandoned_claims_nothing() {
    let peer = Replica::with(&[delta(1, 1, &[("a", &[])])]);
    let mut replica = Replica::default();
    replica.map.begin(peer.map.knowledge(), &mut replica.rows).expect("memory");
    replica.map.abandon(&mut replica.rows).expect("memory");
    replica.map.finish(peer.map.knowledge(), &mut replica.rows).expect("memory");
    assert!(replica.map.context().is_empty(), "a context was united over cells that were never taken");
}

#[test]
fn an_exchange_runs_ahead_from_its_first_cell_to_its_end() {
    let peer = Replica::with(&[delta(1, 1, &[("a", &[])])]);
    let mut replica = Replica::default();
    replica.map.begin(peer.map.knowledge(), &mut replica.rows).expect("memory");
    assert!(!replica.map.is_ahead());
    replica.map.take(&cell("a"), &peer.held("a"), peer.map.knowledge(), &mut replica.rows).expect("memory");
    assert!(replica.map.is_ahead(), "a crash now would find an entry that the context does not know");
    replica.map.check(&replica.rows.cells);
    replica.map.finish(peer.map.knowledge(), &mut replica.rows).expect("memory");
    assert!(!replica.map.is_ahead());
    replica.map.check(&replica.rows.cells);
}

#[test]
fn what_was_replaced_goes_when_what_replaced_it_comes() {
    let old = delta(1, 1, &[("a", &[])]);
    let new = delta(2, 1, &[("a", &[old.dot])]);
    let peer = Replica::with(std::slice::from_ref(&new));
    let mut replica = Replica::with(std::slice::from_ref(&old));
    replica.map.begin(peer.map.knowledge(), &mut replica.rows).expect("memory");
    assert!(replica.held("a").get(old.dot).is_some(), "a reader would be shown neither of the two");
    replica.map.take(&cell("a"), &peer.held("a"), peer.map.knowledge(), &mut replica.rows).expect("memory");
    assert!(replica.held("a").dots().eq([new.dot]));
    replica.map.check(&replica.rows.cells);
}

#[test]
fn what_was_replaced_does_not_come_after_what_replaced_it() {
    let old = delta(1, 1, &[("a", &[])]);
    let new = delta(2, 1, &[("a", &[old.dot])]);
    let peer = Replica::with(std::slice::from_ref(&new));
    let mut replica = Replica::default();
    replica.map.begin(peer.map.knowledge(), &mut replica.rows).expect("memory");
    replica.map.take(&cell("a"), &peer.held("a"), peer.map.knowledge(), &mut replica.rows).expect("memory");
    assert_eq!(replica.apply(&old), Ok(Applied::Fresh));
    assert!(replica.held("a").dots().eq([new.dot]), "a reader may have been shown the new one already");
    replica.map.abandon(&mut replica.rows).expect("memory");
    assert!(replica.map.is_ahead());
    replica.map.check(&replica.rows.cells);
}

#[test]
fn an_exchange_takes_over_early_removals_at_its_end() {
    let old = delta(1, 1, &[("a", &[])]);
    let peer = Replica::with(&[delta(2, 1, &[("a", &[old.dot])])]);
    let mut replica = Replica::default();
    replica.map.begin(peer.map.knowledge(), &mut replica.rows).expect("memory");
    assert_eq!(replica.apply(&old), Ok(Applied::Fresh));
    replica.map.finish(peer.map.knowledge(), &mut replica.rows).expect("memory");
    assert!(replica.held("a").is_empty(), "what has removed it counts as applied here now");
    replica.map.check(&replica.rows.cells);
}

#[test]
fn what_a_peer_has_swept_and_never_had_goes_with_the_sweep() {
    let old = delta(1, 1, &[("a", &[])]);
    let mut replica = Replica::with(std::slice::from_ref(&old));
    let sweep = replica.map.sweep_of(Scope::All, &mut replica.rows).expect("memory");
    let peer = Replica::with(&[Delta { edits: Vec::new(), sweep: Some(sweep), ..delta(2, 1, &[]) }]);
    replica.map.begin(peer.map.knowledge(), &mut replica.rows).expect("memory");
    assert!(!replica.held("a").is_empty(), "not before the sweep itself");
    replica.map.finish(peer.map.knowledge(), &mut replica.rows).expect("memory");
    assert!(
        replica.held("a").is_empty(),
        "the peer knows little of the partition: no cell of it was compared"
    );
    replica.map.check(&replica.rows.cells);
}

#[test]
fn a_snapshot_that_was_ahead_itself_passes_that_on() {
    let source = Replica::with(&[delta(1, 1, &[("a", &[])])]);
    let mut peer = Replica::default();
    peer.map
        .mend(&cell("a"), &source.held("a"), source.map.knowledge(), false, &mut peer.rows)
        .expect("memory");
    let mut replica = Replica::default();
    replica.map.begin(peer.map.knowledge(), &mut replica.rows).expect("memory");
    replica.map.take(&cell("a"), &peer.held("a"), peer.map.knowledge(), &mut replica.rows).expect("memory");
    replica.map.finish(peer.map.knowledge(), &mut replica.rows).expect("memory");
    assert!(replica.map.is_ahead());
    replica.map.check(&replica.rows.cells);
}

#[test]
fn a_sweep_takes_what_runs_ahead_too() {
    let source = Replica::with(&[delta(1, 1, &[("a", &[])])]);
    let mut replica = Replica::default();
    let theirs = source.held("a");
    replica.map.mend(&cell("a"), &theirs, source.map.knowledge(), false, &mut replica.rows).expect("memory");
    let sweep = replica.map.sweep_of(Scope::All, &mut replica.rows).expect("memory");
    let flush = Delta { edits: Vec::new(), sweep: Some(sweep), ..delta(2, 1, &[]) };
    assert_eq!(replica.apply(&flush), Ok(Applied::Fresh));
    assert!(replica.rows.cells(Scope::All).expect("memory").is_empty());
    assert_eq!(replica.apply(&delta(1, 1, &[("a", &[])])), Ok(Applied::Fresh));
    assert!(replica.held("a").is_empty(), "it was there when everything was swept");
}

#[test]
fn a_late_operation_does_not_put_back_what_a_mended_cell_lacks() {
    let (old, new) = (delta(1, 1, &[("a", &[])]), delta(2, 1, &[("a", &[dot(1, 1)])]));
    let peer = Replica::with(&[old.clone(), new]);
    let mut replica = Replica::default();
    replica
        .map
        .mend(&cell("a"), &peer.held("a"), peer.map.knowledge(), false, &mut replica.rows)
        .expect("memory");
    assert_eq!(replica.apply(&old), Ok(Applied::Fresh));
    assert_eq!(replica.held("a"), peer.held("a"), "a reader may have been told that the old entry is gone");
    let mut third = Replica::with(&[old]);
    third.map.begin(replica.map.knowledge(), &mut third.rows).expect("memory");
    third.map.check(&third.rows.cells);
}

#[test]
fn equal_rows_have_equal_digests_and_others_do_not() {
    let all = [delta(1, 1, &[("a", &[])]), delta(1, 2, &[("b", &[])]), delta(2, 1, &[("a", &[])])];
    let forth = Replica::with(&all);
    let back = Replica::with(&[all[2].clone(), all[1].clone(), all[0].clone()]);
    assert_eq!(forth.map.digest(), back.map.digest());
    let mut digests: Vec<u64> =
        all.iter().map(|one| Replica::with(std::slice::from_ref(one)).map.digest()).collect();
    let mut other = all[0].clone();
    other.edits[0].add = Some(Payload::Plain(Bytes::from_static(b"w")));
    digests.push(Replica::with(&[other.clone()]).map.digest());
    other.edits[0].cell.key.database = 1;
    digests.push(Replica::with(&[other]).map.digest());
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 5);
    let gone = sweep(3, 1, &[dot(1, 1), dot(1, 2), dot(2, 1)]);
    let mut empty = forth;
    assert_eq!(empty.apply(&gone), Ok(Applied::Fresh));
    assert_eq!(empty.map.digest(), 0);
}
