//! The real binary, as processes on loopback: a node, a cluster on one machine, and the commands that ask them.
//!
//! Not a storm: kills under load and stock clients are the system tests'.

// Said although all of this is a test: clippy lets tests unwrap where it sees these words.
#[cfg(test)]
mod dev;
#[cfg(test)]
mod server;
#[cfg(test)]
mod stage;
