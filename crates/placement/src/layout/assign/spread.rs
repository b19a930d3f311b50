//! How the owners of one partition spread over zones and datacenters.
//!
//! As evenly as can be: no zone has a second owner while another has none, no third while another has one, and
//! so on, as far as zones have nodes. Within what that leaves open, the same over datacenters.
//!
//! ```text
//! N = 3   dc1: r1 r2 r3   dc2: r1        each zone 0 to 1, dc1 2 to 2, dc2 1 to 1
//! N = 3   dc1: r1 r2                     each zone 1 to 2
//! dc1=2, dc2=1, of dc1: r1 r2 r3, dc2: r1   dc1 2 and each of its zones 0 to 1, dc2 1, elsewhere none
//! ```
//!
//! Invariants:
//! 1. Giving every node the same part of every partition is within all bounds, whatever the parts, if each
//!    group's sum is.
//! 2. A list of owners without strain, holes included, can be filled up without touching those in it.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Seat;
use crate::copies::Copies;
use crate::member::Member;

/// How many owners of one partition a group of nodes may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Bounds {
    pub(super) low: usize,
    pub(super) high: usize,
}

/// A zone: its nodes, its datacenter, its bounds.
pub(super) struct ZoneGroup {
    pub(super) center: usize,
    pub(super) nodes: Vec<usize>,
    pub(super) bounds: Bounds,
}

/// A datacenter: its zones and its bounds.
pub(super) struct CenterGroup {
    pub(super) zones: Vec<usize>,
    pub(super) bounds: Bounds,
}

/// The bounds for all groups.
pub(super) struct Spread {
    pub(super) replicas: usize,
    pub(super) zones: Vec<ZoneGroup>,
    pub(super) centers: Vec<CenterGroup>,
    zone_of: Vec<usize>,
    /// Datacenters that must have an owner in every partition. At most N, and without them the check is quick.
    needy: Vec<usize>,
}

impl Spread {
    pub(super) fn new(members: &[Member], copies: &Copies) -> Spread {
        let mut tree: BTreeMap<&str, BTreeMap<&str, Vec<usize>>> = BTreeMap::new();
        for (seat, member) in members.iter().enumerate() {
            let center = tree.entry(&member.zone.datacenter).or_default();
            center.entry(&member.zone.rack).or_default().push(seat);
        }
        let (mut zones, mut centers, mut zone_of) = (Vec::new(), Vec::new(), vec![0; members.len()]);
        let counts: Vec<_> = tree.keys().map(|center| copies.among_those_of(center, members)).collect();
        for (center, racks) in tree.into_values().enumerate() {
            let first = zones.len();
            for nodes in racks.into_values() {
                nodes.iter().for_each(|&seat| zone_of[seat] = zones.len());
                let bounds = Bounds { low: 0, high: nodes.len() };
                zones.push(ZoneGroup { center, nodes, bounds });
            }
            centers.push(first..zones.len());
        }
        let replicas = copies.among(members);
        let bounds = match copies {
            Copies::Anywhere(_) => spread_over_all(&mut zones, &centers, replicas),
            Copies::In(_) => spread_in_each(&mut zones, &centers, &counts),
        };
        let centers: Vec<_> = centers
            .into_iter()
            .zip(bounds)
            .map(|(range, bounds)| CenterGroup { zones: range.collect(), bounds })
            .collect();
        let needy = (0..centers.len()).filter(|&center| centers[center].bounds.low > 0).collect();
        Spread { replicas, zones, centers, zone_of, needy }
    }

    /// By how much a partition's owners break the bounds. With 0 they, and holes to come, can be made whole.
    pub(super) fn strain(&self, owners: &[Option<Seat>]) -> usize {
        let zones = || owners.iter().flatten().map(|&seat| self.zone_of[usize::from(seat)]);
        let in_zone = |zone: usize| zones().filter(|&other| other == zone).count();
        let in_center = |center: usize| zones().filter(|&zone| self.zones[zone].center == center).count();
        // What the zones of a datacenter still must get. Where it must get nothing itself, nor must they.
        let zones_lack = |center: usize| -> usize {
            let lack = |&zone: &usize| self.zones[zone].bounds.low.saturating_sub(in_zone(zone));
            if self.centers[center].bounds.low == 0 {
                0
            } else {
                self.centers[center].zones.iter().map(lack).sum()
            }
        };
        let center_lacks = |&center: &usize| {
            self.centers[center].bounds.low.saturating_sub(in_center(center)).max(zones_lack(center))
        };
        let lacking: usize = self.needy.iter().map(center_lacks).sum();
        let holes = owners.iter().filter(|owner| owner.is_none()).count();
        let mut strain = lacking.saturating_sub(holes);
        for (at, zone) in zones().enumerate() {
            let center = self.zones[zone].center;
            if zones().take(at).all(|earlier| earlier != zone) {
                strain += in_zone(zone).saturating_sub(self.zones[zone].bounds.high);
            }
            if zones().take(at).all(|earlier| self.zones[earlier].center != center) {
                let committed = in_center(center) + zones_lack(center);
                strain += committed.saturating_sub(self.centers[center].bounds.high);
            }
        }
        strain
    }
}

