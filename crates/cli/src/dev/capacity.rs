//! `armilla dev --autoscale`: child processes come and go as the load rises and falls.
//!
//! ```text
//! ask a node for its status ─▶ server::autoscale ─▶ start a child, or have a member leave and reap it (`local`)
//! ```
//!
//! Not the deciding, which is the same as of a server. Whether a node has its share and who may leave, nodes are asked.
//!
//! 1. Each decision is a line here and in `DIR/autoscale.log`, and so is what came of it.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use placement::Duty;
use server::autoscale::{Autoscaler, Band, Deed, Metric, Policy, Provisioner, Sample, Seen};
use wire::Reply;
use wire::json::rfc3339;
use wire::peer::gossip::Load;

use super::child::Child;
use super::local::Local;
use super::plan::{NAME_STEM, Plan};
use super::{say, warn};
use crate::client::Client;
use crate::flags::DevFlags;
use crate::status::{field, integer, is_settled, text};

/// How often the loads are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Longest wait for an answer about the load.
const STATUS_MAX: Duration = Duration::from_secs(1);
/// Longest wait for an answer about a change.
const CHANGE_MAX: Duration = Duration::from_secs(15);
/// The marks for operations a second, of the mean node, unless others are given.
const OPERATIONS: (u64, u64) = (2_000, 10_000);
/// For how long there must be too few nodes or too many, unless said otherwise.
const HOLD: Duration = Duration::from_secs(5);
/// For how long nothing is done after a change, unless said otherwise.
const COOL_DOWN: Duration = Duration::from_secs(10);

/// An autoscaler over children.
#[derive(Debug)]
pub(super) struct Capacity {
    autoscaler: Autoscaler,
    log: File,
    began: Instant,
    looked: Instant,
    /// How one that leaves has ended, as it was told.
    ended: Option<String>,
}

impl Capacity {
    /// The one that these flags ask for, if they do.
    ///
    /// # Errors
    /// Its log cannot be written.
    pub(super) fn of(flags: &DevFlags) -> anyhow::Result<Option<Self>> {
        let Some((min, max)) = flags.autoscale else { return Ok(None) };
        let path = flags.dir.join("autoscale.log");
        let log = File::options().create(true).append(true).open(&path);
        let log = log.with_context(|| format!("cannot write {}", path.display()))?;
        let mut marks = flags.marks.marks();
        if marks.is_empty() {
            marks.push((Metric::Operations, Band::new(OPERATIONS.0, OPERATIONS.1)?));
        }
        let (hold, cool_down) = flags.marks.times(HOLD, COOL_DOWN);
        let policy = Policy {
            min: min.into(),
            max: max.into(),
            marks,
            hold_ms: ms(hold),
            cool_down_ms: ms(cool_down),
            stem: NAME_STEM.to_owned(),
            first: u32::from(min) + 1,
        };
        let autoscaler = Autoscaler::new(policy, flags.autoscale_dry_run);
        let now = Instant::now();
        Ok(Some(Self { autoscaler, log, began: now, looked: now, ended: None }))
    }

    /// Looks at the load, and does what is to be done.
    pub(super) fn look(&mut self, plan: &Plan, children: &mut Vec<Child>) {
        if self.looked.elapsed() < LOOK {
            return;
        }
        self.looked = Instant::now();
        let asked = |child: &Child| {
            Some((child.client(), ask(child.client(), STATUS_MAX, &["ARMILLA.STATUS"]).ok()?))
        };
        let Some((node, status)) = children.iter().find_map(asked) else { return };
        let ring = |words: &[&str]| ask(node, CHANGE_MAX, &[&["ARMILLA.RING"], words].concat()).map(drop);
        let may_leave = |name: &str| ring(&["PLAN", "LEAVE", name]);
        let now_ms = self.now_ms();
        let deed = self.autoscaler.look(now_ms, &sample(&status), true, &may_leave);
        self.write_down();
        let mut local = Local { plan, children, join: node };
        let answer = match deed {
            None => return,
            Some(Deed::Start(name)) => local.start(&name),
            Some(Deed::Retire(name)) => local.retire(&name),
            Some(Deed::Drain(name, epoch)) => {
                ring(&["LEAVE", &name, "OF", &epoch.to_string()]).map(|()| String::new())
            }
        };
        self.autoscaler.answered(self.now_ms(), answer);
        self.write_down();
    }

    /// A child has ended; tells whether that was to be expected, and it is reaped once it is no member any more.
    pub(super) fn note_end(&mut self, node: &str, end: &str) -> bool {
        if self.autoscaler.has_leave(node) {
            if self.ended.as_deref() != Some(end) {
                say(end);
                self.ended = Some(end.to_owned());
            }
            return true;
        }
        self.autoscaler.note_end(self.now_ms(), node, end);
        self.write_down();
        false
    }

    fn now_ms(&self) -> u64 {
        ms(self.began.elapsed())
    }

    fn write_down(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        for line in self.autoscaler.take_lines() {
            say(&format!("autoscaler: {line}"));
            if let Err(error) = writeln!(self.log, "{} {line}", rfc3339(ms(now))) {
                warn(&format!("cannot write autoscale.log: {error}"));
            }
        }
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// One question to a node, and its answer.
fn ask(node: SocketAddr, within: Duration, words: &[&str]) -> Result<Reply, String> {
    let asked = Client::connect_within(&node.to_string(), Some(within)).and_then(|mut node| node.call(words));
    let reply = asked.map_err(|error| format!("{node} cannot be asked: {error}"))?;
    match reply.fault() {
        Some(fault) => Err(fault.to_string()),
        None => Ok(reply),
    }
}

/// The cluster as the node sees it whose status this is.
fn sample(status: &Reply) -> Sample {
    let number = |name| integer(status, name).and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
    let members = match field(status, "members") {
        Some(Reply::Array(members)) => members.iter().map(seen).collect(),
        _ => Vec::new(),
    };
    Sample {
        epoch: number("epoch"),
        replicas: usize::try_from(number("replicas")).unwrap_or(usize::MAX),
        is_settled: field(status, "ring").is_some_and(is_settled),
        members,
    }
}

fn seen(member: &Reply) -> Seen {
    let number = |name| integer(member, name).and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
    let is = |name| matches!(field(member, name), Some(Reply::Boolean(true)));
    let duty = match text(member, "duty").as_str() {
        "store" => Duty::Store,
        "leave" => Duty::Leave,
        "lost" => Duty::Lost,
        _ => Duty::Route,
    };
    let load = Load {
        operations_per_s: number("operations_per_s"),
        latency_us: number("latency_us"),
        cpu_permille: number("cpu_permille"),
        stored_bytes: number("stored_bytes"),
        operations_behind: number("operations_behind"),
        is_learning: is("learning"),
        is_full: is("disk_full"),
        ..Load::default()
    };
    let is_up = matches!(text(member, "state").as_str(), "up" | "this node");
    Seen { name: text(member, "name"), zone: text(member, "zone"), duty, is_up, load }
}
