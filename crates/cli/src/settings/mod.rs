//! The settings of a server, from wherever they come: defaults < file < environment < flags.
//!
//! ```text
//! flag  --cache-bytes 1GiB       variable  ARMILLA_CACHE_BYTES=1GiB       line of the file  cache-bytes = "1GiB"
//! ```
//!
//! A flag, a variable and a line of the file are read by one parser, so a value that is good in one is good in all.
//! Not the defaults: those are the server's ([`Config::default`]).
//!
//! 1. A key that is no setting is refused by name, wherever it comes from.
//! 2. An error names its source: the file or the variable.

mod scaling;
mod value;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::error::{ContextKind, ErrorKind};
use clap::{Args, CommandFactory, Parser};
use placement::member::WEIGHT_MAX;
use placement::{Copies, Zone};
use server::Role;
use server::config::{Config, Fsync};
use wire::Level;

pub(crate) use scaling::MarkFlags;
use scaling::ScalingSettings;

/// What variables begin with.
const PREFIX: &str = "ARMILLA_";
/// Variables of the other commands, and what those of the user's are given, which are no settings of a server.
const OTHER_VARIABLES: [&str; 4] = ["ARMILLA_CONFIG", "ARMILLA_SERVER", "ARMILLA_HISTORY", "ARMILLA_NODE"];

/// Flags of `armilla server`.
#[derive(Debug, Args)]
#[command(after_help = "\
Every setting can also stand in the file that --config names, as `cache-bytes = \"1GiB\"`, or in a variable, as
ARMILLA_CACHE_BYTES=1GiB. Flags win over variables, variables over the file, and what none of them says is as above.
A name that is no setting is refused.

