//! `INFO`: figures under Redis's names where they mean the same, and our own under `# Armilla`.
//!
//! Not figures that this server does not have: a field that would be made up is left out.
//!
//! 1. Sections come in the order of `SECTIONS`, whatever the order asked for.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use super::REDIS_VERSION;
use crate::config::Fsync;
use crate::disk;
use crate::host::{Host, ShardFigures};
use crate::session::Session;

type Section = (&'static str, fn(&Session, &[ShardFigures], &mut String));

const SECTIONS: [Section; 10] = [
    ("server", server),
    ("clients", clients),
    ("memory", memory),
    ("persistence", persistence),
    ("stats", stats),
    ("replication", replication),
    ("cpu", cpu),
    ("cluster", cluster),
    ("keyspace", keyspace),
    ("armilla", armilla),
];

impl Session {
    /// The sections of these names; all of them if none is named.
    pub(super) fn info(&self, sections: &[Box<str>]) -> String {
        let all = sections.is_empty()
            || sections.iter().any(|name| matches!(&**name, "all" | "default" | "everything"));
        let figures = self.shard.host.figures();
        let mut out = String::new();
        for (name, write) in SECTIONS {
            if !all && !sections.iter().any(|wanted| &**wanted == name) {
                continue;
            }
            if !out.is_empty() {
                out.push_str("\r\n");
            }
            let title = if name == "cpu" { "CPU".to_owned() } else { name[..1].to_uppercase() + &name[1..] };
            let _ = write!(out, "# {title}\r\n");
            write(self, &figures, &mut out);
        }
        out
    }

    fn host(&self) -> &Host {
        &self.shard.host
    }
}

fn field(out: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = write!(out, "{name}:{value}\r\n");
}

fn server(session: &Session, _: &[ShardFigures], out: &mut String) {
    let host = session.host();
    let uptime = host.clock.uptime().as_secs();
    field(out, "redis_version", REDIS_VERSION);
    field(out, "redis_mode", "cluster");
    field(out, "armilla_version", env!("CARGO_PKG_VERSION"));
    field(out, "os", std::env::consts::OS);
    field(out, "arch_bits", usize::BITS);
    field(out, "process_id", std::process::id());
    field(out, "tcp_port", host.config.client_addr.port());
    field(out, "uptime_in_seconds", uptime);
    field(out, "uptime_in_days", uptime / 86_400);
    field(out, "io_threads_active", 0);
}

fn clients(session: &Session, _: &[ShardFigures], out: &mut String) {
    let host = session.host();
    field(out, "connected_clients", host.clients.count());
    field(out, "maxclients", host.clients_max());
    field(out, "blocked_clients", 0);
}

fn memory(_: &Session, figures: &[ShardFigures], out: &mut String) {
    let resident = resident_bytes();
    let cached: usize = figures.iter().map(|shard| shard.store.cached_bytes).sum();
    let pending: usize = figures.iter().map(|shard| shard.store.pending_bytes).sum();
    field(out, "used_memory", resident);
    field(out, "used_memory_rss", resident);
    field(out, "used_memory_human", human(resident));
    field(out, "armilla_cache_bytes", cached);
    field(out, "armilla_unsettled_bytes", pending);
    field(out, "maxmemory", 0);
    field(out, "maxmemory_policy", "noeviction");
}

fn persistence(session: &Session, figures: &[ShardFigures], out: &mut String) {
    field(out, "loading", 0);
    field(out, "aof_enabled", 1);
    let fsync = session.host().config.fsync;
    field(out, "armilla_fsync", fsync);
    field(out, "armilla_survives_power_cut", u8::from(fsync == Fsync::Always));
    field(out, "armilla_disk_room", disk::word(session.host().disk.room()));
    if let Some(free_bytes) = session.host().disk.free_bytes() {
        field(out, "armilla_disk_free_bytes", free_bytes);
    }
    field(out, "armilla_disk_reserve_bytes", session.host().config.disk_reserve_bytes);
    field(out, "armilla_shards_failed", figures.iter().filter(|shard| shard.is_closed).count());
    field(out, "armilla_commits", figures.iter().map(|shard| shard.commits).sum::<u64>());
}

fn stats(session: &Session, figures: &[ShardFigures], out: &mut String) {
    let host = session.host();
    field(out, "total_connections_received", host.clients.entered());
    field(out, "rejected_connections", host.clients_refused.load(Ordering::Relaxed));
    field(out, "total_commands_processed", figures.iter().map(|shard| shard.requests).sum::<u64>());
    field(out, "armilla_reads_hot", figures.iter().map(|shard| shard.store.reads_hot).sum::<u64>());
    field(out, "armilla_reads_cold", figures.iter().map(|shard| shard.store.reads_cold).sum::<u64>());
}

fn replication(_: &Session, _: &[ShardFigures], out: &mut String) {
    // Every node takes every write, which is what clients look for here.
    field(out, "role", "master");
    field(out, "connected_slaves", 0);
}

fn cpu(_: &Session, _: &[ShardFigures], out: &mut String) {
    let (user, system) = cpu_seconds();
    field(out, "used_cpu_sys", format!("{system:.6}"));
    field(out, "used_cpu_user", format!("{user:.6}"));
}

fn cluster(_: &Session, _: &[ShardFigures], out: &mut String) {
    field(out, "cluster_enabled", 1);
}

fn keyspace(_: &Session, figures: &[ShardFigures], out: &mut String) {
    for database in 0..usize::from(causal::limits::DATABASES_MAX) {
        let keys: i64 = figures.iter().filter_map(|shard| shard.keys.get(database)).sum();
        if keys > 0 {
            field(out, &format!("db{database}"), format_args!("keys={keys},expires=0,avg_ttl=0"));
        }
    }
}

fn armilla(session: &Session, figures: &[ShardFigures], out: &mut String) {
    let host = session.host();
    let layout = host.layout();
    field(out, "node", &host.config.id);
    field(out, "node_id", host.me);
    field(out, "cluster", format_args!("{:016x}", layout.cluster()));
    field(out, "epoch", layout.epoch());
    field(out, "members", layout.members().len());
    field(out, "replicas", layout.replicas());
    field(out, "partitions", layout.keyspace().partition_count());
    field(out, "shards", host.shards());
    field(out, "level", host.config.level);
    field(out, "requests_pending", figures.iter().map(|shard| shard.pending).sum::<usize>());
}

/// Memory of this process that is in RAM, in bytes; 0 where the system does not say.
pub(super) fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}

/// User and system time of this process, in seconds, at Linux's hundred ticks a second.
fn cpu_seconds() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in brackets may hold spaces; what follows it begins with field 3.
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) / 100.0, ticks(12) / 100.0)
}

fn human(bytes: u64) -> String {
    let tenths = bytes / (1024 * 1024 / 10);
    format!("{}.{}M", tenths / 10, tenths % 10)
}
