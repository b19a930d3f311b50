//! How nodes become one cluster while it holds no data.
//!
//! ```text
//!   newcomer ── ARMILLA.JOIN ──▶ any member, who acts as steward
//!                                  │ ARMILLA.HOLD token ms ──▶ every member: no writes; are you empty?
//!                                  │ ARMILLA.ADOPT layout ───▶ every member, once all are held and empty
//!   newcomer ◀──────── layout ─────┘
//! ```
//!
//! Not a consensus: one steward at a time by the token that every member knows, and a hold ends by itself. What a steward
//! leaves half done (some members with the new layout, some without) mends itself, for the newer layout spreads with the
//! messages between members. Moving data on a join comes with the changes of the ring.
//!
//! 1. A layout with another member is adopted only where every member was held and empty.
//! 2. A member is held by one token at a time.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use node::Trust;
use placement::{Layout, Member, NodeId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, oneshot};
use tokio::time::{sleep, timeout};
use wire::resp::{ReplyDecoder, encode_request};
use wire::{Fault, Reply};

use crate::config::is_unspecified;
use crate::directory::Directory;
use crate::error::StartError;
use crate::host::Host;
use crate::letter::Letter;

/// How long a steward holds writes back at most, in milliseconds: three rounds of asking everybody.
const HOLD_MS: u64 = 10_000;
/// How long a member may take for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// How long a newcomer waits for the steward, who may have to wait for another.
const JOIN_MAX: Duration = Duration::from_secs(30);
/// How often a steward tries when another one is at work.
const TRIES_MAX: u32 = 20;
/// A member that was not heard for this long does not live, in milliseconds.
const SILENT_MS_MAX: u64 = 3_000;
const BACK_OFF_MS_MAX: u64 = 500;

const HOLDS_DATA: &str = "ERR this cluster holds data already: moving data on a join comes in a later release; \
                          start the node before the first write";
const NO_NODE: &str = "that is not a node of Armilla";
const NOWHERE: &str = "which leads nobody there: start it again with --announce HOST:PORT";
const TWIN: &str =
    "and a second process cannot be it too: stop that one, or give this one an --id of its own";
const HELD: &str = "TRYAGAIN another node is joining: try again in a moment";

/// The layout of this process, and who may change it.
#[derive(Debug)]
pub(crate) struct Register {
    host: Arc<Host>,
    directory: Directory,
    /// The token that holds this member, and until when by the monotonic clock in milliseconds.
    held: Mutex<Option<(u64, u64)>>,
    /// Held by the one steward of this process.
    steward: Mutex<()>,
    adopting: Mutex<()>,
}

impl Register {
    pub(crate) fn new(host: Arc<Host>, directory: Directory) -> Self {
        Self {
            host,
            directory,
            held: Mutex::default(),
            steward: Mutex::default(),
            adopting: Mutex::default(),
        }
    }

    /// Goes by a layout if it is newer: keeps it, then tells every shard.
    ///
    /// # Errors
    /// Where it cannot be kept, or is of another cluster.
    pub(crate) async fn adopt(&self, layout: Arc<Layout>) -> Result<(), String> {
        let _one_at_a_time = self.adopting.lock().await;
        let current = self.host.layout();
        if layout.cluster() != current.cluster() {
            return Err("ERR that layout is of another cluster".to_owned());
        }
        if layout.epoch() <= current.epoch() {
            return Ok(());
        }
        self.directory.keep(&layout).map_err(|error| format!("ERR {error}"))?;
        tracing::info!(epoch = layout.epoch(), members = layout.members().len(), "a newer layout");
        self.host.set_layout(Arc::clone(&layout));
        for mailbox in &self.host.mailboxes {
            mailbox.post(Letter::Layout(Arc::clone(&layout)));
        }
        *self.held.lock().await = None;
        Ok(())
    }

    /// Why this process ends whose place in another cluster is known now. The next start will know it too.
    pub(crate) fn usurped(&self) -> StartError {
        let config = &self.host.config;
        let noted = self.directory.note_usurped();
        noted.err().unwrap_or_else(|| StartError::Usurped { id: config.id.clone(), dir: config.dir.clone() })
    }

    /// `ARMILLA.ADOPT`
    pub(crate) async fn adopt_bytes(&self, bytes: &[u8]) -> Result<Reply, String> {
        let layout = Layout::decode(bytes).map_err(|error| format!("ERR {error}"))?;
        self.adopt(Arc::new(layout)).await?;
        Ok(Reply::ok())
    }

