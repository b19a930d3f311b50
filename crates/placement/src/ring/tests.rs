//! The ring against small worlds, where places collide and wrap, and large ones, where shares follow weights.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;

use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::Config;

use super::{Move, Ring, RingError, md5, redis_slot, xxh3};
use crate::member::Zone;

type Server = (String, u32, Zone);

fn server(number: usize, weight: u32, rack: &str) -> Server {
    (format!("s{number}"), weight, Zone { datacenter: "dc1".into(), rack: rack.into() })
}

fn add(ring: &mut Ring<String>, (id, weight, zone): Server) -> Result<(), RingError> {
    ring.add_server(id, weight, zone)
}

/// A ring of a few places whose hash is the number before the `:` or `#` of a name.
fn tiny(places: u64) -> Ring<String> {
    Ring::with_places(NonZeroU64::new(places).unwrap(), 1, |name| {
        let digits = name.iter().filter(|byte| byte.is_ascii_digit());
        u64::from(digits.copied().next().unwrap_or(b'0') - b'0')
    })
}

fn taken(ring: &Ring<String>) -> Vec<(u64, &str)> {
    ring.tokens().map(|(place, id)| (place, id.as_str())).collect()
}

#[test]
fn a_token_on_a_taken_place_moves_clockwise_and_over_the_end() {
    let mut ring = tiny(8);
    for id in ["6a", "6b", "6c", "0d", "6e"] {
        ring.add_server(id.into(), 1, Zone::default()).unwrap();
    }
    assert_eq!(taken(&ring), [(0, "6c"), (1, "0d"), (2, "6e"), (6, "6a"), (7, "6b")]);
    // 3 and up walk to 6; 0 is the first place after 7.
    assert_eq!(ring.server_of(b"3").unwrap(), "6a");
    assert_eq!(ring.server_at(7).unwrap(), "6b");
    assert_eq!(ring.server_at(0).unwrap(), "6c");
}

#[test]
fn a_full_ring_says_so_and_stays_as_it_was() {
    let mut ring = tiny(3);
    for id in ["1a", "1b"] {
        ring.add_server(id.into(), 1, Zone::default()).unwrap();
    }
    let before = taken(&ring).len();
    let error = ring.add_server("1c".into(), 2, Zone::default()).unwrap_err();
    assert_eq!(error.to_string(), "server 1c needs 2 places and the ring has 1 left");
    assert_eq!((taken(&ring).len(), ring.servers().count()), (before, 2));
    ring.add_server("1c".into(), 1, Zone::default()).unwrap();
    assert_eq!(taken(&ring), [(0, "1c"), (1, "1a"), (2, "1b")]);
    assert!(matches!(ring.add_server("1d".into(), 1, Zone::default()), Err(RingError::Full { free: 0, .. })));
}

#[test]
fn servers_need_a_token_and_a_name_of_their_own() {
    let mut ring = tiny(8);
    ring.add_server("1a".into(), 1, Zone::default()).unwrap();
    assert_eq!(ring.add_server("1a".into(), 1, Zone::default()), Err(RingError::Taken("1a".into())));
    assert_eq!(ring.add_server("1b".into(), 0, Zone::default()), Err(RingError::Weightless("1b".into())));
    assert!(!ring.remove_server(&"1b".into()));
}

#[test]
fn an_empty_ring_has_no_server_and_gives_all_to_the_first() {
    let empty = tiny(8);
    assert_eq!((empty.server_of(b"1"), empty.owners(b"1", 3).len()), (None, 0));
    assert_eq!(empty.moves_to(&empty), []);
    let mut one = empty.clone();
    one.add_server("5a".into(), 1, Zone::default()).unwrap();
    let whole = Move { start: 6, end: 5, from: None, to: Some("5a".to_owned()) };
    assert_eq!(empty.moves_to(&one), [whole]);
}

#[test]
fn keys_that_collide_stay_two_keys() {
    // The ring gives them one server; the map on the server tells them apart.
    let mut ring = tiny(8);
    for id in ["2a", "5b"] {
        ring.add_server(id.into(), 1, Zone::default()).unwrap();
    }
    let mut stores: BTreeMap<&String, BTreeMap<&str, u32>> = BTreeMap::new();
    assert_eq!(ring.place_of(b"k4"), ring.place_of(b"other4"));
    for (key, value) in [("k4", 1), ("other4", 2)] {
        stores.entry(ring.server_of(key.as_bytes()).unwrap()).or_default().insert(key, value);
    }
    let store = &stores[ring.server_of(b"k4").unwrap()];
    assert_eq!((store["k4"], store["other4"]), (1, 2));
}

