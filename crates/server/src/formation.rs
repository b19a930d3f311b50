//! How nodes become members, and how the layout of a process changes.
//!
//! ```text
//!   newcomer ── ARMILLA.JOIN ──▶ any member ── Change::Join ──▶ the register (`node::register`)
//!   newcomer ◀───── layout ─────┘
//! ```
//!
//! From then on it is a member that owns nothing, and the steward gives it its share (`node::steward`).
//!
//! Not who agrees to a layout: that is the node's. Here it is kept, and every shard is told.
//!
//! 1. A layout is on the disk before any shard goes by it.
//! 2. A process that is no member any more ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use node::{ChangeError, Trust};
use placement::layout::Basis;
use placement::{Change, Duty, Layout, LayoutError, Member, NodeId, PartitionId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, oneshot};
use tokio::time::{sleep, timeout};
use wire::resp::{ReplyDecoder, encode_request};
use wire::{Fault, Reply};

use crate::config::is_unspecified;
use crate::control::Control;
use crate::directory::Directory;
use crate::error::StartError;
use crate::host::Host;
use crate::letter::{Letter, Wish};

/// How long a member may take for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// How long a newcomer waits for the member that it asks, who may have to wait for another.
const JOIN_MAX: Duration = Duration::from_secs(30);
/// A member that was not heard for this long does not live, in milliseconds.
const SILENT_MS_MAX: u64 = 3_000;
/// How often somebody looks whether it is still heard, in milliseconds.
const LOOK_MS: u64 = 500;

const NO_NODE: &str = "that is not a node of Armilla";
const NOWHERE: &str = "which leads nobody there: start it again with --announce HOST:PORT";
const TWIN: &str =
    "and a second process cannot be it too: stop that one, or give this one an --id of its own";

/// Whether one that is no member any more was to leave, for all that is known: it was on its way, or held nothing.
fn may_just_go(duty: Duty) -> bool {
    matches!(duty, Duty::Leave | Duty::Route)
}

/// The layout of this process, and who may change it.
#[derive(Debug)]
pub(crate) struct Register {
    pub(crate) host: Arc<Host>,
    directory: Directory,
    adopting: Mutex<()>,
    /// Whether this process is no member any more because it was to leave.
    has_left: AtomicBool,
}

impl Register {
    pub(crate) fn new(host: Arc<Host>, directory: Directory) -> Self {
        Self { host, directory, adopting: Mutex::default(), has_left: AtomicBool::new(false) }
    }

    /// Goes by a layout if it is newer: keeps it, then tells every shard.
    ///
    /// # Errors
    /// Where it cannot be kept, or is of another cluster.
    pub(crate) async fn adopt(&self, layout: Arc<Layout>) -> Result<(), String> {
        let _one_at_a_time = self.adopting.lock().await;
        let current = self.host.layout();
        if !layout.is_kin(&current) {
            return Err("ERR that layout is of another cluster".to_owned());
        }
        if layout.epoch() <= current.epoch() {
            return Ok(());
        }
        self.directory.keep(&layout).map_err(|error| format!("ERR {error}"))?;
        let (epoch, moving) = (layout.epoch(), layout.moving().count());
        tracing::info!(epoch, members = layout.members().len(), moving, "a newer layout");
        let duty = current.member(self.host.me).map(|member| member.duty);
        if layout.member(self.host.me).is_none() && duty.is_some_and(may_just_go) {
            self.has_left.store(true, Ordering::Relaxed);
        }
        self.host.set_layout(Arc::clone(&layout));
        for mailbox in &self.host.mailboxes {
            mailbox.post(Letter::Layout(Arc::clone(&layout)));
        }
        // Who is removed and votes goes on to, until others do in its place: nothing could be changed without it.
        if layout.is_lost(self.host.me) && !layout.voters().seat(self.host.me) {
            // Where the queue is full the process is ending already.
            let _ = self.host.control.try_send(Control::Removed);
        }
        Ok(())
    }

    /// Why this process ends whose place in another cluster is known now. The next start will know it too.
    pub(crate) fn usurped(&self) -> StartError {
        let config = &self.host.config;
        let noted = self.directory.note_usurped();
        noted.err().unwrap_or_else(|| StartError::Usurped { id: config.id.clone(), dir: config.dir.clone() })
    }

