//! What deletes leave on the disk: nothing. Counted in the stores themselves, once the processes have ended.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::running::{Place, Running, config, shown};
use causal::Actor;
use node::{Identity, Node, Options, Storage, Trust};
use placement::{Layout, NodeId};
use server::Config;
use store::{Engine, Lsm, LsmOptions, Store, StoreOptions};

const KEYS: usize = 2_000;
const KEYS_AT_ONCE: usize = 200;
const NAMES: [&str; 3] = ["one", "two", "three"];
const PATIENCE: Duration = Duration::from_secs(60);

/// What lies in the stores of a node that does not run.
#[derive(Debug, Default)]
struct Lying {
    /// Rows, by the first letter of their names: `d` are cells, `r` and `t` what is noted of removals.
    rows: BTreeMap<char, usize>,
    /// Removals of what has not come, kept beside the rows.
    early: usize,
    /// Bytes that a store takes that has been given these rows and nothing else: what is left once all is merged.
    merged_bytes: u64,
}

fn lying(place: &Place, name: &str) -> Lying {
    let dir = place.join(name);
    let mut lying = Lying::default();
    for shard in 0..2u16 {
        let engine = Lsm::open(dir.join(format!("shard-{shard}")), LsmOptions::default()).unwrap();
        for (row, _) in engine.scan(&[], &[], usize::MAX).unwrap() {
            *lying.rows.entry(char::from(row[0])).or_default() += 1;
        }
        let copy = Lsm::open(dir.join(format!("copy-{shard}")), LsmOptions::default()).unwrap();
        engine.checkpoint(&copy).unwrap();
        drop(copy);
        lying.merged_bytes += table_bytes(&dir.join(format!("copy-{shard}")));
        std::fs::remove_dir_all(dir.join(format!("copy-{shard}"))).unwrap();
        lying.early += early(&dir, name, shard, engine);
    }
    lying
}

/// Bytes of the tables in a store; journals have room that nothing is written to.
fn table_bytes(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    let bytes = |entry: std::fs::DirEntry| match entry.path() {
        path if path.is_dir() => table_bytes(&path),
        path if path.extension().is_some_and(|extension| extension == "jnl") => 0,
        _ => entry.metadata().unwrap().len(),
    };
    entries.map(bytes).sum()
}

/// How many partitions of a shard have noted removals of what has not come.
fn early(dir: &Path, name: &str, shard: u16, engine: Lsm) -> usize {
    let layout = Layout::decode(&std::fs::read(dir.join("layout")).unwrap()).unwrap();
    let mut store: Storage = Store::new(Arc::new(engine) as Arc<dyn Engine>, StoreOptions::default());
    let identity = Identity { node: NodeId::of_name(name), actor: Actor(1) };
    let options = Options { shard: (shard, 2), ..Options::default() };
    let node = Node::open(identity, options, Arc::new(layout), &mut store, Trust::Whole).unwrap();
    node.replicas().filter(|(_, map)| !map.knowledge().early.is_empty()).count()
}

/// Waits until a node says that it holds so many keys, and the same as the others.
fn await_keys(node: &Running, keys: usize) {
    let began = Instant::now();
    loop {
        let said = shown(&node.client().ask(&["ARMILLA.STATUS"]));
        let wanted = [format!("\"keys\" :{keys} \"clients\""), "\"partitions_unequal\" :0 ".to_owned()];
        if wanted.iter().all(|wanted| said.contains(wanted)) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{wanted:?} is not said: {said}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn deletes_that_an_owner_misses_leave_no_row_anywhere() {
    let place = Place::new();
    let told: Vec<Config> = NAMES.iter().map(|name| config(name, &place.join(name))).collect();
    let first = Running::start(told[0].clone()).unwrap();
    let join = |told: &Config| Config { join: Some(first.addr.to_string()), ..told.clone() };
    let others: Vec<Running> = told[1..].iter().map(|told| Running::start(join(told)).unwrap()).collect();
    let keys: Vec<String> = (0..KEYS).map(|number| format!("deleted:{number}")).collect();
    let mut client = first.client();
    client.until(&["SET", "deleted:0", "v"], "+OK");
    for keys in keys.chunks(KEYS_AT_ONCE) {
        let pairs = keys.iter().flat_map(|key| [key.as_str(), "some value"]);
        client.until(&std::iter::once("MSET").chain(pairs).collect::<Vec<_>>(), "+OK");
    }
    drop(client);
    others.iter().chain([&first]).for_each(|node| await_keys(node, KEYS));
    others.into_iter().chain([first]).for_each(Running::stop);
    let before = NAMES.map(|name| lying(&place, name));
    before.iter().for_each(|lying| assert_eq!(lying.rows.get(&'d'), Some(&KEYS), "{lying:?}"));

    // The third is down while all of them are deleted.
    let here: Vec<Running> = told[..2].iter().map(|told| Running::start(told.clone()).unwrap()).collect();
    let mut client = here[0].client();
    for keys in keys.chunks(KEYS_AT_ONCE) {
        let words = std::iter::once("DEL").chain(keys.iter().map(String::as_str));
        client.until(&words.collect::<Vec<_>>(), &format!(":{KEYS_AT_ONCE}"));
    }
    drop(client);
    let third = Running::start(told[2].clone()).unwrap();
    here.iter().chain([&third]).for_each(|node| await_keys(node, 0));
    here.into_iter().chain([third]).for_each(Running::stop);
    for (before, after) in before.iter().zip(NAMES.map(|name| lying(&place, name))) {
        println!("before {before:?}, after {after:?}");
        let removals = ['d', 'r', 't'].map(|space| after.rows.get(&space));
        assert_eq!((removals, after.early), ([None; 3], 0), "{after:?}");
        assert!(after.merged_bytes < before.merged_bytes / 3 * 2, "{before:?} {after:?}");
    }
}
