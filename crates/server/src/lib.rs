//! The doors: shards, sockets and storage around the node.
//!
//! ```text
//!   main thread    doors, joining, the layout, HTTP              run, formation, http
//!   shard threads  clients, links, one node over one store       worker, session, peers, shard
//!   committers     batches to the disk, a sync for many          shard/committer
//! ```
//!
//! Going in: `run` starts everything; `worker` is a shard's thread; `session` begins a client's requests; `shard/turn`
//! has the node handle them; `connection` sends the answers in order. What all threads share is `host`; what they say to
//! each other is `letter`.
//!
//! What this crate does not decide: what a request does to which owners (the node), what a command means (wire), where a
//! key lives (placement).
//!
//! 1. No queue is unbounded, but for what is already paid for by a bounded one.
//! 2. A shard never waits for the disk, but for reads that are not in memory.

pub mod autoscale;
mod capacity;
mod chaos;
mod clients;
mod clock;
pub mod config;
mod connection;
mod control;
mod directory;
mod disk;
mod doors;
mod ending;
mod error;
mod formation;
mod host;
mod http;
mod letter;
mod link;
mod loss;
mod opened;
mod peers;
mod ring;
mod role;
mod run;
mod session;
mod shard;
mod stores;
mod strangers;
mod twins;
mod worker;

pub use config::{Config, Fsync};
pub use directory::is_of_member;
pub use error::StartError;
pub use role::Role;
pub use run::{Stop, run, run_until};
