//! When there are too few nodes, or too many, and who is to go: a function of how the cluster is and for how long.
//!
//! ```text
//!   Out   some mean above its high mark, or fewer members than the least; for the hold time
//!   In    all means below their low marks, and well below the high ones with a node fewer; for the hold time
//! ```
//!
//! The second half of *In* is what keeps it from swinging: a load that stays as it is never calls for one and then for the other.
//!
//! Not what is done about it (`autoscaler`), and not a clock: the time is passed in.
//!
//! 1. Neither while the ring moves, nor within the cool-down after that, whoever has had it move.
//! 2. Nobody goes where fewer members than the least or than copies would be left, where copies would share zones that had zones
//!    of their own, or while any that holds something does not answer, lacks something, or has no room.
//! 3. Nobody goes that a person has started.

use std::collections::BTreeSet;

use placement::Duty;
use wire::peer::gossip::Load;

use super::{Band, Metric};

/// One part in so many of the high mark is left free when there is a node fewer: no load is quite steady.
const ROOM_PART: u64 = 10;

/// By what it is decided. Times are in milliseconds.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The fewest members that hold anything.
    pub min: usize,
    /// The most.
    pub max: usize,
    /// What is measured, and its marks.
    pub marks: Vec<(Metric, Band)>,
    /// For how long there must be too few or too many before anything is done.
    pub hold_ms: u64,
    /// For how long nothing is done after a change.
    pub cool_down_ms: u64,
    /// What the nodes that it has started are called, before their number.
    pub stem: String,
    /// The number of the first of them.
    pub first: u32,
}

/// A cluster at one moment.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// The version of its layout.
    pub epoch: u64,
    /// How many owners each partition has.
    pub replicas: usize,
    /// Whether everything is where it is wanted.
    pub is_settled: bool,
    /// All members.
    pub members: Vec<Seen>,
}

/// A member at that moment.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// What it fails together with.
    pub zone: String,
    /// What it is there for.
    pub duty: Duty,
    /// Whether it answers.
    pub is_up: bool,
    /// What it has to do.
    pub load: Load,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Nothing,
    /// A node of this name is to come.
    Out(String),
    /// The member of this name is to go.
    In(String),
}

/// Since when it has been so that there are too few or too many, and when there was a change last.
#[derive(Clone, Debug, Default)]
pub(super) struct Pressure {
    above_since: Option<u64>,
    below_since: Option<u64>,
    changed_at: Option<u64>,
}

impl Pressure {
    /// There is a change: what was before it counts for nothing.
    pub(super) fn note_change(&mut self, now_ms: u64) {
        *self = Self { changed_at: Some(now_ms), ..Self::default() };
    }
}

impl Sample {
    /// The members that hold anything.
    pub(super) fn storing(&self) -> impl Iterator<Item = &Seen> {
        self.members.iter().filter(|member| member.duty == Duty::Store)
    }

    pub(super) fn member(&self, name: &str) -> Option<&Seen> {
        self.members.iter().find(|member| member.name == name)
    }

    /// Of the mean node that answers; of latency, that of the mean request.
    fn mean(&self, metric: Metric) -> u64 {
        let weight = |load: &Load| if metric == Metric::Latency { load.operations_per_s } else { 1 };
        let answering = || self.answering().map(|member| &member.load);
        let sum = |of: &dyn Fn(&Load) -> u64| answering().map(of).fold(0, u64::saturating_add);
        let total = sum(&|load| metric.of(load).saturating_mul(weight(load)));
        total.checked_div(sum(&weight)).unwrap_or(0)
    }

    fn answering(&self) -> impl Iterator<Item = &Seen> {
        self.storing().filter(|member| member.is_up)
    }

    fn zones(&self, without: &str) -> usize {
        let zones: BTreeSet<&str> =
            self.storing().filter(|member| member.name != without).map(|member| &*member.zone).collect();
        zones.len()
    }
}

impl Seen {
    /// Why nobody may leave now, where it is this member's doing.
    fn trouble(&self) -> Option<String> {
        let Self { name, load, .. } = self;
        match load {
            _ if !self.is_up => Some(format!("{name} does not answer")),
            Load { is_learning: true, .. } => Some(format!("{name} is being made whole")),
            Load { operations_behind: 1.., .. } => Some(format!("{name} has not caught up yet")),
            Load { is_full: true, .. } => Some(format!("the disk of {name} is full")),
            _ => None,
        }
    }
}

impl Policy {
    /// What is to be done now, and why. `may_leave` tells of a member why the layout would not let it go; it is asked last.
    pub(super) fn judge(
        &self,
        pressure: &mut Pressure,
        now_ms: u64,
        sample: &Sample,
        may_leave: &dyn Fn(&str) -> Result<(), String>,
    ) -> (Verdict, String) {
        if !sample.is_settled {
            pressure.note_change(now_ms);
            return (Verdict::Nothing, "the ring moves".to_owned());
        }
        let (above, below) = (self.above(sample), self.below(sample));
        let held_ms = |since: &mut Option<u64>, is_so: bool| {
            *since = is_so.then(|| since.unwrap_or(now_ms));
            since.map_or(0, |since| now_ms.saturating_sub(since))
        };
        let above_ms = held_ms(&mut pressure.above_since, above.is_some());
        let below_ms = held_ms(&mut pressure.below_since, below.is_some());
        let ((Some(why), held_ms, _) | (None, _, Some((why, held_ms)))) =
            (above.clone(), above_ms, below.map(|why| (why, below_ms)))
        else {
            return (Verdict::Nothing, self.told(sample));
        };
        let nothing = |reason: &str| (Verdict::Nothing, format!("{why}; {reason}"));
        if held_ms < self.hold_ms {
            return nothing(&format!("for {} of {}", seconds(held_ms), seconds(self.hold_ms)));
        }
        let rest_ms =
            pressure.changed_at.map_or(0, |at| at.saturating_add(self.cool_down_ms).saturating_sub(now_ms));
        if rest_ms > 0 {
            return nothing(&format!("the last change is to rest for {} more", seconds(rest_ms)));
        }
        let chosen = if above.is_some() {
            self.newcomer(sample).map(Verdict::Out)
        } else {
            self.leaver(sample, may_leave).map(Verdict::In)
        };
        match chosen {
            Ok(verdict) => (verdict, format!("{why}, for {}", seconds(held_ms))),
            Err(reason) => nothing(&reason),
        }
    }

