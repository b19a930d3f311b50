//! The clients of a process: a card for each, which `CLIENT LIST` reads from any thread.
//!
//! Not the connections: those live in their shard. A connection writes its card when something on it changes, and its
//! last command once for each read from its socket.
//!
//! 1. Ids count from 1 and are never used twice by one process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// What is known of a client.
#[derive(Clone, Debug)]
pub(crate) struct Card {
    pub(crate) addr: SocketAddr,
    pub(crate) connected_ms: u64,
    pub(crate) active_ms: u64,
    pub(crate) database: u8,
    pub(crate) name: Bytes,
    pub(crate) library: Bytes,
    pub(crate) library_version: Bytes,
    /// 2 or 3; 0 for JSON lines.
    pub(crate) protocol: u8,
    /// The last command's name.
    pub(crate) command: &'static str,
}

/// A client's card and its id.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: u64,
    card: Mutex<Card>,
}

/// All clients by their ids.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    last: AtomicU64,
    connected: Mutex<BTreeMap<u64, Arc<Client>>>,
}

impl Client {
    pub(crate) fn card(&self) -> MutexGuard<'_, Card> {
        self.card.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client's line in `CLIENT LIST`. Fields that mean nothing here are left out.
    pub(crate) fn line(&self, local: SocketAddr, now_ms: u64) -> String {
        let card = self.card();
        let seconds = |since: u64| now_ms.saturating_sub(since) / 1000;
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        format!(
            "id={} addr={} laddr={local} name={} age={} idle={} flags=N db={} cmd={} user=default lib-name={} \
             lib-ver={} resp={}",
            self.id,
            card.addr,
            text(&card.name),
            seconds(card.connected_ms),
            seconds(card.active_ms),
            card.database,
            card.command,
            text(&card.library),
            text(&card.library_version),
            card.protocol,
        )
    }
}

impl Clients {
    /// Enters a client that has connected.
    pub(crate) fn enter(&self, addr: SocketAddr, now_ms: u64) -> Arc<Client> {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let card = Card {
            addr,
            connected_ms: now_ms,
            active_ms: now_ms,
            database: 0,
            name: Bytes::new(),
            library: Bytes::new(),
            library_version: Bytes::new(),
            protocol: 2,
            command: "NULL",
        };
        let client = Arc::new(Client { id, card: Mutex::new(card) });
        self.all().insert(id, Arc::clone(&client));
        client
    }

    pub(crate) fn leave(&self, id: u64) {
        self.all().remove(&id);
    }

    pub(crate) fn count(&self) -> usize {
        self.all().len()
    }

    /// How many have ever connected.
    pub(crate) fn entered(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }

    /// All of them, in the order in which they came.
    pub(crate) fn list(&self) -> Vec<Arc<Client>> {
        self.all().values().cloned().collect()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Client>>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
