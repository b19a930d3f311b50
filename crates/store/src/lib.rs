//! How it survives: rows on disk, and the rows that are on their way there.
//!
//! ```text
//!   a shard's thread                       the committer's thread (the server's)
//!   ----------------                       -------------------------------------
//!   Store::get / put / delete
//!   Store::seal  --- (Commit, Arc<Batch>) ---> commit_group: one batch, one sync
//!   Store::settled  <----- Commit ----------   Engine (Lsm, or Memory in the simulator)
//! ```
//!
//! [`Store`] is what a shard owns: it gathers a batch, keeps rows readable while they are not settled and caches
//! hot ones. [`Engine`] is the narrow edge to the disk, with two sides that pass one conformance suite: [`Lsm`]
//! and [`Memory`], which can crash. The crate knows no partition, no causal map and no thread: a row is bytes, and
//! who runs [`commit_group`], and when, is the server's affair.
//!
//! 1. A batch becomes visible and durable as a whole or not at all.
//! 2. Whatever was committed before a `sync` returned is there after any crash; after a crash an engine holds a
//!    prefix of its commits, never a selection.
//! 3. A failed read is an error, never "not found". A store that has lost what was synced says so when it is opened,
//!    or does not open; `tests/flips.rs` flips bits in every kind of file.
//! 4. After a failed commit or sync nothing more is accepted until the engine is opened again.

mod batch;
mod engine;
mod error;
#[cfg(feature = "lsm")]
pub mod lsm;
mod memory;
mod salvage;
mod store;

pub use batch::{Batch, Commit};
pub use engine::{Engine, commit_group};
pub use error::StoreError;
#[cfg(feature = "lsm")]
pub use lsm::{Lsm, LsmOptions};
pub use memory::{Fault, Memory};
pub use salvage::{Gap, Salvaged, salvage};
pub use store::{Store, StoreFigures, StoreOptions};
