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
//! | `replica` | one partition: the causal map on storage |
//! | `rows` | how it lies there |
//! | `membership` | how the other members are |
//! | `steering` | what that means for requests |
//!
//! What this crate does not know: bytes on a wire, connections, files, how long an fsync takes.

mod dispatch;
mod evaluate;
mod event;
mod explain;
mod forward;
mod heard;
mod list;
mod membership;
mod meta;
mod meta_names;
mod pending;
mod queue;
mod queues;
mod read;
mod recent;
mod repair;
mod replica;
mod report;
mod request;
mod row_names;
mod rows;
mod serve;
mod siblings;
mod state;
mod steering;
mod stored;
mod tally;
mod task;
mod work;
mod write;

pub use event::{Action, Event, Now, Outbox, RequestId};
pub use membership::{Sighting, Speaker};
pub use rows::{RowError, Storage};
pub use state::{Identity, Node, Options};
pub use tally::{Standing, Tally};