Clients (Redis's protocol or JSON lines) are served at --addr, other nodes at the port 3000 above it, and by a gateway
HTTP at the port 1000 above it. The port 2000 above is reserved for gRPC, and at other nodes that for HTTP is too.")]
pub(crate) struct ServerFlags {
    /// A TOML file with settings.
    #[arg(long, value_name = "FILE", env = "ARMILLA_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Stops when standard input ends: for a parent that must not leave its children behind.
    #[arg(long, hide = true)]
    pub(crate) stop_with_stdin: bool,
}

/// What one source says of a server's settings.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct Settings {
    /// The node's name, kept for life and unique in its cluster. [default: server1]
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
    /// What the node is there for: `store` holds its share of the keys and takes requests; `gateway` holds nothing, takes
    /// every request, passes it on to who holds the key, and registers servers over HTTP. It needs --join. [default: store]
    #[arg(long, value_name = "ROLE")]
    role: Option<Role>,
    /// Where this node listens for clients. Others are told so too, unless --announce says otherwise.
    /// [default: 127.0.0.1:7001]
    #[arg(long, value_name = "HOST:PORT", value_parser = value::address)]
    addr: Option<SocketAddr>,
    /// Where this node listens for other nodes. [default: the client address, its port plus 3000]
    #[arg(long, value_name = "HOST:PORT", value_parser = value::address)]
    peer_addr: Option<SocketAddr>,
    /// Where a gateway listens for HTTP; other nodes do not yet. [default: the client address, its port plus 1000]
    #[arg(long, value_name = "HOST:PORT", value_parser = value::address)]
    http_addr: Option<SocketAddr>,
    /// Where clients and other nodes are told that clients reach this node: needed where that is not where it listens,
    /// as with --addr 0.0.0.0:7001 or behind a port mapping. Other nodes reach it at the same host, at the port of
    /// --peer-addr or else 3000 above this port. [default: the client address]
    #[arg(long, value_name = "HOST:PORT", value_parser = value::host_and_port)]
    announce: Option<String>,
    /// Where the data is; made if missing. [default: armilla-data]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The client address of any member of the cluster to join. Without it a new node founds a cluster; a node that
    /// has data finds its cluster again by itself, with or without it.
    #[arg(long, value_name = "HOST:PORT", value_parser = value::host_and_port)]
    join: Option<String>,
    /// When a write is acknowledged: `always` after it is synced to the disk, many at once; `interval:MS` before, with
    /// a sync every MS milliseconds; `never` without a sync of ours. [default: always]
    #[arg(long, value_name = "POLICY")]
    fsync: Option<Fsync>,
    /// How many owners a request waits for unless its connection says otherwise: `one`, `quorum`, `local_quorum`,
    /// `each_quorum`, `all`, `sloppy`, or two numbers `R,W`. [default: quorum]
    #[arg(long, value_parser = value::level)]
    level: Option<Level>,
    /// Threads that serve, each with its own part of the data; fixed once the directory is made. Each also keeps
    /// a thread that writes busy. [default: half the cores, at least 1]
    #[arg(long, value_name = "COUNT", value_parser = value::shards)]
    shards: Option<usize>,
    /// Copies of each key, 1 to 7, in all or in each datacenter as in `dc1=3,dc2=2`; only for the node that founds a
    /// cluster. `armilla replicas` changes it. [default: 3]
    #[arg(long, value_name = "COPIES")]
    replicas: Option<Copies>,
    /// Partitions of the ring, a power of two up to 16384; only for the node that founds a cluster. [default: 1024]
    #[arg(long, value_name = "COUNT", value_parser = value::partitions)]
    partitions: Option<u32>,
    /// How much this node holds, compared with the weights of the others. [default: 1]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(WEIGHT_MAX)))]
    weight: Option<u32>,
    /// What this node fails together with; copies of a key are spread over zones. [default: dc1/rack1]
    #[arg(long, value_name = "DATACENTER/RACK")]
    zone: Option<Zone>,
    /// How long a request may take, in milliseconds, before its client is told that it failed. Give all nodes the same: who has
    /// lost something counts again when none can wait for it any more. [default: 2000]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    request_timeout_ms: Option<u64>,
    /// How long another node may take, in milliseconds, before it is asked again. [default: 250]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    retry_ms: Option<u64>,
    /// How often this node probes another member, in milliseconds; that is also how long an answer may take. With three
    /// members one that does not answer is suspect within three of these, and asked after others. [default: 500]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(50..=60_000))]
    probe_every_ms: Option<u64>,
    /// How long a member is suspect, in milliseconds, before it is shown as down. [default: 5000]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    suspicion_ms: Option<u64>,
    /// Lets clients have this node fail on purpose (`armilla chaos`): for practice and for tests. [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    enable_chaos: Option<bool>,
    /// Clients at once. [default: 10000]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    maxclients: Option<u32>,
    /// Memory for cached rows and blocks, of all shards together: bytes, or with a unit as in 512MiB or 1GB.
    /// [default: 512MiB]
    #[arg(long, value_name = "SIZE", value_parser = value::size)]
    cache_bytes: Option<usize>,
    /// Room on the disk that is kept free: bytes, or with a unit as in 512MiB or 1GB. With less, writes that add are refused;
    /// with less than a quarter of it, all writes. [default: 512MiB]
    #[arg(long, value_name = "SIZE", value_parser = value::size)]
    disk_reserve_bytes: Option<usize>,
    /// How much is kept for nodes that are down, about, until they are back: bytes, or with a unit. What finds no room they
    /// get from other owners later. [default: 1GiB]
    #[arg(long, value_name = "SIZE", value_parser = value::size)]
    handoff_bytes_max: Option<usize>,
    /// How long a member is down before the others make its copies anew and it is a member no more: as `30s`, `30m`, `2h`, or
    /// `never`. Give all nodes the same. [default: 30m]
    #[arg(long, value_name = "TIME", value_parser = value::time)]
    replace_after: Option<value::Time>,
    /// How much this node takes each second, about, to own what others own: bytes, or with a unit. Less while many requests wait.
    /// [default: 32MiB]
    #[arg(long, value_name = "SIZE", value_parser = value::size)]
    move_bytes_per_second: Option<usize>,
    /// `yes`: a node without other owners goes on with what is left where some of its data is lost. Give it for one start.
    /// [default: no]
    #[arg(long, value_name = "YES|NO", value_parser = value::yes_or_no, num_args = 0..=1, default_missing_value = "yes")]
    accept_data_loss: Option<bool>,
    /// What is logged to standard error: error, warn, info, debug or trace, also by part as in
    /// `info,server=debug`. [default: info]
    #[arg(long, value_name = "FILTER", value_parser = value::log_filter)]
    log: Option<String>,
    #[command(flatten)]
    scaling: ScalingSettings,
}

