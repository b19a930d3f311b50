//! One seed, from storm to verdict.

use crate::check::{self, Terms};
use crate::client::{self, Wish};
use crate::history::{Ask, Operation};
use crate::machine::Machine;
use crate::sometimes::Sometimes;
use crate::tally::Faults;
use crate::trace::Keeps;
use crate::world::World;
use causal::{Cell, Entries};
use std::collections::{BTreeMap, BTreeSet};
use wire::Level;

/// What came of a seed.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What went wrong; nothing should.
    pub wrongs: Vec<String>,
    /// How many operations clients asked for.
    pub operations: u64,
    /// How many of them succeeded.
    pub succeeded: u64,
    /// How long it took in the cluster's own time, in microseconds.
    pub simulated_us: u64,
    /// What broke.
    pub faults: Faults,
    /// Which rare states it has reached.
    pub seen: Sometimes,
    /// A hash of everything that happened, where it is kept.
    pub trace_hash: u64,
    /// Everything that happened, where somebody wants to read it.
    pub trace: Vec<String>,
}

/// Plays a seed.
pub fn play(seed: u64, keeps: Keeps) -> Outcome {
    let mut world = World::new(seed, keeps);
    world.run_until(world.weather.storm_us);
    let may_be_damaged = world.faults.disks_lost > 0;
    check_nodes(&mut world, may_be_damaged);
    world.heal_quorum();
    world.calm_down();
    for at in world.unanswered() {
        let operation = format!("{:?}", world.history[at]);
        world.wrongs.push(format!("nobody ever answered {operation}"));
    }
    if world.faults.disks_lost > 0 {
        be_scrubbed(&mut world);
    }
    if world.become_settled() {
        become_whole(&mut world);
        read_everything(&mut world);
        check_nodes(&mut world, false);
        check_agreement(&mut world);
        check_handed_over(&mut world);
    }
    check_history(&mut world, 0);
    (0..world.machines.len()).for_each(|machine| world.watch_end(machine));
    let done = |operation: &&Operation| operation.is_answered();
    Outcome {
        operations: world.history.len() as u64,
        succeeded: world.history.iter().filter(done).count() as u64,
        simulated_us: world.now,
        faults: world.faults,
        seen: world.watch.seen,
        trace_hash: world.trace.hash(),
        trace: world.trace.lines().to_vec(),
        wrongs: world.wrongs,
    }
}

/// How long the owners of every partition may take, in the calm, until they hold the same by the same operations, in
/// microseconds.
const WHOLE_US_MAX: u64 = 120_000_000;

/// Waits until nobody lacks anything that another owner has.
pub(crate) fn become_whole(world: &mut World) {
    let until = world.now + WHOLE_US_MAX;
    while let Some(unequal) = unequal(world) {
        if world.now >= until {
            return world.wrongs.push(format!("two minutes of calm, and not whole: {unequal}"));
        }
        world.run_until(world.now + 500_000);
    }
}

/// How long every node may take to read all that it has stored, in microseconds.
const SCRUB_US_MAX: u64 = 3_600_000_000;

/// Waits until every node has read all that it has stored, from its beginning: what a disk has damaged is found by then,
/// also where nobody asks for it.
fn be_scrubbed(world: &mut World) {
    let until = world.now + SCRUB_US_MAX;
    let counts = |world: &World| -> Vec<Option<u64>> {
        let figures = world.machines.iter().map(|machine| Some(machine.running.as_ref()?.node.sync()));
        // Who owns nothing has nothing to read.
        figures.map(|sync| sync.filter(|sync| sync.partitions > 0).map(|sync| sync.scrubs)).collect()
    };
    let before = counts(world);
    // The round under way is not from its beginning. A node that found its disk unreadable has begun anew, and its count too.
    let is_done = |(before, now): (&Option<u64>, &Option<u64>)| match (before, now) {
        (Some(before), Some(now)) if now >= before => *now > before + 1,
        (_, now) => now.is_none_or(|now| now > 1),
    };
    while !before.iter().zip(&counts(world)).all(is_done) {
        if world.now >= until {
            return world.wrongs.push("an hour of calm, and not scrubbed".into());
        }
        world.run_until(world.now + 500_000);
    }
}

/// What keeps two owners of a partition from being equal.
fn unequal(world: &World) -> Option<String> {
    let learning = world.machines.iter().filter_map(|machine| machine.running.as_ref());
    if learning.into_iter().any(|running| running.node.sync().learning > 0) {
        return Some("somebody is learning what it has lost".into());
    }
    let keeps = |machine: &&Machine| {
        let handoff = machine.running.as_ref().map(|running| running.node.handoff());
        handoff.is_some_and(|handoff| handoff.bytes > 0 || !handoff.targets.is_empty())
    };
    if let Some(machine) = world.machines.iter().find(keeps) {
        return Some(format!("{} still keeps something for others", machine.id));
    }
    world.layout.keyspace().partitions().find_map(|partition| {
        let owners = world.layout.owners(partition).iter();
        let running = owners
            .filter_map(|owner| world.machines.iter().find(|machine| machine.id == *owner)?.running.as_ref());
        let maps: Vec<_> = running
            .map(|running| {
                let map = running.node.replicas().find(|(at, _)| *at == partition);
                map.map(|(_, map)| (map.context().clone(), map.digest())).unwrap_or_default()
            })
            .collect();
        let first = maps.first()?;
        let other = maps.iter().find(|other| *other != first)?;
        Some(format!("{partition}: {first:?} and {other:?}"))
    })
}

/// How often a key is read in the calm until it is answered, where disks have lost something.
const READ_TRIES_MAX: usize = 3;

