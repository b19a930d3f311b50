//! Links between nodes: dialing out, listening to those who call, and giving up links on which nothing gets through.
//!
//! ```text
//!   this node's shard ── one connection, one way ──▶ any shard of the peer, which routes by partition
//!   the peer's shards ── one each ─────────────────▶ this node
//! ```
//!
//! Not what messages mean (the node), how they wait (`link`), nor whether somebody answers them (`node::membership`): a link
//! to a node that is stopped is up, and what is sent on it is read when that node goes on.
//!
//! 1. A peer counts as up for a shard while its link is connected.
//! 2. Nothing is answered on a connection that a peer opened: answers go over one's own.

use std::future::poll_fn;
use std::io::{Error, ErrorKind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use node::Event;
use placement::{NodeId, PartitionId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use wire::peer::frame::{self, Greeting};
use wire::peer::{Envelope, Message};

use crate::control::Control;
use crate::letter::Caller;
use crate::link::Link;
use crate::shard::Shard;

/// What the peer's system has not acknowledged for this long gets nowhere: the link is given up and dialed anew. The system
/// would go on for minutes, with longer and longer rests, and so long after a cut was mended.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(5);
/// How often something is said on a link, whatever else there is to say, so that this is noticed on an idle one.
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// Time for a connection to come about.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// A caller that says nothing for this long is asked by the system whether it is there.
const CALLER_IDLE: Duration = Duration::from_secs(30);
const BACK_OFF_MIN: Duration = Duration::from_millis(50);
const BACK_OFF_MAX: Duration = Duration::from_secs(1);
/// Time until somebody is dialed again who is not the member that was meant; that member calls when it is there.
const STRANGER_REST: Duration = Duration::from_secs(60);
/// Room that is made for each read, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// Keeps a link connected until it is closed.
pub(crate) async fn dial(shard: Rc<Shard>, link: Rc<Link>) {
    let mut back_off = BACK_OFF_MIN;
    while !link.is_closed() && !shard.is_ending() {
        match connect(&shard, &link).await {
            Ok(stream) => {
                back_off = BACK_OFF_MIN;
                let error = hold(&shard, &link, stream).await;
                if error.kind() == ErrorKind::AddrInUse {
                    link.rest(STRANGER_REST).await;
                    continue;
                }
                tracing::info!(peer = %link.peer, shard = shard.index, %error, "the link to a peer has ended");
            }
            Err(error) => tracing::debug!(peer = %link.peer, %error, "a peer cannot be reached"),
        }
        link.rest(back_off).await;
        back_off = (back_off * 2).min(BACK_OFF_MAX);
    }
}

async fn connect(shard: &Shard, link: &Link) -> Result<TcpStream, Error> {
    let layout = shard.layout();
    let Some(member) = layout.member(link.peer) else {
        link.close();
        return Err(ErrorKind::NotFound.into());
    };
    if refuses(shard, link.peer) {
        return Err(ErrorKind::ConnectionRefused.into());
    }
    let connecting = TcpStream::connect(&member.peer_addr);
    let stream = timeout(CONNECT_MAX, connecting).await.map_err(|_| Error::from(ErrorKind::TimedOut))??;
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
    Ok(stream)
}

/// Serves one connection of a link until it ends; gives why it did.
async fn hold(shard: &Rc<Shard>, link: &Link, stream: TcpStream) -> Error {
    let (mut reader, writer) = stream.into_split();
    let mut greeting = BytesMut::new();
    let (cluster, from, began) = (shard.layout().cluster(), shard.host.me, shard.host.began);
    Greeting { cluster, from, to: link.peer, began }.encode(&mut greeting);
    link.connected(writer, greeting);
    // Whatever becomes of what comes behind it, a greeting has this with it.
    link.push(&alive(shard));
    set_up(shard, link, true);
    tracing::info!(peer = %link.peer, shard = shard.index, "a peer is reached");
    let mut said = Box::new([0; 1]);
    let error = poll_fn(|context| {
        if link.is_closed() || link.take_broken() {
            return Poll::Ready(ErrorKind::ConnectionAborted.into());
        }
        if let Err(error) = link.poll_blocked(context) {
            return Poll::Ready(error);
        }
        let reading = pin!(reader.read(&mut *said));
        match reading.poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(error),
            Poll::Ready(Ok(1)) if said[0] == frame::TWIN => Poll::Ready(ErrorKind::AlreadyExists.into()),
            Poll::Ready(Ok(1)) if said[0] == frame::STRANGER => Poll::Ready(ErrorKind::AddrInUse.into()),
            Poll::Ready(Ok(1)) if said[0] == frame::FORGOTTEN => Poll::Ready(ErrorKind::NotFound.into()),
            // The other side says nothing else here, so anything that comes is its end.
            Poll::Ready(Ok(_)) => Poll::Ready(ErrorKind::UnexpectedEof.into()),
        }
    })
    .await;
    link.disconnected();
    set_up(shard, link, false);
    match error.kind() {
        ErrorKind::AlreadyExists => refused(shard, link),
        ErrorKind::AddrInUse => estranged(shard, link),
        ErrorKind::NotFound => {
            let _ = shard.host.control.try_send(Control::Removed);
        }
        _ => {}
    }
    error
}

/// Somebody else is where a member should be.
fn estranged(shard: &Shard, link: &Link) {
    if !shard.host.strangers.is_news(shard.host.clock.monotonic_ms(), link.peer) {
        return;
    }
    let layout = shard.layout();
    let (name, addr) =
        layout.member(link.peer).map_or(("", ""), |member| (&*member.name, &*member.peer_addr));
    tracing::error!(
        member = name,
        addr,
        "the node at a member's address is not that member of this cluster: where its directory was emptied, stop it, \
         empty it again and start it with --join and an address of this cluster"
    );
}

/// A peer hears another process that is the same member and began earlier.
fn refused(shard: &Shard, link: &Link) {
    let now_ms = shard.host.clock.monotonic_ms();
    if shard.host.strangers.is_news(now_ms, link.peer) {
        tracing::warn!(peer = %link.peer, "a peer hears another process that is this member");
    }
    if shard.host.twins.is_refused(now_ms) {
        // Where the queue is full the process is ending already.
        let _ = shard.host.control.try_send(Control::Twin);
    }
}

/// Says something on every link each second.
pub(crate) async fn watch(shard: Rc<Shard>) {
    loop {
        sleep(KEEP_ALIVE).await;
        if let Some(chaos) = &shard.host.chaos {
            chaos.expire(shard.host.clock.monotonic_ms());
        }
        for link in shard.links() {
            if refuses(&shard, link.peer) {
                link.break_off();
            }
            shard.say(&link, alive(&shard));
            link.flush();
            if let Some(bytes) = link.take_too_long() {
                tracing::warn!(peer = %link.peer, bytes, max = frame::FRAME_BYTES_MAX, "a message to a peer was too long");
            }
        }
    }
}

/// A message that asks for nothing and answers nothing. It carries the epoch, so two nodes whose layouts differ find out
/// within a second even if nobody asks them anything.
fn alive(shard: &Shard) -> Envelope {
    let layout = shard.layout();
    let count = layout.keyspace().partition_count();
    let partition = u16::try_from(shard.index).ok().filter(|index| u32::from(*index) < count).unwrap_or(0);
    Envelope { epoch: layout.epoch(), partition: PartitionId(partition), message: Message::Alive }
}

/// Whether this process was told to make no connections with a peer.
fn refuses(shard: &Shard, peer: NodeId) -> bool {
    shard.host.chaos.as_ref().is_some_and(|chaos| chaos.refuses(peer))
}

fn set_up(shard: &Shard, link: &Link, up: bool) {
    if link.set_up(up) {
        tracing::info!(peer = %link.peer, shard = shard.index, up, "a peer's state has changed");
        shard.push(Event::Link { peer: link.peer, up });
        shard.host.note_link(link.peer, up);
    }
}

/// Listens to a peer that has called, until it ends.
pub(crate) async fn listen(shard: Rc<Shard>, caller: Caller) {
    let Caller { stream, from, began, read: buffer } = caller;
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    // One that never says goodbye is noticed, if late, and does not stay for good.
    let keep_alive = socket2::TcpKeepalive::new().with_time(CALLER_IDLE);
    let _ = socket2::SockRef::from(&stream).set_tcp_keepalive(&keep_alive);
    if refuses(&shard, from) {
        return;
    }
    if shard.host.twins.connects(shard.host.clock.monotonic_ms(), from, began) {
        hear(&shard, stream, from, began, buffer).await;
        shard.host.twins.ends(from, began);
    } else {
        refuse_twin(&shard, stream, from).await;
    }
}

/// Tells a process that another one is the same member.
async fn refuse_twin(shard: &Shard, stream: TcpStream, from: NodeId) {
    if shard.host.strangers.is_news(shard.host.clock.monotonic_ms(), from) {
        tracing::warn!(peer = %from, "two live processes are this member: the later one is refused");
    }
    refuse(stream, frame::TWIN).await;
}

/// Tells a caller why it is not listened to, and ends its connection.
pub(crate) async fn refuse(mut stream: TcpStream, why: u8) {
    let _ = stream.write_all(&[why]).await;
    let _ = stream.shutdown().await;
    // What is closed with something unread takes back what was said.
    let mut rest = [0; 4096];
    let drained = async { while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {} };
    let _ = timeout(CONNECT_MAX, drained).await;
}

async fn hear(shard: &Shard, mut stream: TcpStream, from: NodeId, began: u64, mut buffer: BytesMut) {
    shard.called_by(from);
    loop {
        if !shard.host.twins.says(shard.host.clock.monotonic_ms(), from, began) {
            return refuse_twin(shard, stream, from).await;
        }
        loop {
            match frame::decode(&mut buffer) {
                Ok(Some(envelope)) if shard.has_forgotten(from, envelope.epoch) => {
                    return refuse(stream, frame::FORGOTTEN).await;
                }
                Ok(Some(envelope)) => shard.hear(from, envelope),
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(peer = %from, %error, "a peer says what cannot be understood");
                    return;
                }
            }
        }
        shard.host.hear(from);
        buffer.reserve(READ_BYTES);
        acknowledge_at_once(&stream);
        match stream.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) if refuses(shard, from) => return,
            Ok(_) => {}
        }
    }
}

/// Nothing travels back on these connections that an acknowledgement could ride on, so the system would delay each by 40 ms
/// and a sender with a full window would wait for it. The system forgets this wish after a while: it is said at each read.
fn acknowledge_at_once(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = stream.set_quickack(true);
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}
