//! One change after another, from the decision to what came of it.
//!
//! ```text
//!   Out   Starting ── answered ─▶ Arriving ── a member ─▶ Filling ── settled ─▶ done
//!   In    Draining ── answered ─▶ Leaving ── forgotten ─▶ Retiring ── answered ─▶ done
//! ```
//!
//! Not the deciding (`policy`) and not the doing: a [`Deed`] is for whoever runs this, who says what came of it.
//!
//! 1. While a deed is not answered there is no other.
//! 2. In a dry run there are no deeds, and what would be done is told once for as long as it would be the same.

use placement::Duty;

use super::history::{History, Record};
use super::policy::{Pressure, Verdict, seconds};
use super::{Policy, Sample};

/// How long a node that was started may take until it is a member, in milliseconds: machines may have to be bought.
const ARRIVAL_MS_MAX: u64 = 600_000;

const UNDER_WAY: &str = "under way";

/// Something to do for whoever runs an autoscaler. What came of it is for [`Autoscaler::answered`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Have a node of this name started.
    Start(String),
    /// Have a member leave, if the layout is still that of this epoch.
    Drain(String, u64),
    /// A member has left: have what it ran on cleaned up.
    Retire(String),
}

/// A policy at work.
#[derive(Debug)]
pub struct Autoscaler {
    policy: Policy,
    is_dry: bool,
    pressure: Pressure,
    course: Option<Course>,
    /// What a dry run has told last.
    said: Verdict,
    standing: String,
    history: History,
}

/// The change that is under way.
#[derive(Debug)]
struct Course {
    node: String,
    stage: Stage,
    began_ms: u64,
    /// Until when it is to be a member, once it was started.
    until_ms: u64,
    /// Whether it is in the history: who only looks on keeps none.
    is_told: bool,
    /// What those who did it had to tell.
    words: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Starting,
    Arriving,
    Filling,
    Draining,
    Leaving,
    Retiring,
}

impl Autoscaler {
    /// One that has seen nothing yet. A dry one only says what it would do.
    pub fn new(policy: Policy, is_dry: bool) -> Self {
        Self {
            policy,
            is_dry,
            pressure: Pressure::default(),
            course: None,
            said: Verdict::Nothing,
            standing: "nothing was looked at yet".to_owned(),
            history: History::default(),
        }
    }

    /// Looks at the cluster; gives what is to be done, where it `acts` and is not only to know what goes on.
    /// `may_leave` tells of a member why the layout would not let it go.
    pub fn look(
        &mut self,
        now_ms: u64,
        sample: &Sample,
        acts: bool,
        may_leave: &dyn Fn(&str) -> Result<(), String>,
    ) -> Option<Deed> {
        if self.course.is_none() && !self.is_dry {
            self.find_leaving(now_ms, sample);
        }
        if self.course.is_some() {
            return self.go_on(now_ms, sample, acts);
        }
        let (verdict, why) = self.policy.judge(&mut self.pressure, now_ms, sample, may_leave);
        self.standing.clone_from(&why);
        if verdict != Verdict::Nothing && !acts {
            self.standing += "; another node decides";
        }
        if verdict == Verdict::Nothing || !acts {
            self.said = Verdict::Nothing;
            return None;
        }
        if self.is_dry {
            self.say(now_ms, verdict, why);
            return None;
        }
        self.begin(now_ms, verdict, why, sample.epoch)
    }

    /// What came of the last deed: words on it, or why it was not done.
    pub fn answered(&mut self, now_ms: u64, answer: Result<String, String>) {
        let Some(course) = &mut self.course else { return };
        let passed = seconds(now_ms.saturating_sub(course.began_ms));
        match (course.stage, answer) {
            (Stage::Starting, Ok(words)) => {
                (course.stage, course.words) = (Stage::Arriving, told(words));
                course.until_ms = now_ms + ARRIVAL_MS_MAX;
            }
            (Stage::Draining, Ok(_)) => course.stage = Stage::Leaving,
            (Stage::Retiring, Ok(words)) => {
                self.end(now_ms, format!("done: {}it has left, after {passed}", told(words)));
            }
            (Stage::Retiring, Err(reason)) => {
                self.end(
                    now_ms,
                    format!("it has left, after {passed}, but what it ran on may be there: {reason}"),
                );
            }
            (_, Err(reason)) => self.end(now_ms, format!("failed: {reason}")),
            (Stage::Arriving | Stage::Filling | Stage::Leaving, Ok(_)) => {}
        }
    }

    /// A node that was started is known not to come.
    pub fn note_end(&mut self, now_ms: u64, node: &str, why: &str) {
        if self.course.as_ref().is_some_and(|course| course.node == node && course.stage == Stage::Arriving) {
            self.end(now_ms, format!("failed: {why}"));
        }
    }

