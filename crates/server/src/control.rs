//! What the thread that keeps the layout is asked.
//!
//! Not how it is done: that is `formation` and `run`.

use std::sync::Arc;

use bytes::Bytes;
use node::RequestId;
use placement::{Layout, Member};

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
    /// This process has founded a cluster where a member of another one should be.
    Usurped,
}

/// What a client may ask of the process.
#[derive(Debug)]
pub(crate) enum Question {
    /// `ARMILLA.JOIN`: a node wants to be a member.
    Join(Box<Member>),
    /// `ARMILLA.HOLD`: take no writes for so many milliseconds, for the steward that names this token; 0 releases.
    Hold {
        /// The steward's token.
        token: u64,
        /// For how long, in milliseconds.
        for_ms: u64,
    },
    /// `ARMILLA.ADOPT`: go by this layout.
    Adopt(Bytes),
}
