//! The command line: commands, their flags, and the words of `--help`.
//!
//! Not what the commands do, nor the settings of a server, which have sources besides flags (`settings`).
//!
//! 1. `--help` is documentation: each flag says its unit and its default.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::address::NodeFlags;
use crate::changes::{PlanFlags, RingChange, WatchFlags};
use crate::settings::{MarkFlags, ServerFlags};

/// The most nodes of `armilla dev`.
const NODES_MAX: u16 = 64;

/// A replicated key-value store: Redis's wire, Dynamo's availability.
#[derive(Debug, Parser)]
#[command(name = "armilla", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Armilla {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What the hand can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs one node.
    Server(Box<ServerFlags>),
    /// Starts a cluster of several nodes on this machine, to try things out.
    Dev(Box<DevFlags>),
    /// Asks a node: one command, commands from a pipe, or a prompt.
    Cli(TalkFlags),
    /// Shows the members of a cluster: state, share of the ring, keys, lag.
    Status(StatusFlags),
    /// Has a node fail on purpose, or tells what it does wrong: for practice and tests.
    Chaos(ChaosFlags),
    /// Changes of the cluster.
    #[command(flatten)]
    Ring(RingChange),
    /// Shows what a change of the cluster would move, and changes nothing.
    Plan(PlanFlags),
    /// Follows what moves until everything is where it is wanted.
    Watch(WatchFlags),
    /// Writes the manual pages.
    #[command(hide = true)]
    Man(ManFlags),
    /// Writes completions for a shell.
    #[command(hide = true)]
    Completions(CompletionsFlags),
}

/// Flags of `armilla dev`.
#[derive(Debug, Args)]
#[command(after_help = "\
The nodes are called server1, server2, ... and are children of this process: Ctrl-C stops them, and so does its end.
A node that dies is reported and not restarted. Each node writes its log to DIR/NAME/log. Once all of them serve and
see each other, one line `ready 127.0.0.1:7001 ...` is printed.")]
pub(crate) struct DevFlags {
    /// How many nodes.
    #[arg(long, default_value_t = 3, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=i64::from(NODES_MAX)))]
    pub(crate) nodes: u16,
    /// Client port of the first node; the others follow. Peer ports are 3000 above.
    #[arg(long, default_value_t = 7001, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,
    /// Where the data is. It is kept between runs.
    #[arg(long, default_value = "./armilla-dev")]
    pub(crate) dir: PathBuf,
    /// Removes what earlier runs left in DIR, and begins anew.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Starts nodes when the load rises and drains them when it falls, so that there are from MIN to MAX; --nodes, brought
    /// within these, is with how many it begins. What is decided, and why, is printed and stands in DIR/autoscale.log.
    #[arg(long, value_name = "MIN..MAX", value_parser = between)]
    pub(crate) autoscale: Option<(u16, u16)>,
    /// Only says what --autoscale would start or drain.
    #[arg(long, requires = "autoscale")]
    pub(crate) autoscale_dry_run: bool,
    #[command(flatten)]
    pub(crate) marks: MarkFlags,
    /// Flags for each `armilla server`, such as `-- --fsync never`.
    #[arg(last = true, value_name = "SERVER FLAGS")]
    pub(crate) rest: Vec<OsString>,
}

/// Numbers of nodes, `MIN..MAX`.
fn between(text: &str) -> Result<(u16, u16), String> {
    let (min, max) = text.split_once("..").unwrap_or((text, ""));
    match (min.parse(), max.parse()) {
        (Ok(min), Ok(max)) if 1 <= min && min <= max && max <= NODES_MAX => Ok((min, max)),
        _ => Err(format!("write two numbers from 1 to {NODES_MAX} as MIN..MAX")),
    }
}

/// Flags of `armilla cli`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0, every command was answered; 1, the server answered an error; 2, no connection or a wrong line.
Answers go to standard output and errors to standard error, except with --json. DELETE is another name for DEL.
The prompt keeps its history in ~/.armilla_history, or in the file that ARMILLA_HISTORY names.")]
pub(crate) struct TalkFlags {
    #[command(flatten)]
    pub(crate) node: NodeFlags,
    /// The database, 0 to 15.
    #[arg(short = 'n', long = "db", value_name = "NUMBER")]
    pub(crate) database: Option<u8>,
    /// How many owners requests wait for: `one`, `quorum`, `local_quorum`, `each_quorum`, `all`, `sloppy`, or R and W as in
    /// `'2 1'`.
    #[arg(long)]
    pub(crate) level: Option<String>,
    /// One JSON value a line; an error is {"error": "..."}; bytes that are no text are {"bytes_hex": "..."}.
    #[arg(long, group = "style")]
    pub(crate) json: bool,
    /// Bare values, as when standard output is no terminal.
    #[arg(long, group = "style")]
    pub(crate) raw: bool,
    /// Types, quotes and numbered items, as at a terminal.
    #[arg(long, group = "style")]
    pub(crate) human: bool,
    /// A command and its arguments. Without it: a prompt, or commands from standard input, one a line.
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub(crate) words: Vec<OsString>,
}

