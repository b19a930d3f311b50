//! The thread that brings a shard's batches to the disk.
//!
//! Not a queue with a policy of its own: it takes what waits, commits it as one, syncs as it was told and says how far
//! it has come. While it syncs, the next group gathers.
//!
//! 1. Batches are committed in the order in which they were sealed.
//! 2. `Settled(n)` is said when everything up to n is as durable as the policy wants, and never after a failure.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use store::{Batch, Commit, Engine, Lsm, StoreError, commit_group};

use crate::config::Fsync;
use crate::host::Host;
use crate::letter::Letter;

/// Batches that are committed as one at most; a larger group would make those in it wait longer than a sync.
const GROUP_BATCHES_MAX: usize = 1024;
/// How often it is looked at how much lies on the disk, at most.
const STORED_EVERY: Duration = Duration::from_secs(1);
/// How long an idle committer sleeps under a policy without intervals.
const IDLE: Duration = Duration::from_secs(3600);

/// The shard's end of its committer.
#[derive(Debug)]
pub(crate) struct Committer {
    batches: Option<Sender<(Commit, Arc<Batch>)>>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(crate) fn start(host: Arc<Host>, shard: usize, engine: Arc<Lsm>) -> std::io::Result<Self> {
        let (batches, sealed) = channel();
        let name = format!("committer-{shard}");
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            if let Err(error) = run(&host, shard, &engine, &sealed) {
                // The last that the shard hears from here: nothing of what waits is acknowledged.
                drop((engine, sealed));
                host.mailboxes[shard].post(Letter::Failed(error));
            }
        })?;
        Ok(Self { batches: Some(batches), thread: Some(thread) })
    }

    pub(crate) fn take(&self, commit: Commit, batch: Arc<Batch>) {
        if let Some(batches) = &self.batches {
            // One that has failed takes nothing more; the shard has yet to read about it.
            let _ = batches.send((commit, batch));
        }
    }

    /// Waits until everything is on the disk.
    pub(crate) fn finish(&mut self) {
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(
    host: &Host,
    shard: usize,
    engine: &Lsm,
    sealed: &Receiver<(Commit, Arc<Batch>)>,
) -> Result<(), StoreError> {
    let fsync = host.config.fsync;
    let every = if let Fsync::Interval(every) = fsync { every } else { IDLE };
    let mut unsynced = false;
    let mut synced_at = Instant::now();
    let mut group = Vec::new();
    let mut stored_at = None;
    loop {
        note_stored(host, shard, engine, &mut stored_at);
        let wait = if unsynced { every.saturating_sub(synced_at.elapsed()) } else { IDLE };
        match sealed.recv_timeout(wait) {
            Ok((commit, batch)) => {
                let last = gather(sealed, commit, batch, &mut group);
                commit_group(engine, &group, fsync == Fsync::Always)?;
                group.clear();
                host.mailboxes[shard].post(Letter::Settled(last));
                if !unsynced && fsync != Fsync::Always {
                    (unsynced, synced_at) = (true, Instant::now());
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return engine.sync(),
        }
        if unsynced && fsync != Fsync::Never && synced_at.elapsed() >= every {
            engine.sync()?;
            unsynced = false;
        }
    }
}

/// Says now and then how much lies on the disk: here, for asking the engine waits for its journal.
fn note_stored(host: &Host, shard: usize, engine: &Lsm, stored_at: &mut Option<Instant>) {
    if stored_at.is_none_or(|at| at.elapsed() >= STORED_EVERY) {
        *stored_at = Some(Instant::now());
        if let Ok(figures) = engine.figures() {
            host.note_stored(shard, figures.disk_bytes);
        }
    }
}

/// Everything that waits, behind the first batch; gives the last one's number.
fn gather(
    sealed: &Receiver<(Commit, Arc<Batch>)>,
    first: Commit,
    batch: Arc<Batch>,
    group: &mut Vec<Arc<Batch>>,
) -> Commit {
    let mut last = first;
    group.push(batch);
    while group.len() < GROUP_BATCHES_MAX
        && let Ok((commit, batch)) = sealed.try_recv()
    {
        last = commit;
        group.push(batch);
    }
    last
}
