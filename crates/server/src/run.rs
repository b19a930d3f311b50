//! A server from its start to its end: the directory, the cluster, the shards, the doors.
//!
//! ```text
//! prepare    the configuration, the directory, the ports
//! place      the stored layout, or that of the cluster to join, or a new one
//! open       a thread a shard
//! link       the other members, or a grace
//! serve      newcomers to their shards, questions about the layout, until told to stop
//! close      shards bring everything to the disk
//! ```
//!
//! 1. Nothing is served before every shard is open, and nothing is acknowledged after its store is closed.
//! 2. Whatever it waits for, a word to end ends it.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::BytesMut;
use node::{Room, Trust};
use placement::member::TEXT_BYTES_MAX;
use placement::{Duty, Layout, Member, NodeId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};
use wire::Reply;
use wire::peer::frame::{self, GREETING_BYTES, Greeting};

use crate::capacity;
use crate::clock::Clock;
use crate::config::{Config, is_unspecified};
use crate::control::{Control, Question};
use crate::directory::Directory;
use crate::doors::{Doors, accept, no_peer_port};
use crate::ending::Ending;
use crate::error::StartError;
use crate::formation::{self, Register};
use crate::host::Host;
use crate::http;
use crate::letter::{Caller, Letter};
use crate::loss::Loss;
use crate::peers;
use crate::ring;
use crate::role::Role;
use crate::shard::{SHARDS_MAX, shard_of};
use crate::stores;
use crate::worker;

/// Questions that wait for the thread that keeps the layout.
const CONTROLS_MAX: usize = 1024;
/// How long a caller may take for its greeting.
const GREETING_MAX: Duration = Duration::from_secs(5);
/// How long a node that starts waits for links to a majority of the members before it takes clients.
const LINKS_GRACE: Duration = Duration::from_secs(1);
/// How often it looks at them.
const LINKS_LOOK: Duration = Duration::from_millis(5);
/// How often the disk is looked at. At most as much as a fast disk writes in that time comes on top of what is seen.
const DISK_LOOK: Duration = Duration::from_millis(200);
/// What a client beyond the limit reads, as from Redis.
const CLIENTS_TOO_MANY: &[u8] = b"-ERR max number of clients reached\r\n";

/// Ends a server that was started with it.
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<bool>);

impl Default for Stop {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Stop {
    /// Has the server stop accepting, bring everything to the disk and return.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// Serves until SIGINT or SIGTERM comes.
///
/// # Errors
/// Why it does not start, or why it had to stop by itself.
pub fn run(config: Config) -> Result<(), StartError> {
    run_until(config, &Stop::default(), || {})
}

/// Serves until SIGINT or SIGTERM comes, or until it is stopped. Calls `ready` once it takes clients.
///
/// # Errors
/// Why it does not start, or why it had to stop by itself.
pub fn run_until(config: Config, stop: &Stop, ready: impl FnOnce()) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| StartError::System { what: "a runtime", error })?;
    runtime.block_on(live(config, stop, ready))
}

async fn live(mut config: Config, stop: &Stop, ready: impl FnOnce()) -> Result<(), StartError> {
    config.check()?;
    let clock = Clock::start();
    let me = member(&config)?;
    let directory = Directory::open(&config.dir)?;
    let has_founded = directory.layout()?.is_none() && config.join.is_none();
    let shards = directory.admit(&config)?;
    if !(1..=SHARDS_MAX).contains(&shards) {
        return Err(StartError::Config(format!("{shards} shards: there are from 1 to {SHARDS_MAX}")));
    }
    config.shards = Some(shards);
    let mut ending = Ending::listen(stop.0.subscribe())?;
    let doors = Doors::listen(&config)?;
    let (layout, trust) = tokio::select! {
        placed = place(&directory, &config, me) => placed?,
        () = ending.come() => return Ok(()),
    };
    if trust == Trust::Lost {
        // Before the layout is there, by which the next start would take itself for whole.
        (0..shards).try_for_each(|index| Loss::of(&config.dir, index).note())?;
    }
    directory.settle(&config, shards, layout.cluster())?;
    directory.keep(&layout)?;
    let (control, controls) = mpsc::channel(CONTROLS_MAX);
    let mut host = Host::new(config, clock, Arc::new(layout), control);
    host.has_founded = has_founded;
    let host = Arc::new(host);
    if let Some(room) = host.disk.look(&host.config.dir, host.config.disk_reserve_bytes) {
        tell_room(&host, room);
    }
    let stores = stores::open_all(&host, directory.has_begun())?;
    directory.begin()?;
    let workers = open(&host, stores, trust).await?;
    let register = Arc::new(Register::new(Arc::clone(&host), directory));
    let ended = serve(&host, &register, doors, controls, &mut ending, ready).await;
    host.mailboxes.iter().for_each(|mailbox| mailbox.post(Letter::Stop));
    for worker in workers {
        let _ = worker.join();
    }
    tracing::info!(id = host.config.id, "stopped");
    ended
}