/// Flags of `armilla status`.
#[derive(Debug, Args)]
#[command(after_help = "\
share is the part of the ring that a member owns, or `gateway` where it is one and owns nothing; keys, how many it has a copy of, by its own word; lag, the bytes that
the node asked has for it and could not send yet: all as of the last second or two; since, how long a member is in its
state; incarnation, which of its own words this goes by.
A `suspect` member has not answered, neither the node asked nor others; it is asked after others, and `down` once it has
not denied that for seconds. To an `unlinked` member the node asked has no connection, and a `silent` one it has not heard
for seconds, although others say that it is alive. One in `error` says itself that it is not well.
What members do wrong on purpose (`armilla chaos`) is shown below the table.
Exit codes: 0, all members are up; 1, some are not; 2, no connection.")]
pub(crate) struct StatusFlags {
    #[command(flatten)]
    pub(crate) node: NodeFlags,
    /// The whole answer as one JSON value.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `armilla chaos`.
#[derive(Debug, Args)]
#[command(after_help = "\
Only a node that was started with --enable-chaos takes it. All of it ends by itself, is in the node's log, and is shown by
`armilla status`. Without a word, what the node does wrong is shown.
Exit codes: 0, done; 1, the node has refused; 2, no connection or wrong flags.")]
pub(crate) struct ChaosFlags {
    #[command(flatten)]
    pub(crate) node: NodeFlags,
    /// What is to go wrong.
    #[arg(value_enum)]
    pub(crate) what: Option<ChaosWord>,
    /// delay: by how much, in milliseconds.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub(crate) by_ms: Option<u64>,
    /// The name of the member with which it goes wrong. [default: all]
    #[arg(long, value_name = "NAME")]
    pub(crate) peer: Option<String>,
    /// How often, of a hundred times. [default: 100]
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) rate: Option<u8>,
    /// For how long, in milliseconds. [default: 60000]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=86_400_000))]
    pub(crate) for_ms: Option<u64>,
}

/// What can go wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ChaosWord {
    /// Nothing more.
    Off,
    /// The health check: PING, and the probes of other members, are answered with ERROR.
    Health,
    /// Messages from and to other members are lost.
    Drop,
    /// Messages to other members leave late.
    Delay,
    /// Connections from and to other members are broken and not made.
    Refuse,
}

/// Flags of `armilla man`.
#[derive(Debug, Args)]
pub(crate) struct ManFlags {
    /// Writes a page for each command into this directory; without it, the main page goes to standard output.
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
}

/// Flags of `armilla completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsFlags {
    /// The shell to write for.
    pub(crate) shell: Shell,
    /// Writes into this directory, under the name that the shell looks for; without it, to standard output.
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::{Armilla, Command, DevFlags, between};
    use clap::{CommandFactory, Parser};

    impl Default for DevFlags {
        fn default() -> Self {
            let Command::Dev(flags) = Armilla::parse_from(["armilla", "dev"]).command else {
                panic!("it is dev")
            };
            *flags
        }
    }

    #[test]
    fn numbers_of_nodes_are_a_range() {
        assert_eq!((between("3..6"), between("4..4")), (Ok((3, 6)), Ok((4, 4))));
        for bad in ["", "3", "3..", "..3", "0..3", "4..3", "3..65", "3...6"] {
            assert!(between(bad).is_err(), "{bad}");
        }
        assert!(Armilla::try_parse_from(["armilla", "dev", "--autoscale-dry-run"]).is_err());
    }

    #[test]
    fn the_command_line_is_sound() {
        Armilla::command().debug_assert();
    }

    #[test]
    fn words_of_a_command_are_not_flags() {
        let parsed = Armilla::try_parse_from(["armilla", "cli", "--json", "set", "--raw", "-x"]).unwrap();
        let Command::Cli(flags) = parsed.command else { panic!("{parsed:?}") };
        assert!(flags.json && !flags.raw);
        assert_eq!(flags.words, ["set", "--raw", "-x"]);
        assert!(Armilla::try_parse_from(["armilla", "cli", "--jsn", "get"]).is_err());
    }
}
