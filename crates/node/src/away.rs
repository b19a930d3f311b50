//! For how long members have been down. Data alone; `absence` tells what is made of it.

use placement::NodeId;
use std::collections::BTreeMap;

/// Of the time between two looks no more counts than this, in milliseconds.
const STEP_MS_MAX: u64 = 1_000;

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Away {
    /// In milliseconds, as far as this node was awake.
    pub(crate) down: BTreeMap<NodeId, u64>,
    looked_at: Option<u64>,
}

impl Away {
    /// These are down now.
    pub(crate) fn look(&mut self, down: &[NodeId], now: u64) {
        let passed = self.looked_at.map_or(0, |at| now.saturating_sub(at)).min(STEP_MS_MAX);
        self.looked_at = Some(now);
        self.down.retain(|member, _| down.contains(member));
        for member in down {
            *self.down.entry(*member).or_default() += passed;
        }
    }
}
