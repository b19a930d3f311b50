//! A client's connection as its shard sees it: replies in order, and the bytes that wait to be sent.
//!
//! ```text
//!   slots    [ready][waiting][ready][gathering]     one a request, in the order of the requests
//!               │
//!               └─ the front is ready: encoded into `out`, sent once a turn
//! ```
//!
//! Not what a request means (`session`), nor who works on it (`shard`). It owns the writing half of the socket; the
//! reading half is the session's.
//!
//! 1. Replies leave in the order of their requests, each in the protocol that was spoken when its request came.
//! 2. `first` is the number of the front slot; numbers are never used twice.
//! 3. `open` counts the slots that are not ready, `updates` those of them that hold a claim to update.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWrite;
use tokio::net::tcp::OwnedWriteHalf;
use wire::command::Each;
use wire::resp::Protocol;
use wire::{Reply, json, resp};

use crate::clock;

/// Requests of one connection that may be open at once; then it is not read any further.
pub(crate) const REQUESTS_IN_FLIGHT_MAX: usize = 1024;
/// Bytes of one connection's open requests; then it is not read any further. One request may exceed it.
pub(crate) const REQUEST_BYTES_IN_FLIGHT_MAX: usize = 64 * 1024 * 1024;
/// Bytes that wait for a slow reader before its connection is not read any further.
pub(crate) const OUTPUT_BYTES_MAX: usize = 1024 * 1024;
/// Room that an emptied output buffer keeps, in bytes.
const OUTPUT_BYTES_KEPT: usize = 64 * 1024;

/// How an answer is spelled.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    Resp(Protocol),
    /// A JSON line about this key.
    Json(Box<str>),
}

/// What a request does to its key, for the order among the requests of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
    /// Reads and then writes; its second half may come later than a read or write that follows it.
    Update,
}

/// A key that an open request is about, by its position.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) position: u64,
    pub(crate) access: Access,
}

/// The answers to the parts of a request.
#[derive(Debug)]
pub(crate) struct Gather {
    answers: Vec<Option<Reply>>,
    missing: usize,
    claims: Vec<Claim>,
    /// How they become one answer; without it the session takes them.
    each: Option<Each>,
}

#[derive(Debug)]
enum Content {
    Waiting(Option<Claim>),
    Gathering(Box<Gather>),
    Ready(Reply),
}

#[derive(Debug)]
struct Slot {
    form: Form,
    content: Content,
    /// What the request holds in memory while it is open.
    bytes: usize,
}

