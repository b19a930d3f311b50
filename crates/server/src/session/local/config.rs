//! `CONFIG GET` and `CONFIG SET`: the settings there are, under Redis's names where Redis has them.
//!
//! Not a list of what Redis could set: a name that is not here does not exist. Most are fixed at the start.
//!
//! 1. Every value that is shown is in force.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use wire::command::glob;
use wire::{Fault, Reply};

use crate::config::Fsync;
use crate::host::Host;

/// Names that can be set while the server runs.
const SETTABLE: [&str; 1] = ["maxclients"];

/// The settings whose names match one of the patterns.
pub(super) fn get(host: &Host, patterns: &[Bytes]) -> Reply {
    let matches =
        |name: &str| patterns.iter().any(|pattern| glob::matches_ignore_case(pattern, name.as_bytes()));
    let shown = settings(host).into_iter().filter(|(name, _)| matches(name));
    Reply::Map(shown.map(|(name, value)| (Reply::bulk(name), Reply::bulk(value))).collect())
}

/// Sets all of them or none.
///
/// # Errors
/// The fault of the first that cannot be set.
pub(super) fn set(host: &Host, pairs: &[(Box<str>, Bytes)]) -> Result<Reply, Fault> {
    let mut numbers = Vec::new();
    for (name, value) in pairs {
        if !SETTABLE.contains(&&**name) {
            let exists = settings(host).iter().any(|(known, _)| *known == &**name);
            let reason = "can't set immutable config".into();
            return Err(if exists {
                Fault::ConfigValue { name: name.clone(), reason }
            } else {
                Fault::ConfigName(name.clone())
            });
        }
        let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<usize>().ok());
        let reason = "argument must be between 1 and 4294967295 inclusive".into();
        let number = number.filter(|number| (1..=u32::MAX as usize).contains(number));
        numbers.push(number.ok_or(Fault::ConfigValue { name: name.clone(), reason })?);
    }
    for number in numbers {
        host.clients_max.store(number, Ordering::Relaxed);
    }
    Ok(Reply::ok())
}

fn settings(host: &Host) -> Vec<(&'static str, String)> {
    let config = &host.config;
    let appendfsync = match config.fsync {
        Fsync::Always => "always",
        Fsync::Interval(_) => "everysec",
        Fsync::Never => "no",
    };
    vec![
        ("appendfsync", appendfsync.to_owned()),
        ("appendonly", "yes".to_owned()),
        ("armilla.announce", config.announce.clone().unwrap_or_default()),
        ("armilla.disk-reserve-bytes", config.disk_reserve_bytes.to_string()),
        ("armilla.handoff-bytes-max", config.handoff_bytes_max.to_string()),
        ("armilla.cache-bytes", config.cache_bytes.to_string()),
        ("armilla.enable-chaos", if config.enable_chaos { "yes" } else { "no" }.to_owned()),
        ("armilla.fsync", config.fsync.to_string()),
        ("armilla.id", config.id.clone()),
        ("armilla.level", config.level.to_string()),
        ("armilla.partitions", host.layout().keyspace().partition_count().to_string()),
        ("armilla.probe-every-ms", config.probe_every.as_millis().to_string()),
        ("armilla.replicas", host.layout().copies().to_string()),
        ("armilla.request-timeout-ms", config.request_timeout.as_millis().to_string()),
        ("armilla.retry-ms", config.retry.as_millis().to_string()),
        ("armilla.shards", host.shards().to_string()),
        ("armilla.suspicion-ms", config.suspicion.as_millis().to_string()),
        ("armilla.weight", config.weight.to_string()),
        ("armilla.zone", config.zone.to_string()),
        ("bind", config.client_addr.ip().to_string()),
        ("cluster-enabled", "yes".to_owned()),
        ("databases", causal::limits::DATABASES_MAX.to_string()),
        ("dir", config.dir.display().to_string()),
        ("maxclients", host.clients_max().to_string()),
        ("port", config.client_addr.port().to_string()),
        ("proto-max-bulk-len", wire::resp::BULK_BYTES_MAX.to_string()),
        ("save", String::new()),
    ]
}
