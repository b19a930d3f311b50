//! The merge of a cell on states that replicas can reach: it is commutative, idempotent and associative.
//!
//! A state is what a replica holds after some of the operations of a history, in any order.

use super::arbitrary::amount;
use crate::memory::MemoryRows;
use bytes::Bytes;
use causal::map::{Knowledge, Map, Rows};
use causal::{Actor, Cell, Change, Delta, Dot, Entries, Key, Stamp, map::merge, string};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};

struct Node {
    actor: u64,
    n: u64,
    map: Map,
    rows: MemoryRows,
}

/// A few replicas of one string and every operation that was made on it.
pub(crate) struct Cluster {
    nodes: Vec<Node>,
    deltas: Vec<Delta>,
}

fn the_cell() -> Cell {
    Cell::string(Key::new(0, "k"))
}

impl Cluster {
    /// As many empty replicas.
    pub(crate) fn new(replicas: usize) -> Self {
        let node = |actor| Node { actor, n: 0, map: Map::default(), rows: MemoryRows::default() };
        Self { nodes: (1..).take(replicas).map(node).collect(), deltas: Vec::new() }
    }

    /// Makes an operation at a node and tells its number.
    pub(crate) fn change(&mut self, node: usize, change: Change) -> usize {
        let entries = self.entries(node);
        let time = self.deltas.len() as u64;
        let at = &mut self.nodes[node];
        at.n += 1;
        let (actor, dot) = (Actor(at.actor), Dot::new(Actor(at.actor), at.n));
        let edits = string::edit(the_cell(), change, &entries, actor).into_iter().collect();
        let stamp = Stamp { physical_ms: time, logical: 0, actor };
        self.deltas.push(Delta { dot, stamp, edits, sweep: None });
        self.deliver(node, self.deltas.len() - 1);
        self.deltas.len() - 1
    }

    /// Gives an operation to a node.
    pub(crate) fn deliver(&mut self, node: usize, number: usize) {
        let Node { map, rows, .. } = &mut self.nodes[node];
        map.apply(&self.deltas[number], rows).expect("memory");
        map.check(&rows.cells);
    }

    /// The node's process starts anew.
    pub(crate) fn restart(&mut self, node: usize) {
        self.nodes[node].actor += 100;
        self.nodes[node].n = 0;
    }

    /// What the node holds.
    pub(crate) fn entries(&mut self, node: usize) -> Entries {
        self.nodes[node].rows.entries(&the_cell()).expect("memory")
    }

    fn state(&mut self, node: usize) -> State {
        State { entries: self.entries(node), knowledge: self.nodes[node].map.knowledge().clone() }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct State {
    entries: Entries,
    knowledge: Knowledge,
}

impl State {
    /// Both together. Early is pruned, as a replica prunes it.
    fn with(&self, other: &Self) -> Self {
        let cell = the_cell();
        let entries = merge(&cell, &self.entries, &self.knowledge, &other.entries, &other.knowledge);
        let mut knowledge = self.knowledge.clone();
        knowledge.context.unite(&other.knowledge.context);
        knowledge.early.unite(&other.knowledge.early);
        knowledge.early.prune(&knowledge.context);
        Self { entries, knowledge }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Change(usize, Change),
    Deliver(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let change = prop_oneof![
        3 => Just(Change::Put(Bytes::from_static(b"v"))),
        1 => Just(Change::Delete),
        2 => amount().prop_map(Change::Add),
    ];
    prop_oneof![
        (0..3usize, change).prop_map(|(node, change)| Step::Change(node, change)),
        (0..3usize, any::<usize>()).prop_map(|(node, which)| Step::Deliver(node, which)),
    ]
}

proptest! {
    #[test]
    fn merges_are_a_join(steps in vec(step(), 0..40)) {
        let mut cluster = Cluster::new(3);
        for step in steps {
            match step {
                Step::Change(node, change) => drop(cluster.change(node, change)),
                Step::Deliver(node, which) if !cluster.deltas.is_empty() => {
                    cluster.deliver(node, which % cluster.deltas.len());
                }
                Step::Deliver(..) => {}
            }
        }
        let [a, b, c] = [0, 1, 2].map(|node| cluster.state(node));
        prop_assert_eq!(a.with(&a), a.clone());
        prop_assert_eq!(a.with(&b), b.with(&a));
        prop_assert_eq!(a.with(&b).with(&b), a.with(&b));
        prop_assert_eq!(a.with(&b).with(&c), a.with(&b.with(&c)));
        (0..3).for_each(|node| (0..cluster.deltas.len()).for_each(|number| cluster.deliver(node, number)));
        prop_assert_eq!(a.with(&b).with(&c).entries, cluster.entries(0));
    }
}