#[derive(Debug)]
struct State {
    slots: VecDeque<Slot>,
    first: u64,
    open: usize,
    open_bytes: usize,
    updates: usize,
    /// A write since [`Connection::take_unsure`] may or may not be there.
    unsure: bool,
    out: BytesMut,
    writer: OwnedWriteHalf,
    /// The socket took less than there was.
    blocked: bool,
    broken: bool,
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Connection {
    state: RefCell<State>,
    /// Whether it is in its shard's list of connections to flush.
    pub(crate) listed: Cell<bool>,
    /// Whether the session has something to do besides reading.
    rung: Cell<bool>,
    /// Whether the session waits for answers, not only for bytes.
    watched: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Gather {
    /// Room for the answers of `parts`. Without any, it stands for a round that is yet to be asked.
    pub(crate) fn new(parts: usize, claims: Vec<Claim>, each: Option<Each>) -> Self {
        Self { answers: vec![None; parts], missing: parts, claims, each }
    }

    fn has_update(&self) -> bool {
        self.claims.iter().any(|claim| claim.access == Access::Update)
    }
}

impl Connection {
    pub(crate) fn new(writer: OwnedWriteHalf) -> Self {
        let state = State {
            slots: VecDeque::new(),
            first: 0,
            open: 0,
            open_bytes: 0,
            updates: 0,
            unsure: false,
            out: BytesMut::new(),
            writer,
            blocked: false,
            broken: false,
        };
        Self {
            state: RefCell::new(state),
            listed: Cell::new(false),
            rung: Cell::new(false),
            watched: Cell::new(false),
            waker: RefCell::new(None),
        }
    }

    /// Opens a slot for a request of so many bytes with one answer; gives its number.
    pub(crate) fn open(&self, form: Form, claim: Option<Claim>, bytes: usize) -> u64 {
        let mut state = self.state.borrow_mut();
        state.updates += usize::from(claim.is_some_and(|claim| claim.access == Access::Update));
        state.push(form, Content::Waiting(claim), bytes)
    }

    /// Opens a slot for a request of so many bytes with several parts; gives its number.
    pub(crate) fn open_gather(&self, form: Form, gather: Gather, bytes: usize) -> u64 {
        let mut state = self.state.borrow_mut();
        state.updates += usize::from(gather.has_update());
        state.push(form, Content::Gathering(Box::new(gather)), bytes)
    }

    /// Answers at once, behind what is open.
    pub(crate) fn answer(&self, form: Form, reply: Reply) {
        let mut state = self.state.borrow_mut();
        if state.slots.is_empty() {
            state.first += 1;
            return write(&form, &reply, &mut state.out);
        }
        state.slots.push_back(Slot { form, content: Content::Ready(reply), bytes: 0 });
    }

    /// Asks for another round of parts in a slot whose parts are all in.
    pub(crate) fn gather_again(&self, number: u64, gather: Gather) {
        let mut state = self.state.borrow_mut();
        if let Some(slot) = state.slot(number) {
            slot.content = Content::Gathering(Box::new(gather));
        }
    }

    /// The answer to a request, or to one part of it.
    pub(crate) fn fill(&self, number: u64, part: u32, reply: Reply) {
        let mut state = self.state.borrow_mut();
        let Some(slot) = state.slot(number) else { return };
        match &mut slot.content {
            Content::Waiting(claim) => {
                let update = claim.is_some_and(|claim| claim.access == Access::Update);
                slot.content = Content::Ready(reply);
                let bytes = std::mem::take(&mut slot.bytes);
                state.closed(update, bytes);
            }
            Content::Gathering(gather) => {
                let place = gather.answers.get_mut(part as usize).filter(|place| place.is_none());
                let Some(place) = place else { return };
                *place = Some(reply);
                gather.missing -= 1;
                if gather.missing > 0 {
                    return;
                }
                let Some(each) = gather.each else { return self.ring() };
                let update = gather.has_update();
                let answers = gather.answers.drain(..).flatten().collect();
                slot.content = Content::Ready(each.fold(answers));
                let bytes = std::mem::take(&mut slot.bytes);
                state.closed(update, bytes);
            }
            Content::Ready(_) => return,
        }
        state.send_ready();
        drop(state);
        if self.watched.get() {
            self.ring();
        }
    }

    /// The answers of a slot's parts, if all are in: for the session, which answers with [`Connection::settle`] or asks
    /// again with [`Connection::gather_again`].
    pub(crate) fn gathered(&self, number: u64) -> Option<Vec<Reply>> {
        let mut state = self.state.borrow_mut();
        match &mut state.slot(number)?.content {
            Content::Gathering(gather) if gather.missing == 0 => {
                Some(gather.answers.drain(..).flatten().collect())
            }
            _ => None,
        }
    }

    /// The one answer to a request with parts.
    pub(crate) fn settle(&self, number: u64, reply: Reply) {
        let mut state = self.state.borrow_mut();
        let Some(slot) = state.slot(number) else { return };
        let update = matches!(&slot.content, Content::Gathering(gather) if gather.has_update());
        slot.content = Content::Ready(reply);
        let bytes = std::mem::take(&mut slot.bytes);
        state.closed(update, bytes);
        state.send_ready();
    }

    /// Whether a request with this claim must wait for one that is open: a read-modify-write goes alone among the reads
    /// and writes of its key. Several of them go together, for the key's home takes them in order.
    pub(crate) fn conflicts(&self, claim: Claim) -> bool {
        let state = self.state.borrow();
        let update = claim.access == Access::Update;
        if state.open == 0 || (!update && state.updates == 0) {
            return false;
        }
        let against =
            |other: &Claim| other.position == claim.position && update != (other.access == Access::Update);
        state.slots.iter().any(|slot| match &slot.content {
            Content::Waiting(Some(other)) => against(other),
            Content::Gathering(gather) => gather.claims.iter().any(against),
            _ => false,
        })
    }

    /// Whether the outcome of some write since the last call is unknown.
    pub(crate) fn take_unsure(&self) -> bool {
        std::mem::take(&mut self.state.borrow_mut().unsure)
    }

    /// Requests that are not answered yet.
    pub(crate) fn open_count(&self) -> usize {
        self.state.borrow().open
    }

    /// Whether another request may be begun.
    pub(crate) fn has_room(&self) -> bool {
        let state = self.state.borrow();
        state.open < REQUESTS_IN_FLIGHT_MAX
            && state.open_bytes < REQUEST_BYTES_IN_FLIGHT_MAX
            && state.slots.len() < 2 * REQUESTS_IN_FLIGHT_MAX
            && state.out.len() < OUTPUT_BYTES_MAX
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.state.borrow().broken
    }

    /// Sends what can be sent without waiting.
    pub(crate) fn flush(&self) {
        let mut state = self.state.borrow_mut();
        if state.blocked || state.broken {
            return;
        }
        while !state.out.is_empty() {
            let State { writer, out, .. } = &mut *state;
            match writer.try_write(out) {
                Ok(sent) => state.sent(sent),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    state.blocked = true;
                    drop(state);
                    return self.ring();
                }
                Err(_) => {
                    state.broken = true;
                    drop(state);
                    return self.ring();
                }
            }
        }
    }

    /// Whether each answer from now on wakes the session.
    pub(crate) fn watch(&self, watched: bool) {
        self.watched.set(watched);
    }

    /// Wakes the session.
    pub(crate) fn ring(&self) {
        self.rung.set(true);
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// For the session: whether it was rung since it last asked; otherwise it is woken when it is. Also goes on sending
    /// to a slow reader.
    pub(crate) fn poll_rung(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
        drop(waker);
        let had_room = self.has_room();
        self.poll_blocked(context);
        if self.rung.replace(false) || (!had_room && self.has_room()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn poll_blocked(&self, context: &mut Context<'_>) {
        let mut state = self.state.borrow_mut();
        while state.blocked && !state.broken {
            let State { writer, out, .. } = &mut *state;
            match Pin::new(writer).poll_write(context, out) {
                Poll::Pending => return,
                Poll::Ready(Ok(sent)) => state.sent(sent),
                Poll::Ready(Err(_)) => state.broken = true,
            }
            if state.out.is_empty() {
                state.blocked = false;
                self.rung.set(true);
            }
        }
    }

    /// Sends what is left to a client that is leaving, and ends the sending side.
    pub(crate) async fn finish(&self) {
        poll_fn(|context| {
            self.poll_blocked(context);
            let mut state: RefMut<'_, State> = self.state.borrow_mut();
            if state.out.is_empty() || state.broken {
                return Poll::Ready(());
            }
            state.blocked = true;
            drop(state);
            self.poll_blocked(context);
            let state = self.state.borrow();
            if state.out.is_empty() || state.broken { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl State {
    /// Notes what `WAIT` has to know of an answer.
    fn note(&mut self, reply: &Reply) {
        self.unsure |= reply.fault().is_some_and(wire::Fault::is_unknown);
    }

    fn push(&mut self, form: Form, content: Content, bytes: usize) -> u64 {
        self.open += 1;
        self.open_bytes += bytes;
        self.slots.push_back(Slot { form, content, bytes });
        self.first + self.slots.len() as u64 - 1
    }

    fn slot(&mut self, number: u64) -> Option<&mut Slot> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.slots.get_mut(index)
    }

    fn closed(&mut self, update: bool, bytes: usize) {
        self.open -= 1;
        self.open_bytes -= bytes;
        self.updates -= usize::from(update);
    }

    /// Writes the answers at the front that are ready.
    fn send_ready(&mut self) {
        while let Some(Slot { content: Content::Ready(_), .. }) = self.slots.front() {
            let Some(Slot { form, content: Content::Ready(reply), .. }) = self.slots.pop_front() else {
                return;
            };
            self.first += 1;
            self.note(&reply);
            write(&form, &reply, &mut self.out);
        }
    }

    fn sent(&mut self, bytes: usize) {
        self.out.advance(bytes);
        if self.out.is_empty() && self.out.capacity() > OUTPUT_BYTES_KEPT {
            self.out = BytesMut::new();
        } else if self.out.is_empty() {
            self.out.clear();
        }
    }
}

fn write(form: &Form, reply: &Reply, out: &mut BytesMut) {
    match form {
        Form::Resp(protocol) => resp::encode(reply, *protocol, out),
        Form::Json(key) => {
            let now_ms = u64::try_from(clock::wall().as_millis()).unwrap_or(u64::MAX);
            json::encode(key, reply, now_ms, out);
        }
    }
}
