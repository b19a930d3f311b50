//! What the LSM engine does when its files are not as it left them: cut off, changed, in use, out of reach.
//!
//! 1. A journal that ends early, or is damaged anywhere, gives a prefix of the commits or an error; never a
//!    selection of rows.
//! 2. If commits that were synced are missing, the engine says so.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use store::{Batch, Engine, Lsm, LsmOptions, StoreError};

/// Commits in the journal under test.
const COMMITS: u64 = 30;

struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("armilla-damage-{}-{name}", std::process::id()));
        Self(dir)
    }

    fn open(&self) -> Result<Lsm, StoreError> {
        Lsm::open(&self.0, LsmOptions::default())
    }

    fn journal(&self) -> PathBuf {
        let files = fs::read_dir(self.0.join("rows")).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|end| end == "jnl")).max().unwrap()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn commit(engine: &Lsm, n: u64) {
    let mut batch = Batch::new();
    for row in ["aa", "bb", "cc"] {
        batch.put(Bytes::from(row), Bytes::from(n.to_string().repeat(20)));
    }
    batch.put(Bytes::from(format!("own {n:04}")), Bytes::new());
    engine.commit(&batch).unwrap();
}

/// Which prefix the rows are; panics if they are none.
fn prefix(engine: &Lsm) -> u64 {
    let rows = engine.scan(b"", b"", usize::MAX).unwrap();
    if rows.is_empty() {
        return 0;
    }
    let n = rows.len() as u64 - 3;
    assert!(rows[..3].iter().all(|(_, value)| *value == n.to_string().repeat(20)), "not a prefix: {rows:?}");
    for ((row, _), n) in rows[3..].iter().zip(1..) {
        assert_eq!(*row, format!("own {n:04}"));
    }
    n
}

/// Commits, of which two thirds are synced, and the bytes of their journal.
fn written(dir: &Dir) -> Vec<u8> {
    let engine = dir.open().unwrap();
    for n in 1..=COMMITS {
        commit(&engine, n);
        if n == COMMITS * 2 / 3 {
            engine.sync().unwrap();
        }
    }
    let mut bytes = fs::read(dir.journal()).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    bytes.truncate(end);
    bytes
}

/// Opens the directory with these bytes as its journal, and says which prefix is there.
fn reopened(dir: &Dir, journal: &[u8]) -> Option<u64> {
    fs::write(dir.journal(), journal).unwrap();
    let engine = match dir.open() {
        Ok(engine) => engine,
        Err(StoreError::Unreadable(_)) => return None,
        Err(other) => panic!("{other}"),
    };
    let found = prefix(&engine);
    let figures = engine.figures().unwrap();
    assert_eq!(figures.commits, found);
    assert_eq!(figures.commits_lost, (COMMITS * 2 / 3).saturating_sub(found));
    Some(found)
}

#[test]
fn a_journal_cut_anywhere_gives_a_prefix() {
    let dir = Dir::new("cut");
    let journal = written(&dir);
    let mut prefixes = Vec::new();
    for length in (0..journal.len()).step_by(journal.len() / 60) {
        prefixes.extend(reopened(&dir, &journal[..length]));
    }
    assert!(prefixes.is_sorted(), "a longer journal holds no less: {prefixes:?}");
    assert!(prefixes.len() > 40, "a cut journal is ordinary after a crash and opens: {prefixes:?}");
    assert_eq!(reopened(&dir, &journal), Some(COMMITS));
}

#[test]
fn a_journal_damaged_anywhere_is_refused_or_gives_a_prefix() {
    let dir = Dir::new("flip");
    let journal = written(&dir);
    let mut refused = 0;
    let mut shortened = 0;
    for at in (0..journal.len()).step_by(journal.len() / 60) {
        let mut damaged = journal.clone();
        damaged[at] ^= 0x55;
        match reopened(&dir, &damaged) {
            None => refused += 1,
            Some(found) => {
                assert!(found < COMMITS, "byte {at} of the journal does not matter");
                shortened += 1;
            }
        }
    }
    println!("{refused} refused, {shortened} shortened");
}

#[test]
fn journals_written_anew_hold_the_same() {
    let dir = Dir::new("anew");
    written(&dir);
    Lsm::rewrite_journals(&dir.0).unwrap();
    assert_eq!(prefix(&dir.open().unwrap()), COMMITS);
}

