//! The cases. Each begins with an empty engine.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use store::{Batch, Engine, StoreError, commit_group};

use crate::beds::Bed;

fn bytes(bytes: impl AsRef<[u8]>) -> Bytes {
    Bytes::copy_from_slice(bytes.as_ref())
}

/// A batch out of `row=value` words; `row=` puts an empty value, a bare `row` deletes.
fn batch(words: &str) -> Batch {
    let mut batch = Batch::new();
    for word in words.split_whitespace() {
        match word.split_once('=') {
            Some((row, value)) => batch.put(bytes(row), bytes(value)),
            None => batch.delete(bytes(word)),
        }
    }
    batch
}

fn commit<B: Bed>(bed: &B, words: &str) {
    bed.engine().commit(&batch(words)).unwrap();
}

/// A scan's answer in the same words.
fn scan<B: Bed>(bed: &B, from: &str, to: &str, limit: usize) -> String {
    words(bed.engine(), from, to, limit)
}

fn words(engine: &impl Engine, from: &str, to: &str, limit: usize) -> String {
    let rows = engine.scan(from.as_bytes(), to.as_bytes(), limit).unwrap();
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let rows: Vec<_> = rows.iter().map(|(row, value)| format!("{}={}", text(row), text(value))).collect();
    rows.join(" ")
}

fn all(engine: &impl Engine) -> Vec<(Bytes, Bytes)> {
    engine.scan(b"", b"", usize::MAX).unwrap()
}

pub(crate) fn an_empty_engine_has_nothing<B: Bed>(bed: &mut B) {
    assert_eq!(bed.engine().get(b"aa").unwrap(), None);
    assert_eq!(all(bed.engine()), []);
    bed.engine().sync().unwrap();
    bed.crash();
    assert_eq!(all(bed.engine()), []);
}

pub(crate) fn rows_read_back<B: Bed>(bed: &mut B) {
    commit(bed, "aa=1 bb=2");
    assert_eq!(bed.engine().get(b"aa").unwrap(), Some(bytes("1")));
    assert_eq!(bed.engine().get(b"bb").unwrap(), Some(bytes("2")));
    for absent in ["", "a", "aaa", "ab", "cc"] {
        assert_eq!(bed.engine().get(absent.as_bytes()).unwrap(), None, "{absent}");
    }
}

pub(crate) fn rows_are_overwritten<B: Bed>(bed: &mut B) {
    commit(bed, "aa=1 bb=2");
    commit(bed, "aa=3");
    assert_eq!(scan(bed, "", "", 9), "aa=3 bb=2");
    assert_eq!(bed.engine().get(b"aa").unwrap(), Some(bytes("3")));
}

pub(crate) fn rows_are_deleted<B: Bed>(bed: &mut B) {
    commit(bed, "aa=1 bb=2 cc=3");
    commit(bed, "bb never");
    assert_eq!(bed.engine().get(b"bb").unwrap(), None);
    assert_eq!(scan(bed, "", "", 9), "aa=1 cc=3");
    commit(bed, "bb=4");
    assert_eq!(scan(bed, "", "", 9), "aa=1 bb=4 cc=3");
}

pub(crate) fn values_may_be_empty<B: Bed>(bed: &mut B) {
    commit(bed, "aa= bb=1");
    assert_eq!(bed.engine().get(b"aa").unwrap(), Some(Bytes::new()), "empty is not absent");
    assert_eq!(scan(bed, "", "", 9), "aa= bb=1");
    bed.engine().commit(&Batch::new()).unwrap();
    assert_eq!(scan(bed, "", "", 9), "aa= bb=1");
}

pub(crate) fn rows_and_values_are_any_bytes<B: Bed>(bed: &mut B) {
    let mut names: Vec<Vec<u8>> = Vec::new();
    for high in [0, 1, 0x7f, 0x80, 0xfe, 0xff] {
        for low in [0, 0x0a, 0x0d, 0xff] {
            names.extend([vec![high, low], vec![high, low, 0], vec![high, low, 0xff, 0xff]]);
        }
    }
    let mut batch = Batch::new();
    for name in names.iter().rev() {
        batch.put(bytes(name), bytes(name.repeat(3)));
    }
    bed.engine().commit(&batch).unwrap();
    names.sort();
    let want: Vec<_> = names.iter().map(|name| (bytes(name), bytes(name.repeat(3)))).collect();
    assert_eq!(all(bed.engine()), want);
    for name in &names {
        assert_eq!(bed.engine().get(name).unwrap(), Some(bytes(name.repeat(3))));
    }
}

