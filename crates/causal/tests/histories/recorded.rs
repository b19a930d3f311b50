//! Histories recorded from the executable specification, replayed line by line.
//!
//! The head of the recording says what its lines mean. After every line, the replica that it names must hold what
//! the specification's replica held: entries, number of early removals, number of operations applied.

use bytes::Bytes;
use causal::map::{Knowledge, Map};
use causal::{Actor, Delta, Dot, Edit, Entries, Payload, Stamp};
use std::collections::{BTreeMap, BTreeSet};

use super::world::{Place, cell_at, place_of};
use crate::memory::MemoryRows;

/// The specification's clocks start at 0 and may be skewed below it; ours cannot go there.
const STAMP_SHIFT_MS: i64 = 1_000;

type Entry = (Place, Dot);

/// What the recording says of one replica.
#[derive(Default)]
struct Expected {
    entries: BTreeSet<Entry>,
    early: usize,
    context: u64,
}

#[derive(Default)]
struct Recorded {
    map: Map,
    rows: MemoryRows,
    snapshot: Option<(MemoryRows, Knowledge)>,
    expected: Expected,
}

#[derive(Default)]
struct Replay {
    nodes: [Recorded; 3],
    deltas: BTreeMap<Dot, Delta>,
}

/// Replays every history of `recording`.
pub(crate) fn replay(recording: &str) {
    let (mut replay, mut seed, mut lines) = (Replay::default(), "", 0);
    for line in recording.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with("seed") {
            (replay, seed) = (Replay::default(), line);
            continue;
        }
        let (call, changes) = line.split_once(" |").unwrap_or((line, ""));
        let node = replay.perform(call);
        replay.nodes[node].expect(changes);
        replay.nodes[node].compare(&format!("{seed}: {line}"));
        lines += 1;
    }
    assert!(lines > 1_000, "the recording has only {lines} lines");
}

impl Replay {
    fn perform(&mut self, call: &str) -> usize {
        let words: Vec<&str> = call.split(' ').collect();
        let at: usize = number(words[1]);
        match words[0] {
            "op" => {
                let delta = delta_of(&words[2..]);
                self.nodes[at].apply(&delta);
                self.deltas.insert(delta.dot, delta);
            }
            "ap" => self.nodes[at].apply(&self.deltas[&dot(words[2])]),
            "be" => {
                let peer = &self.nodes[number::<usize>(words[2])];
                let snapshot = (peer.rows.clone(), peer.map.knowledge().clone());
                self.nodes[at].begin(snapshot);
            }
            "ta" => list(words[2]).for_each(|place| self.nodes[at].take(number(place))),
            "fi" => self.nodes[at].finish(),
            "re" => self.nodes[at].restart(),
            other => panic!("the recording says {other}"),
        }
        at
    }
}

impl Recorded {
    fn apply(&mut self, delta: &Delta) {
        self.map.apply(delta, &mut self.rows).expect("memory");
    }

    fn begin(&mut self, snapshot: (MemoryRows, Knowledge)) {
        self.map.begin(&snapshot.1, &mut self.rows).expect("memory");
        self.snapshot = Some(snapshot);
    }

    fn take(&mut self, place: Place) {
        let cell = cell_at(place);
        let (rows, knowledge) = self.snapshot.as_ref().expect("an exchange is open");
        let theirs = rows.cells.get(&cell).cloned().unwrap_or_default();
        self.map.take(&cell, &theirs, knowledge, &mut self.rows).expect("memory");
    }

    fn finish(&mut self) {
        let (_, knowledge) = self.snapshot.take().expect("an exchange is open");
        self.map.finish(&knowledge, &mut self.rows).expect("memory");
    }

    fn restart(&mut self) {
        self.snapshot = None;
        self.map = Map::restore(self.map.knowledge().clone(), self.map.digest(), self.map.is_ahead());
    }

    fn expect(&mut self, changes: &str) {
        for change in changes.split_whitespace() {
            let (kind, what) = change.split_at(1);
            let right = match kind {
                "+" => self.expected.entries.insert(entry(what)),
                "-" => self.expected.entries.remove(&entry(what)),
                "~" => std::mem::replace(&mut self.expected.early, number(what)) != number(what),
                "@" => std::mem::replace(&mut self.expected.context, number(what)) != number(what),
                _ => false,
            };
            assert!(right, "the recording contradicts itself: {change}");
        }
    }

    fn compare(&self, line: &str) {
        let entries_of = |(cell, entries): (_, &Entries)| {
            let place = place_of(cell);
            entries.dots().map(|dot| (place, dot)).collect::<Vec<_>>()
        };
        let held: BTreeSet<Entry> = self.rows.cells.iter().flat_map(entries_of).collect();
        assert_eq!(held, self.expected.entries, "entries after {line}");
        assert_eq!(self.map.knowledge().early.single().count(), self.expected.early, "early after {line}");
        assert_eq!(self.map.context().len(), self.expected.context, "context after {line}");
        // The specification does not say whether a peer ran ahead, so this check is content with either.
        let mut map = self.map.clone();
        map.mark_ahead();
        map.check(&self.rows.cells);
    }
}

fn delta_of(words: &[&str]) -> Delta {
    let dot = dot(words[0]);
    let physical_ms = number::<i64>(words[1]) + STAMP_SHIFT_MS;
    let stamp = Stamp { physical_ms: physical_ms.try_into().expect("shifted"), logical: 0, actor: dot.actor };
    let adds: BTreeSet<Place> = list(words[2]).map(number).collect();
    let removes: Vec<Entry> = list(words[3]).map(entry).collect();
    let places: BTreeSet<Place> =
        adds.iter().copied().chain(removes.iter().map(|(place, _)| *place)).collect();
    let edit = |place: Place| Edit {
        cell: cell_at(place),
        add: adds.contains(&place).then(|| Payload::Plain(Bytes::from(dot.to_string()))),
        removes: removes.iter().filter(|(at, _)| *at == place).map(|(_, dot)| *dot).collect(),
    };
    Delta { dot, stamp, edits: places.into_iter().map(edit).collect(), sweep: None }
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|item| *item != "-")
}

fn entry(text: &str) -> Entry {
    let (place, name) = text.split_once(':').expect("cell:dot");
    (number(place), dot(name))
}

fn dot(text: &str) -> Dot {
    let mut parts = text.split('.').map(number::<u64>);
    let mut part = || parts.next().expect("node.incarnation.n");
    let actor = Actor(part() << 32 | part());
    Dot::new(actor, part())
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{text} is not a number"))
}
