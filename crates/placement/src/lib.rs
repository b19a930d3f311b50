//! Where a key lives: positions, partitions, the ring, the layout.
//!
//! ```text
//! key -> slot -> position -> partition -> owners: home, second, third | stand-ins
//!        CRC16   + XXH3      top bits     a table: one index          clockwise on the ring
//! ```
//!
//! It is not membership (who is alive is the node's affair) and moves no data. It reads no clock, draws no
//! random number and does no IO: every answer is a function of its arguments.
//!
//! Read [`keyspace`] first, then [`layout`] and the essay in its `assign` module. [`ring`] is a library that
//! stands on its own; the layout uses it to find stand-ins.
//!
//! Invariants:
//! 1. Two nodes that hold equal layouts give the same answer to every question here.
//! 2. All keys of one Redis Cluster slot share a partition.
//! 3. Bytes from outside never cause a panic: [`Layout::decode`] answers with an error.

pub mod copies;
pub mod keyspace;
pub mod layout;
pub mod member;
pub mod ring;
pub mod slot;
pub mod voters;

pub use copies::Copies;
pub use keyspace::{Keyspace, KeyspaceError, PartitionId, Position};
pub use layout::{Change, Layout, LayoutError, Place};
pub use member::{Duty, Member, NodeId, Zone};
pub use ring::Ring;
pub use slot::slot;
pub use voters::{Seat, Voters};