pub(crate) fn values_may_be_large<B: Bed>(bed: &mut B) {
    // Not compressible, so the bytes really travel.
    let mut state = 1u64;
    let large = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    });
    let large = bytes(large.take(1 << 20).collect::<Vec<_>>());
    let mut batch = Batch::new();
    for row in ["aa", "bb", "cc"] {
        batch.put(bytes(row), large.clone());
    }
    bed.engine().commit(&batch).unwrap();
    bed.engine().sync().unwrap();
    assert!(bed.engine().get(b"bb").unwrap() == Some(large.clone()));
    bed.crash();
    assert!(bed.engine().get(b"bb").unwrap() == Some(large.clone()));
    assert!(all(bed.engine()).iter().all(|(_, value)| *value == large));
}

pub(crate) fn rows_of_every_length_are_kept<B: Bed>(bed: &mut B) {
    let lengths = [Batch::ROW_BYTES_MIN, 31, 32, 33, 255, 256, 4095, 4097, Batch::ROW_BYTES_MAX];
    let mut batch = Batch::new();
    for length in lengths {
        batch.put(bytes(vec![b'r'; length]), bytes(length.to_string()));
    }
    bed.engine().commit(&batch).unwrap();
    bed.engine().sync().unwrap();
    bed.crash();
    for length in lengths {
        let value = bed.engine().get(&vec![b'r'; length]).unwrap();
        assert_eq!(value, Some(bytes(length.to_string())), "{length}");
    }
    assert_eq!(all(bed.engine()).len(), lengths.len());
}

pub(crate) fn rows_and_values_have_limits<B: Bed>(bed: &mut B) {
    commit(bed, "aa=1");
    for length in [0, Batch::ROW_BYTES_MIN - 1, Batch::ROW_BYTES_MAX + 1] {
        let name = vec![0; length];
        let mut batch = batch("bb=2");
        batch.put(bytes(&name), bytes("x"));
        assert_eq!(bed.engine().commit(&batch), Err(StoreError::RowLength { bytes: length }));
        assert_eq!(bed.engine().get(&name).unwrap(), None);
    }
    assert_eq!(scan(bed, "", "", 9), "aa=1", "a refused batch changes nothing");
    commit(bed, "bb=2");
}

pub(crate) fn the_last_change_of_a_row_in_a_batch_wins<B: Bed>(bed: &mut B) {
    commit(bed, "aa=1 aa=2 bb=1 bb cc cc=3");
    assert_eq!(scan(bed, "", "", 9), "aa=2 cc=3");
    bed.engine().sync().unwrap();
    bed.crash();
    assert_eq!(scan(bed, "", "", 9), "aa=2 cc=3");
    commit(bed, "aa aa=4 cc=5 cc");
    assert_eq!(scan(bed, "", "", 9), "aa=4");
    bed.crash();
    assert!(["aa=2 cc=3", "aa=4"].contains(&&*scan(bed, "", "", 9)), "lost as a whole or not at all");
}

pub(crate) fn a_scan_is_in_order_and_bounded<B: Bed>(bed: &mut B) {
    commit(bed, "dd=4 bb=2 aa=1 cc=3 bbb=22");
    assert_eq!(scan(bed, "", "", 9), "aa=1 bb=2 bbb=22 cc=3 dd=4");
    assert_eq!(scan(bed, "bb", "cc", 9), "bb=2 bbb=22", "from is in, to is out");
    assert_eq!(scan(bed, "bb", "bbb", 9), "bb=2");
    assert_eq!(scan(bed, "ba", "ca", 9), "bb=2 bbb=22");
    assert_eq!(scan(bed, "b", "c", 9), "bb=2 bbb=22", "bounds may be shorter than rows");
    assert_eq!(scan(bed, "cc", "", 9), "cc=3 dd=4");
    assert_eq!(scan(bed, "", "", 2), "aa=1 bb=2");
    assert_eq!(scan(bed, "bb", "", 1), "bb=2");
    assert_eq!(scan(bed, "", "", 0), "");
    assert_eq!(scan(bed, "ee", "", 9), "");
    assert_eq!(scan(bed, "bb", "bb", 9), "");
    assert_eq!(scan(bed, "cc", "aa", 9), "", "a range that runs backwards is empty");
}