    /// `ARMILLA.HOLD`: holds writes back if nothing is stored here and nobody else holds them.
    pub(crate) async fn hold(&self, token: u64, for_ms: u64) -> Result<Reply, String> {
        let now = self.host.clock.monotonic_ms();
        let mut held = self.held.lock().await;
        if held.is_some_and(|(other, until)| other != token && until > now) {
            return Err(HELD.to_owned());
        }
        if for_ms == 0 {
            *held = None;
            self.release();
            return Ok(Reply::ok());
        }
        *held = Some((token, now + for_ms));
        let mut empty = true;
        for mailbox in &self.host.mailboxes {
            let (told, answer) = oneshot::channel();
            mailbox.post(Letter::Hold { until_ms: now + for_ms, empty: told });
            empty &= answer.await.unwrap_or(false);
        }
        if !empty {
            *held = None;
            self.release();
            return Err(HOLDS_DATA.to_owned());
        }
        Ok(Reply::ok())
    }

    fn release(&self) {
        self.host.mailboxes.iter().for_each(|mailbox| mailbox.post(Letter::Release));
    }

    /// `ARMILLA.JOIN`: makes `member` one, as steward; the answer is the layout that it goes by from now on.
    pub(crate) async fn join(&self, member: Member) -> Result<Reply, String> {
        if self.host.layout().member(member.id).is_some() {
            self.await_silence(&member).await?;
        }
        let _one_at_a_time = self.steward.lock().await;
        for _ in 0..TRIES_MAX {
            match self.try_join(&member).await {
                Err(reason) if reason.starts_with("TRYAGAIN") => {
                    sleep(Duration::from_millis(getrandom::u64().unwrap_or(0) % BACK_OFF_MS_MAX)).await;
                }
                done => return done,
            }
        }
        Err(HELD.to_owned())
    }

    async fn try_join(&self, member: &Member) -> Result<Reply, String> {
        let layout = self.host.layout();
        let next = layout.with_member(member.clone()).map_err(|error| format!("ERR {error}"))?;
        if let Some(nowhere) = next.members().iter().find(|member| is_unspecified(&member.client_addr)) {
            let (name, addr) = (&nowhere.name, &nowhere.client_addr);
            return Err(format!("ERR the member {name} is at {addr}, {NOWHERE}"));
        }
        let token = getrandom::u64().map_err(|error| format!("ERR {error}"))?;
        // A member that comes back with an empty directory is not asked: it has nothing and does not serve yet.
        let asked: Vec<Member> =
            layout.members().iter().filter(|other| other.id != member.id).cloned().collect();
        let mut outcome = Ok(());
        for other in &asked {
            outcome = self.hold_at(other, token, HOLD_MS).await;
            if outcome.is_err() {
                break;
            }
        }
        if outcome.is_ok() && next.epoch() > layout.epoch() {
            outcome = self.adopt_everywhere(&asked, &next).await;
        }
        for other in &asked {
            // A member that cannot be told is released by the end of its hold.
            let _ = self.hold_at(other, token, 0).await;
        }
        match outcome {
            // A member whose directory is empty now, where others hold data or may: what it held, they may hold.
            Err(reason) if next.epoch() == layout.epoch() && !reason.starts_with("TRYAGAIN") => {
                Ok(Reply::Array(vec![Reply::bulk(next.encode()), Reply::Integer(1)]))
            }
            outcome => outcome.map(|()| Reply::bulk(next.encode())),
        }
    }

    /// Waits until a member has not been heard for so long that no process can be it.
    ///
    /// # Errors
    /// Where it is heard all the same.
    async fn await_silence(&self, member: &Member) -> Result<(), String> {
        let is_heard = || {
            let heard = self.host.heard(member.id);
            heard.is_some_and(|at| self.host.clock.monotonic_ms() < at + SILENT_MS_MAX)
        };
        let until = self.host.clock.monotonic_ms() + SILENT_MS_MAX + BACK_OFF_MS_MAX;
        while is_heard() {
            let layout = self.host.layout();
            let member = layout.member(member.id).unwrap_or(member);
            if self.host.clock.monotonic_ms() > until {
                let (name, addr) = (&member.name, &member.client_addr);
                return Err(format!("ERR the member {name} is alive at {addr}, {TWIN}"));
            }
            sleep(Duration::from_millis(BACK_OFF_MS_MAX)).await;
        }
        Ok(())
    }

