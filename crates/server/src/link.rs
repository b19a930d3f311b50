//! The way to one peer: what is to be sent, and how the sending stands.
//!
//! Not the task that dials (`peers`): this is the buffer between the shard's turn, which fills and flushes it, and that
//! task, which connects, greets and notices the end.
//!
//! 1. Messages are sent in the order in which they were pushed, whole.
//! 2. At most [`LINK_BYTES_MAX`] wait, and a message more: what comes on top is dropped and counted. Whoever waits for an
//!    answer asks again.
//! 3. Nothing waits while there is no connection: what was pushed then would come late and out of order.
//! 4. A message that the peer would give the link up for is dropped here, and the link stays.

use std::cell::{Cell, RefCell};
use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use placement::NodeId;
use tokio::io::AsyncWrite;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio::time::timeout;
use wire::peer::{Envelope, frame};

use crate::host::LinkFigures;

/// Bytes that may wait for a peer that reads slowly.
pub(crate) const LINK_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Room that an emptied buffer keeps, in bytes.
const LINK_BYTES_KEPT: usize = 256 * 1024;

/// A shard's way to one peer.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) peer: NodeId,
    out: RefCell<BytesMut>,
    writer: RefCell<Option<OwnedWriteHalf>>,
    blocked: Cell<bool>,
    /// Whether the node was told that the peer can be reached.
    up: Cell<bool>,
    dropped: Cell<u64>,
    /// Bytes of the last message that was too long for a frame, until somebody has told of it.
    too_long: Cell<Option<usize>>,
    waker: RefCell<Option<Waker>>,
    /// Ends a rest between two attempts to connect.
    call: Notify,
    /// Its connection is to be broken.
    broken: Cell<bool>,
    /// The peer is no member any more, or the shard ends.
    closed: Cell<bool>,
}

impl Link {
    pub(crate) fn new(peer: NodeId) -> Self {
        Self {
            peer,
            out: RefCell::default(),
            writer: RefCell::default(),
            blocked: Cell::new(false),
            up: Cell::new(false),
            dropped: Cell::new(0),
            too_long: Cell::new(None),
            waker: RefCell::default(),
            call: Notify::new(),
            broken: Cell::new(false),
            closed: Cell::new(false),
        }
    }

    /// Has a message sent with the next flush.
    pub(crate) fn push(&self, envelope: &Envelope) {
        let mut out = self.out.borrow_mut();
        if self.writer.borrow().is_none() || out.len() > LINK_BYTES_MAX {
            return self.dropped.set(self.dropped.get() + 1);
        }
        if let Err(error) = frame::encode(envelope, &mut out) {
            self.dropped.set(self.dropped.get() + 1);
            self.too_long.set(Some(error.bytes));
        }
    }

    /// How long the last message was that was too long for a frame, in bytes; nothing if there was none since the last
    /// time this was asked. Such a message is made again with each retry, so who logs it should ask now and then.
    pub(crate) fn take_too_long(&self) -> Option<usize> {
        self.too_long.take()
    }

    /// Sends what can be sent without waiting. A failure is found by the task.
    pub(crate) fn flush(&self) {
        if self.blocked.get() || self.out.borrow().is_empty() {
            return;
        }
        let writer = self.writer.borrow();
        let Some(writer) = &*writer else { return };
        let mut out = self.out.borrow_mut();
        while !out.is_empty() {
            match writer.try_write(&out) {
                Ok(sent) => advance(&mut out, sent),
                Err(_) => {
                    self.blocked.set(true);
                    if let Some(waker) = &*self.waker.borrow() {
                        waker.wake_by_ref();
                    }
                    return;
                }
            }
        }
    }