pub(crate) fn a_scan_of_many_rows_is_whole<B: Bed>(bed: &mut B) {
    for group in 0..20 {
        let mut batch = Batch::new();
        for row in (0..2000).filter(|row| row % 20 == group) {
            batch.put(bytes(format!("row{row:05}")), bytes(row.to_string()));
        }
        bed.engine().commit(&batch).unwrap();
    }
    let mut from = Bytes::new();
    let mut seen = Vec::new();
    loop {
        let page = bed.engine().scan(&from, b"", 77).unwrap();
        let Some((last, _)) = page.last() else { break };
        from = bytes([last, &b"\0"[..]].concat());
        seen.extend(page);
    }
    let want = (0..2000).map(|row| (bytes(format!("row{row:05}")), bytes(row.to_string())));
    assert_eq!(seen, want.collect::<Vec<_>>());
}

pub(crate) fn a_commit_is_seen_whole_once_it_returned<B: Bed>(bed: &mut B) {
    let engine = bed.engine();
    engine.commit(&batch("aa=0 bb=0 cc=0 dd=0")).unwrap();
    let returned = AtomicU64::new(0);
    let number = |value: &Bytes| String::from_utf8(value.to_vec()).unwrap().parse::<u64>().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..=1000 {
                engine.commit(&batch(&format!("aa={n} bb={n} cc={n} dd={n}"))).unwrap();
                returned.store(n, Ordering::Release);
            }
        });
        let mut seen = [0; 4];
        while seen[0] < 1000 {
            let least = returned.load(Ordering::Acquire);
            let rows = all(engine);
            assert_eq!(rows.len(), seen.len());
            for ((row, value), seen) in rows.iter().zip(&mut seen) {
                let read = number(&engine.get(row).unwrap().unwrap());
                let scanned = number(value);
                assert!(scanned >= least && scanned >= *seen, "{row:?}: {scanned}, {least} had returned");
                assert!(read >= scanned, "{row:?} goes back from {scanned} to {read}");
                *seen = read;
            }
        }
    });
    assert_eq!(words(engine, "", "", 9), "aa=1000 bb=1000 cc=1000 dd=1000");
}

pub(crate) fn a_group_is_one_commit_in_order<B: Bed>(bed: &mut B) {
    let group = [batch("aa=1 bb=1"), batch("aa=2 cc=2"), batch("bb dd=3")];
    commit_group(bed.engine(), &group, true).unwrap();
    commit_group::<_, Batch>(bed.engine(), &[], true).unwrap();
    commit_group(bed.engine(), &group[..0], false).unwrap();
    bed.crash();
    assert_eq!(scan(bed, "", "", 9), "aa=2 cc=2 dd=3");
}

pub(crate) fn what_was_synced_survives_a_crash<B: Bed>(bed: &mut B) {
    let mut want = Vec::new();
    for n in 10..40 {
        commit(bed, &format!("row{n}={n} last={n}"));
        want.push(format!("row{n}={n}"));
        if n % 3 == 0 {
            bed.engine().sync().unwrap();
            bed.crash();
            assert_eq!(scan(bed, "", "", 99), format!("last={n} {}", want.join(" ")));
        }
    }
}

pub(crate) fn a_crash_leaves_a_prefix<B: Bed>(bed: &mut B) {
    let batches = ["aa=1 bb=1", "aa=2 cc=2", "bb", "aa=3 bb=3 cc", "dd=4"];
    let states = ["aa=1 bb=1", "aa=2 bb=1 cc=2", "aa=2 cc=2", "aa=3 bb=3", "aa=3 bb=3 dd=4"];
    for synced in 0..batches.len() {
        commit(bed, "aa bb cc dd");
        for (n, words) in batches.iter().enumerate() {
            commit(bed, words);
            if n == synced {
                bed.engine().sync().unwrap();
            }
        }
        bed.crash();
        let state = scan(bed, "", "", 9);
        assert!(states[synced..].contains(&&*state), "synced {synced}, found {state}");
    }
}

