//! The capacity of the cluster follows its load, as far as this process is the steward: it looks, and does what the autoscaler decides.
//!
//! Not the deciding: that is `autoscale`. Every server looks, so that another can go on where the steward is another one.
//!
//! 1. One deed at a time; while a command of the user's runs, nothing else is decided here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use node::Heirs;
use placement::layout::Basis;
use placement::{Change, Layout, Member, NodeId};
use tokio::sync::oneshot;
use tokio::time::sleep;
use wire::Reply;

use crate::autoscale::{Autoscaler, Deed, Mode, Provisioner, Sample, Seen};
use crate::formation::Register;
use crate::host::Host;
use crate::ring::NO_ROOM;

/// How often the loads are looked at; they are told once a second.
const LOOK: Duration = Duration::from_millis(500);

/// Looks for as long as the process runs, unless there is no autoscaler.
pub(crate) async fn follow(host: Arc<Host>, register: Arc<Register>) {
    let Some(autoscaler) = &host.autoscaler else { return };
    loop {
        sleep(LOOK).await;
        let layout = host.layout();
        let may_leave = |name: &str| may_leave(&host, &layout, NodeId::of_name(name));
        let (now_ms, acts) = (host.clock.monotonic_ms(), host.is_steward());
        let deed = locked(autoscaler).look(now_ms, &sample(&host, &layout), acts, &may_leave);
        write_down(autoscaler);
        let Some(deed) = deed else { continue };
        let answer = perform(&host, &register, deed).await;
        locked(autoscaler).answered(host.clock.monotonic_ms(), answer);
        write_down(autoscaler);
    }
}

/// Why the layout would not let a member go, or the others could not take what it has.
fn may_leave(host: &Host, layout: &Layout, member: NodeId) -> Result<(), String> {
    let after = layout.changed(&Change::Leave(member)).map_err(|error| error.to_string())?;
    let seen = layout.members().iter().filter_map(|member| host.sighting(member.id));
    let have_room = Heirs::between(layout, &after).have_room(seen);
    if have_room { Ok(()) } else { Err(NO_ROOM.to_owned()) }
}

fn locked(autoscaler: &Mutex<Autoscaler>) -> MutexGuard<'_, Autoscaler> {
    autoscaler.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_down(autoscaler: &Mutex<Autoscaler>) {
    for line in locked(autoscaler).take_lines() {
        tracing::info!("autoscaler: {line}");
    }
}

/// The cluster as this process sees it.
fn sample(host: &Host, layout: &Layout) -> Sample {
    let seen = |member: &Member| {
        let sighting = host.sighting(member.id);
        Seen {
            name: member.name.clone(),
            zone: member.zone.to_string(),
            duty: member.duty,
            is_up: member.id == host.me || sighting.is_some_and(|seen| seen.is_trusted()),
            load: sighting.map(|seen| seen.load).unwrap_or_default(),
        }
    };
    Sample {
        epoch: layout.epoch(),
        replicas: layout.replicas(),
        is_settled: layout.is_settled(),
        members: layout.members().iter().map(seen).collect(),
    }
}

async fn perform(host: &Host, register: &Register, deed: Deed) -> Result<String, String> {
    let config = &host.config;
    let commands = config.autoscale.commands(config.announced(), &config.dir);
    let Some(mut commands) = commands else { return Err("there are no commands".to_owned()) };
    match deed {
        Deed::Start(node) => aside(move || commands.start(&node)).await,
        Deed::Retire(node) => aside(move || commands.retire(&node)).await,
        Deed::Drain(node, epoch) => {
            let left = register.change(Change::Leave(NodeId::of_name(&node)), Basis::Epoch(epoch)).await;
            left.map(|_| String::new())
        }
    }
}

/// Does something that takes its time, on a thread that nobody waits for when the process ends.
async fn aside(act: impl FnOnce() -> Result<String, String> + Send + 'static) -> Result<String, String> {
    let (told, answer) = oneshot::channel();
    let thread = std::thread::Builder::new().name("autoscale".to_owned());
    if let Err(error) = thread.spawn(move || told.send(act())) {
        return Err(format!("there is no thread for it: {error}"));
    }
    answer.await.unwrap_or_else(|_| Err("it broke off".to_owned()))
}

/// `autoscale` of `ARMILLA.STATUS`.
pub(crate) fn told(host: &Host) -> Reply {
    let text = |text: &str| Reply::bulk(text.to_owned());
    let number = |number: u64| Reply::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    let Some(autoscaler) = &host.autoscaler else {
        return Reply::Map(vec![(text("mode"), text(&Mode::Off.to_string()))]);
    };
    let (autoscaler, now_ms) = (locked(autoscaler), host.clock.monotonic_ms());
    let records = autoscaler.records().map(|record| {
        Reply::Map(vec![
            (text("ms_ago"), number(now_ms.saturating_sub(record.at_ms))),
            (text("what"), text(&record.what)),
            (text("why"), text(&record.why)),
            (text("outcome"), text(&record.outcome)),
        ])
    });
    let policy = autoscaler.policy();
    let mode = if autoscaler.is_dry() { Mode::DryRun } else { Mode::On };
    Reply::Map(vec![
        (text("mode"), text(&mode.to_string())),
        (text("decides"), Reply::Boolean(host.is_steward())),
        (text("members_min"), number(policy.min as u64)),
        (text("members_max"), number(policy.max as u64)),
        (text("standing"), text(autoscaler.standing())),
        (text("history"), Reply::Array(records.collect())),
    ])
}
