//! The node of a shard and what it works on, from the opening of its storage to its failure.
//!
//! Not the turns (`turn`) and not when it is opened again (`reopening`). What is opened here can be opened on any thread and
//! handed to the shard's.
//!
//! 1. A core's actor is its own: what is opened again is another one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use node::{Action, Event, Identity, Node, Now, Options, Outbox, Room, RowError, Storage, Trust};
use store::{Commit, Engine, Lsm, Store, StoreError, StoreOptions};

use super::committer::Committer;
use super::held::Held;
use super::speaking;
use crate::error::StartError;
use crate::host::Host;
use crate::loss::Loss;
use crate::opened::Opened;
use crate::stores::{self, Found, OpenError};

/// Batches on their way to the disk beyond which clients are not read any further.
const BATCHES_UNSETTLED_MAX: u64 = 256;
/// Bytes on their way to the disk beyond which clients are not read any further.
const BYTES_UNSETTLED_MAX: usize = 256 << 20;
/// Names of rows that a store learns at a time when it is opened: some megabytes of memory, and millions a second.
const NAMES_LEARNED: usize = 16 * 1024;

impl Opened {
    /// Shard `index` over what was found of it. Where some rows of that cannot be read, it is begun anew with those that can.
    ///
    /// # Errors
    /// Where that cannot be done, or the system gives no random bits.
    pub(crate) fn find(
        host: &Host,
        index: usize,
        found: Found,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Self, OpenError> {
        let trust = found.trust;
        match Self::over(host, index, found) {
            Err(Unread::Row(RowError::Store(error @ StoreError::Read(_)))) => {
                tracing::error!(shard = index, %error, "some rows of a store cannot be read");
                Self::renew(host, index, trust, goes_on)
            }
            opened => opened.map_err(|unread| unread.told(host, index).into()),
        }
    }

    /// Shard `index`, begun anew with what can be read of its store, which is not open.
    ///
    /// # Errors
    /// Where that cannot be done, or the system gives no random bits.
    pub(crate) fn renew(
        host: &Host,
        index: usize,
        trust: Trust,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Self, OpenError> {
        let opened = Self::over(host, index, stores::renew(host, index, trust, goes_on)?);
        opened.map_err(|unread| unread.told(host, index).into())
    }

    /// Shard `index` over what was found of it.
    fn over(host: &Host, index: usize, Found { engine, trust, gaps }: Found) -> Result<Self, Unread> {
        let random =
            |_| StartError::System { what: "random bits", error: std::io::ErrorKind::Unsupported.into() };
        let actor = causal::Actor(getrandom::u64().map_err(random)?);
        let hash_seed = getrandom::u64().map_err(random)?;
        let cache_bytes = host.config.cache_bytes / 4 * 3 / host.shards();
        let store_options = StoreOptions { cache_bytes, hash_seed, ..StoreOptions::default() };
        let mut store: Storage = Store::new(Arc::clone(&engine) as Arc<dyn Engine>, store_options);
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let options = Options {
            request_timeout_ms: ms(host.config.request_timeout),
            retry_ms: ms(host.config.retry),
            handoff_bytes_max: host.config.handoff_bytes_max / host.shards() as u64,
            move_bytes_per_second: (host.config.move_bytes_per_second / host.shards() as u64).max(1),
            replace_after_ms: host.config.replace_after.map_or(u64::MAX, ms),
            speaker: speaking::speaker(host, index).map_err(random)?,
            shard: (u16::try_from(index).unwrap_or(0), u16::try_from(host.shards()).unwrap_or(u16::MAX)),
            ..Options::default()
        };
        let identity = Identity { node: host.me, actor };
        // Before anything is written: a name that is not read now would be taken for absent for good.
        while store.learn(NAMES_LEARNED).map_err(RowError::from)? {}
        let mut node = Node::open(identity, options, host.layout(), &mut store, trust)?;
        node.lose(&gaps, &mut store)?;
        let has_lost = trust == Trust::Lost || !gaps.is_empty();
        let loss = has_lost.then(|| Loss::of(&host.config.dir, index));
        Ok(Self { engine, node, store, loss })
    }
}

/// Why there is no node over a store.
enum Unread {
    Row(RowError),
    System(StartError),
}

impl From<RowError> for Unread {
    fn from(error: RowError) -> Self {
        Self::Row(error)
    }
}

impl From<StartError> for Unread {
    fn from(error: StartError) -> Self {
        Self::System(error)
    }
}

impl Unread {
    fn told(self, host: &Host, index: usize) -> StartError {
        match self {
            Self::Row(error) => {
                StartError::Stored { path: stores::path(host, index), reason: error.to_string() }
            }
            Self::System(error) => error,
        }
    }
}

/// The node and what it works on, in one turn at a time.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) node: Node,
    pub(super) store: Storage,
    pub(super) outbox: Outbox,
    pub(super) held: Held,
    pub(super) released: Vec<Action>,
    pub(super) commits: u64,
    engine: Arc<Lsm>,
    committer: Committer,
    /// To be forgotten once the node has made durable what it makes of it, in its first batch.
    loss: Option<Loss>,
    /// Bytes of the batches that were given to the committer and have not settled, each with its commit.
    unsettled: VecDeque<(Commit, usize)>,
    unsettled_bytes: usize,
}

impl Core {
    /// Starts the committer of what was opened.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(super) fn start(host: Arc<Host>, index: usize, opened: Opened) -> Result<Self, StartError> {
        let Opened { engine, mut node, store, loss } = opened;
        node.set_room(host.disk.room());
        if node.has_lost_its_votes() {
            tracing::warn!(
                "what this node has voted for in the ring is lost: it votes again when the others have chosen it with the disk that it has \
                 now; where too few others vote the ring stands until `armilla recover` is asked of this node"
            );
        }
        let committer = Committer::start(host, index, Arc::clone(&engine))
            .map_err(|error| StartError::System { what: "a thread", error })?;
        Ok(Self {
            node,
            store,
            outbox: Outbox::default(),
            held: Held::default(),
            released: Vec::new(),
            commits: 0,
            engine,
            committer,
            loss,
            unsettled: VecDeque::new(),
            unsettled_bytes: 0,
        })
    }

