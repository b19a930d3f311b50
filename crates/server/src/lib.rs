//! The doors: shards, sockets and storage around the node.

pub mod config;
mod error;

pub use config::{Config, Fsync};
pub use error::StartError;
