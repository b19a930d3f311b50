//! The members in this node's datacenter: they are asked before others, and alone at levels of one datacenter.

use placement::{Layout, NodeId};

/// The members that are near.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nearby {
    /// Ascending.
    members: Vec<NodeId>,
    is_everybody: bool,
}

impl Nearby {
    /// Those near a member.
    pub(crate) fn of(layout: &Layout, me: NodeId) -> Self {
        let here = layout.datacenter(me);
        let near = layout.members().iter().filter(|member| member.zone.datacenter == here);
        let members: Vec<NodeId> = near.map(|member| member.id).collect();
        let is_everybody = members.len() == layout.members().len();
        Self { members, is_everybody }
    }

    /// Whether a member is one of them.
    pub(crate) fn has(&self, member: NodeId) -> bool {
        self.is_everybody || self.members.binary_search(&member).is_ok()
    }

    /// Whether there is one datacenter alone.
    pub(crate) fn is_everybody(&self) -> bool {
        self.is_everybody
    }
}
