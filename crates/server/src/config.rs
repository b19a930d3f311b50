//! What a server is told when it starts.
//!
//! Not a parser of flags or files: the command line fills this in. Not what can change while it runs (`settings`).
//!
//! 1. Every field has a default under which a single node serves on loopback.
//! 2. `Fsync` reads back what it displays.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use placement::keyspace::PARTITIONS_DEFAULT;
use placement::layout::REPLICAS_DEFAULT;
use placement::member::WEIGHT_DEFAULT;
use placement::{Copies, Zone};
use wire::Level;

use crate::autoscale::Scaling;
use crate::error::StartError;
use crate::role::Role;

/// The HTTP port is the client port plus this, unless it is given. Only a gateway listens there yet.
const HTTP_PORT_OFFSET: u16 = 1000;
/// The gRPC port is the client port plus this. Reserved: nothing listens there yet.
const GRPC_PORT_OFFSET: u16 = 2000;
/// The peer port is the client port plus this, unless it is given.
pub const PEER_PORT_OFFSET: u16 = 3000;
/// The least time that a setting can name: the node counts in milliseconds, and one that asks again after none of them
/// does nothing else.
const TIME_MIN: Duration = Duration::from_millis(1);
/// Clients at once, unless configured otherwise (as Redis).
pub const CLIENTS_MAX_DEFAULT: usize = 10_000;

/// Room on the disk that is kept free, in bytes, unless configured otherwise.
pub const DISK_RESERVE_BYTES_DEFAULT: u64 = 512 << 20;

/// How much is kept for nodes that are down, in bytes, unless configured otherwise.
pub const HANDOFF_BYTES_MAX_DEFAULT: u64 = 1 << 30;

/// How long a member is down before it is replaced, unless configured otherwise: as long as a machine takes that is started again
/// by somebody who was called.
pub const REPLACE_AFTER_DEFAULT: Duration = Duration::from_secs(30 * 60);

/// How much a node takes each second, in bytes, to own what others own, unless configured otherwise.
pub const MOVE_BYTES_PER_SECOND_DEFAULT: u64 = 32 << 20;

/// When a write counts as durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// Every acknowledged write is on the disk: it survives a power cut. Many writes share one sync.
    #[default]
    Always,
    /// Written at once, synced this often: a power cut may take the last interval, the end of a process nothing.
    Interval(Duration),
    /// Written at once, synced when the operating system pleases.
    Never,
}

/// A text that is no fsync policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no fsync policy: write always, never, or interval:<milliseconds>")]
pub struct FsyncError(String);

impl FromStr for Fsync {
    type Err = FsyncError;

    fn from_str(text: &str) -> Result<Self, FsyncError> {
        match text.split_once(':') {
            None if text == "always" => Ok(Self::Always),
            None if text == "never" => Ok(Self::Never),
            Some(("interval", ms)) => match ms.trim_end_matches("ms").parse() {
                Ok(ms) if ms > 0 => Ok(Self::Interval(Duration::from_millis(ms))),
                _ => Err(FsyncError(text.to_owned())),
            },
            _ => Err(FsyncError(text.to_owned())),
        }
    }
}

impl fmt::Display for Fsync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("always"),
            Self::Never => f.write_str("never"),
            Self::Interval(every) => write!(f, "interval:{}", every.as_millis()),
        }
    }
}