    /// Whether a member is on its way out by its decision.
    pub fn has_leave(&self, node: &str) -> bool {
        let stages = [Stage::Draining, Stage::Leaving, Stage::Retiring];
        self.course.as_ref().is_some_and(|course| course.node == node && stages.contains(&course.stage))
    }

    /// By what it decides.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether it only says what it would do.
    pub fn is_dry(&self) -> bool {
        self.is_dry
    }

    /// How it stands, in words.
    pub fn standing(&self) -> &str {
        &self.standing
    }

    /// The last decisions, the oldest first.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.history.records()
    }

    /// What there is to write down since the last time.
    pub fn take_lines(&mut self) -> Vec<String> {
        self.history.take_lines()
    }

    /// Goes on with one that leaves, whoever has had it leave: another process may have been the steward.
    fn find_leaving(&mut self, now_ms: u64, sample: &Sample) {
        // One that was removed has left too, and what it ran on is to be cleaned up.
        let is_out = |duty| matches!(duty, Duty::Leave | Duty::Lost);
        let is_leaving = |name: &str, duty| is_out(duty) && self.policy.number(name).is_some();
        let found = sample.members.iter().find(|member| is_leaving(&member.name, member.duty));
        self.course = found.map(|member| Course::new(now_ms, &member.name, Stage::Leaving, false));
    }

    fn go_on(&mut self, now_ms: u64, sample: &Sample, acts: bool) -> Option<Deed> {
        let course = self.course.as_mut()?;
        if acts && !course.is_told {
            course.is_told = true;
            let why = "it was on its way already".to_owned();
            self.history.begin(now_ms, format!("drain {}", course.node), why, UNDER_WAY);
        }
        self.standing = course.told();
        let member = sample.member(&course.node);
        let is_over = now_ms >= course.until_ms;
        let passed = seconds(now_ms.saturating_sub(course.began_ms));
        match (course.stage, member) {
            (Stage::Arriving, Some(_)) => course.stage = Stage::Filling,
            (Stage::Arriving, None) if is_over => {
                self.end(now_ms, format!("failed: it is no member after {passed}"));
            }
            (Stage::Filling, None) => self.end(now_ms, "failed: it is no member any more".to_owned()),
            (Stage::Filling, Some(_)) if sample.is_settled => {
                let words = format!("done: {}it has its share, after {passed}", course.words);
                self.end(now_ms, words);
            }
            (Stage::Leaving, None) if acts => {
                course.stage = Stage::Retiring;
                return Some(Deed::Retire(course.node.clone()));
            }
            (Stage::Leaving, None) => self.end(now_ms, format!("it has left, after {passed}")),
            (Stage::Leaving, Some(member)) if member.duty == Duty::Store => {
                self.end(now_ms, "it stays: that was taken back".to_owned());
            }
            _ => {}
        }
        None
    }

    fn begin(&mut self, now_ms: u64, verdict: Verdict, why: String, epoch: u64) -> Option<Deed> {
        let (what, stage, deed) = match verdict {
            Verdict::Nothing => return None,
            Verdict::Out(node) => (format!("start {node}"), Stage::Starting, Deed::Start(node)),
            Verdict::In(node) => (format!("drain {node}"), Stage::Draining, Deed::Drain(node, epoch)),
        };
        let (Deed::Start(node) | Deed::Drain(node, _) | Deed::Retire(node)) = &deed;
        let course = Course::new(now_ms, node, stage, true);
        self.standing = course.told();
        self.course = Some(course);
        self.history.begin(now_ms, what, why, UNDER_WAY);
        Some(deed)
    }

    fn say(&mut self, now_ms: u64, verdict: Verdict, why: String) {
        if self.said == verdict {
            return;
        }
        let what = match &verdict {
            Verdict::Nothing => return,
            Verdict::Out(node) => format!("would start {node}"),
            Verdict::In(node) => format!("would drain {node}"),
        };
        self.history.begin(now_ms, what, why, "a dry run: nothing was done");
        self.said = verdict;
    }

    fn end(&mut self, now_ms: u64, outcome: String) {
        if self.course.take().is_some_and(|course| course.is_told) {
            self.history.end(outcome);
        }
        self.pressure.note_change(now_ms);
    }
}

impl Course {
    fn new(began_ms: u64, node: &str, stage: Stage, is_told: bool) -> Self {
        Self { node: node.to_owned(), stage, began_ms, until_ms: began_ms, is_told, words: String::new() }
    }

    fn told(&self) -> String {
        let is = match self.stage {
            Stage::Starting => "is being started",
            Stage::Arriving => "was started, and is to be a member",
            Stage::Filling => "is given its share",
            Stage::Draining | Stage::Leaving => "gives everything away",
            Stage::Retiring => "has left, and is cleaned up after",
        };
        format!("{} {is}", self.node)
    }
}

/// Words that others come after.
fn told(words: String) -> String {
    if words.is_empty() { words } else { format!("{words}; ") }
}