pub(crate) fn a_reopened_engine_goes_on<B: Bed>(bed: &mut B) {
    for n in 1..=5 {
        let before = if n == 1 { String::new() } else { format!("aa={} bb={}", n - 1, n - 1) };
        assert_eq!(scan(bed, "", "", 9), before);
        commit(bed, &format!("aa={n} bb={n}"));
        assert_eq!(scan(bed, "", "", 9), format!("aa={n} bb={n}"));
        bed.engine().sync().unwrap();
        bed.crash();
    }
}

pub(crate) fn what_was_lost_is_told_until_it_is_known<B: Bed>(bed: &mut B) {
    for n in 1..=9 {
        commit(bed, &format!("aa={n} bb={n}"));
        bed.engine().sync().unwrap();
    }
    assert_eq!(bed.commits_lost(), 0);
    bed.lose();
    let lost = bed.commits_lost();
    assert!((1..9).contains(&lost), "{lost}");
    let left = 9 - lost;
    assert_eq!(scan(bed, "", "", 9), format!("aa={left} bb={left}"), "a prefix is left");
    bed.engine().sync().unwrap();
    bed.crash();
    assert_eq!(bed.commits_lost(), lost, "nobody has written since");
    commit(bed, "cc=known");
    bed.engine().sync().unwrap();
    bed.crash();
    assert_eq!(bed.commits_lost(), 0);
    assert_eq!(scan(bed, "", "", 9), format!("aa={left} bb={left} cc=known"));
}

pub(crate) fn a_damaged_row_is_an_error_until_it_is_written<B: Bed>(bed: &mut B) {
    commit(bed, "aa=1 bb=2 cc=3");
    bed.engine().sync().unwrap();
    bed.damage();
    for row in [b"aa", b"bb", b"cc"] {
        assert!(matches!(bed.engine().get(row), Err(StoreError::Read(_))), "{row:?}");
    }
    assert!(matches!(bed.engine().scan(b"", b"", 9), Err(StoreError::Read(_))));
    commit(bed, "bb=4");
    assert_eq!(bed.engine().get(b"bb").unwrap(), Some(bytes("4")));
    assert!(matches!(bed.engine().get(b"aa"), Err(StoreError::Read(_))));
}

pub(crate) fn a_checkpoint_equals_its_source<B: Bed>(bed: &mut B) {
    for n in 0..500 {
        commit(bed, &format!("row{n:03}={n} gone{n:03}={n}"));
    }
    for n in 0..500 {
        commit(bed, &format!("gone{n:03}"));
    }
    let mut copy = B::new("checkpoint");
    assert_eq!(bed.engine().checkpoint(copy.engine()).unwrap(), 500);
    assert_eq!(all(copy.engine()), all(bed.engine()));
    copy.crash();
    assert_eq!(all(copy.engine()), all(bed.engine()), "durable on return");
    commit(&copy, "row000=new row001");
    assert_eq!(scan(&copy, "row000", "row003", 9), "row000=new row002=2");
    copy.engine().sync().unwrap();
    copy.crash();
    assert_eq!(scan(&copy, "row000", "row003", 9), "row000=new row002=2");
    assert_eq!(scan(bed, "row000", "row003", 9), "row000=0 row001=1 row002=2", "the source is untouched");
}

pub(crate) fn a_checkpoint_is_of_one_instant<B: Bed>(bed: &mut B) {
    let engine = bed.engine();
    engine.commit(&batch("aa=0 bb=0 cc=0")).unwrap();
    let copy = B::new("instant");
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in 1..=200 {
                engine.commit(&batch(&format!("aa={n} bb={n} cc={n}"))).unwrap();
            }
        });
        assert_eq!(engine.checkpoint(copy.engine()).unwrap(), 3);
        writer.join().unwrap();
    });
    let rows = all(copy.engine());
    assert!(rows.iter().all(|(_, value)| *value == rows[0].1), "{rows:?}");
}

pub(crate) fn a_checkpoint_goes_only_into_an_empty_engine<B: Bed>(bed: &mut B) {
    commit(bed, "aa=1");
    let copy = B::new("taken");
    commit(&copy, "bb=2");
    assert_eq!(bed.engine().checkpoint(copy.engine()), Err(StoreError::NotEmpty));
    assert_eq!(scan(&copy, "", "", 9), "bb=2");
    let empty = B::new("empty");
    assert_eq!(B::new("nothing").engine().checkpoint(empty.engine()).unwrap(), 0);
    assert_eq!(scan(&empty, "", "", 9), "");
}
