//! The autoscaler: members come and go as the load rises and falls.
//!
//! ```text
//!   loads, by gossip ─▶ policy ── Out, In or nothing, and why ─▶ autoscaler ── a deed ─▶ whoever performs it
//!                                                                     ▲                        │
//!                                                                     └──── what came of it ◀──┘
//!
//!   Out    Start(name)   the provisioner starts a node ─▶ it is a member ─▶ it has its share
//!   In     Drain(name)   the layout has a member leave ─▶ it is forgotten ─▶ Retire(name): the provisioner cleans up
//! ```
//!
//! Two run it: a server, as far as it is the steward (`capacity`), with commands of the user's; and `armilla dev`, with child
//! processes. Both decide by the same `policy`, pass through the same stages (`autoscaler`) and tell the same history.
//!
//! What is remembered from one steward to the next are names alone: the nodes that it has had started are called by one
//! stem and a number (`auto1`, `auto2`), and nobody else is ever drained. One on its way out that a steward finds, it goes on with.
//!
//! Not how a member comes or leaves: that is the layout's. No clock, socket or thread but in `commands`.
//!
//! 1. There is one change at a time, whoever has asked for it: nothing is decided while the ring moves.
//! 2. Nobody is drained but by the layout, so nothing is lost by a decision that was wrong, or made twice.

mod autoscaler;
mod commands;
mod history;
mod marks;
mod policy;
mod scaling;

pub use autoscaler::{Autoscaler, Deed};
pub(crate) use commands::Commands;
pub use marks::{Band, Metric};
pub use policy::{Policy, Sample, Seen};
pub use scaling::{Mode, Scaling};

/// Whoever has nodes run. Both deeds may be asked for twice, and are done when they end.
pub trait Provisioner {
    /// Starts a node of this name, which joins by itself. Gives what there is to tell of it.
    ///
    /// # Errors
    /// Why it did not start.
    fn start(&mut self, node: &str) -> Result<String, String>;

    /// A node has left: what it ran on can go. Gives what there is to tell of it.
    ///
    /// # Errors
    /// What may be left of it.
    fn retire(&mut self, node: &str) -> Result<String, String>;
}