#[test]
fn owners_spread_over_zones_and_stand_ins_follow() {
    let mut ring = tiny(10);
    for (id, rack) in [("1a", "r1"), ("2b", "r1"), ("3c", "r1"), ("4d", "r2"), ("5e", "r2"), ("6f", "r3")] {
        ring.add_server(id.into(), 1, Zone { datacenter: "dc1".into(), rack: rack.into() }).unwrap();
    }
    assert_eq!(ring.owners(b"1", 3), ["1a", "4d", "6f"]);
    assert_eq!(ring.preference_list(b"1", 3), ["1a", "4d", "6f", "2b", "3c", "5e"]);
    assert_eq!(ring.preference_list(b"1", 5), ["1a", "4d", "6f", "2b", "5e", "3c"], "a second of each zone");
    assert_eq!(ring.owners(b"6", 2), ["6f", "1a"]);
    assert_eq!(ring.owners(b"1", 0).len(), 0);
    assert_eq!(ring.owners(b"1", 99).len(), 6);
}

#[test]
fn any_function_fits() {
    let servers = || (1..=3).map(|number| server(number, 1, "r1"));
    let key = b"some key";
    let mut answers = BTreeSet::new();
    answers.extend(
        Ring::new(100, md5).with_servers(servers()).unwrap().owners(key, 3).first().copied().cloned(),
    );
    answers.extend(Ring::new(100, xxh3).with_servers(servers()).unwrap().server_of(key).cloned());
    answers.extend(Ring::new(100, redis_slot).with_servers(servers()).unwrap().server_of(key).cloned());
    let length = |bytes: &[u8]| bytes.len() as u64;
    answers.extend(Ring::new(100, length).with_servers(servers()).unwrap().server_of(key).cloned());
    assert!(answers.iter().all(|id| ["s1", "s2", "s3"].contains(&id.as_str())));
}

#[test]
fn shares_follow_weights() {
    let weights = [1, 2, 4, 1];
    let servers = weights.iter().enumerate().map(|(number, &weight)| server(number, weight, "r1"));
    let ring = Ring::new(400, xxh3).with_servers(servers).unwrap();
    let mut counts = BTreeMap::new();
    for key in 0..40_000u32 {
        *counts.entry(ring.server_of(&key.to_le_bytes()).unwrap().as_str()).or_insert(0) += 1;
    }
    for (number, weight) in weights.into_iter().enumerate() {
        let fair = 40_000.0 * f64::from(weight) / 8.0;
        let ratio = f64::from(counts[format!("s{number}").as_str()]) / fair;
        assert!((0.85..1.15).contains(&ratio), "s{number} has {ratio} of its share");
    }
}

fn servers(most: usize) -> impl Strategy<Value = Vec<Server>> {
    let shapes = proptest::collection::vec((1..=3u32, 0..4u8), 1..most);
    shapes.prop_map(|shapes| {
        shapes.iter().enumerate().map(|(n, (weight, rack))| server(n, *weight, &format!("r{rack}"))).collect()
    })
}

