//! Commands of the scripts: a cluster whose members, loads and time are moved by hand.

use std::error::Error;
use std::fmt::Write as _;

use goldenscript::{Context, Runner};
use placement::Duty;
use server::autoscale::{Autoscaler, Band, Deed, Metric, Policy, Sample, Seen};
use wire::peer::gossip::Load;

#[derive(Clone, goldenscript::Command)]
pub(crate) enum Command {
    /// A new cluster, three copies of each key, and who looks after it. Times are in seconds; marks not given are not measured.
    Policy {
        members: Vec<String>,
        #[arg(key)]
        min: usize,
        #[arg(key)]
        max: usize,
        #[arg(key)]
        operations: Option<Band>,
        #[arg(key)]
        cpu: Option<Band>,
        #[arg(key)]
        bytes: Option<Band>,
        #[arg(key)]
        latency: Option<Band>,
        #[arg(key)]
        hold: u64,
        #[arg(key)]
        cool_down: u64,
        #[arg(key, optional)]
        dry: bool,
    },
    /// Another process is the steward, and this one looks on; or this one is again.
    Steward(bool),
    /// Of all members together, shared out evenly over those that hold something; latency is that of each.
    Load {
        #[arg(key)]
        operations: Option<u64>,
        #[arg(key)]
        cpu: Option<u64>,
        #[arg(key)]
        bytes: Option<u64>,
        #[arg(key)]
        latency: Option<u64>,
    },
    /// A member has come, and has no share yet.
    Join {
        name: String,
        #[arg(key)]
        zone: Option<String>,
    },
    /// A member that holds nothing.
    Gateway(String),
    /// What is wrong with a member: `down`, `learning`, `behind`, `full`, or `nothing`.
    Is {
        name: String,
        what: String,
    },
    /// A member fails together with others.
    Zone {
        name: String,
        zone: String,
    },
    /// Everything is where it is wanted.
    Settled,
    /// A member gives everything away; a person may have asked for it.
    Leave(String),
    /// A person has it stay.
    Stay(String),
    /// It has nothing left, and is a member no more.
    Forget(String),
    /// The layout would not let anybody go.
    Refuse(String),
    /// The last deed was done, or was not.
    Done(Option<String>),
    Failed(String),
    /// So many seconds pass, with a look each; what is decided in them is told.
    Wait(u64),
    /// How it stands.
    Standing,
    /// The last decisions.
    History,
}

#[derive(Default)]
pub(crate) struct Script {
    autoscaler: Option<Autoscaler>,
    sample: Sample,
    /// Figures of all members together.
    total: Load,
    now_ms: u64,
    is_watcher: bool,
    refusal: Option<String>,
}

fn member(name: &str, zone: Option<&str>) -> Seen {
    let zone = zone.unwrap_or("dc1/rack1").to_owned();
    Seen { name: name.to_owned(), zone, duty: Duty::Store, is_up: true, load: Load::default() }
}

impl Script {
    fn member(&mut self, name: &str) -> Result<&mut Seen, Box<dyn Error>> {
        let found = self.sample.members.iter_mut().find(|member| member.name == name);
        found.ok_or_else(|| format!("{name} is no member").into())
    }

    fn autoscaler(&mut self) -> Result<&mut Autoscaler, Box<dyn Error>> {
        self.autoscaler.as_mut().ok_or_else(|| "there is no policy yet".into())
    }

    fn share_out(&mut self) {
        let count = self.sample.members.iter().filter(|member| member.duty == Duty::Store).count() as u64;
        for member in self.sample.members.iter_mut().filter(|member| member.duty == Duty::Store) {
            member.load = Load {
                operations_per_s: self.total.operations_per_s / count,
                cpu_permille: self.total.cpu_permille / count,
                stored_bytes: self.total.stored_bytes / count,
                latency_us: self.total.latency_us,
                ..member.load
            };
        }
    }

    fn look(&mut self) -> Result<String, Box<dyn Error>> {
        self.share_out();
        let (now_ms, acts, sample) = (self.now_ms, !self.is_watcher, self.sample.clone());
        let refusal = self.refusal.clone();
        let may_leave = |_: &str| refusal.clone().map_or(Ok(()), Err);
        let deed = self.autoscaler()?.look(now_ms, &sample, acts, &may_leave);
        let mut out = self.lines()?;
        match deed {
            None => {}
            Some(Deed::Start(name)) => writeln!(out, "  -> start {name}")?,
            Some(Deed::Drain(name, epoch)) => writeln!(out, "  -> drain {name} of epoch {epoch}")?,
            Some(Deed::Retire(name)) => writeln!(out, "  -> retire {name}")?,
        }
        Ok(out)
    }

