//! What the bytes say: requests, answers and errors, and how each protocol spells them.
//!
//! Not who listens: no socket, clock or thread is known here. Bytes come in as buffers and go out as buffers, and a time is
//! a number that is passed in. `resp` and `json` are the two client protocols of one port, told apart by [`door_of`];
//! `reply` and `fault` are what both of them say.
//!
//! 1. No byte off the wire can cause a panic, unbounded memory or unbounded recursion.
//! 2. Every limit is a named constant with its unit.
//! 3. A decoder gives the same result however its input is cut into pieces.

pub mod command;
pub mod door;
pub mod fault;
pub mod json;
mod level;
pub mod peer;
pub mod reply;
pub mod request;
pub mod resp;

pub use door::{Door, door_of};
pub use fault::Fault;
pub use level::Level;
pub use reply::Reply;
