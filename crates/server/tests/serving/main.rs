//! Servers in this process, over real sockets and directories: what a client of one or of three nodes sees.
//!
//! Not faults: killed processes, cut links and full disks are the system tests' affair.

#![expect(clippy::unwrap_used, reason = "a step that fails ends its test")]

mod cluster;
mod deleted;
mod doors;
mod gateway;
mod keys;
mod limits;
mod order;
mod restart;
mod running;
mod starts;