/// Spreads the owners over all zones, and within what that leaves open over datacenters, whose bounds it gives.
fn spread_over_all(zones: &mut [ZoneGroup], centers: &[Range<usize>], replicas: usize) -> Vec<Bounds> {
    let sizes: Vec<_> = zones.iter().map(|zone| zone.bounds).collect();
    let bounds = level(&sizes, replicas);
    zones.iter_mut().zip(bounds).for_each(|(zone, bounds)| zone.bounds = bounds);
    let sum = |side: fn(Bounds) -> usize, range: Range<usize>| -> usize {
        zones[range].iter().map(|zone| side(zone.bounds)).sum()
    };
    let sums = centers.iter().map(|range| Bounds {
        low: sum(|bounds| bounds.low, range.clone()),
        high: sum(|bounds| bounds.high, range.clone()),
    });
    level(&sums.collect::<Vec<_>>(), replicas)
}

/// Spreads so many owners as each datacenter is to have over its zones.
fn spread_in_each(zones: &mut [ZoneGroup], centers: &[Range<usize>], counts: &[usize]) -> Vec<Bounds> {
    for (range, count) in centers.iter().zip(counts) {
        let sizes: Vec<_> = zones[range.clone()].iter().map(|zone| zone.bounds).collect();
        let bounds = level(&sizes, *count);
        zones[range.clone()].iter_mut().zip(bounds).for_each(|(zone, bounds)| zone.bounds = bounds);
    }
    counts.iter().map(|count| Bounds { low: *count, high: *count }).collect()
}

/// Narrows bounds so that the groups share `total` as evenly as the bounds allow.
fn level(bounds: &[Bounds], total: usize) -> Vec<Bounds> {
    let sum = |height: usize| -> usize { bounds.iter().map(|b| height.clamp(b.low, b.high)).sum() };
    let height =
        (0..=total).find(|&height| sum(height) >= total).expect("there are as many nodes as replicas");
    bounds
        .iter()
        .map(|b| Bounds {
            low: height.saturating_sub(1).clamp(b.low, b.high),
            high: height.clamp(b.low, b.high),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Bounds, Spread, level};
    use crate::copies::Copies;
    use crate::member::{Duty, Member, NodeId};

    fn members(zones: &[&str]) -> Vec<Member> {
        let member = |(number, zone): (usize, &&str)| Member {
            id: NodeId(number as u64),
            name: format!("n{number}"),
            client_addr: format!("client:{number}"),
            peer_addr: format!("peer:{number}"),
            weight: 1,
            zone: zone.parse().unwrap(),
            duty: Duty::Store,
        };
        zones.iter().enumerate().map(member).collect()
    }

    #[test]
    fn bounds_are_level_as_far_as_groups_reach() {
        let sizes = |sizes: &[usize]| sizes.iter().map(|&high| Bounds { low: 0, high }).collect::<Vec<_>>();
        let of = |groups: &[usize], total| {
            level(&sizes(groups), total).iter().map(|b| (b.low, b.high)).collect::<Vec<_>>()
        };
        assert_eq!(of(&[5, 5, 5, 5], 3), [(0, 1); 4]);
        assert_eq!(of(&[5, 5], 3), [(1, 2); 2]);
        assert_eq!(of(&[1, 9], 5), [(1, 1), (3, 4)]);
        assert_eq!(of(&[3], 3), [(2, 3)]);
    }

    #[test]
    fn strain_counts_what_is_too_much_and_what_finds_no_place() {
        let three_racks = Spread::new(&members(&["a/1", "a/1", "a/2", "a/3"]), &Copies::Anywhere(3));
        assert_eq!(three_racks.strain(&[Some(0), Some(2), Some(3)]), 0);
        assert_eq!(three_racks.strain(&[Some(0), None, None]), 0);
        assert!(three_racks.strain(&[Some(0), Some(1), None]) > 0, "two in one rack");

        let two_racks = Spread::new(&members(&["a/1", "a/1", "a/1", "a/2"]), &Copies::Anywhere(3));
        assert_eq!(two_racks.strain(&[Some(0), Some(1), Some(3)]), 0);
        assert_eq!(two_racks.strain(&[Some(0), Some(1), None]), 0, "the hole is for the other rack");
        assert!(two_racks.strain(&[Some(0), Some(1), Some(2)]) > 0);

        let two_centers = Spread::new(&members(&["a/1", "a/2", "a/3", "b/1"]), &Copies::Anywhere(3));
        assert_eq!(two_centers.strain(&[Some(0), Some(1), Some(3)]), 0);
        assert!(two_centers.strain(&[Some(0), Some(1), Some(2)]) > 0, "all in one datacenter");
    }
}
