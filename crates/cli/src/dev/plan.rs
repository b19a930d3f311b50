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

/// What nodes are called, before their number.
pub(super) const NAME_STEM: &str = "server";

/// All that is to be started.
#[derive(Debug)]
pub(super) struct Plan {
    /// Where the nodes' directories are.
    pub(super) dir: PathBuf,
    /// The nodes, in the order in which they start.
    pub(super) nodes: Vec<PlannedNode>,
    /// Flags that the user has for each server.
    pub(super) rest: Vec<OsString>,
    /// The client port of the first node.
    port: u16,
    /// How many nodes there may come to be.
    most: u16,
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
        let (nodes, most) = match flags.autoscale {
            Some((min, max)) => (flags.nodes.clamp(min, max), max),
            None => (flags.nodes, flags.nodes),
        };
        let port = flags.port;
        let last = port.checked_add(most - 1).and_then(|last| last.checked_add(PEER_PORT_OFFSET));
        if last.is_none() {
            bail!(
                "--port {port}: {most} nodes and their peer ports, {PEER_PORT_OFFSET} above, do not fit below 65536"
            );
        }
        let (dir, rest) = (flags.dir.clone(), flags.rest.clone());
        let mut plan = Self { dir, nodes: Vec::new(), rest, port, most };
        plan.nodes = (0..nodes).map(|index| plan.node(index)).collect();
        Ok(plan)
    }

    /// Plans the nodes too that an earlier run has left in these directories; tells whether there may be so many.
    pub(super) fn grow(&mut self, stored: &[PathBuf]) -> bool {
        let names = stored.iter().filter_map(|dir| dir.file_name()?.to_str());
        let nodes = names.filter_map(node_number).max().unwrap_or(0);
        let may_be = nodes <= self.most;
        if may_be {
            let planned = u16::try_from(self.nodes.len()).unwrap_or(u16::MAX);
            self.nodes.extend((planned..nodes).map(|index| self.node(index)).collect::<Vec<_>>());
        }
        may_be
    }

    /// A node that comes later and joins by this member; nothing if no node here may be called so.
    pub(super) fn newcomer(&self, name: &str, join: SocketAddr) -> Option<PlannedNode> {
        let number = node_number(name).filter(|number| *number <= self.most)?;
        Some(PlannedNode { join: Some(join), ..self.node(number - 1) })
    }

    fn node(&self, index: u16) -> PlannedNode {
        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (id, port) = (node_name(index), self.port + index);
        PlannedNode {
            client: address(port),
            peer: address(port + PEER_PORT_OFFSET),
            dir: self.dir.join(&id),
            join: (index > 0).then(|| address(self.port)),
            id,
        }
    }

    /// Refuses to start if somebody listens on a port of ours.
    ///
    /// # Errors
    /// The first port that is taken, and what to do.
    pub(super) fn require_free_ports(&self) -> anyhow::Result<()> {
        self.nodes.iter().try_for_each(PlannedNode::require_free_ports)
    }
}

/// The name of a node by its place in the plan.
fn node_name(index: u16) -> String {
    format!("{NAME_STEM}{}", index + 1)
}

/// Whether a node of some plan is called so.
pub(super) fn is_node_name(name: &str) -> bool {
    node_number(name).is_some()
}

/// The number of a node of some plan, from 1.
fn node_number(name: &str) -> Option<u16> {
    let number = name.strip_prefix(NAME_STEM)?.parse::<u16>().ok().filter(|number| *number > 0)?;
    (node_name(number - 1) == name).then_some(number)
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

    /// Refuses to start it if somebody listens on a port of its own.
    ///
    /// # Errors
    /// The first port that is taken, and what to do.
    pub(super) fn require_free_ports(&self) -> anyhow::Result<()> {
        for (address, what) in [(self.client, "clients"), (self.peer, "other nodes")] {
            TcpListener::bind(address).with_context(|| {
                format!("{} cannot listen on {address} for {what}; choose other ports with --port", self.id)
            })?;
        }
        Ok(())
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
        let rest = vec!["--fsync".into(), "never".into()];
        Plan::of(&DevFlags { nodes, port, dir: "d".into(), rest, ..DevFlags::default() })
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
    fn nodes_that_come_later_have_names_and_ports_of_the_plan() {
        let plan = Plan::of(&DevFlags { autoscale: Some((4, 5)), ..DevFlags::default() }).unwrap();
        assert_eq!(plan.nodes.len(), 4, "no fewer than the fewest");
        let join = plan.nodes[1].client;
        let newcomer = plan.newcomer("server5", join).unwrap();
        assert_eq!((newcomer.client.port(), newcomer.join), (7005, Some(join)));
        assert!(plan.newcomer("server6", join).is_none() && plan.newcomer("auto1", join).is_none());
    }

    #[test]
    fn names_of_nodes() {
        assert!(is_node_name("server1") && is_node_name("server64"));
        for name in ["server", "server0", "server01", "server-1", "servers", "log", "server1.old"] {
            assert!(!is_node_name(name), "{name}");
        }
    }
}