proptest! {
    #![proptest_config(Config { cases: 200, failure_persistence: None, ..Config::default() })]

    /// In a space so small that tokens collide and wrap all the time, and every place can be looked at.
    #[test]
    fn only_arcs_of_the_server_that_came_change_hands(all in servers(12), places in 72..200u64) {
        let mut ring = Ring::with_places(NonZeroU64::new(places).unwrap(), 2, xxh3);
        let mut history = vec![ring.clone()];
        for newcomer in all.clone() {
            add(&mut ring, newcomer.clone()).unwrap();
            ring.check();
            let before = history.last().unwrap();
            for place in 0..places {
                let (old, new) = (before.server_at(place), ring.server_at(place));
                prop_assert!(old == new || new == Some(&newcomer.0));
            }
            history.push(ring.clone());
        }
        for (id, ..) in all.iter().rev() {
            let before = history.pop().unwrap();
            prop_assert_eq!(taken(&ring), taken(&before), "going undoes coming, last come first");
            prop_assert!(ring.remove_server(id));
            for place in 0..places {
                let (old, new) = (before.server_at(place), ring.server_at(place));
                prop_assert!(old == new || old == Some(id));
            }
        }
    }

    #[test]
    fn moves_say_exactly_what_changed(all in servers(12), places in 72..200u64, gone in any::<proptest::sample::Index>()) {
        let ring = Ring::with_places(NonZeroU64::new(places).unwrap(), 2, xxh3);
        let before = ring.clone().with_servers(all.clone()).unwrap();
        let mut after = before.clone();
        after.remove_server(&all[gone.index(all.len())].0);
        add(&mut after, server(77, 1, "r1")).unwrap();
        let moves = before.moves_to(&after);
        let mut changed = BTreeMap::new();
        for arc in &moves {
            let mut place = arc.start;
            loop {
                prop_assert!(changed.insert(place, (arc.from.as_ref(), arc.to.as_ref())).is_none(), "disjoint");
                if place == arc.end { break; }
                place = (place + 1) % places;
            }
        }
        for place in 0..places {
            let pair = (before.server_at(place), after.server_at(place));
            let said = changed.get(&place).copied();
            prop_assert_eq!(said.unwrap_or((pair.0, pair.0)), pair);
            prop_assert!(said.is_none_or(|(from, to)| from != to));
        }
    }

    #[test]
    fn the_order_of_coming_does_not_matter(all in servers(12), seed: u64) {
        let ring = Ring::new(16, xxh3);
        let sorted = ring.clone().with_servers(all.clone()).unwrap();
        let mut shuffled = all.clone();
        shuffled.sort_by_key(|(id, ..)| xxhash_rust::xxh3::xxh3_64_with_seed(id.as_bytes(), seed));
        let mut other = ring;
        add(&mut other, server(77, 2, "r1")).unwrap();
        shuffled.into_iter().for_each(|server| add(&mut other, server).unwrap());
        other.remove_server(&"s77".into());
        prop_assert_eq!(taken(&sorted), taken(&other));
        prop_assert_eq!(sorted.preference_list(b"key", 3), other.preference_list(b"key", 3));
    }

    #[test]
    fn even_where_tokens_collide_the_taken_places_are_the_same(all in servers(12), places in 72..100u64, seed: u64) {
        let ring = Ring::with_places(NonZeroU64::new(places).unwrap(), 2, xxh3);
        let sorted = ring.clone().with_servers(all.clone()).unwrap();
        let mut shuffled = all;
        shuffled.sort_by_key(|(id, ..)| xxhash_rust::xxh3::xxh3_64_with_seed(id.as_bytes(), seed));
        let mut other = ring.clone();
        shuffled.iter().for_each(|server| add(&mut other, server.clone()).unwrap());
        prop_assert!(sorted.tokens().map(|(place, _)| place).eq(other.tokens().map(|(place, _)| place)));
        let again = ring.with_servers(shuffled).unwrap();
        prop_assert_eq!(taken(&sorted), taken(&again), "added in one go, they are added in the order of ids");
    }

    #[test]
    fn owners_are_distinct_and_in_distinct_zones(all in servers(14), key: u64, n in 1..6usize) {
        let ring = Ring::new(8, xxh3).with_servers(all.clone()).unwrap();
        let zone_of: BTreeMap<&str, &str> = all.iter().map(|(id, _, zone)| (id.as_str(), zone.rack.as_str())).collect();
        let owners = ring.owners(&key.to_le_bytes(), n);
        prop_assert_eq!(owners.len(), n.min(all.len()));
        let zones: BTreeSet<_> = owners.iter().map(|id| zone_of[id.as_str()]).collect();
        let all_zones: BTreeSet<_> = zone_of.values().collect();
        prop_assert_eq!(zones.len(), owners.len().min(all_zones.len()));
        let list = ring.preference_list(&key.to_le_bytes(), n);
        prop_assert_eq!(&list[..owners.len()], owners);
        prop_assert_eq!(list.iter().collect::<BTreeSet<_>>().len(), all.len());
        prop_assert_eq!(list.len(), all.len());
        prop_assert_eq!(list[0], ring.server_of(&key.to_le_bytes()).unwrap());
    }
}