    pub(super) fn is_congested(&self) -> bool {
        self.unsettled_bytes > BYTES_UNSETTLED_MAX
            || self.store.open_commit().0 - self.store.settled_commit().0 > BATCHES_UNSETTLED_MAX
    }

    pub(super) fn handle(&mut self, now: Now, event: Event) {
        self.node.handle(now, event, &mut self.store, &mut self.outbox);
    }

    /// Closes the open batch and gives it to the committer.
    pub(super) fn seal(&mut self) {
        if let Some((commit, batch)) = self.store.seal() {
            self.commits += 1;
            self.unsettled.push_back((commit, batch.bytes()));
            self.unsettled_bytes += batch.bytes();
            self.committer.take(commit, batch);
        }
    }

    /// The committer has come so far.
    pub(super) fn settled(&mut self, commit: Commit) {
        self.store.settled(commit);
        self.held.release(commit, &mut self.released);
        // What is settled need not be durable, as `--fsync` has it; and without the note it would be all there is.
        if let Some(loss) = self.loss.take_if(|_| self.engine.sync().is_ok()) {
            loss.forget();
        }
        while let Some((_, bytes)) = self.unsettled.pop_front_if(|(sealed, _)| *sealed <= commit) {
            self.unsettled_bytes -= bytes;
        }
    }

    /// Has everybody who waits told that the disk has failed, or is full; gives what is to be done for that, and the
    /// engine.
    pub(super) fn abandon(mut self, now: Now, is_full: bool) -> (Vec<Action>, Arc<Lsm>) {
        if is_full {
            self.node.set_room(Room::Gone);
        }
        let mut actions = self.released;
        let mut held = Vec::new();
        self.held.release(Commit(u64::MAX), &mut held);
        held.extend(self.outbox.drain().map(|(_, action)| action));
        self.node.abandon(now, &mut self.store, held, &mut self.outbox);
        actions.extend(self.outbox.drain().map(|(_, action)| action));
        (actions, self.engine)
    }

    /// Brings everything to the disk. Nothing may be handled afterwards.
    pub(super) fn finish(&mut self) {
        self.seal();
        self.committer.finish();
    }
}
