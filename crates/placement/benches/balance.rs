//! Balance and movement as a table: the layout's fixed partitions against a plain ring, N = 3.
//!
//! *busiest*: the greatest of all nodes' part of the owner places, over the part that its weight entitles it
//! to. *homes*: the same of first owners. *moved*: places that change hands when one node of weight 2 joins,
//! over its fair part, which is the least that must move.
#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::collections::BTreeMap;
use std::time::Instant;

use placement::ring::xxh3;
use placement::{Duty, Layout, Member, NodeId, Ring, Zone};

const REPLICAS: u8 = 3;
const ZONES: usize = 10;
/// More than so many nodes join at once.
const JOINS_MAX: usize = 2_000;
const TOKENS_PER_WEIGHT: u32 = 256;

/// As many as nobody has, to see what a layout costs then.
const PAPER_NODES: usize = 10_000;
const PAPER_COPIES: usize = 10;

fn main() {
    println!("| nodes | weights | scheme | busiest | homes | moved | time of the last join |");
    println!("|---|---|---|---|---|---|---|");
    for nodes in [3, 4, 5, 10, 30, 100, 300, 1000] {
        for weights in [&[1][..], &[1, 2, 3, 4]] {
            let members: Vec<_> = (0..=nodes).map(|n| member(n, weights[n % weights.len()])).collect();
            let label = if weights.len() == 1 { "equal" } else { "1 to 4" };
            for partitions in [1024, 4096, 16384] {
                print(nodes, label, &format!("layout, Q = {partitions}"), &layout(partitions, &members));
            }
            print(nodes, label, &format!("ring, {TOKENS_PER_WEIGHT} tokens per weight"), &ring(&members));
        }
    }
    on_paper();
}

/// What a layout of very many nodes costs: bytes on the wire, in memory, and the time of a change.
fn on_paper() {
    let members: Vec<_> = (0..=PAPER_NODES).map(|n| member(n, [1, 2, 3, 4][n % 4])).collect();
    let figures = layout(16384, &members);
    print(PAPER_NODES, "1 to 4", "layout, Q = 16384", &figures);
    let first =
        Layout::found(1, 2, 16384, REPLICAS, members[0].clone(), 9).expect("the first member is valid");
    let layout = first.with_members(members[1..].iter().cloned()).expect("valid members");
    let bytes = layout.encode();
    let start = Instant::now();
    let read = Layout::decode(&bytes).expect("what was encoded");
    let decode_ms = start.elapsed().as_secs_f64() * 1000.0;
    let before = resident_bytes();
    let copies: Vec<_> = (0..PAPER_COPIES).map(|_| read.clone()).collect();
    let each = resident_bytes().saturating_sub(before) / copies.len() as u64;
    println!(
        "\n{PAPER_NODES} nodes: {:.1} MB encoded, read in {decode_ms:.0} ms, about {:.1} MB in memory",
        bytes.len() as f64 / 1e6,
        each as f64 / 1e6
    );
}

/// What this process has in memory, as Linux tells it; nothing elsewhere.
fn resident_bytes() -> u64 {
    const PAGE_BYTES: u64 = 4096;
    let told = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    told.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * PAGE_BYTES
}

struct Figures {
    busiest: f64,
    homes: f64,
    moved: f64,
    join_ms: f64,
}

fn print(nodes: usize, weights: &str, scheme: &str, figures: &Figures) {
    let Figures { busiest, homes, moved, join_ms } = figures;
    println!("| {nodes} | {weights} | {scheme} | {busiest:.3} | {homes:.3} | {moved:.3} | {join_ms:.1} ms |");
}

/// A node in one of ten zones.
fn member(number: usize, weight: u32) -> Member {
    let name = format!("server{number}");
    let zone = Zone { datacenter: "dc1".into(), rack: format!("r{}", number % ZONES) };
    let (client_addr, peer_addr) = (format!("client:{number}"), format!("peer:{number}"));
    Member { id: NodeId::of_name(&name), name, client_addr, peer_addr, weight, zone, duty: Duty::Store }
}

