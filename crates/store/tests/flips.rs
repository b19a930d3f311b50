//! One bit is flipped somewhere in the files of a store: every row is then read as it was, or somebody is told.
//!
//! Where a row cannot be read, all that is not beside it is saved as it was (`salvage`).
//!
//! Told means: the store does not open, it says that commits are missing, or a row cannot be read. Never is a row
//! missing or different without that.
//!
//! `cargo test -p store --test flips -- --ignored --nocapture` flips thousands in each file and takes some minutes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use store::{Batch, Engine, Lsm, LsmOptions, Memory, Salvaged, StoreError, salvage};

/// Commits in the store: with this memtable they are in a few tables and in the journal.
const COMMITS: u64 = 130;
const OPTIONS: LsmOptions =
    LsmOptions { cache_bytes: 0, memtable_bytes: 24 << 10, journal_bytes_max: 64 << 20, workers: 1 };

type Rows = BTreeMap<Bytes, Bytes>;

/// A directory that goes with the test.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("armilla-flips-{}-{name}", std::process::id())))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What came of a flip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Refused,
    CommitsLost,
    RowUnread,
    /// Nothing was told and nothing is different.
    Harmless,
}

/// A store in which rows were written once, often, and deleted; all of it synced.
fn written(dir: &Path) -> Rows {
    let mut rows = Rows::new();
    let engine = Lsm::open(dir, OPTIONS).unwrap();
    for n in 0..COMMITS {
        let mut batch = Batch::new();
        for row in [n, n % 7, n / 2, 1000 + n] {
            let (row, value) =
                (Bytes::from(format!("row {row:05}")), Bytes::from(format!("{n} ").repeat(60)));
            batch.put(row.clone(), value.clone());
            rows.insert(row, value);
        }
        let gone = Bytes::from(format!("row {:05}", 1000 + n / 3));
        batch.delete(gone.clone());
        rows.remove(&gone);
        engine.commit(&batch).unwrap();
        engine.sync().unwrap();
        while engine.figures().unwrap().memtables_sealed > 0 {
            std::thread::yield_now();
        }
    }
    drop(engine);
    // Opened once more, its journal ends where it ends and has no room for more.
    let engine = Lsm::open(dir, OPTIONS).unwrap();
    assert_eq!(read(&engine, &rows), Told::Harmless);
    rows
}

/// Reads everything in every way; panics where something is wrong and nobody says so.
fn read(engine: &Lsm, rows: &Rows) -> Told {
    let mut told = Told::Harmless;
    match engine.scan(b"", b"", usize::MAX) {
        Ok(found) => assert_eq!(found.into_iter().collect::<Rows>(), *rows, "a scan"),
        Err(StoreError::Read(_)) => told = Told::RowUnread,
        Err(other) => panic!("{other}"),
    }
    let names = (0..COMMITS).chain(1000..1000 + COMMITS).map(|n| Bytes::from(format!("row {n:05}")));
    for name in names {
        match engine.get(&name) {
            Ok(found) => assert_eq!(found.as_ref(), rows.get(&name), "{name:?}"),
            Err(StoreError::Read(_)) => told = Told::RowUnread,
            Err(other) => panic!("{other}"),
        }
    }
    told
}

/// Opens a directory and reads it.
fn looked_at(dir: &Path, rows: &Rows) -> Told {
    let engine = match Lsm::open(dir, OPTIONS) {
        Ok(engine) => engine,
        Err(StoreError::Unreadable(_) | StoreError::Read(_)) => return Told::Refused,
        Err(other) => panic!("{other}"),
    };
    if engine.figures().unwrap().commits_lost > 0 {
        return Told::CommitsLost;
    }
    let told = read(&engine, rows);
    if told == Told::RowUnread {
        save(&engine, rows);
    }
    told
}

/// Copies what can be read; panics where anything else is in the copy, or less.
fn save(engine: &Lsm, rows: &Rows) {
    let copy = Memory::new();
    let Salvaged { gaps, .. } = salvage(engine, &copy, &|| true).unwrap().unwrap();
    let in_gap =
        |row: &Bytes| gaps.iter().any(|gap| *row >= gap.from && gap.to.as_ref().is_none_or(|to| row < to));
    let kept: Rows = rows
        .iter()
        .filter(|(row, _)| !in_gap(row))
        .map(|(row, value)| (row.clone(), value.clone()))
        .collect();
    let copied: Rows = copy.scan(b"", b"", usize::MAX).unwrap().into_iter().collect();
    assert_eq!(copied, kept, "beside {gaps:?}");
    assert!(!gaps.is_empty() || kept.len() == rows.len());
}

