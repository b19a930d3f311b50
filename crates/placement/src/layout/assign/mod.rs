//! Who owns which partition: the essay.
//!
//! # The question
//!
//! A plain ring gives each server the arcs before its tokens. With 256 tokens each the busiest of 1000 servers
//! still holds 1.3 times its share, and nothing but more tokens helps. We have fixed partitions, so we can do
//! better: a table says for each partition its N owners, and we choose the table so that
//!
//! * every node holds its share by weight, to the rounding of one partition;
//! * the owners of a partition are spread over zones as evenly as the zones allow, or so many are in each datacenter as are
//!   asked for there, and these spread over its zones;
//! * and, of all such tables, we take one near the table before, for every changed place is data on the move.
//!
//! # Three steps
//!
//! **How many** ([`apportion`]). There are N x Q owner places. Each goes, one after the other, to whoever is
//! least loaded for its weight after taking it: first over datacenters, then over each one's zones, then over
//! each zone's nodes. This is the method by which d'Hondt divides the seats of a parliament. No division into
//! whole places has a less loaded busiest node. And nobody of a group gets more places when a node joins it, so
//! data moves to the newcomer alone (or nearly: to it and the rest of its zone, if the zone is due more).
//!
//! **Which** ([`places`]). Start from the table before. A node with too few places takes one over from a node
//! with too many, in a partition where it owns nothing and where the spread allows it. If no such partition is
//! left, there is a chain: `b` takes from `c` in one partition, `c` from `d` in another, until one is found
//! that has too many; the shortest chain is taken. Places without an owner count as held by a node that has
//! too many of them.
//!
//! ```text
//!             before        e joins: each node is due 2 or 3 places
//!  partition  0: a b c      0: a b c
//!             1: b c d      1: b e d        e took it from c
//!             2: c d a      2: c d e        from a
//!             3: d a b      3: d a b
//! ```
//!
//! **Who is first** ([`homes`]). The home of a partition does more work than its other owners, so homes are
//! apportioned too and passed along chains in the same way, within the owners. No data moves for this.
//!
//! # Why the chains always end well
//!
//! The rules for one partition (so many from this zone, so many from that datacenter, N in all: see
//! [`spread`]) are bounds on nested groups. Give each node its number of places divided evenly over all
//! partitions, in fractions: that obeys every bound. Such a problem is a flow in a network with whole
//! capacities, and where a flow in fractions exists, a whole one does too (Ford and Fulkerson, 1956). So a
//! full table exists, and as long as ours is not full some chain leads towards it. [`places`] asserts so.
//!
//! # What this is not
//!
//! Not a function of the members alone: two histories may end in two tables, both good. That is the price of
//! moving little, and why the layout stores the owners. It is a function of the table before and the members
//! now, in whole numbers only, so every node that computes it gets the same.

mod apportion;
mod homes;
mod places;
mod spread;

use crate::copies::Copies;
use crate::member::{Member, NodeId};

/// The number of a member in the order of ids.
type Seat = u16;

/// The owners of every partition, as many each as there are to be, the home first.
///
/// `before` is the same of the layout before, of any number of replicas, or of none: its owners keep their places where
/// they can. `members` are those that may own anything now, ordered by id, at least one.
pub(super) fn assign(
    before: &[Option<NodeId>],
    partitions: u32,
    members: &[Member],
    copies: &Copies,
) -> Vec<NodeId> {
    let partitions = partitions as usize;
    let spread = spread::Spread::new(members, copies);
    let replicas = spread.replicas;
    let due = apportion::places_due(members, &spread, partitions);
    let mut table = places::Table::new(&seated(before, members), partitions, replicas);
    table.repair(&spread, &due);
    table.fill(&spread, &due);
    let mut owners = table.into_owners();
    homes::settle(&mut owners, members, replicas);
    owners.iter().map(|&seat| members[usize::from(seat)].id).collect()
}

/// The owners before by their numbers now; None if they are gone.
fn seated(before: &[Option<NodeId>], members: &[Member]) -> Vec<Option<Seat>> {
    let seat = |id: &NodeId| members.binary_search_by_key(id, |member| member.id).ok();
    let narrow = |seat| Seat::try_from(seat).expect("there are at most MEMBERS_MAX members");
    before.iter().map(|id| id.as_ref().and_then(seat).map(narrow)).collect()
}