/// Everything that a server is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// The node's name, which it keeps for life.
    pub id: String,
    /// What it is there for, which it keeps as long as it is a member.
    pub role: Role,
    /// Where it listens for clients. Unless `announce` says otherwise, this is where others are told that it is.
    pub client_addr: SocketAddr,
    /// Where it listens for other nodes; `None`: the client address with its port plus [`PEER_PORT_OFFSET`].
    pub peer_addr: Option<SocketAddr>,
    /// Where clients and other nodes are told that clients reach it, `host:port`, where that is not where it listens. Other
    /// nodes reach it at the same host: at the port of `peer_addr`, or at this port plus [`PEER_PORT_OFFSET`].
    pub announce: Option<String>,
    /// Where a gateway listens for HTTP; `None`: the client address with its port plus 1000. Other nodes
    /// do not listen there yet.
    pub http_addr: Option<SocketAddr>,
    /// Reserved for the gRPC door; `None`: the client port plus 2000. Nothing listens there yet.
    pub grpc_addr: Option<SocketAddr>,
    /// Where its data is; made if it does not exist.
    pub dir: PathBuf,
    /// The client address, `host:port`, of any member of the cluster to join. Without it, and without a stored
    /// layout, the node founds a cluster. A stored layout wins.
    pub join: Option<String>,
    /// Shard threads; `None`: what the directory was made with, or one for every two cores: a shard also keeps a
    /// committer and the engine's workers busy, and a hop to another shard costs more than a request.
    pub shards: Option<usize>,
    /// When a write counts as durable.
    pub fsync: Fsync,
    /// The level of a connection that chooses none.
    pub level: Level,
    /// Copies of each key that a cluster founded here wants, in all or in each of some datacenters.
    pub copies: Copies,
    /// Partitions of a cluster founded here: a power of two up to 16384.
    pub partitions: u32,
    /// How much this node holds relative to others.
    pub weight: u32,
    /// What it fails together with.
    pub zone: Zone,
    /// How long a request may take before its client is told; the same for all members.
    pub request_timeout: Duration,
    /// How long a peer may take before it is asked again.
    pub retry: Duration,
    /// The time from one probe of another member to the next, in which it is to be answered. A member that answers nobody
    /// is suspect after about as many of these as there are other members, and a few are enough in a large cluster.
    pub probe_every: Duration,
    /// How long a member is suspect before it is taken for down. Both are asked only after others.
    pub suspicion: Duration,
    /// Whether clients may have it fail on purpose (`ARMILLA.CHAOS`): for practice and for tests.
    pub enable_chaos: bool,
    /// Clients at once. `CONFIG SET maxclients` changes it.
    pub clients_max: usize,
    /// Memory for hot rows and for blocks that were read, of all shards together, in bytes.
    pub cache_bytes: usize,
    /// Room on the disk that is kept free, in bytes. With less than that this node refuses writes that add; with less than
    /// a quarter of it everything that writes. The engine needs it to bring order into what it holds. 0 keeps nothing free.
    pub disk_reserve_bytes: u64,
    /// How much is kept for nodes that are down, about, of all shards together, in bytes. What finds no room they get from
    /// other owners later.
    pub handoff_bytes_max: u64,
    /// How long a member is down before the others make its copies anew, without a person; `None`: never.
    pub replace_after: Option<Duration>,
    /// How much this node takes each second, about, in bytes, to own what others own; less while many requests wait.
    pub move_bytes_per_second: u64,
    /// When nodes are to come and go by themselves.
    pub autoscale: Scaling,
    /// Whether a node that owns its data alone goes on with what is left where some of it is lost.
    pub accept_data_loss: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            id: "server1".to_owned(),
            role: Role::Store,
            client_addr: SocketAddr::from(([127, 0, 0, 1], 7001)),
            peer_addr: None,
            announce: None,
            http_addr: None,
            grpc_addr: None,
            dir: PathBuf::from("armilla-data"),
            join: None,
            shards: None,
            fsync: Fsync::Always,
            level: Level::Quorum,
            copies: Copies::Anywhere(REPLICAS_DEFAULT),
            partitions: PARTITIONS_DEFAULT,
            weight: WEIGHT_DEFAULT,
            zone: Zone::default(),
            request_timeout: Duration::from_secs(2),
            retry: Duration::from_millis(250),
            probe_every: Duration::from_millis(500),
            suspicion: Duration::from_secs(5),
            enable_chaos: false,
            clients_max: CLIENTS_MAX_DEFAULT,
            cache_bytes: 512 << 20,
            handoff_bytes_max: HANDOFF_BYTES_MAX_DEFAULT,
            replace_after: Some(REPLACE_AFTER_DEFAULT),
            move_bytes_per_second: MOVE_BYTES_PER_SECOND_DEFAULT,
            autoscale: Scaling::default(),
            accept_data_loss: false,
            disk_reserve_bytes: DISK_RESERVE_BYTES_DEFAULT,
        }
    }
}