    async fn hold_at(&self, member: &Member, token: u64, for_ms: u64) -> Result<(), String> {
        if member.id == self.host.me {
            return self.hold(token, for_ms).await.map(|_| ());
        }
        let words = [b"ARMILLA.HOLD".as_slice(), &digits(token), &digits(for_ms)].map(Bytes::copy_from_slice);
        ask_member(member, &words).await
    }

    async fn adopt_everywhere(&self, members: &[Member], next: &Layout) -> Result<(), String> {
        let bytes = Bytes::from(next.encode());
        self.adopt(Arc::new(next.clone())).await?;
        for member in members.iter().filter(|member| member.id != self.host.me) {
            if let Err(reason) =
                ask_member(member, &[Bytes::from_static(b"ARMILLA.ADOPT"), bytes.clone()]).await
            {
                tracing::warn!(member = member.name, reason, "a member will learn the new layout later");
            }
        }
        Ok(())
    }
}

fn digits(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

async fn ask_member(member: &Member, words: &[Bytes]) -> Result<(), String> {
    match ask(&member.client_addr, words, ANSWER_MAX).await {
        Ok(_) => Ok(()),
        Err(reason) if reason.starts_with(|letter: char| letter.is_ascii_uppercase()) => Err(reason),
        Err(reason) => Err(format!("ERR the member {} does not answer: {reason}", member.name)),
    }
}

/// Asks the member at `addr` to take `me` in; gives the layout that has it, and whether it was a member that held data.
///
/// # Errors
/// The steward's words, or why there was none.
pub(crate) async fn join(addr: &str, me: &Member) -> Result<(Layout, Trust), String> {
    let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let words = [
        Bytes::from_static(b"ARMILLA.JOIN"),
        text(&me.name),
        text(&me.client_addr),
        text(&me.peer_addr),
        text(&me.weight.to_string()),
        text(&me.zone.to_string()),
    ];
    let reply = ask(addr, &words, JOIN_MAX).await.map_err(|reason| plain(&reason))?;
    let (bytes, trust) = match reply {
        Reply::Bulk(bytes) => (bytes, Trust::Whole),
        Reply::Array(both) => match both.into_iter().next() {
            Some(Reply::Bulk(bytes)) => (bytes, Trust::Lost),
            _ => return Err(NO_NODE.to_owned()),
        },
        _ => return Err(NO_NODE.to_owned()),
    };
    let layout = Layout::decode(&bytes).map_err(|error| error.to_string())?;
    let is_member = |id: NodeId| layout.member(id).is_some();
    if is_member(me.id) { Ok((layout, trust)) } else { Err("its layout does not have this node".to_owned()) }
}

/// Whether the cluster of the member at `addr` has `me` for a member.
///
/// # Errors
/// Why nobody said so.
pub(crate) async fn knows(addr: &str, me: &Member) -> Result<bool, String> {
    let words = [b"CLUSTER".as_slice(), b"NODES"].map(Bytes::from_static);
    match ask(addr, &words, ANSWER_MAX).await.map_err(|reason| plain(&reason))? {
        Reply::Bulk(lines) => {
            // A member's line begins with its id.
            let id = me.id.to_string().into_bytes();
            Ok(lines.split(|byte| *byte == b'\n').any(|line| line.starts_with(&id)))
        }
        _ => Err(NO_NODE.to_owned()),
    }
}

fn plain(reason: &str) -> String {
    reason.strip_prefix("ERR ").unwrap_or(reason).to_owned()
}

/// One request to the client port at `addr`, and its answer.
async fn ask(addr: &str, words: &[Bytes], answer_max: Duration) -> Result<Reply, String> {
    let asking = async {
        let mut stream = TcpStream::connect(addr).await?;
        let mut bytes = BytesMut::new();
        encode_request(words, &mut bytes);
        stream.write_all(&bytes).await?;
        bytes.clear();
        let mut decoder = ReplyDecoder::default();
        loop {
            if let Some(reply) = decoder.decode(&mut bytes).map_err(std::io::Error::other)? {
                return Ok(reply);
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    };
    match timeout(answer_max, asking).await {
        Ok(Ok(Reply::Error(fault))) => Err(worded(&fault)),
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err::<_, std::io::Error>(error)) => Err(error.to_string().to_lowercase()),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

fn worded(fault: &Fault) -> String {
    fault.to_string()
}
