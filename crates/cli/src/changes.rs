//! The flags of the commands that change the cluster, and of those that look on.
//!
//! Not what they do: that is `ring`.

use clap::builder::RangedI64ValueParser;
use clap::{Args, Subcommand, value_parser};
use placement::member::{WEIGHT_DEFAULT, WEIGHT_MAX};
use placement::{Copies, Zone};

use crate::address::NodeFlags;

/// A change of the cluster, with members called by their names.
#[derive(Debug, Subcommand)]
pub(crate) enum RingChange {
    /// Has a member give everything away while it serves; it is forgotten then, and ends.
    Drain {
        /// The member.
        name: String,
        #[command(flatten)]
        how: HowFlags,
    },
    /// Removes a member that is gone for good; what it held is made anew from the others.
    Remove {
        /// The member.
        name: String,
        /// Goes on where too few are left to know what was acknowledged.
        #[arg(long)]
        accept_data_loss: bool,
        #[command(flatten)]
        how: HowFlags,
    },
    /// Has a member take the places of another, which leaves.
    Replace {
        /// Who goes.
        old: String,
        /// Who comes in its place: a member already.
        new: String,
        #[command(flatten)]
        how: HowFlags,
    },
    /// Has a member hold more or less, relative to others.
    Weight {
        /// The member.
        name: String,
        /// How much, where 1 is usual.
        #[arg(allow_negative_numbers = true, value_parser = weights())]
        weight: u32,
        #[command(flatten)]
        how: HowFlags,
    },
    /// Says what a member fails together with.
    Zone {
        /// The member.
        name: String,
        /// Written datacenter/rack.
        zone: String,
        #[command(flatten)]
        how: HowFlags,
    },
    /// Has keys kept on more or fewer members, in all or in each datacenter.
    Replicas {
        /// On how many: `3`, or `dc1=3,dc2=2`.
        replicas: Copies,
        #[command(flatten)]
        how: HowFlags,
    },
    /// Has the node that is asked (-s) vote alone where most of the nodes that vote on the cluster are gone for good, so that it can be
    /// changed again; others vote with it soon.
    Recover {
        /// Gives up what those have agreed to that this node has not heard of. Never while any of them may be there.
        #[arg(long, required = true)]
        accept_data_loss: bool,
        #[command(flatten)]
        how: HowFlags,
    },
    /// Has a member stay that is leaving; one that is down is waited for, however long.
    Cancel {
        /// The member.
        name: String,
        #[command(flatten)]
        how: HowFlags,
    },
}

/// A change that may be shown before it is made.
#[derive(Debug, Subcommand)]
pub(crate) enum PlannedChange {
    /// A node that is not there yet is a member: `armilla server --join` makes it one.
    Join {
        /// What it will be called.
        name: String,
        /// How much it will hold, where 1 is usual.
        #[arg(long, default_value_t = WEIGHT_DEFAULT, value_parser = weights())]
        weight: u32,
        /// What it will fail together with, written datacenter/rack.
        #[arg(long, default_value_t)]
        zone: Zone,
        #[command(flatten)]
        how: HowFlags,
    },
    #[command(flatten)]
    Change(RingChange),
}

fn weights() -> RangedI64ValueParser<u32> {
    value_parser!(u32).range(1..=i64::from(WEIGHT_MAX))
}

/// How a change is asked for.
#[derive(Debug, Args)]
pub(crate) struct HowFlags {
    #[command(flatten)]
    pub(crate) node: NodeFlags,
    /// Does not wait until it is done: `armilla watch` follows it.
    #[arg(long)]
    pub(crate) detach: bool,
    /// The answer as one JSON value; implies --detach.
    #[arg(long)]
    pub(crate) json: bool,
    /// Only of the layout of this epoch, which a plan has shown. Without it: unless somebody else changes the cluster at the same time.
    #[arg(long, value_name = "EPOCH")]
    pub(crate) of: Option<u64>,
}

/// Flags of `armilla plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanFlags {
    #[command(subcommand)]
    pub(crate) change: PlannedChange,
}

/// Flags of `armilla watch`.
#[derive(Debug, Args)]
#[command(after_help = "\
It can be left and begun again at any time: nothing depends on it.
Exit codes: 0, everything is where it is wanted; 1, not in the time that was given; 2, no connection.")]
pub(crate) struct WatchFlags {
    #[command(flatten)]
    pub(crate) node: NodeFlags,
    /// Gives up after so many seconds. [default: never]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
}