impl Config {
    /// Whether a server can run by it.
    ///
    /// # Errors
    /// [`StartError::Config`] with the setting that leaves its bounds, and why it has them.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        let times = [
            (self.retry, "retry: at least 1 ms, for a node that asks again at once does nothing else"),
            (self.request_timeout, "request timeout: at least 1 ms, for nobody answers in less"),
            (self.probe_every, "probe every: at least 1 ms, for no member answers in less"),
            (self.suspicion, "suspicion: at least 1 ms, for no member denies it in less"),
            (self.sync_interval(), "fsync: at least 1 ms between two syncs, or `always`"),
        ];
        if let Some((_, why)) = times.into_iter().find(|(time, _)| *time < TIME_MIN) {
            return Err(StartError::Config(why.to_owned()));
        }
        self.autoscale.check().map_err(StartError::Config)?;
        self.check_announced()
    }

    /// Others must be told an address that leads here. Only a node that founds a cluster may leave that open: whoever
    /// asks it knows where it is.
    fn check_announced(&self) -> Result<(), StartError> {
        let announced = self.announced();
        let why = match &self.announce {
            Some(announce) if port_of(announce).is_none() => {
                format!("announce {announce}: write it as HOST:PORT")
            }
            Some(_) if is_unspecified(&announced) => {
                format!(
                    "announce {announced}: that is every address of a machine, and others need one of them"
                )
            }
            None if is_unspecified(&announced) && self.join.is_some() => format!(
                "{announced} is every address of this machine, and the other members need one that leads here: \
                 give it with --announce HOST:PORT"
            ),
            _ => return Ok(()),
        };
        Err(StartError::Config(why))
    }

    /// Where others are told that clients reach this node.
    pub(crate) fn announced(&self) -> String {
        self.announce.clone().unwrap_or_else(|| self.client_addr.to_string())
    }

    /// Where others are told that nodes reach this one; `None` if the derived port does not exist.
    pub(crate) fn announced_peer(&self) -> Option<String> {
        let announced = self.announced();
        let (host, _) = announced.rsplit_once(':')?;
        match self.peer_addr {
            Some(addr) if !addr.ip().is_unspecified() => Some(addr.to_string()),
            Some(addr) => Some(format!("{host}:{}", addr.port())),
            None => peer_of(&announced),
        }
    }

    fn sync_interval(&self) -> Duration {
        if let Fsync::Interval(every) = self.fsync { every } else { Duration::MAX }
    }

    /// The peer address, given or derived; `None` if the derived port does not exist.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer_addr.or_else(|| self.offset(PEER_PORT_OFFSET))
    }

    /// The HTTP address, given or derived; `None` if the derived port does not exist.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http_addr.or_else(|| self.offset(HTTP_PORT_OFFSET))
    }

    /// The gRPC address, given or derived; `None` if the derived port does not exist.
    pub fn grpc_addr(&self) -> Option<SocketAddr> {
        self.grpc_addr.or_else(|| self.offset(GRPC_PORT_OFFSET))
    }

    fn offset(&self, by: u16) -> Option<SocketAddr> {
        let port = self.client_addr.port().checked_add(by)?;
        Some(SocketAddr::new(self.client_addr.ip(), port))
    }
}

/// Whether an address is every address of a machine, so that it leads nobody there.
pub(crate) fn is_unspecified(addr: &str) -> bool {
    addr.parse().is_ok_and(|addr: SocketAddr| addr.ip().is_unspecified())
}

