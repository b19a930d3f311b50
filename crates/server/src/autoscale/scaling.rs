//! What a server is told of scaling.
//!
//! Not a parser of flags: the command line fills this in.
//!
//! 1. Nothing is started or drained unless that was asked for in a word: marks alone make a dry run.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use super::{Autoscaler, Band, Commands, Metric, Policy};

/// What the nodes are called that a server has had started, before their number.
const STEM: &str = "auto";

/// Whether there is an autoscaler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// There is none.
    Off,
    /// It says what it would do.
    DryRun,
    /// It does it.
    On,
}

impl FromStr for Mode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "off" => Ok(Self::Off),
            "dry-run" => Ok(Self::DryRun),
            "on" => Ok(Self::On),
            _ => Err("write off, dry-run or on"),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::DryRun => "dry-run",
            Self::On => "on",
        })
    }
}

/// Everything that a server is told of scaling.
#[derive(Clone, Debug)]
pub struct Scaling {
    /// Whether it is done; `None`: a dry run where anything else is given.
    pub mode: Option<Mode>,
    /// The fewest members.
    pub min: usize,
    /// The most; to be given.
    pub max: Option<usize>,
    /// What is measured, and its marks.
    pub marks: Vec<(Metric, Band)>,
    /// For how long there must be too few or too many nodes before anything is done.
    pub hold: Duration,
    /// For how long nothing is done after a change.
    pub cool_down: Duration,
    /// The command that starts a node.
    pub scale_out: Option<String>,
    /// The command that is run when a node has left.
    pub scale_in: Option<String>,
}

impl Default for Scaling {
    fn default() -> Self {
        Self {
            mode: None,
            min: 1,
            max: None,
            marks: Vec::new(),
            hold: Duration::from_secs(60),
            cool_down: Duration::from_secs(300),
            scale_out: None,
            scale_in: None,
        }
    }
}

impl Scaling {
    /// Whether there is an autoscaler, and what it may do.
    pub fn mode(&self) -> Mode {
        let has_command = self.scale_out.is_some() || self.scale_in.is_some();
        let is_asked_for = !self.marks.is_empty() || self.max.is_some() || has_command;
        self.mode.unwrap_or(if is_asked_for { Mode::DryRun } else { Mode::Off })
    }

    /// Whether a server can go by it.
    ///
    /// # Errors
    /// What is missing, or contradicts itself.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mode = self.mode();
        let max = self.max.unwrap_or(0);
        let why = if mode == Mode::Off {
            return Ok(());
        } else if self.marks.is_empty() {
            "give the marks of at least one figure, as in autoscale-operations = \"1000..5000\"".to_owned()
        } else if self.max.is_none() {
            "give the most members that there may be (autoscale-max)".to_owned()
        } else if self.min == 0 || max < self.min {
            format!(
                "from {} to {max} members is no range: at least 1, and the most not below the fewest",
                self.min
            )
        } else if mode == Mode::On && (self.scale_out.is_none() || self.scale_in.is_none()) {
            "to act it needs the commands that start a node (scale-out) and clean up after one (scale-in)"
                .to_owned()
        } else {
            return Ok(());
        };
        Err(format!("autoscale: {why}"))
    }

    /// The autoscaler, unless there is to be none.
    pub(crate) fn autoscaler(&self) -> Option<Autoscaler> {
        let mode = self.mode();
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        (mode != Mode::Off).then(|| {
            let policy = Policy {
                min: self.min,
                max: self.max.unwrap_or(self.min),
                marks: self.marks.clone(),
                hold_ms: ms(self.hold),
                cool_down_ms: ms(self.cool_down),
                stem: STEM.to_owned(),
                first: 1,
            };
            Autoscaler::new(policy, mode == Mode::DryRun)
        })
    }

    /// Who starts and cleans up, for a server at this address that may write into this directory.
    pub(crate) fn commands(&self, join: String, dir: &Path) -> Option<Commands> {
        let (scale_out, scale_in) = (self.scale_out.clone()?, self.scale_in.clone()?);
        Some(Commands { scale_out, scale_in, join, output: dir.join("autoscale.out") })
    }
}

#[cfg(test)]
mod tests {
    use super::{Mode, Scaling};
    use crate::autoscale::{Band, Metric};

    #[test]
    fn it_is_dry_unless_told_otherwise() {
        let marks = vec![(Metric::Operations, Band::new(1, 2).unwrap())];
        let marked = Scaling { marks, max: Some(3), ..Scaling::default() };
        assert_eq!((Scaling::default().mode(), marked.mode()), (Mode::Off, Mode::DryRun));
        assert!(marked.check().is_ok() && Scaling::default().check().is_ok());
        let on = Scaling { mode: Some(Mode::On), ..marked.clone() };
        assert!(on.check().unwrap_err().contains("scale-out"));
        let commands = Some("true".to_owned());
        assert!(Scaling { scale_out: commands.clone(), scale_in: commands, ..on }.check().is_ok());
        assert!(Scaling { max: None, ..marked.clone() }.check().unwrap_err().contains("autoscale-max"));
        assert!(Scaling { min: 4, ..marked.clone() }.check().unwrap_err().contains("no range"));
        assert!(
            Scaling { marks: Vec::new(), ..marked }.check().unwrap_err().contains("autoscale-operations")
        );
    }

    #[test]
    fn modes_read_back_what_they_display() {
        for mode in [Mode::Off, Mode::DryRun, Mode::On] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert!("dry".parse::<Mode>().is_err());
    }
}
