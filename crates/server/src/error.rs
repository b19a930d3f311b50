//! Why a server does not start, or stops by itself: sentences for whoever started it.
//!
//! Not what clients are told: that is [`wire::Fault`].
//!
//! 1. Each sentence says what to do next where there is something to do.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a server is not running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration contradicts itself or leaves a bound.
    #[error("{0}")]
    Config(String),
    /// An address cannot be listened on.
    #[error("cannot listen on {addr} for {what}: {error}")]
    Listen {
        /// Clients, peers or HTTP.
        what: &'static str,
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The data directory cannot be used.
    #[error("cannot use the directory {}: {error}", dir.display())]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Another process serves from the directory.
    #[error("the directory {} is in use by another server: stop that one, or choose another directory", .0.display())]
    Locked(PathBuf),
    /// The directory was made by a node that differs.
    #[error("{0}")]
    Identity(String),
    /// What the directory holds cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Stored {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// What is on the disk is not all that was synced: a file was damaged, or taken from an older copy. A node that went on
    /// would say that it has applied what it has not.
    #[error(
        "the directory {} has lost data: shard {shard} holds {commits} commits, and {synced} had been synced. Bring the \
         directory back as it was; --accept-data-loss goes on with what is left",
        dir.display()
    )]
    Lost {
        /// The node's directory.
        dir: PathBuf,
        /// Which shard of it.
        shard: usize,
        /// Commits that its rows hold.
        commits: u64,
        /// Commits that were synced at least.
        synced: u64,
    },
    /// The store of a shard is not there, and it was.
    #[error(
        "the directory {} has lost data: the store of shard {shard} is gone. Bring it back; --accept-data-loss goes on \
         with what is left",
        dir.display()
    )]
    Gone {
        /// The node's directory.
        dir: PathBuf,
        /// Which shard of it.
        shard: usize,
    },
    /// Rows without the layout that says whose they are.
    #[error(
        "the directory {} holds data, and its file `layout` is gone: whose it is cannot be told. Bring the file back; or start \
         with --join and the address of a member, and what the others hold is learned from them",
        .0.display()
    )]
    Layoutless(PathBuf),
    /// Rows of a node that the cluster to be joined does not know.
    #[error(
        "the directory {} holds data of a node that the cluster did not know until now: start it with an empty directory",
        .0.display()
    )]
    Foreign(PathBuf),
    /// A gateway without a cluster.
    #[error(
        "{0} is a gateway, which holds no data, so it cannot be the first node of a cluster: start it with --join and the \
         address of a member; or without --role, to found a cluster that holds data"
    )]
    Founding(String),
    /// A member that holds data, started as a gateway.
    #[error(
        "{id} is a member that holds data, and {dir} has it, so it cannot start as a gateway: leave --role gateway away; or \
         have it give everything away (armilla drain {id}), and start it as a gateway in an empty directory",
        dir = dir.display()
    )]
    IsStore {
        /// The member.
        id: String,
        /// Its directory.
        dir: PathBuf,
    },
    /// A gateway, started to hold data.
    #[error(
        "{id} is a gateway, and {dir} is its directory, so it cannot start to hold data: start it with --role gateway; or take \
         it out of the cluster (armilla drain {id}), and start it in an empty directory",
        dir = dir.display()
    )]
    IsGateway {
        /// The member.
        id: String,
        /// Its directory.
        dir: PathBuf,
    },
    /// The cluster does not take this node.
    #[error("cannot join the cluster at {addr}: {reason}")]
    Join {
        /// The member that was asked.
        addr: String,
        /// Its words, or why it was not reached.
        reason: String,
    },
    /// The system refuses something that a server needs.
    #[error("the system refuses {what}: {error}")]
    System {
        /// What.
        what: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// Two processes are one member, and this one began later.
    #[error(
        "another live process is the member {0}, and began before this one, so this one has stopped: stop that one, or give \
         this one an --id and a directory of its own (a copied directory is the same member)"
    )]
    Twin(String),
    /// A cluster was founded here in the place of a member of another one, whose directory was emptied.
    #[error(
        "other nodes take {id} for a member of their cluster, and this directory has lost it: a new cluster was begun in \
         {dir}, so this node has stopped. Move that directory aside (what was written there since is nowhere else) and start \
         with --join and an address of the cluster; or stop those nodes, and begin anew", dir = dir.display()
    )]
    Usurped {
        /// The member.
        id: String,
        /// The node's directory.
        dir: PathBuf,
    },
    /// The node was removed from its cluster.
    #[error(
        "the node {id} was removed from its cluster, and others have its share by now, so this node has stopped. To have it be a \
         member again, as a new one, start it with --join and an address of the cluster: what is in {dir} is put aside",
        dir = dir.display()
    )]
    Removed {
        /// The node.
        id: String,
        /// Its directory.
        dir: PathBuf,
    },
    /// The disk failed while the server ran; it acknowledges nothing any more.
    #[error("storage failed, so this node has stopped: {0}")]
    Storage(String),
}