/// Where a node listens for others that listens for clients there, unless it is told otherwise.
pub(crate) fn peer_of(client_addr: &str) -> Option<String> {
    let (host, _) = client_addr.rsplit_once(':')?;
    Some(format!("{host}:{}", port_of(client_addr)?.checked_add(PEER_PORT_OFFSET)?))
}

/// The port of `host:port`, if it is written so.
pub(crate) fn port_of(addr: &str) -> Option<u16> {
    let (host, port) = addr.rsplit_once(':')?;
    port.parse().ok().filter(|port| *port > 0 && !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{Config, Fsync, is_unspecified};
    use std::time::Duration;

    #[test]
    fn fsync_reads_back_what_it_displays() {
        for fsync in [Fsync::Always, Fsync::Never, Fsync::Interval(Duration::from_millis(1500))] {
            assert_eq!(fsync.to_string().parse(), Ok(fsync));
        }
        for bad in ["", "sometimes", "interval", "interval:", "interval:0", "interval:x", "Always"] {
            assert!(
                bad.parse::<Fsync>().unwrap_err().to_string().contains("interval:<milliseconds>"),
                "{bad}"
            );
        }
    }

    #[test]
    fn ports_follow_the_client_port() {
        let mut config = Config::default();
        assert_eq!(config.peer_addr().unwrap().port(), 10001);
        assert_eq!(config.http_addr().unwrap().port(), 8001);
        config.client_addr.set_port(65000);
        assert_eq!(config.peer_addr(), None);
    }

    #[test]
    fn others_are_told_where_the_node_is() {
        let told = |addr: &str, peer: Option<&str>, announce: Option<&str>| {
            let config = Config {
                client_addr: addr.parse().unwrap(),
                peer_addr: peer.map(|peer| peer.parse().unwrap()),
                announce: announce.map(str::to_owned),
                ..Config::default()
            };
            (config.announced(), config.announced_peer().unwrap())
        };
        let pair = |client: &str, peer: &str| (client.to_owned(), peer.to_owned());
        let all = "0.0.0.0:7001";
        assert_eq!(told("10.0.0.1:7001", None, None), pair("10.0.0.1:7001", "10.0.0.1:10001"));
        assert_eq!(told("10.0.0.1:7001", Some("0.0.0.0:9"), None), pair("10.0.0.1:7001", "10.0.0.1:9"));
        assert_eq!(told(all, None, Some("a.example:17001")), pair("a.example:17001", "a.example:20001"));
        assert_eq!(told(all, Some("0.0.0.0:9"), Some("a.example:1")), pair("a.example:1", "a.example:9"));
        assert_eq!(told(all, Some("10.0.0.2:9"), Some("a.example:1")), pair("a.example:1", "10.0.0.2:9"));
        assert_eq!(
            told("[::]:7001", None, Some("[fd00::1]:7001")),
            pair("[fd00::1]:7001", "[fd00::1]:10001")
        );
        assert!(is_unspecified("0.0.0.0:1") && is_unspecified("[::]:1"));
        assert!(!is_unspecified("127.0.0.1:1") && !is_unspecified("a.example:1"));
    }

    #[test]
    fn what_leads_nowhere_is_not_announced() {
        let refusal = |announce: Option<&str>, join: Option<&str>| {
            let config = Config {
                client_addr: "0.0.0.0:7001".parse().unwrap(),
                announce: announce.map(str::to_owned),
                join: join.map(str::to_owned),
                ..Config::default()
            };
            config.check().map_err(|error| error.to_string())
        };
        assert_eq!(refusal(None, None), Ok(()));
        assert_eq!(refusal(Some("a.example:7001"), Some("b.example:7001")), Ok(()));
        assert!(refusal(None, Some("b.example:7001")).unwrap_err().contains("give it with --announce"));
        assert!(refusal(Some("0.0.0.0:7001"), None).unwrap_err().contains("others need one of them"));
        for bad in ["a.example", "a.example:", ":7001", "a.example:0", "a.example:x"] {
            assert!(refusal(Some(bad), None).unwrap_err().contains("write it as HOST:PORT"), "{bad}");
        }
    }
}
