//! How a server starts, and what it does not start with.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::running::{Client, Place, Running, config, shown, text};
use server::{Config, Fsync, Stop, run_until};

/// Why a server does not start.
fn refusal(config: Config) -> String {
    Running::start(config).err().expect("it is refused").to_string()
}

#[test]
fn times_below_a_millisecond_are_refused() {
    let place = Place::new();
    let told = || config("hasty", &place.join("hasty"));
    let retry = Config { retry: Duration::ZERO, ..told() };
    assert_eq!(refusal(retry), "retry: at least 1 ms, for a node that asks again at once does nothing else");
    let timeout = Config { request_timeout: Duration::from_micros(999), ..told() };
    assert_eq!(refusal(timeout), "request timeout: at least 1 ms, for nobody answers in less");
    let fsync = Config { fsync: Fsync::Interval(Duration::ZERO), ..told() };
    assert_eq!(refusal(fsync), "fsync: at least 1 ms between two syncs, or `always`");
    assert!(!place.join("hasty").exists(), "nothing is made before the configuration is looked at");
}

/// Copies a directory of files.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_directory_that_lost_what_was_synced_is_refused() {
    let place = Place::new();
    let told =
        Config { fsync: Fsync::Always, shards: Some(1), ..config("forgetful", &place.join("forgetful")) };
    let write = |value: &str| {
        let node = Running::start(told.clone()).unwrap();
        node.client().expect(&["SET", "k", value], "+OK");
        node.stop();
    };
    let (rows, older) = (place.join("forgetful").join("shard-0").join("rows"), place.join("older"));
    write("1");
    copy(&rows, &older);
    write("2");
    fs::rename(&rows, place.join("newer")).unwrap();
    fs::rename(&older, &rows).unwrap();
    for _ in 0..2 {
        let error = refusal(told.clone());
        assert!(error.contains("forgetful has lost data: shard 0 holds "), "{error}");
        assert!(error.contains("Bring the directory back as it was"), "{error}");
    }
    fs::remove_dir_all(&rows).unwrap();
    fs::rename(place.join("newer"), &rows).unwrap();
    let node = Running::start(told.clone()).unwrap();
    node.client().expect(&["GET", "k"], "\"2\"");
}

/// A node alone with one shard, and a key on its disk.
fn with_a_key(place: &Place, id: &str) -> Config {
    let told = Config { shards: Some(1), ..config(id, &place.join(id)) };
    let node = Running::start(told.clone()).unwrap();
    node.client().expect(&["SET", "k", "1"], "+OK");
    node.stop();
    told
}

#[test]
fn a_node_alone_goes_on_without_what_is_lost_only_where_that_is_accepted() {
    let place = Place::new();
    let told = with_a_key(&place, "gone");
    fs::remove_dir_all(place.join("gone").join("shard-0")).unwrap();
    let error = refusal(told.clone());
    assert!(
        error.contains("the store of shard 0 is gone") && error.contains("--accept-data-loss"),
        "{error}"
    );
    let accepted = Config { accept_data_loss: true, ..told.clone() };
    let node = Running::start(accepted).unwrap();
    node.client().expect(&["GET", "k"], "nil");
    node.client().expect(&["SET", "k", "2"], "+OK");
    node.stop();
    Running::start(told).unwrap().client().expect(&["GET", "k"], "\"2\"");
}

#[test]
fn rows_without_the_layout_that_says_whose_they_are_are_not_served() {
    let place = Place::new();
    let told = with_a_key(&place, "whose");
    let dir = place.join("whose");
    let layout = fs::read(dir.join("layout")).unwrap();
    fs::remove_file(dir.join("layout")).unwrap();
    for more in ["layout", "begun"] {
        let _ = fs::remove_file(dir.join(more));
        let error = refusal(told.clone());
        assert!(error.contains("its file `layout` is gone") && error.contains("--join"), "{error}");
    }
    let stranger = Running::start(config("stranger", &place.join("stranger"))).unwrap();
    let error = refusal(Config { join: Some(stranger.addr.to_string()), ..told.clone() });
    assert!(error.contains("did not know until now"), "{error}");
    assert_eq!(text(&stranger.client().ask(&["CLUSTER", "NODES"])).lines().count(), 1, "it is no member now");
    let identity = fs::read(dir.join("armilla.toml")).unwrap();
    fs::remove_file(dir.join("armilla.toml")).unwrap();
    let error = refusal(told.clone());
    assert!(error.contains("armilla.toml") && error.contains("Bring it back"), "{error}");
    for (name, bytes) in [("layout", &layout[..]), ("begun", b""), ("armilla.toml", &identity)] {
        fs::write(dir.join(name), bytes).unwrap();
    }
    Running::start(told).unwrap().client().expect(&["GET", "k"], "\"1\"");
}