fn member(config: &Config) -> Result<Member, StartError> {
    if config.id.is_empty() || config.id.len() > TEXT_BYTES_MAX {
        return Err(StartError::Config(format!("the id must have 1 to {TEXT_BYTES_MAX} bytes")));
    }
    Ok(Member {
        id: NodeId::of_name(&config.id),
        name: config.id.clone(),
        client_addr: config.announced(),
        peer_addr: config.announced_peer().ok_or_else(|| no_peer_port(config))?,
        weight: config.weight,
        zone: config.zone.clone(),
        duty: match config.role {
            Role::Store => Duty::Store,
            Role::Gateway => Duty::Route,
        },
    })
}

/// The layout to go by: stored, that of a cluster to join, or that of a cluster founded here. With it, whether the
/// cluster's other members may hold what this one has forgotten.
async fn place(directory: &Directory, config: &Config, me: Member) -> Result<(Layout, Trust), StartError> {
    if directory.is_usurped() {
        return Err(StartError::Usurped { id: config.id.clone(), dir: config.dir.clone() });
    }
    let layout = directory.layout()?;
    if directory.is_removed() || layout.as_ref().is_some_and(|layout| layout.is_lost(me.id)) {
        if config.join.is_none() {
            return Err(StartError::Removed { id: config.id.clone(), dir: config.dir.clone() });
        }
        let aside = directory.put_aside()?;
        tracing::warn!(dir = %aside.display(), "this node was removed from its cluster: what it held is put aside, and it joins as a new one");
    } else if let Some(layout) = layout {
        check_role(&layout, config)?;
        return Ok((stored(layout, me)?, Trust::Whole));
    }
    let holds_data = directory.holds_data()?;
    if let Some(addr) = &config.join {
        let failed = |reason| StartError::Join { addr: addr.clone(), reason };
        tracing::info!(
            addr,
            "asking to be taken in; a member that lived a moment ago is waited for until it is silent"
        );
        // What a member held that lost its layout is that cluster's; what anybody else holds is not.
        if holds_data && !formation::knows(addr, &me).await.map_err(failed)? {
            return Err(StartError::Foreign(config.dir.clone()));
        }
        let (layout, trust) = formation::join(addr, &me).await.map_err(failed)?;
        if holds_data && directory.cluster() != Some(layout.cluster()) {
            return Err(StartError::Foreign(config.dir.clone()));
        }
        return Ok((layout, if holds_data { Trust::Lost } else { trust }));
    }
    if holds_data {
        return Err(StartError::Layoutless(config.dir.clone()));
    }
    if config.role == Role::Gateway {
        return Err(StartError::Founding(config.id.clone()));
    }
    let random =
        |_| StartError::System { what: "random bits", error: std::io::ErrorKind::Unsupported.into() };
    let (cluster, seed) = (getrandom::u64().map_err(random)?, getrandom::u64().map_err(random)?);
    let disk = getrandom::u64().map_err(random)?;
    let founded = Layout::found(cluster, seed, config.partitions, config.copies.clone(), me, disk);
    let founded = founded.map_err(|error| StartError::Config(error.to_string()))?;
    Ok((founded, Trust::Whole))
}

/// Whether a node is started as what it is a member as: who holds data cannot turn into who holds none, nor the other way.
fn check_role(layout: &Layout, config: &Config) -> Result<(), StartError> {
    let Some(member) = layout.member(NodeId::of_name(&config.id)) else { return Ok(()) };
    let (id, dir) = (config.id.clone(), config.dir.clone());
    match (member.duty == Duty::Route, config.role) {
        (false, Role::Gateway) => Err(StartError::IsStore { id, dir }),
        (true, Role::Store) => Err(StartError::IsGateway { id, dir }),
        _ => Ok(()),
    }
}

