//! A shard whose disk has failed: what is said meanwhile, and the thread that opens its store again.
//!
//! ```text
//!   committer ── failed ──▶ shard: everybody who waits is told; no core from now on
//!                             └─▶ thread: let go of the engine, pause, open it ── opened ──▶ shard: a new core
//! ```
//!
//! What the engine can have lost then:
//!
//! * **No room.** A write that finds no room tears the batch that was being written, and nothing before it: those bytes are
//!   in files already. That batch was not acknowledged, and is dropped as a whole when the journal is read. All that was
//!   synced is there.
//! * **Anything else.** A write that failed may have damaged the sector that it shares with what was synced before, and the
//!   system may show in memory what never came to the disk. So the journals are written anew, and looked at
//!   as at every opening: where a sum is wrong or a commit that was synced is missing, the node begins as one that may have
//!   forgotten something.
//!
//! 1. Nothing is acknowledged between the failure and the opening.
//! 2. A store that cannot be opened again, or fails again and again, ends the process.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use node::{Action, ChangeError, Event, Room, Trust};
use store::{Lsm, StoreError};
use wire::command::{self, Class};
use wire::peer::{Envelope, Message, Verdict};
use wire::request::{Job, Request};
use wire::{Fault, Reply};

use crate::control::Control;
use crate::host::Host;
use crate::letter::Letter;
use crate::opened::Opened;
use crate::stores;

/// The pause before the first attempt.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How often the thread looks whether the process ends while it pauses.
const LOOK: Duration = Duration::from_millis(20);
/// Failures after which the process ends, each within [`CALM`] of the opening before it. A full disk is none: it is waited
/// for as long as it takes.
const FAILURES_MAX: u32 = 4;
/// With less than this free a worker of the engine that has failed has found no room, bytes: it writes whole memtables.
const WORKER_BYTES_MIN: u64 = 64 << 20;
/// A store that has worked this long is as good as a new one.
const CALM: Duration = Duration::from_secs(60);

/// What a shard remembers of its failures, and the thread that mends the last one.
#[derive(Debug, Default)]
pub(super) struct Reopening {
    failures: Cell<u32>,
    /// Whether the last one was for want of room.
    is_full: Cell<bool>,
    opened_at: Cell<Option<Instant>>,
    is_ending: Arc<AtomicBool>,
    thread: RefCell<Option<JoinHandle<()>>>,
}

impl Reopening {
    /// The disk of shard `index` has failed: has its store opened again.
    pub(super) fn begin(&self, host: &Arc<Host>, index: usize, engine: Arc<Lsm>, error: StoreError) {
        let was_calm = self.opened_at.get().is_none_or(|at| at.elapsed() > CALM);
        let is_full = matches!(error, StoreError::Full(_));
        let failures = if was_calm { 0 } else { self.failures.get() } + u32::from(!is_full);
        self.failures.set(failures);
        self.is_full.set(self::is_full(host, &error));
        if is_full {
            host.disk.found_full();
        }
        tracing::error!(shard = index, %error, failures, "storage failed: its store is opened again");
        let attempts =
            Attempts { host: Arc::clone(host), index, failures, is_ending: Arc::clone(&self.is_ending) };
        let thread = std::thread::Builder::new().name(format!("reopening-{index}"));
        match thread.spawn(move || attempts.run(engine, &error)) {
            Ok(thread) => drop(self.thread.replace(Some(thread))),
            Err(error) => fail(host, format!("shard {index} cannot be opened again: {error}")),
        }
    }

    /// There is a core again.
    pub(super) fn end(&self) {
        self.opened_at.set(Some(Instant::now()));
    }

    /// Whether there is no core for want of room; the disk itself is looked at only now and then.
    pub(super) fn is_full(&self) -> bool {
        self.is_full.get()
    }