/// Settings alone, for the sources that are not flags.
#[derive(Debug, Parser)]
#[command(name = "armilla server", no_binary_name = true, disable_help_flag = true)]
struct Source {
    #[command(flatten)]
    settings: Settings,
}

/// Everything that a server is told, and what it logs.
#[derive(Debug)]
pub(crate) struct Merged {
    /// For the server.
    pub(crate) config: Config,
    /// Which log lines are written.
    pub(crate) log: String,
}

/// Merges what the flags, these variables and the file say.
///
/// # Errors
/// The file cannot be read; a key is no setting; a value is not good. The text names the source.
pub(crate) fn merge(
    flags: &ServerFlags,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> anyhow::Result<Merged> {
    let file = flags.config.as_deref().map(file).transpose()?.unwrap_or_default();
    let environment = environment(variables)?;
    Ok(flags.settings.clone().over(environment).over(file).merged())
}

/// What a file says.
fn file(path: &Path) -> anyhow::Result<Settings> {
    let name = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read the configuration {name}"))?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
    let mut settings = Settings::default();
    for (key, value) in table {
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(is_so) => is_so.to_string(),
            toml::Value::Table(_) => bail!("{name}: [{key}] is a table; settings stand outside of any table"),
            other => bail!(
                "{name}: {key}: a setting is text, a whole number, true or false, not {}",
                other.type_str()
            ),
        };
        settings = one(&key, &text, &key, &name.to_string(), str::to_owned)?.over(settings);
    }
    Ok(settings)
}

/// What the variables that begin with `ARMILLA_` say.
fn environment(variables: impl IntoIterator<Item = (OsString, OsString)>) -> anyhow::Result<Settings> {
    let ours = |(name, value): (OsString, OsString)| name.into_string().ok().map(|name| (name, value));
    let mut ours: Vec<(String, OsString)> = variables.into_iter().filter_map(ours).collect();
    ours.retain(|(name, _)| name.starts_with(PREFIX) && !OTHER_VARIABLES.contains(&name.as_str()));
    ours.sort();
    let mut settings = Settings::default();
    for (name, value) in ours {
        let Ok(text) = value.into_string() else { bail!("the environment: {name} is not UTF-8") };
        let key = name[PREFIX.len()..].to_ascii_lowercase().replace('_', "-");
        settings = one(&key, &text, &name, "the environment", variable)?.over(settings);
    }
    Ok(settings)
}

/// The variable of a setting.
fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('-', "_"))
}

/// Reads one setting. `shown` is how the source wrote its key, `spell` how the source would write another.
fn one(
    key: &str,
    text: &str,
    shown: &str,
    source: &str,
    spell: fn(&str) -> String,
) -> anyhow::Result<Settings> {
    let known = || {
        let command = Source::command();
        let longs: Vec<String> =
            command.get_arguments().filter_map(|argument| argument.get_long()).map(spell).collect();
        longs.join(", ")
    };
    if key.is_empty() || key.contains(['=', ' ']) {
        bail!("{source}: there is no setting {shown:?}; there are {}", known());
    }
    let error = match Source::try_parse_from([format!("--{key}={text}")]) {
        Ok(source) => return Ok(source.settings),
        Err(error) => error,
    };
    if error.kind() == ErrorKind::UnknownArgument {
        match error.get(ContextKind::SuggestedArg).map(ToString::to_string) {
            Some(near) => bail!(
                "{source}: there is no setting {shown}; did you mean {}?",
                spell(near.trim_start_matches("--"))
            ),
            None => bail!("{source}: there is no setting {shown}; there are {}", known()),
        }
    }
    match error.source() {
        Some(reason) => bail!("{source}: {shown}: {text:?}: {reason}"),
        None => bail!("{source}: {shown}: {text:?} is no value for it"),
    }
}

