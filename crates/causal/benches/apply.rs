//! What applying one operation costs the map itself, with rows in memory: plain sets of a key, and counters.

use bytes::Bytes;
use causal::map::{Map, Rows};
use causal::{Actor, Amount, Cell, Change, Delta, Dot, Entries, Key, Scope, Stamp, string};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::hint::black_box;

/// How many operations one round applies.
const OPERATIONS: u64 = 1_000;

#[derive(Clone, Default)]
struct Memory(BTreeMap<Cell, Entries>);

impl Rows for Memory {
    type Error = Infallible;

    fn entries(&mut self, cell: &Cell) -> Result<Entries, Infallible> {
        Ok(self.0.get(cell).cloned().unwrap_or_default())
    }

    fn set_entries(&mut self, cell: &Cell, entries: Entries, _change: u64) {
        if entries.is_empty() {
            self.0.remove(cell);
        } else {
            self.0.insert(cell.clone(), entries);
        }
    }

    fn cells(&mut self, scope: Scope) -> Result<Vec<Cell>, Infallible> {
        Ok(self.0.keys().filter(|cell| scope.covers(cell.key.database)).cloned().collect())
    }
}

/// Operations of one actor over so many keys, each made when all before it have been applied.
fn deltas(keys: u64, change: &Change) -> Vec<Delta> {
    let (mut map, mut rows) = (Map::default(), Memory::default());
    let make = |n| {
        let cell = Cell::string(Key::new(0, format!("key:{:012}", n % keys)));
        let entries = rows.entries(&cell).expect("memory");
        let edits = string::edit(cell, change.clone(), &entries, Actor(7)).into_iter().collect();
        let stamp = Stamp { physical_ms: n, logical: 0, actor: Actor(7) };
        let delta = Delta { dot: Dot::new(Actor(7), n), stamp, edits, sweep: None };
        map.apply(&delta, &mut rows).expect("memory");
        delta
    };
    (1..=OPERATIONS).map(make).collect()
}

fn apply(criterion: &mut Criterion) {
    let value = Change::Put(Bytes::from(vec![b'v'; 100]));
    let one = Change::Add(Amount::Integer(1));
    let mut group = criterion.benchmark_group("apply");
    group.throughput(Throughput::Elements(OPERATIONS));
    for (name, keys, change) in
        [("new keys", OPERATIONS, &value), ("one key", 1, &value), ("a counter", 1, &one)]
    {
        let deltas = deltas(keys, change);
        group.bench_function(name, |bencher| {
            let start = || (Map::default(), Memory::default());
            let all = |(mut map, mut rows): (Map, Memory)| {
                for delta in &deltas {
                    black_box(map.apply(delta, &mut rows)).expect("memory");
                }
                (map, rows)
            };
            bencher.iter_batched(start, all, BatchSize::SmallInput);
        });
    }
    group.finish();
    let cell = Cell::string(Key::new(0, "key:000000000001"));
    let entry = deltas(1, &value)[0].entry(causal::Payload::Plain(Bytes::from(vec![b'v'; 100])));
    criterion.bench_function("fingerprint", |bencher| bencher.iter(|| black_box(&entry).fingerprint(&cell)));
}

criterion_group!(benches, apply);
criterion_main!(benches);
