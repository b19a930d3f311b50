//! Which nodes there are to be: their names, addresses, directories and flags.
//!
//! Not a layout: who owns what is decided by the nodes.
//!
//! 1. The same flags give the same plan, so that a second run finds what the first one left.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use server::config::PEER_PORT_OFFSET;

use crate::flags::DevFlags;

/// All that is to be started.
#[derive(Debug)]
pub(super) struct Plan {
    /// Where the nodes' directories are.
    pub(super) dir: PathBuf,
    /// The nodes, in the order in which they start.
    pub(super) nodes: Vec<PlannedNode>,
    /// Flags that the user has for each server.
    pub(super) rest: Vec<OsString>,
}

/// One node that is to be started.
#[derive(Debug)]
pub(super) struct PlannedNode {
    /// Its name.
    pub(super) id: String,
    /// Where clients reach it.
    pub(super) client: SocketAddr,
    /// Where other nodes reach it.
    pub(super) peer: SocketAddr,
    /// Where its data is.
    pub(super) dir: PathBuf,
    /// Whom it joins: the first node, unless it is that.
    join: Option<SocketAddr>,
}

impl Plan {
    /// The plan that these flags describe.
    ///
    /// # Errors
    /// There are not so many ports.
    pub(super) fn of(flags: &DevFlags) -> anyhow::Result<Self> {
        let last =
            flags.port.checked_add(flags.nodes - 1).and_then(|last| last.checked_add(PEER_PORT_OFFSET));
        if last.is_none() {
            bail!(
                "--port {}: {} nodes and their peer ports, {PEER_PORT_OFFSET} above, do not fit below 65536",
                flags.port,
                flags.nodes
            );
        }
        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let node = |index: u16| {
            let (id, port) = (node_name(index), flags.port + index);
            PlannedNode {
                client: address(port),
                peer: address(port + PEER_PORT_OFFSET),
                dir: flags.dir.join(&id),
                join: (index > 0).then(|| address(flags.port)),
                id,
            }
        };
        Ok(Self {
            dir: flags.dir.clone(),
            nodes: (0..flags.nodes).map(node).collect(),
            rest: flags.rest.clone(),
        })
    }

    /// Refuses to start if somebody listens on a port of ours.
    ///
    /// # Errors
    /// The first port that is taken, and what to do.
    pub(super) fn require_free_ports(&self) -> anyhow::Result<()> {
        for node in &self.nodes {
            for (address, what) in [(node.client, "clients"), (node.peer, "other nodes")] {
                TcpListener::bind(address).with_context(|| {
                    format!(
                        "{} cannot listen on {address} for {what}; choose other ports with --port",
                        node.id
                    )
                })?;
            }
        }
        Ok(())
    }
}

/// The name of a node by its place in the plan.
fn node_name(index: u16) -> String {
    format!("server{}", index + 1)
}

/// Whether a node of some plan is called so.
pub(super) fn is_node_name(name: &str) -> bool {
    let number = name.strip_prefix("server").and_then(|number| number.parse::<u16>().ok());
    number.is_some_and(|number| number > 0 && node_name(number - 1) == name)
}

impl PlannedNode {
    /// The arguments of `armilla` that start it.
    pub(super) fn arguments(&self, rest: &[OsString]) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = ["server", "--id", &self.id].map(OsString::from).to_vec();
        arguments.extend(["--addr".into(), self.client.to_string().into()]);
        arguments.extend(["--peer-addr".into(), self.peer.to_string().into()]);
        arguments.extend(["--dir".into(), self.dir.clone().into_os_string()]);
        if let Some(join) = self.join {
            arguments.extend(["--join".into(), join.to_string().into()]);
        }
        arguments.extend_from_slice(rest);
        arguments
    }

    /// Where it writes its log.
    pub(super) fn log(&self) -> PathBuf {
        self.dir.join(Path::new("log"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Plan, is_node_name};
    use crate::flags::DevFlags;

    fn plan(nodes: u16, port: u16) -> anyhow::Result<Plan> {
        Plan::of(&DevFlags {
            nodes,
            port,
            dir: "d".into(),
            fresh: false,
            rest: vec!["--fsync".into(), "never".into()],
        })
    }

    #[test]
    fn nodes_have_names_ports_and_flags_in_order() {
        let plan = plan(2, 7001).unwrap();
        let line = |index: usize| {
            let words = plan.nodes[index].arguments(&plan.rest);
            words.iter().map(|word| word.to_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            line(0),
            "server --id server1 --addr 127.0.0.1:7001 --peer-addr 127.0.0.1:10001 --dir d/server1 --fsync never"
        );
        assert_eq!(
            line(1),
            "server --id server2 --addr 127.0.0.1:7002 --peer-addr 127.0.0.1:10002 --dir d/server2 --join \
             127.0.0.1:7001 --fsync never"
        );
    }

    #[test]
    fn ports_that_do_not_exist_are_refused() {
        assert_eq!(plan(3, 62_533).unwrap().nodes[2].peer.port(), 65_535);
        assert_eq!(
            plan(3, 62_534).unwrap_err().to_string(),
            "--port 62534: 3 nodes and their peer ports, 3000 above, do not fit below 65536"
        );
    }

    #[test]
    fn names_of_nodes() {
        assert!(is_node_name("server1") && is_node_name("server64"));
        for name in ["server", "server0", "server01", "server-1", "servers", "log", "server1.old"] {
            assert!(!is_node_name(name), "{name}");
        }
    }
}
