//! One client's session: bytes read, requests decoded and begun, the connection's own settings.
//!
//! Not the answers' way back: that is `connection`. Not the work on keys: that is the shard's and the node's. A session
//! runs on its shard's thread from `serve` to the end of its connection, and never waits for an answer: it looks after
//! whatever can go on (`advance`) and then waits for anything to happen.
//!
//! | file | what it tells |
//! |---|---|
//! | `dispatch` | a request by its class: answered here, sent to its shard, or taken apart |
//! | `walk` | requests about all keys, a few partitions at a time |
//! | `local` | what the server answers from what it knows of itself |
//!
//! 1. Requests are begun in the order in which they came. One that must wait (`parked`) stops those behind it.
//! 2. While too much of this client's is open or unsent, nothing more is read of it.

mod dispatch;
mod local;
mod walk;

use std::future::poll_fn;
use std::net::{SocketAddr, TcpStream};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use wire::json::LineDecoder;
use wire::resp::{Decoder, Protocol};
use wire::{Door, Level, Reply, door_of};

use crate::clients::Client;
use crate::connection::{Connection, Form};
use crate::shard::Shard;
pub(crate) use local::member_state;
use walk::Walk;

/// Room that is made for each read, in bytes.
const READ_BYTES: usize = 16 * 1024;

/// What the bytes of this client are, once the first one has come.
#[derive(Debug)]
enum Tongue {
    Unknown,
    Resp(Decoder),
    Json(LineDecoder),
}

/// What a client has chosen.
#[derive(Clone, Debug)]
struct Choices {
    database: u8,
    level: Level,
    protocol: Protocol,
}

/// See the head of this file.
struct Session {
    shard: Rc<Shard>,
    client: Arc<Client>,
    connection: Rc<Connection>,
    local_addr: SocketAddr,
    buffer: BytesMut,
    tongue: Tongue,
    choices: Choices,
    /// A request that waits until those before it allow it.
    parked: Option<(Vec<Bytes>, Form)>,
    /// A request about all keys, which is open in this slot; nothing is begun until it ends.
    walk: Option<(u64, Walk)>,
    /// Owners that hold the last write for certain once it is answered; none if there was no write.
    written_to: Option<usize>,
    /// Nothing more is begun: the client has said `QUIT`, or is not understood.
    closing: bool,
    /// The client sends nothing more; what it has sent is still answered.
    ended: bool,
    begun: u64,
}

/// Serves one client until it leaves.
pub(crate) async fn serve(shard: Rc<Shard>, stream: TcpStream, addr: SocketAddr) {
    let client = shard.host.clients.enter(addr, shard.host.clock.monotonic_ms());
    let id = client.id;
    if let Ok(stream) = tokio::net::TcpStream::from_std(stream)
        && let Ok(local_addr) = stream.local_addr()
    {
        let _ = stream.set_nodelay(true);
        let (reader, writer) = stream.into_split();
        let connection = Rc::new(Connection::new(writer));
        Session::new(Rc::clone(&shard), client, connection, local_addr).run(reader).await;
    }
    shard.host.clients.leave(id);
}

impl Session {
    fn new(
        shard: Rc<Shard>,
        client: Arc<Client>,
        connection: Rc<Connection>,
        local_addr: SocketAddr,
    ) -> Self {
        let choices = Choices { database: 0, level: shard.host.config.level, protocol: Protocol::Resp2 };
        Self {
            shard,
            client,
            connection,
            local_addr,
            buffer: BytesMut::new(),
            tongue: Tongue::Unknown,
            choices,
            parked: None,
            walk: None,
            written_to: None,
            closing: false,
            ended: false,
            begun: 0,
        }
    }

    async fn run(mut self, mut reader: OwnedReadHalf) {
        loop {
            self.advance();
            if self.connection.is_broken() {
                return;
            }
            if self.is_over() {
                return self.connection.finish().await;
            }
            if self.wait(&mut reader).await.is_err() {
                return;
            }
        }
    }

    fn is_over(&self) -> bool {
        let idle = self.parked.is_none() && self.walk.is_none() && self.connection.open_count() == 0;
        // With no room, requests may be left in the buffer.
        idle && (self.closing || (self.ended && self.connection.has_room()))
    }

    /// Begins everything that can be begun.
    fn advance(&mut self) {
        self.begun = 0;
        self.go_on_walking();
        if self.walk.is_none()
            && let Some((words, form)) = self.parked.take()
        {
            self.begin(words, form);
        }
        while self.may_begin() && self.decode() {}
        if self.begun > 0 {
            self.shard.count(self.begun);
            self.client.card().active_ms = self.shard.host.clock.monotonic_ms();
        }
        // With requests open the turn flushes, so that answers leave together.
        if self.connection.open_count() == 0 {
            self.connection.flush();
        } else {
            self.shard.list(&self.connection);
        }
    }

    fn may_begin(&self) -> bool {
        self.parked.is_none() && self.walk.is_none() && !self.closing && self.connection.has_room()
    }

    /// Begins the next request of the buffer; false if there is none.
    fn decode(&mut self) -> bool {
        if matches!(self.tongue, Tongue::Unknown) {
            self.tongue = match self.buffer.first().map(|byte| door_of(*byte)) {
                None => return false,
                Some(Door::Resp) => Tongue::Resp(Decoder::default()),
                Some(Door::JsonLines) => {
                    self.client.card().protocol = 0;
                    Tongue::Json(LineDecoder::default())
                }
            };
        }
        match &mut self.tongue {
            Tongue::Unknown => false,
            Tongue::Resp(decoder) => match decoder.decode(&mut self.buffer) {
                Ok(Some(words)) => {
                    self.begin(words, Form::Resp(self.choices.protocol));
                    true
                }
                Ok(None) => false,
                Err(fault) => {
                    let form = Form::Resp(self.choices.protocol);
                    self.connection.answer(form, Reply::Error(fault.into()));
                    self.closing = true;
                    false
                }
            },
            Tongue::Json(decoder) => match decoder.decode(&mut self.buffer) {
                Some(Ok(request)) => {
                    self.begin(request.argv(), Form::Json(request.key().into()));
                    true
                }
                Some(Err(refusal)) => {
                    self.connection.answer(Form::Json(refusal.key.into()), Reply::Error(refusal.fault));
                    true
                }
                None => false,
            },
        }
    }

    /// Waits until bytes have come or something else can go on. An error is the end of the connection.
    async fn wait(&mut self, reader: &mut OwnedReadHalf) -> std::io::Result<()> {
        let stalled = self.shard.is_congested(&self.connection);
        let reads = self.may_begin() && !self.ended && !stalled;
        self.connection.watch(!reads);
        let Self { connection, buffer, .. } = self;
        if reads && buffer.capacity() - buffer.len() < READ_BYTES / 4 {
            buffer.reserve(READ_BYTES);
        }
        let read = poll_fn(|context| {
            if connection.poll_rung(context).is_ready() || connection.is_broken() {
                return Poll::Ready(Ok(None));
            }
            if !reads {
                return Poll::Pending;
            }
            let reading = pin!(reader.read_buf(buffer));
            reading.poll(context).map_ok(Some)
        });
        if read.await? == Some(0) {
            self.ended = true;
        }
        Ok(())
    }
}
