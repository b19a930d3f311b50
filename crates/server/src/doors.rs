//! Where a server listens: for clients, for other nodes, and at a gateway for HTTP.
//!
//! Not what is said there: `session` and `peers` on the shards' threads, `http` on the main one.
//!
//! 1. All ports are taken before anything is asked of anybody, so that a port in use is told at once.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::sleep;

use crate::config::Config;
use crate::error::StartError;
use crate::role::Role;

/// Connections that the system keeps for a door that is busy.
const BACKLOG: u32 = 1024;
/// After a failure to accept (no file descriptors left), the door rests this long.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// What listens.
#[derive(Debug)]
pub(crate) struct Doors {
    pub(crate) clients: TcpListener,
    pub(crate) peers: TcpListener,
    /// At a gateway.
    pub(crate) http: Option<TcpListener>,
}

impl Doors {
    /// Listens at every port of a node.
    ///
    /// # Errors
    /// Which port cannot be had.
    pub(crate) fn listen(config: &Config) -> Result<Self, StartError> {
        let clients = listen("clients", config.client_addr)?;
        let peers = listen("peers", config.peer_addr().ok_or_else(|| no_peer_port(config))?)?;
        let http = match config.role {
            Role::Store => None,
            Role::Gateway => Some(listen("HTTP", config.http_addr().ok_or_else(|| no_http_port(config))?)?),
        };
        Ok(Self { clients, peers, http })
    }
}

fn listen(what: &'static str, addr: SocketAddr) -> Result<TcpListener, StartError> {
    let bind = || {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(addr)?;
        socket.listen(BACKLOG)
    };
    bind().map_err(|error| StartError::Listen { what, addr, error })
}

/// Why there is no port for other nodes.
pub(crate) fn no_peer_port(config: &Config) -> StartError {
    let addr = config.announced();
    StartError::Config(format!("the client address {addr} leaves no room for a peer port above it: give one"))
}

fn no_http_port(config: &Config) -> StartError {
    let addr = config.client_addr;
    StartError::Config(format!(
        "the client address {addr} leaves no room for an HTTP port above it: give one with --http-addr"
    ))
}

/// The next caller; nobody where one could not be accepted.
pub(crate) async fn accept(door: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    match door.accept().await {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            sleep(ACCEPT_REST).await;
            None
        }
    }
}
