//! What threads say to each other, and the box that a shard finds it in.
//!
//! Not how a shard talks to itself: what begins and ends in one thread never comes here. Senders gather what they have
//! for another shard and post it once a turn, so a lock and a wake-up are paid a turn and not a request.
//!
//! 1. Letters of one sender arrive in the order in which they were posted.
//! 2. Requests and envelopes are refused when the box is full; answers and what the process itself says never are, and
//!    there are no more answers than there were requests.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::BytesMut;
use node::{ChangeError, RequestId, Room};
use placement::layout::Basis;
use placement::{Change, Layout, NodeId, PartitionId};
use store::{Commit, StoreError};
use tokio::sync::{Notify, oneshot};
use wire::Reply;
use wire::peer::Envelope;
use wire::request::Request;

use crate::opened::Opened;

/// Letters that a box holds before it refuses requests and envelopes.
const LETTERS_MAX: usize = 100_000;

/// A connection of another node, past its greeting.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) stream: TcpStream,
    pub(crate) from: NodeId,
    /// When its process began.
    pub(crate) began: u64,
    /// What was read of it after the greeting.
    pub(crate) read: BytesMut,
}

/// A change of the layout, and whoever waits for what comes of it.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) change: Change,
    /// Of which layout it is to be made.
    pub(crate) of: Basis,
    pub(crate) told: oneshot::Sender<Result<Arc<Layout>, ChangeError>>,
}

/// What a shard is told by another thread.
#[derive(Debug)]
pub(crate) enum Letter {
    /// Another shard's client asks.
    Request { id: RequestId, partition: PartitionId, request: Request },
    /// The answer to a request of a client of this shard.
    Answer { id: RequestId, reply: Reply },
    /// A peer says something about a partition of this shard.
    Envelope { from: NodeId, envelope: Envelope },
    /// Batches up to this one are as durable as is wanted.
    Settled(Commit),
    /// The store has failed: nothing is committed any more.
    Failed(StoreError),
    /// The store that had failed is open again, with a node over it.
    Opened(Box<Opened>),
    /// A peer is to be asked before others, or after them.
    Health { peer: NodeId, is_trusted: bool },
    /// A peer has called another shard, so it is there.
    Called(NodeId),
    /// A newer layout.
    Layout(Arc<Layout>),
    /// A client has connected.
    Client(TcpStream, SocketAddr),
    /// A peer has connected.
    Caller(Caller),
    /// The layout is to be changed.
    Change(Box<Wish>),
    /// There is so much room on the disk from now on.
    Room(Room),
    /// Take nothing more in, bring everything to the disk and end.
    Stop,
}

/// Where a shard finds its letters.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    letters: Mutex<Vec<Letter>>,
    count: AtomicUsize,
    /// Rings when there is a letter, or when the shard has given itself something to do.
    pub(crate) bell: Notify,
}

impl Mailbox {
    /// Posts all of `letters`, in order.
    pub(crate) fn post_all(&self, letters: &mut Vec<Letter>) {
        let mut held = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        held.append(letters);
        self.count.store(held.len(), Ordering::Relaxed);
        drop(held);
        self.bell.notify_one();
    }

    pub(crate) fn post(&self, letter: Letter) {
        self.post_all(&mut vec![letter]);
    }

    /// Whether a request or an envelope may still be posted.
    pub(crate) fn has_room(&self) -> bool {
        self.count.load(Ordering::Relaxed) < LETTERS_MAX
    }

    /// Takes all letters, in the place of `letters`, which must be empty.
    pub(crate) fn take(&self, letters: &mut Vec<Letter>) {
        debug_assert!(letters.is_empty());
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut held = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *held, letters);
        self.count.store(0, Ordering::Relaxed);
    }
}