/// A node that runs, a member of one shard only that has joined it and runs too, and a key on both.
fn with_a_member(place: &Place) -> (Running, Running, Config) {
    with_another(place, &config("one", &place.join("one")))
}

/// The same where the first is told this.
fn with_another(place: &Place, one: &Config) -> (Running, Running, Config) {
    let first = Running::start(one.clone()).unwrap();
    let addr = first.addr.to_string();
    let two = Config { join: Some(addr), shards: Some(1), ..config("two", &place.join("two")) };
    let second = Running::start(two.clone()).unwrap();
    second.until_settled(2);
    second.client().until(&["SET", "k", "v"], "+OK");
    (first, second, two)
}

#[test]
fn a_member_that_lost_its_layout_joins_again_and_learns() {
    let place = Place::new();
    let (_first, second, two) = with_a_member(&place);
    second.stop();
    fs::remove_file(place.join("two").join("layout")).unwrap();
    let error = refusal(Config { join: None, ..two.clone() });
    assert!(error.contains("its file `layout` is gone"), "{error}");
    // A cluster that has a member of this name is not yet the one that the data is of.
    let namesake = Running::start(config("three", &place.join("three"))).unwrap();
    let other = Config { dir: place.join("other"), join: Some(namesake.addr.to_string()), ..two.clone() };
    Running::start(other).unwrap().stop();
    let error = refusal(Config { join: Some(namesake.addr.to_string()), ..two.clone() });
    assert!(error.contains("did not know until now"), "{error}");
    Running::start(two).unwrap().client().until(&["GET", "k"], "\"v\"");
}

#[test]
fn a_damaged_store_is_moved_aside_and_never_removed() {
    let place = Place::new();
    let told = with_a_key(&place, "damaged");
    let list = place.join("damaged").join("shard-0").join("rows").join("keyspaces").join("1").join("current");
    fs::write(&list, b"not what it was").unwrap();
    let error = refusal(told.clone());
    assert!(error.contains("list of tables"), "{error}");
    let node = Running::start(Config { accept_data_loss: true, ..told }).unwrap();
    node.client().expect(&["GET", "k"], "nil");
    assert!(place.join("damaged").join("shard-0.damaged-1").join("rows").join("0.jnl").exists());
}

#[test]
fn a_member_with_a_damaged_store_learns_from_the_others() {
    let place = Place::new();
    let (_first, second, two) = with_a_member(&place);
    second.stop();
    let dir = place.join("two");
    fs::remove_file(dir.join("shard-0").join("rows").join("keyspaces").join("1").join("current")).unwrap();
    let second = Running::start(two).unwrap();
    second.client().until(&["SET", "k", "w"], "+OK");
    assert!(dir.join("shard-0.damaged-1").exists());
}

#[test]
fn a_member_with_an_empty_directory_is_not_taken_for_whole() {
    let place = Place::new();
    let (_first, second, two) = with_a_member(&place);
    let twin = Config { client_addr: config("x", &place.join("x")).client_addr, ..two.clone() };
    let twin = Config { dir: place.join("twin"), peer_addr: config("x", &place.join("x")).peer_addr, ..twin };
    let error = refusal(twin);
    assert!(error.contains(&format!("the member two is alive at {}", second.addr)), "{error}");
    assert!(error.contains("an --id of its own"), "{error}");
    second.stop();
    fs::remove_dir_all(place.join("two")).unwrap();
    Running::start(two).unwrap().client().until(&["GET", "k"], "\"v\"");
}

/// Nobody can be asked what the layout is by now, for it voted alone.
#[test]
fn who_voted_alone_and_has_an_empty_directory_is_told_what_the_others_know() {
    let place = Place::new();
    let one = config("one", &place.join("one"));
    let (first, second, _) = with_another(&place, &one);
    first.stop();
    fs::remove_dir_all(place.join("one")).unwrap();
    let told = Config { join: Some(second.addr.to_string()), ..one };
    Running::start(told).unwrap().client().until(&["GET", "k"], "\"v\"");
}

