//! How long a lookup takes: the layout's table against a walk on the ring.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use placement::ring::xxh3;
use placement::{Duty, Keyspace, Layout, Member, NodeId, Ring, Zone};

const TOKENS_PER_WEIGHT: u32 = 256;
const PARTITIONS: u32 = 1 << 14;

fn member(number: usize) -> Member {
    let name = format!("server{number}");
    let zone = Zone { datacenter: "dc1".into(), rack: format!("r{}", number % 10) };
    let (client_addr, peer_addr) = (format!("client:{number}"), format!("peer:{number}"));
    Member { id: NodeId::of_name(&name), name, client_addr, peer_addr, weight: 1, zone, duty: Duty::Store }
}

fn layout(nodes: usize) -> Layout {
    let first = Layout::found(1, 2, PARTITIONS, 3, member(0), 9).expect("the first member is valid");
    (1..nodes).fold(first, |layout, n| layout.with_member(member(n)).expect("the next member is valid"))
}

fn ring(nodes: usize) -> Ring<NodeId> {
    let servers = (0..nodes).map(member).map(|member| (member.id, 1, member.zone));
    Ring::new(TOKENS_PER_WEIGHT, xxh3).with_servers(servers).expect("the servers are valid")
}

fn lookups(c: &mut Criterion) {
    let keys: Vec<String> = (0..4096).map(|n| format!("user:{n}")).collect();
    let keyspace = Keyspace::new(2, PARTITIONS).expect("a power of two");
    let mut next = keys.iter().cycle();
    c.bench_function("position of a key", |b| {
        b.iter(|| keyspace.position(0, next.next().expect("a cycle").as_bytes()));
    });
    for nodes in [10, 100, 1000] {
        let layout = layout(nodes);
        let partitions: Vec<_> = keys.iter().map(|key| keyspace.position(0, key.as_bytes())).collect();
        let mut next = partitions.iter().cycle();
        c.bench_function(&format!("layout, 3 owners of a position, {nodes} nodes"), |b| {
            b.iter(|| {
                let position = *next.next().expect("a cycle");
                black_box(layout.owners(keyspace.partition_of(black_box(position))));
            });
        });
        let mut next = partitions.iter().cycle();
        c.bench_function(&format!("layout, first stand-in of a position, {nodes} nodes"), |b| {
            b.iter(|| {
                let position = *next.next().expect("a cycle");
                layout.stand_ins(keyspace.partition_of(black_box(position))).next()
            });
        });
        let ring = ring(nodes);
        let mut next = partitions.iter().cycle();
        c.bench_function(&format!("ring, server of a position, {nodes} nodes"), |b| {
            b.iter(|| black_box(ring.server_at(black_box(next.next().expect("a cycle").0))));
        });
        let mut next = keys.iter().cycle();
        c.bench_function(&format!("ring, 3 owners of a key, {nodes} nodes"), |b| {
            b.iter(|| ring.owners(next.next().expect("a cycle").as_bytes(), 3).len());
        });
    }
}

criterion_group!(benches, lookups);
criterion_main!(benches);