/// The stored layout. One that has this node alone, at no address that leads anywhere, was shown to nobody: it is founded
/// again where the node is now.
fn stored(layout: Layout, me: Member) -> Result<Layout, StartError> {
    let Some(stored) = layout.member(me.id) else {
        return Err(StartError::Identity(format!("the stored layout does not have the node {}", me.name)));
    };
    if !is_unspecified(&stored.client_addr) || layout.members().len() > 1 {
        return Ok(layout);
    }
    let me = Member { client_addr: me.client_addr, peer_addr: me.peer_addr, ..stored.clone() };
    let keyspace = layout.keyspace();
    let (seed, partitions) = (keyspace.seed(), keyspace.partition_count());
    let disk = layout.voters().now.first().map_or(0, |seat| seat.disk);
    let founded = Layout::found(layout.cluster(), seed, partitions, layout.copies().clone(), me, disk);
    founded.map_err(|error| StartError::Config(error.to_string()))
}

async fn open(
    host: &Arc<Host>,
    stores: Vec<stores::Found>,
    trust: Trust,
) -> Result<Vec<JoinHandle<()>>, StartError> {
    let mut workers = Vec::new();
    for (index, mut found) in stores.into_iter().enumerate() {
        if trust == Trust::Lost {
            found.trust = trust;
        }
        let (told, opened) = oneshot::channel();
        let shared = Arc::clone(host);
        let thread = std::thread::Builder::new().name(format!("shard-{index}"));
        let worker = thread.spawn(move || worker::run(&shared, index, found, told));
        workers.push(worker.map_err(|error| StartError::System { what: "a thread", error })?);
        match opened.await {
            Ok(opened) => opened?,
            Err(_) => return Err(StartError::Storage(format!("shard {index} did not open"))),
        }
    }
    Ok(workers)
}

async fn serve(
    host: &Arc<Host>,
    register: &Arc<Register>,
    Doors { clients, peers, http }: Doors,
    mut controls: mpsc::Receiver<Control>,
    ending: &mut Ending,
    ready: impl FnOnce(),
) -> Result<(), StartError> {
    let mut doors = vec![tokio::spawn(accept_peers(Arc::clone(host), peers))];
    doors.push(tokio::spawn(watch_disk(Arc::clone(host))));
    doors.push(tokio::spawn(capacity::follow(Arc::clone(host), Arc::clone(register))));
    let mut closed = Some((clients, http, ready));
    let mut linked = pin!(linked(host));
    let ended = loop {
        tokio::select! {
            () = &mut linked, if closed.is_some() => if let Some((clients, http, ready)) = closed.take() {
                doors.push(tokio::spawn(accept_clients(Arc::clone(host), clients)));
                doors.extend(http.map(|http| tokio::spawn(http::serve(http, Arc::clone(register)))));
                tracing::info!(id = host.config.id, addr = %host.config.client_addr, "serving");
                ready();
            },
            Some(control) = controls.recv() => match control {
                Control::Failed(reason) => break Err(StartError::Storage(reason)),
                Control::Usurped => break Err(register.usurped()),
                Control::Removed => break register.removed(),
                Control::Twin => break Err(StartError::Twin(host.config.id.clone())),
                Control::Newer(layout) => {
                    if let Err(reason) = register.adopt(layout).await {
                        tracing::warn!(reason, "a layout from a peer is not taken");
                    }
                }
                Control::Ask(id, question) => {
                    tokio::spawn(answer(Arc::clone(host), Arc::clone(register), id, question));
                }
            },
            () = ending.come() => break Ok(()),
        }
    };
    // Awaited, so that the ports are free at once and not only when the disks are done.
    for door in doors {
        door.abort();
        let _ = door.await;
    }
    ended
}

/// Looks at the disk for as long as the process runs, and tells every shard what has changed.
async fn watch_disk(host: Arc<Host>) {
    loop {
        sleep(DISK_LOOK).await;
        let Some(room) = host.disk.look(&host.config.dir, host.config.disk_reserve_bytes) else { continue };
        tell_room(&host, room);
        host.mailboxes.iter().for_each(|mailbox| mailbox.post(Letter::Room(room)));
    }
}

/// Tells in the log how much room there is now.
fn tell_room(host: &Host, room: Room) {
    let (free_bytes, reserve_bytes) =
        (host.disk.free_bytes().unwrap_or_default(), host.config.disk_reserve_bytes);
    match room {
        Room::Enough => tracing::info!(free_bytes, "there is room on the disk again: all writes are taken"),
        Room::Low => tracing::warn!(
            free_bytes,
            reserve_bytes,
            "the disk is nearly full: writes that add are refused; delete keys or give it more room"
        ),
        Room::Gone => tracing::error!(free_bytes, "the disk is full: nothing is written any more"),
    }
}

