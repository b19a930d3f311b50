//! The settings of the autoscaler: those of a server, and those that `armilla dev` has too.
//!
//! Not what they mean: that is `server::autoscale`.

use std::time::Duration;

use clap::Args;
use server::autoscale::{Band, Metric, Mode, Scaling};

use super::value;

/// What a server is told of scaling.
#[derive(Debug, Default, Clone, Args)]
pub(super) struct ScalingSettings {
    /// Whether nodes come and go by themselves as the load rises and falls: `off`, `dry-run` (this node says what it would
    /// do), or `on`. Give all autoscale settings to every node, for any may be the one that decides.
    /// [default: dry-run where marks, a most or commands are given, else off]
    #[arg(long, value_name = "MODE")]
    autoscale: Option<Mode>,
    /// The fewest members that the autoscaler leaves. [default: 1, and never fewer than copies]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=4096))]
    autoscale_min: Option<u16>,
    /// The most members up to which the autoscaler starts any.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=4096))]
    autoscale_max: Option<u16>,
    #[command(flatten)]
    marks: MarkFlags,
    /// The command that starts a node, run by /bin/sh and waited for: {node} and $ARMILLA_NODE are the name that the node
    /// is to have, $ARMILLA_JOIN a member to join by.
    #[arg(long, value_name = "COMMAND")]
    scale_out: Option<String>,
    /// The command that is run when a node has given everything away and has left; it is told as above.
    #[arg(long, value_name = "COMMAND")]
    scale_in: Option<String>,
}

/// When there are too few nodes, or too many: flags of a server and of `armilla dev`.
#[derive(Debug, Default, Clone, Copy, Args)]
pub(crate) struct MarkFlags {
    /// Marks for the requests of clients in a second, of the mean node: above HIGH a node is started; below LOW in all
    /// figures that have marks, one is drained. [default of dev: 2000..10000]
    #[arg(long, value_name = "LOW..HIGH")]
    autoscale_operations: Option<Band>,
    /// Marks for the percentage of one core that the mean node computes.
    #[arg(long, value_name = "LOW..HIGH")]
    autoscale_cpu: Option<Band>,
    /// Marks for the bytes that the mean node stores, also with a unit as in 10GiB..40GiB.
    #[arg(long, value_name = "LOW..HIGH", value_parser = value::band_of_sizes)]
    autoscale_bytes: Option<Band>,
    /// Marks for the microseconds that the requests of the mean node wait for their answers, in the mean.
    #[arg(long, value_name = "LOW..HIGH")]
    autoscale_latency: Option<Band>,
    /// For how long there must be too few nodes or too many, in milliseconds, before one is started or drained.
    /// [default: 60000; of dev: 5000]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=86_400_000))]
    autoscale_hold_ms: Option<u64>,
    /// For how long none is after that, in milliseconds. [default: 300000; of dev: 10000]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=86_400_000))]
    autoscale_cool_down_ms: Option<u64>,
}

impl ScalingSettings {
    /// These, and where they say nothing, what `below` says.
    pub(super) fn over(self, below: Self) -> Self {
        Self {
            autoscale: self.autoscale.or(below.autoscale),
            autoscale_min: self.autoscale_min.or(below.autoscale_min),
            autoscale_max: self.autoscale_max.or(below.autoscale_max),
            marks: self.marks.over(below.marks),
            scale_out: self.scale_out.or(below.scale_out),
            scale_in: self.scale_in.or(below.scale_in),
        }
    }

    /// These, and where they say nothing, the defaults.
    pub(super) fn merged(self) -> Scaling {
        let default = Scaling::default();
        let (hold, cool_down) = self.marks.times(default.hold, default.cool_down);
        Scaling {
            mode: self.autoscale,
            min: self.autoscale_min.map_or(default.min, usize::from),
            max: self.autoscale_max.map(usize::from),
            marks: self.marks.marks(),
            hold,
            cool_down,
            scale_out: self.scale_out,
            scale_in: self.scale_in,
        }
    }
}

impl MarkFlags {
    fn over(self, below: Self) -> Self {
        Self {
            autoscale_operations: self.autoscale_operations.or(below.autoscale_operations),
            autoscale_cpu: self.autoscale_cpu.or(below.autoscale_cpu),
            autoscale_bytes: self.autoscale_bytes.or(below.autoscale_bytes),
            autoscale_latency: self.autoscale_latency.or(below.autoscale_latency),
            autoscale_hold_ms: self.autoscale_hold_ms.or(below.autoscale_hold_ms),
            autoscale_cool_down_ms: self.autoscale_cool_down_ms.or(below.autoscale_cool_down_ms),
        }
    }

    /// What is measured, and its marks.
    pub(crate) fn marks(&self) -> Vec<(Metric, Band)> {
        let all = [
            (Metric::Operations, self.autoscale_operations),
            (Metric::Cpu, self.autoscale_cpu),
            (Metric::Bytes, self.autoscale_bytes),
            (Metric::Latency, self.autoscale_latency),
        ];
        all.into_iter().filter_map(|(metric, band)| Some((metric, band?))).collect()
    }

    /// The hold and the cool-down, where they are not said as these.
    pub(crate) fn times(&self, hold: Duration, cool_down: Duration) -> (Duration, Duration) {
        let or = |said: Option<u64>, default| said.map_or(default, Duration::from_millis);
        (or(self.autoscale_hold_ms, hold), or(self.autoscale_cool_down_ms, cool_down))
    }
}
