//! What the thread that keeps the layout is asked.
//!
//! Not how it is done: that is `formation` and `run`.

use std::sync::Arc;

use node::RequestId;
use placement::{Layout, Member};
use wire::command::local::Ring;

/// Something for the thread that keeps the layout.
#[derive(Debug)]
pub(crate) enum Control {
    /// A peer has sent a newer layout.
    Newer(Arc<Layout>),
    /// A client asks something that is about the whole process; the answer goes to the shard named in the id.
    Ask(RequestId, Question),
    /// A shard's disk failed.
    Failed(String),
    /// Another process is this member, and began earlier.
    Twin,
    /// This process is no member any more.
    Removed,
    /// This process has founded a cluster where a member of another one should be.
    Usurped,
}

/// What a client may ask of the process.
#[derive(Debug)]
pub(crate) enum Question {
    /// `ARMILLA.JOIN`: a node wants to be a member.
    Join(Box<Member>),
    /// `ARMILLA.RING`: the cluster is to change, or it is to be told what that would move.
    Ring {
        /// What is to change.
        change: Ring,
        /// Whether it is only to be told.
        is_plan: bool,
        /// The epoch that it is to be made of, where only that will do.
        of: Option<u64>,
    },
}