/// Waits for links to a majority of the members, so that the first clients are not told that there is no quorum; but not
/// for long, for a node serves what it can alone.
async fn linked(host: &Host) {
    let linking = async {
        while !host.reaches_majority() {
            sleep(LINKS_LOOK).await;
        }
    };
    if timeout(LINKS_GRACE, linking).await.is_err() {
        tracing::warn!("most members are not reached yet; clients are taken nevertheless");
    }
}

async fn answer(host: Arc<Host>, register: Arc<Register>, id: node::RequestId, question: Question) {
    let answered = match question {
        Question::Join(member) => register.join(*member).await,
        Question::Ring { change, is_plan, of } => ring::change(&register, change, is_plan, of).await,
    };
    let reply = answered.unwrap_or_else(|line| Reply::Error(wire::Fault::from_line(line.as_bytes())));
    host.mailboxes[shard_of(id)].post(Letter::Answer { id, reply });
}

/// Hands clients to the shards in turn.
async fn accept_clients(host: Arc<Host>, door: TcpListener) {
    let mut next = 0;
    loop {
        let Some((stream, addr)) = accept(&door).await else { continue };
        if host.clients.count() >= host.clients_max() {
            host.clients_refused.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut stream = stream;
                let _ = timeout(GREETING_MAX, stream.write_all(CLIENTS_TOO_MANY)).await;
            });
            continue;
        }
        if let Ok(stream) = stream.into_std() {
            host.mailboxes[next].post(Letter::Client(stream, addr));
            next = (next + 1) % host.shards();
        }
    }
}

async fn accept_peers(host: Arc<Host>, door: TcpListener) {
    loop {
        let Some((stream, addr)) = accept(&door).await else { continue };
        tokio::spawn(greet(Arc::clone(&host), stream, addr));
    }
}

/// Reads a caller's greeting and hands it to a shard: that of the first partition it speaks of, which is its own shard's
/// number, so that between nodes with equal shards nothing is handed on twice.
async fn greet(host: Arc<Host>, mut stream: TcpStream, addr: SocketAddr) {
    let mut read = BytesMut::new();
    let greeted = timeout(GREETING_MAX, async {
        while read.len() < GREETING_BYTES + FIRST_FRAME_BYTES {
            if stream.read_buf(&mut read).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok::<_, std::io::Error>(())
    });
    if !matches!(greeted.await, Ok(Ok(()))) {
        return;
    }
    let greeting = match Greeting::decode(read.split_to(GREETING_BYTES).freeze()) {
        Ok(greeting) => greeting,
        Err(error) => return tracing::warn!(%addr, %error, "a caller on the peer port is no peer"),
    };
    let layout = host.layout();
    if greeting.cluster != layout.cluster() || greeting.to != host.me {
        if greeting.to == host.me && host.has_founded && layout.members().len() == 1 {
            // Where the queue is full the process is ending already.
            let _ = host.control.try_send(Control::Usurped);
        }
        tell_stranger(&host, &greeting, addr);
        return peers::refuse(stream, frame::STRANGER).await;
    }
    let shard = first_partition(&read).map_or(0, |partition| host.shard_of(partition));
    if let Ok(stream) = stream.into_std() {
        let _ = stream.set_nodelay(true);
        host.mailboxes[shard].post(Letter::Caller(Caller {
            stream,
            from: greeting.from,
            began: greeting.began,
            read,
        }));
    }
}

/// Tells of a caller that means somebody else, now and then.
fn tell_stranger(host: &Host, greeting: &Greeting, addr: SocketAddr) {
    if !host.strangers.is_news(host.clock.monotonic_ms(), greeting.from) {
        return;
    }
    let (from, ip) = (greeting.from, addr.ip());
    if greeting.to != host.me {
        return tracing::warn!(%from, %ip, "a caller means another node than this one: an address was given to another node");
    }
    tracing::error!(
        %from,
        %ip,
        "a member of another cluster takes this node for one of its own, and is refused: where this directory was \
         emptied, stop this node, empty it again and start it with --join and an address of that cluster"
    );
}

/// Bytes of a frame within which its partition lies, for epochs of up to four bytes; a first frame is never shorter.
const FIRST_FRAME_BYTES: usize = 4 + 1 + 1 + 2;

/// The partition that the first frame is about; a guess is good enough, for every shard hands on what is not its own.
fn first_partition(read: &[u8]) -> Option<placement::PartitionId> {
    let epoch = read.get(5..)?;
    let length = epoch.iter().position(|byte| byte & 0x80 == 0)? + 1;
    let [high, low] = *epoch.get(length..length + 2)?.first_chunk()?;
    Some(placement::PartitionId(u16::from_be_bytes([high, low])))
}
