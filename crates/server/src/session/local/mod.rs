//! What the server answers from what it knows of itself, this connection and the cluster.
//!
//! | file | what it tells |
//! |---|---|
//! | `info` | `INFO` |
//! | `config` | `CONFIG GET` and `CONFIG SET` |
//! | `cluster` | `CLUSTER ...`, from the layout |
//! | `chaos` | `ARMILLA.CHAOS` |
//! | `own` | `ARMILLA.STATUS` and the words by which nodes form a cluster |
//!
//! 1. What is told is true of this moment, or of a fraction of a second ago for figures of other shards.

pub(super) mod chaos;
mod cluster;
mod config;
mod info;
mod own;

use bytes::Bytes;
use wire::command::local::{Clients, Library, Local};
use wire::resp::Protocol;
use wire::{Fault, Reply};

use super::Session;
use crate::clock;
use crate::connection::Form;
use crate::control::Question;
pub(crate) use own::member_state;

/// The version of Redis whose answers clients may expect.
pub(super) const REDIS_VERSION: &str = "7.2.4";

impl Session {
    /// Answers, or parks the request where it has to wait for those before it.
    pub(super) fn local(&mut self, local: Local, words: Vec<Bytes>, form: Form) {
        if matches!(local, Local::Wait { .. }) && self.connection.open_count() > 0 {
            self.parked = Some((words, form));
            return;
        }
        let reply = match local {
            Local::Hello { protocol, name } => return self.hello(protocol, name, form),
            Local::Select(database) => {
                self.choices.database = database;
                self.client.card().database = database;
                Reply::ok()
            }
            Local::Reset => self.reset(),
            Local::Quit => {
                self.closing = true;
                Reply::ok()
            }
            Local::ClientId => Reply::Integer(i64::try_from(self.client.id).unwrap_or(i64::MAX)),
            Local::ClientName => {
                let name = self.client.card().name.clone();
                if name.is_empty() { Reply::Nil } else { Reply::Bulk(name) }
            }
            Local::ClientRename(name) => {
                self.client.card().name = own_copy(&name);
                Reply::ok()
            }
            Local::ClientLibrary(library, text) => {
                let mut card = self.client.card();
                match library {
                    Library::Name => card.library = own_copy(&text),
                    Library::Version => card.library_version = own_copy(&text),
                }
                Reply::ok()
            }
            Local::ClientInfo => text(self.client_line() + "\n"),
            Local::ClientList(clients) => text(self.client_lines(&clients)),
            Local::Info(sections) => Reply::Verbatim(self.info(&sections).into()),
            Local::ConfigGet(patterns) => config::get(&self.shard.host, &patterns),
            Local::ConfigSet(pairs) => config::set(&self.shard.host, &pairs).into(),
            Local::Time => time(),
            Local::ClusterInfo => text(cluster::info(&self.shard.host)),
            Local::ClusterNodes => text(cluster::nodes(&self.shard.host, self.local_addr)),
            Local::ClusterSlots => cluster::slots(&self.shard.host, self.local_addr),
            Local::ClusterShards => cluster::shards(&self.shard.host, self.local_addr),
            Local::ClusterMyId => text(cluster::node_name(self.shard.host.me)),
            Local::Wait { .. } => self.waited(),
            Local::Level(level) => self.level(level).into(),
            Local::Status => own::status(&self.shard.host, self.local_addr),
            Local::Chaos(asked) => chaos::chaos(&self.shard.host, asked).into(),
            Local::Join(member) => return self.ask_control(Question::Join(member), form),
            Local::Ring { change, is_plan, of } => {
                return self.ask_control(Question::Ring { change, is_plan, of }, form);
            }
        };
        self.connection.answer(form, reply);
    }

    fn hello(&mut self, protocol: Option<Protocol>, name: Option<Bytes>, form: Form) {
        let mut form = form;
        if let Some(protocol) = protocol {
            self.choices.protocol = protocol;
            self.client.card().protocol = if protocol == Protocol::Resp3 { 3 } else { 2 };
            form = Form::Resp(protocol);
        }
        if let Some(name) = name {
            self.client.card().name = own_copy(&name);
        }
        let version = if self.choices.protocol == Protocol::Resp3 { 3 } else { 2 };
        let reply = Reply::Map(vec![
            (text("server"), text("redis")),
            (text("version"), text(REDIS_VERSION)),
            (text("proto"), Reply::Integer(version)),
            (text("id"), Reply::Integer(i64::try_from(self.client.id).unwrap_or(i64::MAX))),
            (text("mode"), text("cluster")),
            (text("role"), text("master")),
            (text("modules"), Reply::Array(Vec::new())),
        ]);
        self.connection.answer(form, reply);
    }

    fn reset(&mut self) -> Reply {
        self.choices.database = 0;
        self.choices.level = self.shard.host.config.level;
        self.choices.protocol = Protocol::Resp2;
        self.written_to = None;
        let mut card = self.client.card();
        (card.database, card.protocol, card.name) = (0, 2, Bytes::new());
        Reply::simple("RESET")
    }

    /// `WAIT`: a write of this connection that was answered is on as many owners as its level asks for, this many
    /// besides the one that took it. Answered at once, for waiting would make it no truer. Where the outcome of a write
    /// since the last `WAIT` is unknown nothing is promised: 0.
    fn waited(&self) -> Reply {
        let unsure = self.connection.take_unsure();
        let others = self.written_to.filter(|_| !unsure).map_or(0, |owners| owners.saturating_sub(1));
        Reply::Integer(i64::try_from(others).unwrap_or(i64::MAX))
    }

    fn level(&mut self, level: Option<wire::Level>) -> Result<Reply, Fault> {
        let Some(level) = level else { return Ok(text(self.choices.level.to_string())) };
        let owners = self.shard.layout().replicas();
        if level.read(owners) > owners || level.write(owners) > owners {
            return Err(Fault::Level);
        }
        self.choices.level = level;
        Ok(Reply::ok())
    }

    fn client_line(&self) -> String {
        self.client.line(self.local_addr, self.shard.host.clock.monotonic_ms())
    }

    fn client_lines(&self, wanted: &Clients) -> String {
        let now_ms = self.shard.host.clock.monotonic_ms();
        let is_wanted = |id: u64| match wanted {
            Clients::All | Clients::Normal => true,
            Clients::Nobody => false,
            Clients::Ids(ids) => ids.contains(&id),
        };
        let clients = self.shard.host.clients.list().into_iter().filter(|client| is_wanted(client.id));
        clients.map(|client| client.line(self.local_addr, now_ms) + "\n").collect()
    }
}

fn time() -> Reply {
    let now = clock::wall();
    Reply::Array(vec![text(now.as_secs().to_string()), text(now.subsec_micros().to_string())])
}

fn text(text: impl Into<Bytes>) -> Reply {
    Reply::bulk(text)
}

/// What is kept does not share memory with the read buffer.
fn own_copy(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
