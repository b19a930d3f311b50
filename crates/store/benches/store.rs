//! What a row costs: in the store, which is what a shard's loop pays, and in the LSM engine, which the committer
//! pays.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench that cannot go on stops; criterion's macros make undocumented names"
)]

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use store::{Batch, Engine, Lsm, LsmOptions, Memory, Store, StoreOptions, commit_group};

/// Rows that are read and written in turn; with their overhead some 3.5 MB, so more than a core's own cache.
const ROWS: usize = 10_000;
/// Rows in a batch, which is what a loaded shard gathers in one turn of its loop.
const GROUP: usize = 256;

fn row(n: usize) -> Bytes {
    // The shape of a row's name: position, then the key.
    let position = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Bytes::from([&position.to_be_bytes()[..], format!("key:{n:012}").as_bytes(), b"\x01"].concat())
}

fn value() -> Bytes {
    Bytes::from(vec![b'x'; 100])
}

fn rows() -> Vec<Bytes> {
    (0..ROWS).map(row).collect()
}

fn settle<E: Engine>(store: &mut Store<E>, sync: bool) {
    if let Some((commit, batch)) = store.seal() {
        let engine = store.engine();
        commit_group(&*engine, &[batch], sync).unwrap();
        store.settled(commit);
    }
}

fn in_the_store(c: &mut Criterion) {
    let rows = rows();
    let mut store = Store::new(Arc::new(Memory::new()), StoreOptions::default());
    for row in &rows {
        store.put(row.clone(), value());
    }
    settle(&mut store, true);
    let absent: Vec<_> = (ROWS..2 * ROWS).map(row).collect();
    for row in &absent {
        store.get(row).unwrap();
    }
    let mut group = c.benchmark_group("store");
    group.throughput(Throughput::Elements(1));
    let mut turn = 0;
    let mut next = || {
        turn = (turn + 7919) % ROWS;
        turn
    };
    group.bench_function("get hot", |b| b.iter(|| black_box(store.get(&rows[next()]).unwrap())));
    group.bench_function("get absent", |b| b.iter(|| black_box(store.get(&absent[next()]).unwrap())));
    for row in &rows[..GROUP] {
        store.put(row.clone(), value());
    }
    group.bench_function("get pending", |b| {
        b.iter(|| black_box(store.get(&rows[next() % GROUP]).unwrap()));
    });
    group.throughput(Throughput::Elements(GROUP as u64));
    group.bench_function("scan 256 with 256 pending", |b| {
        b.iter(|| black_box(store.scan(b"", b"", GROUP).unwrap()));
    });
    settle(&mut store, true);
    group.bench_function("put 256, seal, settle", |b| {
        b.iter_batched(
            || (0..GROUP).map(|_| (rows[next()].clone(), value())).collect::<Vec<_>>(),
            |changes| {
                for (row, value) in changes {
                    store.put(row, value);
                }
                let (commit, batch) = store.seal().unwrap();
                drop(batch);
                store.settled(commit);
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// Four batches of 64 out of one of 256.
fn quarters(batch: Batch) -> Vec<Batch> {
    let rows = batch.into_rows();
    let quarter = |rows: &[(Bytes, Option<Bytes>)]| {
        let mut batch = Batch::new();
        rows.iter().for_each(|(row, value)| batch.push(row.clone(), value.clone()));
        batch
    };
    rows.chunks(GROUP / 4).map(quarter).collect()
}

fn sorted(batch: Batch) -> Batch {
    let mut rows = batch.into_rows();
    rows.sort();
    let mut batch = Batch::new();
    rows.into_iter().for_each(|(row, value)| batch.push(row, value));
    batch
}

fn in_the_engine(c: &mut Criterion) {
    let dir = std::env::temp_dir().join(format!("armilla-bench-{}", std::process::id()));
    let lsm = Lsm::open(&dir, LsmOptions::default()).unwrap();
    let mut turn = 0;
    let mut batch = || {
        let mut batch = Batch::with_capacity(GROUP);
        for _ in 0..GROUP {
            turn = (turn + 7919) % 1_000_000;
            batch.put(row(turn), value());
        }
        batch
    };
    let mut group = c.benchmark_group("lsm");
    group.sample_size(30);
    group.throughput(Throughput::Elements(GROUP as u64));
    for (name, sync) in [("commit 256", false), ("commit 256, sync", true)] {
        group.bench_function(name, |b| {
            b.iter_batched(&mut batch, |batch| commit_group(&lsm, &[batch], sync), BatchSize::SmallInput);
        });
    }
    group.bench_function("commit 256 in order", |b| {
        b.iter_batched(
            || sorted(batch()),
            |batch| commit_group(&lsm, &[batch], false),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("commit 4 of 64, one sync", |b| {
        b.iter_batched(
            || quarters(batch()),
            |batches| commit_group(&lsm, &batches, true),
            BatchSize::SmallInput,
        );
    });
    group.throughput(Throughput::Elements(1));
    let rows = rows();
    group.bench_function("get", |b| {
        b.iter(|| {
            turn = (turn + 7919) % ROWS;
            black_box(lsm.get(&rows[turn]).unwrap())
        });
    });
    group.bench_function("get absent", |b| {
        b.iter(|| {
            turn = (turn + 7919) % ROWS;
            black_box(lsm.get(&rows[turn][..20]).unwrap())
        });
    });
    group.finish();
    drop(lsm);
    std::fs::remove_dir_all(dir).unwrap();
}

criterion_group!(benches, in_the_store, in_the_engine);
criterion_main!(benches);
