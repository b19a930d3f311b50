//! What the shard of partition 0 does for the whole process: its node speaks with other members of how they are.
//!
//! ```text
//!   other members ◀─▶ links of this shard ◀─▶ its node ── Action::Health ─▶ the log, and the node of every shard
//!   figures of all shards ─▶ its node ─▶ other members: what this one has to do
//! ```
//!
//! Not how it is found out (`node::membership`), and not whether there is a link (`peers`).
//!
//! 1. Every shard is told of every change, in the order in which they were found out.

use std::cell::{Cell, RefCell};

use node::{Absence, Event, HandoffFigures, Room, Sighting, Speaker, SyncFigures};
use placement::{Layout, PartitionId};
use wire::peer::gossip::{Health, Load};

use super::Shard;
use super::recovery::Recovery;
use crate::chaos::Chaos;
use crate::clock;
use crate::host::{Host, ShardFigures, Waits};
use crate::letter::Letter;

/// How often others are told anew what this process has to do, in milliseconds.
const LOAD_EVERY_MS: u64 = 1_000;

/// What was seen at the last look at the whole process.
#[derive(Debug, Default)]
pub(super) struct Looked {
    load: Cell<Spent>,
    recovery: RefCell<Recovery>,
}

/// What the process has done since it began.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    /// Until when, by the monotonic clock in milliseconds.
    until_ms: u64,
    requests: u64,
    waits: Waits,
    cpu_us: u64,
}

impl Spent {
    fn until(now_ms: u64, figures: &[ShardFigures]) -> Self {
        let sum = |of: fn(&ShardFigures) -> u64| figures.iter().map(of).sum();
        let waits = Waits {
            waited_us: sum(|shard| shard.waits.waited_us),
            answered: sum(|shard| shard.waits.answered),
        };
        Self { until_ms: now_ms, requests: sum(|shard| shard.requests), waits, cpu_us: clock::cpu_us() }
    }

    /// What it has to do, by what it has done since then.
    fn load_since(&self, before: &Self) -> Load {
        let passed_ms = self.until_ms.saturating_sub(before.until_ms).max(1);
        let answered = self.waits.answered.saturating_sub(before.waits.answered);
        let waited_us = self.waits.waited_us.saturating_sub(before.waits.waited_us);
        Load {
            operations_per_s: self.requests.saturating_sub(before.requests) * 1_000 / passed_ms,
            latency_us: waited_us.checked_div(answered).unwrap_or(0),
            // Microseconds of a millisecond are thousandths.
            cpu_permille: self.cpu_us.saturating_sub(before.cpu_us) / passed_ms,
            ..Load::default()
        }
    }
}

/// What the node of a shard needs to speak for the process, if it is the one that does.
///
/// # Errors
/// Where the system gives no random bits.
pub(super) fn speaker(host: &Host, index: usize) -> Result<Option<Speaker>, getrandom::Error> {
    if index != host.shard_of(PartitionId(0)) {
        return Ok(None);
    }
    let ms = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    Ok(Some(Speaker {
        incarnation: host.clock.now().wall_ms,
        seed: getrandom::u64()?,
        probe_every_ms: ms(host.config.probe_every),
        suspicion_ms: ms(host.config.suspicion),
    }))
}

/// What all shards keep for others.
fn kept(figures: &[ShardFigures]) -> HandoffFigures {
    let sum = |of: fn(&HandoffFigures) -> u64| figures.iter().map(|shard| of(&shard.handoff)).sum();
    HandoffFigures {
        bytes: sum(|handoff| handoff.bytes),
        refused: sum(|handoff| handoff.refused),
        ..HandoffFigures::default()
    }
}

