//! The flag that says which node is asked; most commands have it.

use clap::Args;

/// Which node to ask.
#[derive(Debug, Args)]
pub(crate) struct NodeFlags {
    /// The client address of a node; any node of a cluster will do.
    #[arg(short, long, value_name = "HOST:PORT", default_value = "127.0.0.1:7001", env = "ARMILLA_SERVER")]
    pub(crate) server: String,
}
