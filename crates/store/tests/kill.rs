//! A writer process is killed hard at a random moment, again and again: nothing acknowledged is missing
//! afterwards, and no batch is there in part.
//!
//! The writer is this same test binary, run again with a directory in its environment. Batch n puts n into a few
//! rows that every batch writes, some of them packed, and one row of its own; n is printed once its group is synced. So
//! whatever is found must be batches 1 to m, whole, with m at least the last number printed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use store::{Lsm, LsmOptions, Store, StoreOptions, commit_group};

/// How often the writer dies.
const ROUNDS: u64 = 50;
/// The longest time that a writer lives, milliseconds.
const LIFE_MS_MAX: u64 = 160;
/// Rows that every batch writes.
const SHARED_ROWS: u64 = 6;
/// What the names of packed rows begin with.
const PACKED: u8 = b'p';
/// The directory, for the process that plays the writer.
const WRITER_DIR: &str = "ARMILLA_TEST_WRITER_DIR";
/// What stands before an acknowledged number on the writer's output, between the test harness's own lines.
const ACKNOWLEDGED: &str = "acknowledged ";

/// Small memtables, so that the writer is also killed while one is written out.
fn options() -> LsmOptions {
    LsmOptions { memtable_bytes: 1 << 20, ..LsmOptions::default() }
}

/// The store of the directory, with half of the shared rows packed. Few changes make a pack full, so that the writer
/// is killed on both sides of folds as well.
fn open(dir: impl AsRef<Path>) -> Store<Lsm> {
    let options_of_store = StoreOptions { packed_changes_max: 20, ..StoreOptions::default() };
    let mut store = Store::new(Arc::new(Lsm::open(dir, options()).unwrap()), options_of_store);
    store.pack(PACKED).unwrap();
    store
}

fn shared_row(row: u64) -> Bytes {
    let space = if row.is_multiple_of(2) { char::from(PACKED) } else { 's' };
    Bytes::from(format!("{space}hared {row}"))
}

fn own_row(batch: u64) -> Bytes {
    Bytes::from(format!("batch {batch:08}"))
}

/// Long enough to spread a batch over several pages of the journal, and different in every batch.
fn value(batch: u64) -> Bytes {
    Bytes::from(batch.to_be_bytes().repeat(64 + usize::try_from(batch % 200).unwrap()))
}

/// The writer's part. In an ordinary run of the tests it does nothing.
#[test]
fn writer() {
    let Some(dir) = std::env::var_os(WRITER_DIR) else { return };
    let mut store = open(dir);
    let mut batch = found(&mut store);
    let mut out = std::io::stdout();
    loop {
        let mut group = Vec::new();
        let mut last = None;
        for _ in 0..=batch % 4 {
            batch += 1;
            for row in 0..SHARED_ROWS {
                store.put(shared_row(row), value(batch));
            }
            store.put(own_row(batch), value(batch));
            store.delete(Bytes::from_static(b"never there"));
            let (commit, sealed) = store.seal().unwrap();
            group.push(sealed);
            last = Some(commit);
        }
        commit_group(&*store.engine(), &group, true).unwrap();
        drop(group);
        store.settled(last.unwrap());
        writeln!(out, "{ACKNOWLEDGED}{batch}").unwrap();
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_writer_is_killed() {
    let dir = std::env::temp_dir().join(format!("armilla-kill-{}", std::process::id()));
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    println!("seed {seed}");
    let mut random = u64::from(seed) | 1;
    let mut acknowledged = 0;
    let mut productive = 0;
    for round in 0..ROUNDS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let told = live_and_die(&dir, Duration::from_millis(random % LIFE_MS_MAX));
        productive += u64::from(told.is_some());
        acknowledged = told.unwrap_or(acknowledged);
        let mut store = open(&dir);
        assert_eq!(store.engine().figures().unwrap().commits_lost, 0, "round {round}");
        let last = found(&mut store);
        assert!(last >= acknowledged, "round {round}: {last} found, {acknowledged} acknowledged");
        check(&mut store, last);
    }
    println!("{acknowledged} batches acknowledged in {productive} of {ROUNDS} lives");
    assert!(productive >= ROUNDS / 4, "most writers died before they wrote: {productive}");
    std::fs::remove_dir_all(dir).unwrap();
}

/// A writer's life: the last number that it acknowledged, if any.
fn live_and_die(dir: &Path, life: Duration) -> Option<u64> {
    let mut child = writer_process(dir.to_path_buf());
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (send, told): (_, Receiver<u64>) = channel();
    let reader = std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            // The harness may have begun the line.
            if let Some((_, number)) = line.split_once(ACKNOWLEDGED) {
                send.send(number.parse().unwrap()).unwrap();
            }
        }
    });
    std::thread::sleep(life);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    told.try_iter().last()
}

fn writer_process(dir: PathBuf) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["writer", "--exact", "--nocapture", "--test-threads=1"])
        .env(WRITER_DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// The last batch that the store holds.
fn found(store: &mut Store<Lsm>) -> u64 {
    let (value, _) = store.get(&shared_row(0)).unwrap();
    value.map_or(0, |value| u64::from_be_bytes(*value.first_chunk().unwrap()))
}

fn check(store: &mut Store<Lsm>, last: u64) {
    for row in 0..SHARED_ROWS {
        let (found, _) = store.get(&shared_row(row)).unwrap();
        assert_eq!(found, (last > 0).then(|| value(last)), "half a batch");
    }
    let (own, _) = store.scan(b"batch", b"batcz", usize::MAX).unwrap();
    assert_eq!(own.len() as u64, last, "a batch is missing, or one too many is there");
    for ((row, found), batch) in own.iter().zip(1..) {
        assert_eq!((row, found), (&own_row(batch), &value(batch)));
    }
}