    fn lines(&mut self) -> Result<String, Box<dyn Error>> {
        let now = self.now_ms / 1_000;
        Ok(self.autoscaler()?.take_lines().iter().map(|line| format!("{now} s {line}\n")).collect())
    }

    fn changed(&mut self, is_settled: bool) {
        self.sample.epoch += 1;
        self.sample.is_settled = is_settled;
    }

    fn answer(&mut self, answer: Result<String, String>) -> Result<String, Box<dyn Error>> {
        let now_ms = self.now_ms;
        self.autoscaler()?.answered(now_ms, answer);
        self.lines()
    }

    fn begin(&mut self, members: &[String], policy: Policy, is_dry: bool) {
        let members = members.iter().map(|name| member(name, None)).collect();
        *self = Self { autoscaler: Some(Autoscaler::new(policy, is_dry)), ..Self::default() };
        self.sample = Sample { epoch: 1, replicas: 3, is_settled: true, members };
    }

    fn change(&mut self, command: Command) -> Result<String, Box<dyn Error>> {
        match command {
            Command::Steward(is_steward) => self.is_watcher = !is_steward,
            Command::Load { operations, cpu, bytes, latency } => {
                let set = |figure: &mut u64, to: Option<u64>| *figure = to.unwrap_or(*figure);
                set(&mut self.total.operations_per_s, operations);
                set(&mut self.total.cpu_permille, cpu.map(|percent| percent * 10));
                set(&mut self.total.stored_bytes, bytes);
                set(&mut self.total.latency_us, latency);
            }
            Command::Join { name, zone } => {
                self.sample.members.push(member(&name, zone.as_deref()));
                self.changed(false);
            }
            Command::Gateway(name) => {
                self.sample.members.push(Seen { duty: Duty::Route, ..member(&name, None) });
            }
            Command::Is { name, what } => {
                let member = self.member(&name)?;
                member.is_up = what != "down";
                member.load.is_learning = what == "learning";
                member.load.operations_behind = u64::from(what == "behind");
                member.load.is_full = what == "full";
            }
            Command::Zone { name, zone } => self.member(&name)?.zone = zone,
            Command::Settled => self.changed(true),
            Command::Leave(name) => {
                self.member(&name)?.duty = Duty::Leave;
                self.changed(false);
            }
            Command::Stay(name) => {
                self.member(&name)?.duty = Duty::Store;
                self.changed(true);
            }
            Command::Forget(name) => {
                self.sample.members.retain(|member| member.name != name);
                self.changed(true);
            }
            Command::Refuse(reason) => self.refusal = Some(reason).filter(|reason| !reason.is_empty()),
            _ => {}
        }
        Ok(String::new())
    }
}

impl Runner for Script {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Box<dyn Error>> {
        match command.clone() {
            Command::Policy { members, min, max, operations, cpu, bytes, latency, hold, cool_down, dry } => {
                let marks = [
                    (Metric::Operations, operations),
                    (Metric::Cpu, cpu),
                    (Metric::Bytes, bytes),
                    (Metric::Latency, latency),
                ];
                let marks = marks.into_iter().filter_map(|(metric, band)| Some((metric, band?))).collect();
                let (hold_ms, cool_down_ms) = (hold * 1_000, cool_down * 1_000);
                let policy =
                    Policy { min, max, marks, hold_ms, cool_down_ms, stem: "auto".to_owned(), first: 1 };
                self.begin(&members, policy, dry);
                Ok(String::new())
            }
            Command::Done(words) => self.answer(Ok(words.unwrap_or_default())),
            Command::Failed(reason) => self.answer(Err(reason)),
            Command::Wait(seconds) => {
                let mut out = String::new();
                for _ in 0..seconds {
                    self.now_ms += 1_000;
                    out += &self.look()?;
                }
                Ok(out)
            }
            Command::Standing => Ok(self.autoscaler()?.standing().to_owned()),
            Command::History => {
                let told = |what: &str, why: &str, outcome: &str| format!("{what}: {why}; {outcome}\n");
                let records = self.autoscaler()?.records();
                Ok(records.map(|record| told(&record.what, &record.why, &record.outcome)).collect())
            }
            other => self.change(other),
        }
    }
}
