//! Commands about the server and the cluster: their arguments read and checked.
//!
//! Not the answers: the server has them, but for what follows from the arguments alone.
//!
//! 1. A node of Armilla serves every key, so what Redis Cluster's clients say about replicas is taken and changes nothing.

use std::collections::BTreeSet;

use bytes::Bytes;
use placement::slot::{SLOTS, slot};

use super::keyspace::Keyspace;
use super::local::Local;
use super::number;
use crate::fault::{Fault, quoted};
use crate::level::Level;
use crate::reply::Reply;

/// `INFO [section [section ...]]`
pub(super) fn info(args: &[Bytes]) -> Result<Local, Fault> {
    Ok(Local::Info(args[1..].iter().map(|section| lower(section)).collect()))
}

/// `CONFIG GET parameter [parameter ...]`
pub(super) fn config_get(args: &[Bytes]) -> Result<Local, Fault> {
    Ok(Local::ConfigGet(args[2..].to_vec()))
}

/// `CONFIG SET parameter value [parameter value ...]`
pub(super) fn config_set(args: &[Bytes]) -> Result<Local, Fault> {
    let (pairs, rest) = args[2..].as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Fault::argument_count("config|set"));
    }
    let mut seen = BTreeSet::new();
    for [name, _] in pairs {
        if !seen.insert(lower(name)) {
            return Err(Fault::ConfigValue { name: quoted(name), reason: "duplicate parameter".into() });
        }
    }
    Ok(Local::ConfigSet(pairs.iter().map(|[name, value]| (lower(name), value.clone())).collect()))
}

/// `TIME`
pub(super) fn time(_: &[Bytes]) -> Result<Local, Fault> {
    Ok(Local::Time)
}

/// `WAIT numreplicas timeout`
pub(super) fn wait(args: &[Bytes]) -> Result<Local, Fault> {
    let replicas = number::integer(&args[1])?;
    let timeout_ms = number::integer(&args[2]).map_err(|_| Fault::Timeout)?;
    let timeout_ms = u64::try_from(timeout_ms).map_err(|_| Fault::TimeoutNegative)?;
    Ok(Local::Wait { replicas, timeout_ms })
}

/// `READONLY` and `READWRITE`
pub(super) fn read_mode(_: &[Bytes]) -> Result<Reply, Fault> {
    Ok(Reply::ok())
}

/// `CLUSTER INFO`
pub(super) fn cluster_info(_: &[Bytes]) -> Result<Local, Fault> {
    Ok(Local::ClusterInfo)
}

/// `CLUSTER NODES`
pub(super) fn cluster_nodes(_: &[Bytes]) -> Result<Local, Fault> {
    Ok(Local::ClusterNodes)
}

/// `CLUSTER SLOTS`
pub(super) fn cluster_slots(_: &[Bytes]) -> Result<Local, Fault> {
    Ok(Local::ClusterSlots)
}

/// `CLUSTER SHARDS`
pub(super) fn cluster_shards(_: &[Bytes]) -> Result<Local, Fault> {
    Ok(Local::ClusterShards)
}

/// `CLUSTER MYID`
pub(super) fn cluster_myid(_: &[Bytes]) -> Result<Local, Fault> {
    Ok(Local::ClusterMyId)
}

/// `CLUSTER KEYSLOT key`
pub(super) fn cluster_keyslot(args: &[Bytes]) -> Result<Reply, Fault> {
    Ok(Reply::Integer(i64::from(slot(&args[2]))))
}

/// `CLUSTER COUNTKEYSINSLOT slot`
pub(super) fn cluster_countkeysinslot(args: &[Bytes]) -> Result<Keyspace, Fault> {
    let slot = number::integer(&args[2])?;
    let slot = u16::try_from(slot).ok().filter(|&slot| slot < SLOTS).ok_or(Fault::Slot)?;
    Ok(Keyspace::SizeOfSlot(slot))
}

/// `ARMILLA.LEVEL [ONE | QUORUM | ALL | SLOPPY | read write]`
pub(super) fn level(args: &[Bytes]) -> Result<Local, Fault> {
    let words: Vec<&[u8]> = args[1..].iter().map(AsRef::as_ref).collect();
    if words.is_empty() {
        return Ok(Local::Level(None));
    }
    Level::parse(&words, u8::MAX).map(|level| Local::Level(Some(level))).ok_or(Fault::Level)
}

fn lower(text: &[u8]) -> Box<str> {
    String::from_utf8_lossy(text).to_ascii_lowercase().into()
}