/// What all shards have to make up for.
fn together(figures: &[ShardFigures]) -> SyncFigures {
    let sum = |of: fn(&SyncFigures) -> u64| figures.iter().map(|shard| of(&shard.sync)).sum();
    SyncFigures {
        learning: sum(|sync| sync.learning),
        quarantines: sum(|sync| sync.quarantines),
        scrubs: figures.iter().map(|shard| shard.sync.scrubs).min().unwrap_or(0),
        damaged: sum(|sync| sync.damaged),
        open: sum(|sync| sync.open),
        finished: sum(|sync| sync.finished),
        ..SyncFigures::default()
    }
}

/// Announces that a member will be replaced.
fn announce(layout: &Layout, absence: &Absence) {
    let Some(member) = layout.member(absence.member) else { return };
    let (name, in_s) = (&member.name, absence.left_ms / 1_000);
    tracing::warn!(
        member = %name,
        in_s,
        "a member is down: unless it is back by then the others make its copies anew and it is a member no more; \
         `armilla cancel {name}` has it waited for"
    );
}

impl Shard {
    /// A member is not as it was.
    pub(super) fn sighted(&self, sighting: &Sighting) {
        self.log(sighting);
        self.host.set_sighting(*sighting);
        let (peer, is_trusted) = (sighting.member, sighting.is_trusted());
        for (shard, letters) in self.outgoing.borrow_mut().iter_mut().enumerate() {
            if shard != self.index {
                letters.push(Letter::Health { peer, is_trusted });
            }
        }
        self.push(Event::Health { peer, is_trusted });
    }

    fn log(&self, sighting: &Sighting) {
        let layout = self.layout();
        let Some(member) = layout.member(sighting.member) else { return };
        let (name, incarnation) = (&member.name, sighting.incarnation);
        match (sighting.health, sighting.is_silent) {
            (Health::Suspect, _) => {
                tracing::warn!(member = %name, incarnation, "a member does not answer: it is suspect, and asked after others");
            }
            (Health::Down, _) => {
                tracing::warn!(member = %name, incarnation, "a suspect member has not answered for long: it is taken for down");
            }
            (Health::Alive, true) => {
                tracing::warn!(member = %name, incarnation, "a member is heard by others and not by this node");
            }
            (Health::Alive, false) if sighting.load.says_error => {
                tracing::warn!(member = %name, incarnation, "a member says of itself that it is not well: it is asked after others");
            }
            (Health::Alive, false) => {
                tracing::info!(member = %name, incarnation, "a member answers and is trusted again");
            }
        }
    }

    /// Tells the node what this process has to do, now and then, and the process how its node sees the members.
    pub(super) fn look(&self) {
        let mut core = self.core.borrow_mut();
        let Some(core) = core.as_mut() else { return };
        if self.index == self.host.shard_of(PartitionId(0)) {
            let now_ms = self.host.clock.monotonic_ms();
            let before = self.looked.load.get();
            if now_ms.saturating_sub(before.until_ms) >= LOAD_EVERY_MS {
                let figures = self.host.figures();
                let spent = Spent::until(now_ms, &figures);
                let says_error = self.host.chaos.as_ref().is_some_and(Chaos::says_error);
                let load = Load {
                    stored_bytes: self.host.stored_bytes(),
                    operations_behind: figures.iter().map(|shard| shard.sync.behind).sum(),
                    is_learning: figures.iter().any(|shard| shard.sync.learning > 0),
                    room_bytes: self.host.room_bytes(),
                    is_full: self.host.disk.room() != Room::Enough,
                    says_error,
                    ..spent.load_since(&before)
                };
                core.node.set_load(load);
                self.looked.load.set(spent);
                // A shard whose store is opened again says nothing of what it lacks.
                if !figures.iter().any(|shard| shard.is_closed) {
                    self.looked.recovery.borrow_mut().look(now_ms, &together(&figures), &kept(&figures));
                }
            }
            self.host.note_steward(core.node.is_steward());
            self.host.set_sightings(core.node.sightings());
            for absence in self.host.set_absences(core.node.absences().collect()) {
                announce(core.node.layout(), &absence);
            }
        }
    }
}
