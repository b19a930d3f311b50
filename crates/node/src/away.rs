//! For how long members have been down, and what speaks against replacing them. Data alone; `absence` tells what is made of it.

use crate::heirs::Heirs;
use placement::NodeId;
use std::collections::BTreeMap;

/// Of the time between two looks no more counts than this, in milliseconds.
const STEP_MS_MAX: u64 = 1_000;

/// A member that is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absence {
    /// Which.
    pub member: NodeId,
    /// In how long it is replaced, in milliseconds, if nothing speaks against it then.
    pub left_ms: u64,
    /// What speaks against it now.
    pub hindrance: Option<Hindrance>,
}

/// What speaks against replacing a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// Somebody has said that it is to be waited for.
    Kept,
    /// There would be fewer copies, or in fewer zones.
    Needed,
    /// So many others are down too, or all of its zone or datacenter, that it looks like an outage.
    Others,
    /// Something else is on its way in the ring.
    Moving,
    /// A disk is full.
    Full,
    /// The others have no room for its copies.
    NoRoom,
    /// Another has lost something and is learning it anew: it may be from this one.
    Learning,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Away {
    /// In milliseconds, as far as this node was awake.
    pub(crate) down: BTreeMap<NodeId, u64>,
    looked_at: Option<u64>,
    /// What was made of it then.
    pub(crate) absences: Vec<Absence>,
    /// Who takes over from those that are down, by the layout of an epoch; nobody where it would not let one go.
    pub(crate) heirs: BTreeMap<NodeId, (u64, Option<Heirs>)>,
}

impl Away {
    /// These are down now.
    pub(crate) fn look(&mut self, down: &[NodeId], now: u64) {
        let passed = self.looked_at.map_or(0, |at| now.saturating_sub(at)).min(STEP_MS_MAX);
        self.looked_at = Some(now);
        self.down.retain(|member, _| down.contains(member));
        self.heirs.retain(|member, _| down.contains(member));
        for member in down {
            *self.down.entry(*member).or_default() += passed;
        }
    }
}