    /// For the task: goes on sending when the socket takes more.
    ///
    /// # Errors
    /// The connection's end.
    pub(crate) fn poll_blocked(&self, context: &mut Context<'_>) -> Result<(), Error> {
        *self.waker.borrow_mut() = Some(context.waker().clone());
        let mut writer = self.writer.borrow_mut();
        let Some(writer) = &mut *writer else { return Err(ErrorKind::NotConnected.into()) };
        let mut out = self.out.borrow_mut();
        while self.blocked.get() {
            match Pin::new(&mut *writer).poll_write(context, &out) {
                Poll::Pending => break,
                Poll::Ready(sent) => advance(&mut out, sent?),
            }
            self.blocked.set(!out.is_empty());
        }
        Ok(())
    }

    /// There is a connection now; `greeting` is the first that is said on it.
    pub(crate) fn connected(&self, writer: OwnedWriteHalf, greeting: BytesMut) {
        *self.out.borrow_mut() = greeting;
        self.blocked.set(false);
        *self.writer.borrow_mut() = Some(writer);
        self.flush();
    }

    /// There is none any more.
    pub(crate) fn disconnected(&self) {
        *self.writer.borrow_mut() = None;
        *self.out.borrow_mut() = BytesMut::new();
        self.blocked.set(false);
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.writer.borrow().is_some()
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up.get()
    }

    /// Notes whether the peer can be reached; tells whether that is new.
    pub(crate) fn set_up(&self, up: bool) -> bool {
        self.up.replace(up) != up
    }

    /// Waits between two attempts to connect, unless there is reason to believe that the next one succeeds.
    pub(crate) async fn rest(&self, at_most: Duration) {
        let _ = timeout(at_most, self.call.notified()).await;
    }

    /// Ends the rest, where there is no connection.
    pub(crate) fn dial_now(&self) {
        if !self.is_connected() {
            self.call.notify_one();
        }
    }

    /// Has its connection broken; another is made.
    pub(crate) fn break_off(&self) {
        self.broken.set(self.is_connected());
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Whether its connection is to be broken; asked once.
    pub(crate) fn take_broken(&self) -> bool {
        self.broken.take()
    }

    pub(crate) fn close(&self) {
        self.closed.set(true);
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    pub(crate) fn figures(&self) -> LinkFigures {
        LinkFigures {
            peer: self.peer,
            is_up: self.is_up(),
            waiting_bytes: self.out.borrow().len(),
            dropped: self.dropped.get(),
        }
    }
}

fn advance(out: &mut BytesMut, sent: usize) {
    out.advance(sent);
    if out.is_empty() && out.capacity() > LINK_BYTES_KEPT {
        *out = BytesMut::new();
    } else if out.is_empty() {
        out.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::Link;
    use bytes::{Bytes, BytesMut};
    use causal::limits::VALUE_BYTES_MAX;
    use placement::{NodeId, PartitionId};
    use tokio::net::{TcpListener, TcpStream};
    use wire::Reply;
    use wire::peer::{Envelope, Message, Ticket};

    #[tokio::test]
    async fn a_message_too_long_for_the_peer_leaves_the_link_as_it_was() {
        let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (reader, writer) = TcpStream::connect(door.local_addr().unwrap()).await.unwrap().into_split();
        let link = Link::new(NodeId(1));
        link.connected(writer, BytesMut::new());
        let say = |message| link.push(&Envelope { epoch: 1, partition: PartitionId(0), message });
        let value = Reply::bulk(Bytes::from(vec![b'v'; VALUE_BYTES_MAX]));
        let reply = Reply::Array(vec![value.clone(), value.clone(), value]);
        say(Message::Answer { ticket: Ticket(1), reply });
        assert_eq!((link.figures().waiting_bytes, link.figures().dropped), (0, 1));
        assert!(link.take_too_long().is_some_and(|bytes| bytes > 3 * VALUE_BYTES_MAX));
        assert_eq!(link.take_too_long(), None, "it is told once");
        say(Message::Alive);
        assert!(link.figures().waiting_bytes > 0 && link.is_connected());
        drop(reader);
    }
}
