//! Whether a cluster can do without a member: as many copies, in as many zones.

use super::{Layout, LayoutError};
use crate::copies::Copies;
use crate::member::{Duty, NodeId};
use std::collections::{BTreeMap, BTreeSet};

impl Layout {
    /// Whether there can be as many copies everywhere as there could be before.
    pub(super) fn has_members_for(&self, before: &Layout) -> Result<(), LayoutError> {
        let few = |left: usize, of: String, replicas: usize| LayoutError::TooFew { left, of, replicas };
        match &self.copies {
            Copies::Anywhere(number) if self.replicas() < before.replicas() => {
                Err(few(self.storing().count(), String::new(), usize::from(*number)))
            }
            Copies::Anywhere(_) => Ok(()),
            Copies::In(each) => each.iter().try_for_each(|(datacenter, number)| {
                let copies = |layout: &Layout| layout.copies.among_those_of(datacenter, &layout.members);
                if copies(self) >= copies(before) {
                    return Ok(());
                }
                Err(few(copies(self), format!(" of {datacenter}"), usize::from(*number)))
            }),
        }
    }

    /// Whether everything that a member holds can be held by others as it should be: there are enough of them for the copies, and they
    /// are in as many zones as copies spread over now.
    #[must_use]
    pub fn can_spare(&self, id: NodeId) -> bool {
        let Some(at) = self.members.iter().position(|member| member.id == id) else { return false };
        if self.members[at].duty != Duty::Store {
            return true;
        }
        let mut without = self.clone();
        without.members[at].duty = Duty::Lost;
        without.replicas() > 0 && without.has_members_for(self).is_ok() && without.spread() >= self.spread()
    }

    /// Over how many zones the copies of a partition are spread.
    fn spread(&self) -> usize {
        let mut zones: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for zone in self.storing().map(|member| &member.zone) {
            zones.entry(&zone.datacenter).or_default().insert(&zone.rack);
        }
        match &self.copies {
            Copies::Anywhere(number) => {
                zones.values().map(BTreeSet::len).sum::<usize>().min(usize::from(*number))
            }
            Copies::In(each) => {
                let racks = |datacenter: &String| zones.get(datacenter.as_str()).map_or(0, BTreeSet::len);
                each.iter().map(|(datacenter, number)| racks(datacenter).min(usize::from(*number))).sum()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::layout::tests::{grown, member};
    use crate::member::NodeId;

    #[test]
    fn who_is_the_last_of_a_zone_cannot_be_spared_nor_who_is_needed_for_the_copies() {
        let zones = |zones: &[&str]| {
            let member = |(at, zone): (usize, &&str)| member(at, 1, zone);
            grown(8, 3, zones.iter().enumerate().map(member))
        };
        let id = |at: usize| NodeId::of_name(&member(at, 1, "a/b").name);
        let flat = zones(&["a/1", "a/1", "a/1"]);
        assert!(!flat.can_spare(id(0)), "three for three copies");
        let four = zones(&["a/1", "a/1", "a/1", "a/1"]);
        assert!(four.can_spare(id(0)) && !four.can_spare(NodeId(1)), "four, and who is no member");
        let racks = zones(&["a/1", "a/2", "a/3", "a/3"]);
        assert!(racks.can_spare(id(3)) && !racks.can_spare(id(0)), "the only one of its zone");
        let many = zones(&["a/1", "a/2", "a/3", "a/4"]);
        assert!(many.can_spare(id(0)), "three zones are left for three copies");
    }
}