#[test]
fn a_list_of_tables_that_is_gone_is_refused_and_nothing_is_removed() {
    for file in ["current", "v0"] {
        let dir = Dir::new(&format!("list-{file}"));
        written(&dir);
        let keyspace = dir.0.join("rows/keyspaces/1");
        fs::remove_file(keyspace.join(file)).unwrap();
        assert!(matches!(dir.open(), Err(StoreError::Unreadable(_))), "{file}");
        assert!(keyspace.join("tables").exists(), "the engine would have removed it");
    }
}

#[test]
fn a_directory_whose_making_was_cut_short_is_made_anew() {
    let dir = Dir::new("half-made");
    // What a kill leaves behind between the engine's first steps; it would go on with none but the last.
    for files in [&["lock"][..], &["lock", "0.jnl"], &["lock", "0.jnl", "version"]] {
        let making = dir.0.join("making");
        fs::create_dir_all(making.join("keyspaces/0")).unwrap();
        files.iter().for_each(|file| fs::write(making.join(file), []).unwrap());
        for n in 1..=2 {
            let engine = dir.open().unwrap();
            assert_eq!(prefix(&engine), n - 1);
            commit(&engine, n);
            engine.sync().unwrap();
        }
        assert!(!making.exists());
        fs::remove_dir_all(&dir.0).unwrap();
    }
    drop(dir.open().unwrap());
}

#[test]
fn a_mark_from_another_program_is_refused() {
    let dir = Dir::new("mark");
    drop(dir.open().unwrap());
    fs::write(dir.0.join("mark"), b"\x02 of a later version").unwrap();
    assert!(matches!(dir.open(), Err(StoreError::Unreadable(_))));
}

#[test]
fn rows_that_vanished_are_noticed() {
    let dir = Dir::new("vanished");
    let engine = dir.open().unwrap();
    commit(&engine, 1);
    engine.sync().unwrap();
    drop(engine);
    fs::remove_dir_all(dir.0.join("rows")).unwrap();
    assert_eq!(dir.open().unwrap().figures().unwrap().commits_lost, 1);
}

#[test]
fn a_second_opener_is_refused_until_the_first_is_gone() {
    let dir = Dir::new("lock");
    let first = dir.open().unwrap();
    commit(&first, 1);
    assert_eq!(dir.open().err(), Some(StoreError::Locked { dir: dir.0.clone() }));
    commit(&first, 2);
    drop(first);
    assert_eq!(prefix(&dir.open().unwrap()), 2);
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error() {
    let dir = Dir::new("file");
    fs::create_dir_all(&dir.0).unwrap();
    let file = dir.0.join("file");
    fs::write(&file, b"").unwrap();
    let opened = Lsm::open(Path::new(&file), LsmOptions::default());
    assert!(matches!(opened, Err(StoreError::Unreadable(_))));
}

#[test]
fn a_damaged_table_is_an_error_and_not_an_absence() {
    let dir = Dir::new("table");
    let engine = Lsm::open(&dir.0, LsmOptions { cache_bytes: 0, ..LsmOptions::default() }).unwrap();
    let copy = Dir::new("table-source");
    let source = copy.open().unwrap();
    for n in 0..2000u32 {
        let mut batch = Batch::new();
        batch.put(Bytes::from(format!("row{n:05}")), Bytes::from(n.to_be_bytes().repeat(50)));
        source.commit(&batch).unwrap();
    }
    assert_eq!(source.checkpoint(&engine), Ok(2000));
    let table = fs::read_dir(dir.0.join("rows/keyspaces")).unwrap().flat_map(|keyspace| {
        let tables = fs::read_dir(keyspace.unwrap().path().join("tables")).into_iter().flatten();
        tables.map(|table| table.unwrap().path())
    });
    let table = table.max_by_key(|table| fs::metadata(table).unwrap().len()).unwrap();
    let file = OpenOptions::new().write(true).open(table).unwrap();
    file.write_all_at(&[0xa5; 20_000], 50_000).unwrap();
    let rows: Vec<_> = (0..2000).map(|n| engine.get(format!("row{n:05}").as_bytes())).collect();
    assert!(rows.iter().any(|row| matches!(row, Err(StoreError::Read(_)))), "the damage was read over");
    assert!(rows.iter().all(|row| !matches!(row, Ok(None))), "damage is taken for an absence");
    assert!(matches!(engine.scan(b"", b"", usize::MAX), Err(StoreError::Read(_))));
}