    /// Why there are too few, where there are.
    fn above(&self, sample: &Sample) -> Option<String> {
        let count = sample.storing().count();
        if count < self.min {
            return Some(format!("{count} members, fewer than {}", self.min));
        }
        let mut means = self.marks.iter().map(|(metric, band)| (metric, band, sample.mean(*metric)));
        let (metric, band, mean) = means.find(|(_, band, mean)| *mean > band.high())?;
        Some(format!("{}, above {}", metric.told(mean), band.high()))
    }

    /// Why there are too many, where there are.
    fn below(&self, sample: &Sample) -> Option<String> {
        let count = sample.answering().count() as u64;
        let others = count.checked_sub(1).filter(|others| *others > 0)?;
        let is_below = |(metric, band): &(Metric, Band)| {
            let mean = sample.mean(*metric);
            let of_others = mean.saturating_mul(count) / others;
            mean < band.low() && of_others < band.high() - band.high() / ROOM_PART
        };
        let is_so = !self.marks.is_empty() && self.marks.iter().all(is_below);
        is_so.then(|| {
            let told = |(metric, band): &(Metric, Band)| {
                format!("{}, below {}", metric.told(sample.mean(*metric)), band.low())
            };
            self.marks.iter().map(told).collect::<Vec<_>>().join(", and ")
        })
    }

    /// How the cluster is, where nothing is to be done.
    fn told(&self, sample: &Sample) -> String {
        let means = self.marks.iter().map(|(metric, _)| metric.told(sample.mean(*metric)));
        means.collect::<Vec<_>>().join(", ")
    }

    /// What the next node is called: by the lowest number that is free.
    fn newcomer(&self, sample: &Sample) -> Result<String, String> {
        let count = sample.storing().count();
        if count >= self.max {
            return Err(format!("{count} members are the most"));
        }
        let mut names = (self.first..).map(|number| format!("{}{number}", self.stem));
        let free = names.find(|name| sample.member(name).is_none());
        free.ok_or_else(|| "there is no name left".to_owned())
    }

    /// Who is to go: of those that it has started the one with the highest number.
    fn leaver(
        &self,
        sample: &Sample,
        may_leave: &dyn Fn(&str) -> Result<(), String>,
    ) -> Result<String, String> {
        let left = sample.storing().count().saturating_sub(1);
        if left < self.min {
            return Err(format!("{} members are the fewest", left + 1));
        }
        if left < sample.replicas {
            return Err(format!("{} members are as few as there are copies", left + 1));
        }
        let mut keepers = sample.members.iter().filter(|member| member.duty != Duty::Route);
        if let Some(trouble) = keepers.find_map(Seen::trouble) {
            return Err(trouble);
        }
        let own = sample.storing().filter_map(|member| Some((self.number(&member.name)?, member)));
        let Some((_, member)) = own.max_by_key(|(number, _)| *number) else {
            return Err("none of them was started by the autoscaler".to_owned());
        };
        let (before, after) = (sample.zones(""), sample.zones(&member.name));
        if after < before.min(sample.replicas) {
            return Err(format!(
                "{} is the last in {}, and copies are in different zones",
                member.name, member.zone
            ));
        }
        may_leave(&member.name)?;
        Ok(member.name.clone())
    }

    /// The number of a node that it has started; nothing for others.
    pub(super) fn number(&self, name: &str) -> Option<u32> {
        let number = name.strip_prefix(&self.stem)?.parse().ok().filter(|number| *number >= self.first)?;
        // As it writes it, without zeros in front.
        (format!("{}{number}", self.stem) == name).then_some(number)
    }
}

/// A time for people.
pub(super) fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}

#[cfg(test)]
mod tests {
    use super::{Sample, Seen};
    use crate::autoscale::Metric;
    use placement::Duty;
    use wire::peer::gossip::Load;

    #[test]
    fn the_mean_latency_is_that_of_requests() {
        let seen = |operations_per_s, latency_us, is_up| {
            let load = Load { operations_per_s, latency_us, ..Load::default() };
            Seen { name: "a".into(), zone: "b/c".into(), duty: Duty::Store, is_up, load }
        };
        let members = vec![seen(900, 100, true), seen(100, 1_000, true), seen(0, 0, true), seen(9, 9, false)];
        let sample = Sample { members, ..Sample::default() };
        assert_eq!((sample.mean(Metric::Latency), sample.mean(Metric::Operations)), (190, 333));
        assert_eq!(Sample::default().mean(Metric::Latency), 0);
    }
}
