//! What a value is: dots, contexts, stamps, deltas, the causal map, and the types that are views over its cells.
//!
//! Pure: no storage, socket, clock or random source. Read [`map`] first; it is the heart, and everything else
//! here is a word that it uses.
//!
//! What this crate does not know: where a key lives (`placement`), how rows are stored (`store`), who asks.

pub mod codec;
pub mod context;
pub mod limits;
pub mod map;
pub mod string;

mod cell;
mod delta;
mod dot;
mod early;
mod entry;
mod stamp;
mod value;

pub use cell::{Cell, Key, Kind};
pub use context::Context;
pub use delta::{Delta, Edit, Scope, Sweep};
pub use dot::{Actor, Dot};
pub use early::Early;
pub use entry::{Entries, Entry, Payload};
pub use stamp::{Clock, Stamp};
pub use value::{Amount, Change, Value};
