//! A store that was opened, with a node over it: what one thread makes and the shard's takes over.

use std::sync::Arc;

use node::{Node, Storage};
use store::Lsm;

use crate::loss::Loss;

/// A node over its storage, which nothing was written to yet.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) engine: Arc<Lsm>,
    pub(crate) node: Node,
    pub(crate) store: Storage,
    /// To be forgotten once the node has made durable what it makes of it.
    pub(crate) loss: Option<Loss>,
}