/// Reads every key from all owners, at a node that chance picks: afterwards all of them hold the same.
fn read_everything(world: &mut World) {
    let keys: BTreeSet<String> = world.history.iter().map(|operation| operation.key.clone()).collect();
    for key in keys {
        let mut is_read = false;
        for _ in 0..if world.faults.disks_lost > 0 { READ_TRIES_MAX } else { 1 } {
            let machine = usize::try_from(world.rng.below(world.machines.len() as u64)).unwrap_or(0);
            let runs = |at: &usize| world.machines[*at].running.is_some();
            // Who has been removed answers nobody.
            let machine = (machine..world.machines.len()).chain(0..machine).find(runs).unwrap_or(machine);
            is_read = world.ask_and_wait(machine, &Wish::new(key.clone(), client::look(&key), Level::All));
            if is_read {
                break;
            }
            // It may have been the first to see that a disk has damaged the row: then others have it, a while later.
            become_whole(world);
        }
        if !is_read {
            world.wrongs.push(format!("in the calm nobody answers {:?}", world.history.last()));
        }
    }
}

/// The invariants of every node that runs. A row that a disk has damaged may not have been noticed yet.
fn check_nodes(world: &mut World, may_be_damaged: bool) {
    for machine in &mut world.machines {
        if let Some(running) = &mut machine.running {
            running.store.check();
            let mut checked = running.node.check(&mut running.store);
            if !may_be_damaged {
                checked = checked.and_then(|()| running.node.check_sums(&mut running.store));
            }
            if let Err(error) = checked
                && !may_be_damaged
            {
                world.wrongs.push(format!("a row cannot be read: {error}"));
            }
        }
    }
}

/// All owners of a partition hold the same rows, and equal contexts mean equal digests.
fn check_agreement(world: &mut World) {
    let layout = world.layout.clone();
    for partition in layout.keyspace().partitions() {
        let mut first: Option<BTreeMap<Cell, Entries>> = None;
        let mut maps: Vec<(u64, causal::Context)> = Vec::new();
        for owner in layout.owners(partition) {
            let machine = world.machines.iter_mut().find(|machine| machine.id == *owner);
            let Some(running) = machine.and_then(|machine| machine.running.as_mut()) else { continue };
            let rows = running.node.rows(partition, &mut running.store).unwrap_or_default();
            let rows: BTreeMap<Cell, Entries> = rows.into_iter().collect();
            if first.as_ref().is_some_and(|first| *first != rows) {
                world.wrongs.push(format!("owners of {partition} disagree: {first:?} and {rows:?}"));
            }
            first.get_or_insert(rows);
            let map = running.node.replicas().find(|(at, _)| *at == partition).map(|(_, map)| map);
            maps.extend(map.filter(|map| !map.is_ahead()).map(|map| (map.digest(), map.context().clone())));
        }
        let differs = |a: &(u64, causal::Context), b: &(u64, causal::Context)| a.1 == b.1 && a.0 != b.0;
        if maps.iter().any(|a| maps.iter().any(|b| differs(a, b))) {
            world.wrongs.push(format!("{partition}: contexts are equal and digests are not"));
        }
    }
}

/// How long rows of what was handed over may take to go, in the calm, in microseconds.
const DROPPED_US_MAX: u64 = 30_000_000;

/// Who is no owner of a partition holds nothing of it any more, soon after it has handed over all that it kept.
fn check_handed_over(world: &mut World) {
    let until = world.now + DROPPED_US_MAX;
    let mut left = left_over(world);
    while !left.is_empty() && world.now < until {
        world.run_until(world.now + 500_000);
        left = left_over(world);
    }
    world.wrongs.append(&mut left);
}

fn left_over(world: &mut World) -> Vec<String> {
    let mut left = Vec::new();
    let layout = world.layout.clone();
    for machine in &mut world.machines {
        let Some(running) = machine.running.as_mut() else { continue };
        for partition in layout.keyspace().partitions().filter(|at| !layout.owners(*at).contains(&machine.id))
        {
            let rows = running.node.rows(partition, &mut running.store).unwrap_or_default();
            if !rows.is_empty() {
                left.push(format!("{} is no owner of {partition} and holds {rows:?}", machine.id));
            }
        }
    }
    left
}

/// What clients were told must be possible, what they have read since some time.
pub(crate) fn check_history(world: &mut World, since: u64) {
    let terms = Terms { since, ..Terms::of(world.owners) };
    let mut by_key: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    let is_flush = |operation: &&Operation| operation.ask == Ask::Flush;
    for operation in world.history.iter().filter(|operation| !is_flush(operation)) {
        by_key.entry(&operation.key).or_default().push(operation);
    }
    let flushes: Vec<&Operation> = world.history.iter().filter(is_flush).collect();
    let mut wrongs = Vec::new();
    for (key, mut operations) in by_key {
        let partition = world.partition_of(key);
        operations.extend(flushes.iter().filter(|flush| world.partition_of(&flush.key) == partition));
        let check = match key.split('-').next() {
            Some("counter") => check::counter,
            Some("number") => check::number,
            Some("siblings") => check::siblings,
            _ => check::register,
        };
        // What one node alone was told to keep may have been on a disk that lost it.
        let may_be_lost = world.faults.disks_lost > 0;
        let checked = match key.split('-').next() {
            Some("lent") => check::lent(key, &operations, may_be_lost),
            Some("owed") => check::owed(key, &operations, may_be_lost),
            _ => check(key, &operations, terms),
        };
        wrongs.extend(checked.err());
        if world.is_peace {
            wrongs.extend(check::serial(key, &operations).err());
        }
    }
    world.wrongs.append(&mut wrongs);
}
