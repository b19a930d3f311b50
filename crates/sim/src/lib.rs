//! The storm: a whole cluster in one thread, from one seed, and checkers that know nothing of its code.
//!
//! | file | what it is |
//! |---|---|
//! | `run` | one seed, from storm to verdict |
//! | `world` | the agenda, the nodes and what passes between them |
//! | `weather`, `storm`, `peace`, `unrest`, `turmoil`, `disks`, `trouble` | what breaks |
//! | `machine`, `limits`, `network` | what it breaks |
//! | `client`, `lending`, `asking`, `history` | what is asked, and what was told |
//! | `check`, `dots`, `lookout`, `quorum`, `supposition`, `power_cut`, `handover` | what must hold |
//! | `sometimes`, `watch` | what must have been there now and then |
//!
//! `cargo run --release -p sim -- --seeds 1000` plays seeds; `--seed N --trace` replays one and tells everything.

pub mod check;
pub mod dots;
pub mod history;
pub mod run;
pub mod sometimes;
pub mod tally;

mod asking;
mod client;
mod cut_off;
mod datacenters;
mod disks;
mod handover;
mod lending;
mod limits;
mod lookout;
mod machine;
mod network;
mod operators;
mod peace;
mod power_cut;
mod quorum;
mod reshaping;
mod rng;
mod storm;
mod supposition;
mod trace;
mod trouble;
mod turmoil;
mod unrest;
mod watch;
mod weather;
mod world;

pub use run::{Outcome, play};
pub use trace::Keeps;