    /// How this process ends that is no member any more: well, if it was to leave. The next start will know it too.
    ///
    /// # Errors
    /// Why it is none, if it was not to leave; or that its directory cannot be written.
    pub(crate) fn removed(&self) -> Result<(), StartError> {
        let (config, layout) = (&self.host.config, self.host.layout());
        self.directory.note_removed()?;
        let leaves = layout.member(self.host.me).is_some_and(|member| may_just_go(member.duty));
        if leaves || self.has_left.load(Ordering::Relaxed) {
            tracing::info!(id = config.id, "this node has left the cluster: others have all that it held");
            return Ok(());
        }
        Err(StartError::Removed { id: config.id.clone(), dir: config.dir.clone() })
    }

    /// Has the layout changed, and goes by the one that has come of it.
    ///
    /// # Errors
    /// In words for a client.
    pub(crate) async fn change(&self, change: Change, of: Basis) -> Result<Arc<Layout>, String> {
        let layout = match self.made(change, of).await {
            Ok(layout) => layout,
            Err(error @ ChangeError::NoQuorum) => return Err(format!("TRYAGAIN {error}")),
            Err(error @ ChangeError::Unknown) => return Err(format!("UNKNOWN {error}")),
            Err(error) => return Err(format!("ERR {error}")),
        };
        self.adopt(Arc::clone(&layout)).await?;
        Ok(layout)
    }

    /// Has the layout changed; it is not gone by yet.
    ///
    /// # Errors
    /// What is known of why not.
    pub(crate) async fn made(&self, change: Change, of: Basis) -> Result<Arc<Layout>, ChangeError> {
        let (told, outcome) = oneshot::channel();
        let speaker = self.host.shard_of(PartitionId(0));
        self.host.mailboxes[speaker].post(Letter::Change(Box::new(Wish { change, of, told })));
        outcome.await.unwrap_or(Err(ChangeError::Unknown))
    }

    /// `ARMILLA.JOIN`: makes `member` one; the answer is the layout that it goes by from now on.
    ///
    /// Who is one already has lost its directory, and the layout with it. It must hear of all that it had heard of, or it believes
    /// that it has come anew to what it owned. So the register is asked; and where too few voters can be reached, this node, which has
    /// heard what all that it can reach have heard.
    pub(crate) async fn join(&self, member: Member) -> Result<Reply, String> {
        let id = member.id;
        let was_known = self.host.layout().member(id).is_some();
        if was_known {
            self.await_silence(&member).await?;
        }
        let layout = match self.host.layout().changed(&Change::Join(member.clone())) {
            Ok(next) => {
                check_where(&next).map_err(|error| format!("ERR {error}"))?;
                self.change(Change::Join(member), Basis::Any).await?
            }
            Err(LayoutError::Same) => match self.made(Change::Join(member), Basis::Any).await {
                Ok(layout) => {
                    self.adopt(Arc::clone(&layout)).await?;
                    layout
                }
                Err(error @ (ChangeError::NoQuorum | ChangeError::Unknown)) => {
                    tracing::warn!(%error, "a member without a directory is told the layout that is known here");
                    self.host.layout()
                }
                Err(error) => return Err(format!("ERR {error}")),
            },
            Err(error) => return Err(format!("ERR {error}")),
        };
        // It may have been one, and this node did not know. One that has never run, and was registered, owns nothing to lose.
        let is_named = |at| layout.place(at).keeps(id) || layout.place(at).teaches(id);
        let has_lost = was_known || layout.keyspace().partitions().any(is_named);
        let layout = Reply::bulk(layout.encode());
        Ok(if has_lost { Reply::Array(vec![layout, Reply::Integer(1)]) } else { layout })
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
        let until = self.host.clock.monotonic_ms() + SILENT_MS_MAX + LOOK_MS;
        while is_heard() {
            let layout = self.host.layout();
            let member = layout.member(member.id).unwrap_or(member);
            if self.host.clock.monotonic_ms() > until {
                let (name, addr) = (&member.name, &member.client_addr);
                return Err(format!("ERR the member {name} is alive at {addr}, {TWIN}"));
            }
            sleep(Duration::from_millis(LOOK_MS)).await;
        }
        Ok(())
    }
}

/// Members of a cluster of several must be where others find them.
///
/// # Errors
/// Who is not, in words.
pub(crate) fn check_where(layout: &Layout) -> Result<(), String> {
    match layout.members().iter().find(|member| is_unspecified(&member.client_addr)) {
        Some(Member { name, client_addr, .. }) => {
            Err(format!("the member {name} is at {client_addr}, {NOWHERE}"))
        }
        None => Ok(()),
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
        text(me.duty.word()),
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
