//! Peace: everything heals that can, and it is seen what is left.
//!
//! 1. Whoever is gone for good can be given up without a loss, and everything comes to where it is wanted.
//! 2. Each write that was acknowledged is on a majority of the owners, so every read sees it.

use crate::node::{Health, Node};
use crate::world::{NODES, World};
use placement::{Change, PartitionId};

/// How often everybody does what is to be done until everything must have come to rest.
const ROUNDS_MAX: usize = 200;

impl World {
    /// Whether everything comes to rest.
    pub(crate) fn settles(&mut self) -> bool {
        self.heal();
        for _ in 0..ROUNDS_MAX {
            if self.newest().is_settled() && !self.nodes.iter().any(|node| self.is_amiss(node)) {
                return true;
            }
            self.round();
        }
        false
    }

    /// Whether a node is still to heal, or to be given up.
    fn is_amiss(&self, node: &Node) -> bool {
        let is_dead = node.health == Health::Dead;
        if is_dead { self.newest().member(node.id).is_some() } else { node.is_blank }
    }

    fn heal(&mut self) {
        self.mood.skips = 0;
        for at in 0..NODES {
            if self.nodes[at].health != Health::Dead {
                self.nodes[at].health = Health::Up;
            }
        }
    }

    fn round(&mut self) {
        for at in 0..NODES {
            let (node, newest) = (self.nodes[at].id, self.newest().clone());
            if self.nodes[at].health == Health::Dead {
                self.change(&Change::Lose { member: node, accepts_loss: false });
            } else {
                self.adopt(at, &newest);
                self.tend(at);
            }
        }
        self.deliver_all();
        for report in std::mem::take(&mut self.reports) {
            self.advance(report);
        }
        self.advance(placement::layout::Advance::Begin);
        self.change_voters();
        for leaver in self.leavers() {
            self.change(&Change::Forget(leaver));
        }
    }

    fn deliver_all(&mut self) {
        // What is said by a layout that its hearer does not know yet is put back.
        for mail in std::mem::take(&mut self.mail) {
            self.deliver(mail);
        }
    }

    /// Whether each write that was acknowledged is where every read finds it.
    pub(crate) fn holds_all(&mut self) -> bool {
        let newest = self.newest().clone();
        let owners = newest.place(PartitionId(0)).owners();
        let held = |write: &u32| {
            let holds = |node: &&placement::NodeId| self.nodes[self.at(**node)].writes >> write & 1 == 1;
            owners.iter().filter(holds).count() > owners.len() / 2
        };
        let mut acknowledged = (0..u128::BITS).filter(|write| self.acknowledged >> write & 1 == 1);
        acknowledged.all(|write| held(&write)) && self.reads_see_all()
    }

    /// Whether reads by everybody are answered, and miss nothing.
    fn reads_see_all(&mut self) -> bool {
        self.mail.clear();
        self.requests.clear();
        for at in 0..NODES {
            let newest = self.newest().clone();
            self.adopt(at, &newest);
        }
        (0..NODES).for_each(|at| self.read(at));
        // There and back.
        self.deliver_all();
        self.deliver_all();
        self.requests.is_empty() && !self.missed
    }
}