impl Settings {
    /// These, and where they say nothing, what `below` says.
    fn over(self, below: Self) -> Self {
        Self {
            id: self.id.or(below.id),
            role: self.role.or(below.role),
            addr: self.addr.or(below.addr),
            peer_addr: self.peer_addr.or(below.peer_addr),
            http_addr: self.http_addr.or(below.http_addr),
            announce: self.announce.or(below.announce),
            dir: self.dir.or(below.dir),
            join: self.join.or(below.join),
            fsync: self.fsync.or(below.fsync),
            level: self.level.or(below.level),
            shards: self.shards.or(below.shards),
            replicas: self.replicas.or(below.replicas),
            partitions: self.partitions.or(below.partitions),
            weight: self.weight.or(below.weight),
            zone: self.zone.or(below.zone),
            request_timeout_ms: self.request_timeout_ms.or(below.request_timeout_ms),
            retry_ms: self.retry_ms.or(below.retry_ms),
            probe_every_ms: self.probe_every_ms.or(below.probe_every_ms),
            suspicion_ms: self.suspicion_ms.or(below.suspicion_ms),
            enable_chaos: self.enable_chaos.or(below.enable_chaos),
            maxclients: self.maxclients.or(below.maxclients),
            cache_bytes: self.cache_bytes.or(below.cache_bytes),
            disk_reserve_bytes: self.disk_reserve_bytes.or(below.disk_reserve_bytes),
            handoff_bytes_max: self.handoff_bytes_max.or(below.handoff_bytes_max),
            replace_after: self.replace_after.or(below.replace_after),
            move_bytes_per_second: self.move_bytes_per_second.or(below.move_bytes_per_second),
            accept_data_loss: self.accept_data_loss.or(below.accept_data_loss),
            log: self.log.or(below.log),
            scaling: self.scaling.over(below.scaling),
        }
    }

    /// These, and where they say nothing, the defaults.
    fn merged(self) -> Merged {
        let default = Config::default();
        let config = Config {
            id: self.id.unwrap_or(default.id),
            role: self.role.unwrap_or(default.role),
            client_addr: self.addr.unwrap_or(default.client_addr),
            peer_addr: self.peer_addr,
            http_addr: self.http_addr,
            announce: self.announce,
            dir: self.dir.unwrap_or(default.dir),
            join: self.join,
            shards: self.shards,
            fsync: self.fsync.unwrap_or(default.fsync),
            level: self.level.unwrap_or(default.level),
            copies: self.replicas.unwrap_or(default.copies),
            partitions: self.partitions.unwrap_or(default.partitions),
            weight: self.weight.unwrap_or(default.weight),
            zone: self.zone.unwrap_or(default.zone),
            request_timeout: self.request_timeout_ms.map_or(default.request_timeout, Duration::from_millis),
            retry: self.retry_ms.map_or(default.retry, Duration::from_millis),
            probe_every: self.probe_every_ms.map_or(default.probe_every, Duration::from_millis),
            suspicion: self.suspicion_ms.map_or(default.suspicion, Duration::from_millis),
            enable_chaos: self.enable_chaos.unwrap_or(default.enable_chaos),
            clients_max: self.maxclients.map_or(default.clients_max, |count| count as usize),
            cache_bytes: self.cache_bytes.unwrap_or(default.cache_bytes),
            disk_reserve_bytes: self
                .disk_reserve_bytes
                .map_or(default.disk_reserve_bytes, |bytes| bytes as u64),
            handoff_bytes_max: self.handoff_bytes_max.map_or(default.handoff_bytes_max, |bytes| bytes as u64),
            replace_after: self.replace_after.map_or(default.replace_after, value::Time::length),
            move_bytes_per_second: self
                .move_bytes_per_second
                .map_or(default.move_bytes_per_second, |bytes| bytes as u64),
            accept_data_loss: self.accept_data_loss.unwrap_or(default.accept_data_loss),
            autoscale: self.scaling.merged(),
            ..default
        };
        Merged { config, log: self.log.unwrap_or_else(|| "info".to_owned()) }
    }
}