    /// Ends the attempts and waits for that.
    pub(super) fn finish(&self) {
        self.is_ending.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Whether a store has failed for want of room. A worker of the engine does not say why it has failed; where there is no
/// room that is why.
pub(super) fn is_full(host: &Host, cause: &StoreError) -> bool {
    let has_little = host.disk.free_bytes().is_some_and(|free| free < WORKER_BYTES_MIN);
    matches!(cause, StoreError::Full(_)) || has_little || host.disk.room() == Room::Gone
}

fn fail(host: &Host, reason: String) {
    // Where the queue is full the process is ending already.
    let _ = host.control.try_send(Control::Failed(reason));
}

/// The attempts to open one store again.
struct Attempts {
    host: Arc<Host>,
    index: usize,
    failures: u32,
    is_ending: Arc<AtomicBool>,
}

impl Attempts {
    fn run(self, engine: Arc<Lsm>, cause: &StoreError) {
        // The committer lets go of it too; what the engine still does when it is dropped is done here.
        while Arc::strong_count(&engine) > 1 && self.pause(LOOK) {}
        drop(engine);
        let mut failures = self.failures;
        let mut is_full = is_full(&self.host, cause);
        let is_suspect = !is_full;
        let mut pause = PAUSE_MIN * 2u32.pow(failures.min(FAILURES_MAX));
        while self.pause(pause) {
            if !is_full && failures > FAILURES_MAX {
                return fail(&self.host, format!("shard {} fails again and again: {cause}", self.index));
            }
            let renews = matches!(cause, StoreError::Unreadable(_)) && failures == self.failures;
            match self.attempt(is_suspect, renews) {
                Ok(opened) => {
                    tracing::warn!(shard = self.index, "the store is open again");
                    return self.host.mailboxes[self.index].post(Letter::Opened(Box::new(opened)));
                }
                Err(error) => {
                    is_full = matches!(error, stores::OpenError::Full(_));
                    failures += u32::from(!is_full);
                    tracing::error!(shard = self.index, %error, "the store cannot be opened again yet");
                }
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn attempt(&self, is_suspect: bool, renews: bool) -> Result<Opened, stores::OpenError> {
        let goes_on = || !self.is_ending.load(Ordering::Acquire);
        if renews {
            return Opened::renew(&self.host, self.index, Trust::Whole, &goes_on);
        }
        if is_suspect {
            stores::rewrite(&self.host, self.index)?;
        }
        Opened::find(&self.host, self.index, stores::open_one(&self.host, self.index, true)?, &goes_on)
    }

    /// Pauses; tells whether to go on.
    fn pause(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.is_ending.load(Ordering::Acquire) {
            sleep(LOOK.min(pause));
        }
        !self.is_ending.load(Ordering::Acquire)
    }
}

/// What a shard without a core does with an event: nothing is applied, so whoever asks can ask another node.
pub(super) fn refusal(event: Event, is_full: bool) -> Option<Action> {
    // Whoever reads need not be told that there is no room: reads go on as soon as the store is open again.
    let fault = |request: &Request| {
        Reply::Error(if is_full && !reads(&request.job) { Fault::DiskFull } else { Fault::Storage })
    };
    let (from, envelope) = match event {
        Event::Request { id, request, .. } => {
            return Some(Action::Answer { id, reply: fault(&request) });
        }
        Event::Message { from, envelope } => (from, envelope),
        Event::Change { id, .. } => {
            return Some(Action::Changed { id, outcome: Err(ChangeError::NoQuorum) });
        }
        Event::Link { .. } | Event::Health { .. } | Event::Layout(_) | Event::Tick => return None,
    };
    let message = match envelope.message {
        Message::Apply { ticket, .. } | Message::Mend { ticket, .. } => {
            Message::Applied { ticket, verdict: Verdict::Refused }
        }
        Message::Fetch { ticket, .. } => Message::Unreadable { ticket },
        Message::Ask { ticket, request } => Message::Answer { ticket, reply: fault(&request) },
        _ => return None,
    };
    Some(Action::Send { to: from, envelope: Envelope { message, ..envelope } })
}

/// Whether a request only reads.
fn reads(job: &Job) -> bool {
    match job {
        Job::Command { words, .. } => {
            command::resolve(words).is_ok_and(|row| matches!(row.class(words), Class::Read(_)))
        }
        Job::Siblings { .. } | Job::Explain { .. } | Job::Count { .. } | Job::List { .. } => true,
        Job::Resolve { .. } | Job::Flush { .. } => false,
    }
}
