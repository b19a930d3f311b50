//! Who is probed next, and who is asked for help: chance that a seed decides.
//!
//! SWIM shuffles anew after each round, so that a member may be the last of one round and the first of no other soon:
//! nearly two rounds may pass. Here the order is shuffled once, each node has its own, and it is one round at most.

use placement::NodeId;

/// The order of probes.
#[derive(Debug)]
pub(super) struct Round {
    state: u64,
    order: Vec<NodeId>,
    at: usize,
}

impl Round {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed, order: Vec::new(), at: 0 }
    }

    /// Goes round these members from now on.
    pub(super) fn fill(&mut self, members: impl Iterator<Item = NodeId>) {
        let members = members.collect::<Vec<_>>();
        let count = members.len();
        self.order = self.pick(members, count);
        self.at = 0;
    }

    pub(super) fn next(&mut self) -> Option<NodeId> {
        let member = self.order.get(self.at).copied()?;
        self.at = (self.at + 1) % self.order.len();
        Some(member)
    }

    /// Some of these, `count` at most, in any order.
    pub(super) fn pick(&mut self, mut of: Vec<NodeId>, count: usize) -> Vec<NodeId> {
        for at in 0..of.len().min(count) {
            let left = (of.len() - at) as u64;
            let other = at + usize::try_from(self.bits() % left).unwrap_or(0);
            of.swap(at, other);
        }
        of.truncate(count);
        of
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