/// The greatest part over the fair part. Parts are sums of anything.
fn busiest(parts: &BTreeMap<NodeId, f64>, members: &[Member]) -> f64 {
    let all: f64 = parts.values().sum();
    let weights: f64 = members.iter().map(|member| f64::from(member.weight)).sum();
    let ratio = |member: &Member| {
        parts.get(&member.id).copied().unwrap_or(0.0) / all * weights / f64::from(member.weight)
    };
    members.iter().map(ratio).fold(0.0, f64::max)
}

fn layout(partitions: u32, members: &[Member]) -> Figures {
    let (last, old) = members.split_last().expect("there are members");
    let first =
        Layout::found(1, 2, partitions, REPLICAS, old[0].clone(), 9).expect("the first member is valid");
    let before = if old.len() > JOINS_MAX {
        first.with_members(old[1..].iter().cloned()).expect("valid members")
    } else {
        // One after the other, as clusters grow: what is chosen depends on what was there.
        let join =
            |layout: Layout, member: &Member| layout.with_member(member.clone()).expect("a valid member");
        old[1..].iter().fold(first, join)
    };
    let start = Instant::now();
    let after = before.with_member(Member { weight: 2, ..last.clone() }).expect("a valid member");
    let join_ms = start.elapsed().as_secs_f64() * 1000.0;
    let (mut places, mut homes, mut moved) = (BTreeMap::new(), BTreeMap::new(), 0.0);
    for partition in before.keyspace().partitions() {
        let (was, is) = (before.owners(partition), after.owners(partition));
        was.iter().for_each(|&id| *places.entry(id).or_insert(0.0) += 1.0);
        *homes.entry(was[0]).or_insert(0.0) += 1.0;
        moved += is.iter().filter(|id| !was.contains(id)).count() as f64;
    }
    let weights: f64 = after.members().iter().map(|member| f64::from(member.weight)).sum();
    let least = f64::from(partitions) * f64::from(REPLICAS) * 2.0 / weights;
    Figures { busiest: busiest(&places, old), homes: busiest(&homes, old), moved: moved / least, join_ms }
}

/// The ring's owners of every arc, weighed by the arc's length.
fn ring(members: &[Member]) -> Figures {
    let (last, old) = members.split_last().expect("there are members");
    let servers = old.iter().map(|member| (member.id, member.weight, member.zone.clone()));
    let before = Ring::new(TOKENS_PER_WEIGHT, xxh3).with_servers(servers).expect("valid servers");
    let mut after = before.clone();
    let start = Instant::now();
    after.add_server(last.id, 2, last.zone.clone()).expect("a valid server");
    let join_ms = start.elapsed().as_secs_f64() * 1000.0;
    let (mut places, mut homes, mut moved, mut all) = (BTreeMap::new(), BTreeMap::new(), 0.0, 0.0);
    // The new ring has all tokens of the old, so between two of its tokens neither changes its answer.
    let mut previous = after.tokens().last().expect("there are tokens").0;
    for (place, _) in after.tokens() {
        let length = place.wrapping_sub(previous) as f64;
        previous = place;
        let (was, is) =
            (before.owners_at(place, usize::from(REPLICAS)), after.owners_at(place, usize::from(REPLICAS)));
        was.iter().for_each(|&&id| *places.entry(id).or_insert(0.0) += length);
        *homes.entry(*was[0]).or_insert(0.0) += length;
        moved += is.iter().filter(|id| !was.contains(id)).count() as f64 * length;
        all += f64::from(REPLICAS) * length;
    }
    let weights: f64 = old.iter().map(|member| f64::from(member.weight)).sum();
    let least = all * 2.0 / (weights + 2.0);
    Figures { busiest: busiest(&places, old), homes: busiest(&homes, old), moved: moved / least, join_ms }
}
