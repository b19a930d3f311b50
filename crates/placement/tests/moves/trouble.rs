//! What goes wrong with nodes: they crash, are cut off, lose their disks, or never come back.
//!
//! One thing is spared: of each set of owners that may have to be learned from, enough live and have what they had
//! (`World::bears`). More failures than that no protocol survives.

use crate::lapse::Lapse;
use crate::node::{Health, Node};
use crate::world::World;
use placement::layout::enough;
use placement::{Layout, NodeId, PartitionId};

impl World {
    /// A node crashes, is cut off, loses its disk, or is gone for good.
    pub(crate) fn trouble(&mut self, at: usize) {
        if !self.nodes[at].is_up() {
            return;
        }
        match self.dice.below(10) {
            _ if self.dice.chance(self.mood.loses_disks) => self.lose_disk(at),
            0..4 => self.crash(at, Health::Down),
            4..9 => self.nodes[at].health = Health::Cut,
            _ if self.can_spare(at) => self.crash(at, Health::Dead),
            _ => {}
        }
    }

    /// A node comes back, or another in the place of one that does not.
    pub(crate) fn recover(&mut self, at: usize) {
        match self.nodes[at].health {
            Health::Up => {}
            Health::Down | Health::Cut => self.nodes[at].health = Health::Up,
            Health::Dead => self.replace(at),
        }
    }

    fn crash(&mut self, at: usize, health: Health) {
        self.nodes[at].crash();
        self.nodes[at].health = health;
        self.requests.retain(|request| request.at != at);
    }

    fn lose_disk(&mut self, at: usize) {
        if !self.can_spare(at) {
            return;
        }
        self.crash(at, Health::Up);
        let (newest, some) = (self.layouts.len() - 1, self.dice.below(6));
        let which =
            if self.lapse == Some(Lapse::ForgetsItsFence) { newest.saturating_sub(some) } else { newest };
        self.nodes[at].lose_disk(&self.layouts[which]);
        // Who waits for a node that has lost its disk hears of it: that is not the layout's to see to.
        self.requests.iter_mut().for_each(|request| request.forget(self.nodes[at].id));
        self.mail.retain(|mail| !mail.is_answer_of(at));
        self.tally.disks_lost += 1;
    }

    /// Another machine takes the name of one that is dead, once the cluster has forgotten it.
    pub(crate) fn replace(&mut self, at: usize) {
        if self.newest().member(self.nodes[at].id).is_none() {
            self.nodes[at] = Node::new(self.nodes[at].id, self.newest().clone(), self.lapse);
        }
    }

    fn can_spare(&self, at: usize) -> bool {
        self.bears(self.newest(), Some(self.nodes[at].id))
    }

    /// Whether enough of each set are there, without one more, and somebody to own anything.
    pub(crate) fn bears(&self, layout: &Layout, without: Option<NodeId>) -> bool {
        let is_there = |id: &NodeId| {
            let node = &self.nodes[self.at(*id)];
            Some(*id) != without && node.health != Health::Dead && !node.is_blank && !layout.is_lost(*id)
        };
        let place = layout.place(PartitionId(0));
        let mut sets = place.teachers().iter().map(Vec::as_slice).chain([place.owners()]);
        let is_enough = |set: &[NodeId]| set.iter().filter(|id| is_there(id)).count() >= enough(set.len());
        sets.all(is_enough) && layout.storing().any(|member| is_there(&member.id))
    }
}