#[test]
fn a_member_that_starts_again_serves_its_first_client() {
    let place = Place::new();
    let founder = Running::start(config("one", &place.join("one"))).unwrap();
    let join = |id: &str| Config { join: Some(founder.addr.to_string()), ..config(id, &place.join(id)) };
    let two = join("two");
    let (mut second, third) = (Running::start(two.clone()).unwrap(), Running::start(join("three")).unwrap());
    for node in [&founder, &second, &third] {
        node.client().until(&["SET", "k", "0"], "+OK");
    }
    for round in 1..=5 {
        second.stop();
        second = Running::start(two.clone()).unwrap();
        for key in 0..20 {
            second.client().expect(&["SET", &format!("k{key}"), &round.to_string()], "+OK");
        }
    }
}

#[test]
fn a_member_whose_others_are_gone_starts_after_a_grace() {
    let place = Place::new();
    let (first, second, two) = with_a_member(&place);
    second.stop();
    first.stop();
    let began = Instant::now();
    let second = Running::start(two).unwrap();
    assert!((1..5).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    let mut client = second.client();
    client.expect(&["ARMILLA.LEVEL", "one"], "+OK");
    client.expect(&["GET", "k"], "\"v\"");
}

#[test]
fn a_node_that_waits_to_join_can_be_stopped() {
    let place = Place::new();
    // A door that nobody opens: the question is never answered.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let join = Some(silent.local_addr().unwrap().to_string());
    let told = Config { join, ..config("waiting", &place.join("waiting")) };
    let stop = Stop::default();
    let stopped = stop.clone();
    let thread = std::thread::spawn(move || run_until(told, &stopped, || panic!("it does not serve")));
    let (_question, _) = silent.accept().unwrap();
    let asked = Instant::now();
    stop.stop();
    thread.join().unwrap().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
}

/// A node that listens everywhere.
fn everywhere(id: &str, place: &Place) -> Config {
    let config = config(id, &place.join(id));
    let at = |addr: SocketAddr| SocketAddr::from(([0, 0, 0, 0], addr.port()));
    Config { client_addr: at(config.client_addr), peer_addr: config.peer_addr.map(at), ..config }
}

/// The same, and others are told of loopback.
fn announced(told: Config) -> Config {
    Config { announce: Some(format!("127.0.0.1:{}", told.client_addr.port())), ..told }
}

#[test]
fn a_node_alone_may_listen_everywhere_and_shows_an_address_that_leads_there() {
    let place = Place::new();
    let told = everywhere("alone", &place);
    let (client, peer) = (told.client_addr.port(), told.peer_addr.unwrap().port());
    let node = Running::start(told.clone()).unwrap();
    let mut here = Client::connect(SocketAddr::from(([127, 0, 0, 1], client)));
    let slots = shown(&here.ask(&["CLUSTER", "SLOTS"]));
    assert!(slots.starts_with(&format!("[[:0 :16383 [\"127.0.0.1\" :{client} ")), "{slots}");
    for words in [["CLUSTER", "NODES"].as_slice(), &["CLUSTER", "SHARDS"], &["ARMILLA.STATUS"]] {
        let told = shown(&here.ask(words));
        assert!(!told.contains("0.0.0.0") && told.contains("127.0.0.1"), "{told}");
    }
    let status = shown(&here.ask(&["ARMILLA.STATUS"]));
    assert!(status.contains(&format!("127.0.0.1:{peer}")), "{status}");
    let late = Config { join: Some(format!("127.0.0.1:{client}")), ..config("late", &place.join("late")) };
    let error = refusal(late);
    assert!(error.contains("the member alone is at 0.0.0.0:"), "{error}");
    assert!(error.contains("start it again with --announce HOST:PORT"), "{error}");
    here.expect(&["SET", "k", "v"], "+OK");
    drop(here);
    node.stop();
    let node = Running::start(announced(told)).unwrap();
    Client::connect(SocketAddr::from(([127, 0, 0, 1], client))).expect(&["GET", "k"], "\"v\"");
    node.stop();
}

#[test]
fn a_node_that_listens_everywhere_announces_where_it_is() {
    let place = Place::new();
    let (one, two) = (everywhere("one", &place), everywhere("two", &place));
    let first = Running::start(one.clone()).unwrap();
    let addr = SocketAddr::from(([127, 0, 0, 1], first.addr.port()));
    let cluster = |addr| {
        let info = text(&Client::connect(addr).ask(&["INFO", "armilla"]));
        info.lines().find(|line| line.starts_with("cluster:")).unwrap().to_owned()
    };
    let before = cluster(addr);
    first.stop();
    // Nobody was told of the old address, so the same cluster goes on.
    let first = Running::start(announced(one.clone())).unwrap();
    assert_eq!(cluster(addr), before);
    let nowhere = refusal(Config { join: Some(addr.to_string()), ..two.clone() });
    assert!(nowhere.contains("give it with --announce HOST:PORT"), "{nowhere}");
    let two = Config { join: Some(addr.to_string()), ..announced(two) };
    let second = Running::start(two.clone()).unwrap();
    let there = SocketAddr::from(([127, 0, 0, 1], second.addr.port()));
    Client::connect(there).until(&["SET", "k", "w"], "+OK");
    Client::connect(addr).expect(&["GET", "k"], "\"w\"");
    for client in [addr, there] {
        let nodes = shown(&Client::connect(client).ask(&["CLUSTER", "NODES"]));
        assert!(nodes.contains(&format!(" {addr}@")) && nodes.contains(&format!(" {there}@")), "{nodes}");
    }
    second.stop();
    let moved = Config { announce: Some("127.0.0.1:1".to_owned()), ..two.clone() };
    assert!(refusal(moved).contains("whose client address is"), "others were told of it");
    Running::start(two).unwrap().stop();
    drop(first);
}

#[test]
fn of_two_processes_that_are_one_member_the_later_ends() {
    let place = Place::new();
    let (first, second, two) = with_a_member(&place);
    // A copy of its directory, as of a disk that was cloned: only where it listens differs, and others are not told.
    let elsewhere = config("x", &place.join("x"));
    copy(&place.join("two"), &place.join("clone"));
    let announce = Some(two.client_addr.to_string());
    let clone = Config { dir: place.join("clone"), client_addr: elsewhere.client_addr, announce, ..two };
    let peer_addr = clone.peer_addr;
    let clone = Config { peer_addr: Some(elsewhere.peer_addr.unwrap()), ..clone };
    fs::write(place.join("clone").join("armilla.toml"), identity_of(&place, peer_addr.unwrap(), &clone))
        .unwrap();
    let ended = run_until(clone, &Stop::default(), || {}).unwrap_err().to_string();
    assert!(ended.contains("another live process is the member two"), "{ended}");
    second.client().expect(&["GET", "k"], "\"v\"");
    first.client().expect(&["SET", "k", "w"], "+OK");
}

/// Who lives in the clone: the same, but for the address that nobody is told of.
fn identity_of(place: &Place, told: SocketAddr, clone: &Config) -> String {
    let text = fs::read_to_string(place.join("two").join("armilla.toml")).unwrap();
    text.replace(&told.to_string(), &clone.peer_addr.unwrap().to_string())
}

/// What a process that ended in the middle of saving a damaged store has left behind.
#[test]
fn a_copy_takes_the_place_of_a_store_when_it_is_whole_and_not_before() {
    let place = Place::new();
    let told = with_a_key(&place, "saved");
    let store = place.join("saved").join("shard-0");
    // Not whole: it is nothing.
    fs::create_dir_all(store.with_extension("renewing").join("rows")).unwrap();
    let node = Running::start(told.clone()).unwrap();
    node.client().expect(&["GET", "k"], "\"1\"");
    node.stop();
    // Whole: it is what is gone on with, and the store is moved aside, or was.
    for aside in ["shard-0.damaged-1", "shard-0.damaged-2"] {
        copy(&store, &store.with_extension("renewed"));
        let node = Running::start(told.clone()).unwrap();
        node.client().expect(&["GET", "k"], "\"1\"");
        node.client().expect(&["DBSIZE"], ":1");
        node.stop();
        assert!(place.join("saved").join(aside).exists());
        assert!(!store.with_extension("renewed").exists());
    }
    fs::rename(&store, store.with_extension("renewed")).unwrap();
    Running::start(told).unwrap().client().expect(&["GET", "k"], "\"1\"");
}
