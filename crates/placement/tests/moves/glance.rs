//! A glance at what a read could miss, so that the chance need not ask for it.
//!
//! A read by a layout that somebody knows is answered by some majority of its owners. Where one of these majorities, as it is now, has
//! nothing of a write that was acknowledged, the write is as good as lost: such a read may come next.

use crate::node::{Health, Writes};
use crate::world::World;
use placement::{Layout, PartitionId};

impl World {
    /// Looks at the newest layout, or at one that somebody goes by.
    pub(crate) fn glance(&mut self, at: usize) {
        let layout = if self.dice.chance(50) { self.newest().clone() } else { self.nodes[at].layout.clone() };
        self.missed |= self.could_miss(&layout);
    }

    fn could_miss(&self, layout: &Layout) -> bool {
        let owners = layout.place(PartitionId(0)).owners();
        let nodes = owners.iter().map(|owner| &self.nodes[self.at(*owner)]);
        let answer = nodes.filter(|node| node.health != Health::Dead && node.would_count(layout));
        let held: Vec<Writes> = answer.map(|node| node.writes).collect();
        misses(&held, owners.len() / 2 + 1, self.acknowledged)
    }
}

/// Whether so many of these miss one of the writes.
fn misses(held: &[Writes], majority: usize, writes: Writes) -> bool {
    match held.split_first() {
        _ if writes == 0 => false,
        _ if majority == 0 => true,
        None => false,
        Some((first, rest)) => misses(rest, majority - 1, writes & !first) || misses(rest, majority, writes),
    }
}