/// The files below a directory that hold anything, by their paths in it.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(at) = dirs.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                files.insert(path.strip_prefix(dir).unwrap().to_owned(), fs::read(path).unwrap());
            }
        }
    }
    files
}

fn put_back(dir: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) {
    let _ = fs::remove_dir_all(dir);
    for (path, bytes) in files {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// A file by what it is for: journal, table, list of tables.
fn kind(path: &Path) -> String {
    let name = path.file_name().unwrap().to_str().unwrap();
    let is_table = path.parent().is_some_and(|parent| parent.ends_with("tables"));
    let is_list = name.starts_with('v') && name != "version";
    match path.extension().and_then(|end| end.to_str()) {
        Some("jnl") => "journal".into(),
        _ if is_table => "table".into(),
        _ if is_list => "list of tables".into(),
        _ => name.into(),
    }
}

/// The heads of the last batches in a journal, which no sum of the engine's covers.
fn heads(path: &Path, bytes: &[u8]) -> Vec<usize> {
    let ends =
        bytes.windows(4).enumerate().filter(|(_, found)| kind(path) == "journal" && *found == b"FJL\x03");
    let heads: Vec<usize> = ends.map(|(at, _)| at + 4).filter(|at| *at < bytes.len()).collect();
    heads[heads.len().saturating_sub(8)..].iter().flat_map(|at| *at..*at + 13).collect()
}

/// Flips one bit in every so many bytes of each file and counts what came of it, by kind of file.
fn flips(name: &str, per_file: usize) -> BTreeMap<(String, Told), usize> {
    let (source, dir) = (Dir::new(&format!("{name}-source")), Dir::new(name));
    let rows = written(&source.0);
    let files = files(&source.0);
    let mut counts = BTreeMap::new();
    for (path, bytes) in files.iter().filter(|(path, bytes)| !path.ends_with("lock") && !bytes.is_empty()) {
        let every = (bytes.len() / per_file).max(1);
        for at in (0..bytes.len()).step_by(every).chain(heads(path, bytes)) {
            put_back(&dir.0, &files);
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            fs::write(dir.0.join(path), damaged).unwrap();
            let told = std::panic::catch_unwind(|| looked_at(&dir.0, &rows));
            let told = told.unwrap_or_else(|_| panic!("byte {at} of {} is silent", path.display()));
            *counts.entry((kind(path), told)).or_default() += 1;
        }
    }
    counts
}

#[test]
fn a_flipped_bit_is_told_or_harmless() {
    let counts = flips("some", 40);
    println!("{counts:#?}");
    let told = |kind: &str| {
        let of_kind = counts.iter().filter(|((of, told), _)| of == kind && *told != Told::Harmless);
        of_kind.map(|(_, count)| count).sum::<usize>()
    };
    for kind in ["journal", "table", "list of tables", "current", "mark", "version"] {
        assert!(told(kind) > 0, "no flip in a {kind} was told: the test does not reach it");
    }
}

/// The engine takes damage in a journal for its end, and goes on with the next one as if nothing were between.
#[test]
fn a_journal_that_was_sealed_is_whole_or_refused() {
    let (source, dir) = (Dir::new("sealed-source"), Dir::new("sealed"));
    let rows = written(&source.0);
    let mut files = files(&source.0);
    let (first, second) = (PathBuf::from("rows/0.jnl"), PathBuf::from("rows/1.jnl"));
    let journal = files[&first].clone();
    // Two journals, as if the first had been sealed shortly before the end.
    let ends = journal.windows(4).enumerate().filter(|(_, bytes)| *bytes == b"FJL\x03").map(|(at, _)| at + 4);
    let ends: Vec<usize> = ends.collect();
    let (sealed, rest) = journal.split_at(ends[ends.len() - 4]);
    files.insert(second, rest.to_vec());
    let mut told = |sealed: &[u8]| {
        files.insert(first.clone(), sealed.to_vec());
        put_back(&dir.0, &files);
        looked_at(&dir.0, &rows)
    };
    assert_eq!(told(sealed), Told::Harmless, "two whole journals");
    let every = sealed.len() / 60;
    for at in (0..sealed.len()).step_by(every) {
        let mut damaged = sealed.to_vec();
        damaged[at] ^= 0x55;
        assert_eq!(told(&damaged), Told::Refused, "byte {at}");
    }
    assert_eq!(told(&sealed[..ends[ends.len() - 5]]), Told::Refused, "its last batch is gone");
    assert_eq!(told(&sealed[..sealed.len() - 300]), Told::Refused, "its end is gone");
}

#[test]
#[ignore = "some minutes: for whoever changes the engine or its version"]
fn many_flipped_bits_are_told_or_harmless() {
    println!("{:#?}", flips("many", 3000));
}
