//! What one node does, as a deterministic state machine.
//!
//! ```text
//!   events ─▶ Node::handle(now, event, &mut storage, &mut outbox) ─▶ actions, each with the commit it waits for
//! ```
//!
//! A node owns no socket, thread, clock or random source: they are passed in, so the same code serves clients and
//! runs a whole cluster in one thread from one seed. The struct [`Node`] owns everything and holds no logic; each
//! concern is a file that borrows what it needs:
//!
//! | file | what it tells |
//! |---|---|
//! | `dispatch` | which file each event goes to |
//! | `request` | a request comes in: place it, pass it on at most once |
//! | `write` | a write from its change to its answer |
//! | `read` | a read, and the first half of a read-modify-write |
//! | `queue` | one read-modify-write at a time for each key |
//! | `forward` | a request passed on, and its answer back |
//! | `serve` | what an owner does for a coordinator |
//! | `scope` | who counts at a level, and how many of them must; `nearby`: who is in the same datacenter |
//! | `preference` | whom a request is carried out with, and who stands in for owners that are down |
//! | `handoff` | what is kept for them, and how they get it |
//! | `shown` | whether a write was shown to a reader before it had its place |
//! | `room` | what is still taken while the disk fills |
//! | `abandon` | what is told when the disk has failed |
//! | `replica` | one partition: the causal map on storage |
//! | `rows` | how it lies there |
//! | `compare` | when owners are compared, so that they come to hold the same |
//! | `scrub` | everything stored is read now and then |
//! | `opening` | a node from what its storage holds |
//! | `learning` | a replica that has lost something; `lessons`: when it has learned enough |
//! | `taker`, `source` | how one takes from another what it lacks, by the tree of `leaves` |
//! | `membership` | how the other members are |
//! | `epochs` | what is said by an older layout, and by a newer one |
//! | `moving` | a newer layout, and what becomes of partitions that move |
//! | `register` | how the layout is changed, by the voters of `caspaxos`; `steward`: what is changed in it next |
//! | `steering` | what that means for requests |
//! | `absence` | who stays down, and is replaced without a person |
//!
//! What this crate does not know: bytes on a wire, connections, files, how long an fsync takes.

pub mod caspaxos;

mod abandon;
mod absence;
mod away;
mod compare;
mod debts;
mod dispatch;
mod epochs;
mod evaluate;
mod event;
mod explain;
mod forward;
mod handoff;
mod heard;
mod heirs;
mod hints;
mod leaf;
mod learning;
mod leaves;
mod lessons;
mod list;
mod membership;
mod meta;
mod meta_names;
mod moving;
mod nearby;
mod opening;
mod pending;
mod preference;
mod queue;
mod queues;
mod quota;
mod read;
mod recent;
mod register;
mod repair;
mod replica;
mod report;
mod request;
mod room;
mod row_names;
mod rows;
mod scope;
mod scrub;
mod serve;
mod shown;
mod siblings;
mod snapshot;
mod source;
mod standing;
mod state;
mod steering;
mod step_names;
mod steward;
mod stored;
mod sync;
mod taker;
mod tally;
mod task;
mod throttle;
mod tidings;
mod unheard;
mod voting;
mod work;
mod write;

pub use away::{Absence, Hindrance};
pub use debts::HandoffFigures;
pub use event::{Action, ChangeError, Event, Now, Outbox, RequestId};
pub use heirs::Heirs;
pub use membership::{Sighting, Speaker};
pub use room::Room;
pub use rows::{RowError, Storage};
pub use state::{Identity, Node, Options, Trust};
pub use sync::{Lag, SyncFigures};
pub use tally::{Standing, Tally};
