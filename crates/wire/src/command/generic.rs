//! Commands on one key whatever its type.
//!
//! Not several keys: `DEL a b` is `DEL a` and `DEL b` (`each`). Not all keys: that is `keyspace`.
//!
//! 1. With one key a command runs as itself, with several as one command a key.

use bytes::Bytes;
use causal::{Change, Value};

use super::each::{Each, Fold};
use super::keyspace::type_name;
use super::row::Class;
use crate::fault::Fault;
use crate::reply::Reply;

/// `DEL key` and `UNLINK key`
pub(super) fn del(_: &[Bytes], value: Option<&Value>) -> Result<(Reply, Change), Fault> {
    Ok(match value {
        Some(_) => (Reply::Integer(1), Change::Delete),
        None => (Reply::Integer(0), Change::Keep),
    })
}

/// `EXISTS key` and `TOUCH key`
pub(super) fn exists(_: &[Bytes], value: Option<&Value>) -> Result<(Reply, Change), Fault> {
    Ok((Reply::Integer(i64::from(value.is_some())), Change::Keep))
}

/// `TYPE key`
pub(super) fn kind(_: &[Bytes], value: Option<&Value>) -> Result<(Reply, Change), Fault> {
    Ok((Reply::simple(type_name(value)), Change::Keep))
}

/// The class of `DEL` and `UNLINK`.
pub(super) fn del_class(args: &[Bytes]) -> Class {
    sum_over_keys(args, Class::Update(del), "del", true)
}

/// The class of `EXISTS` and `TOUCH`.
pub(super) fn exists_class(args: &[Bytes]) -> Class {
    sum_over_keys(args, Class::Read(exists), "exists", false)
}

fn sum_over_keys(args: &[Bytes], single: Class, part: &'static str, writes: bool) -> Class {
    let several = Each { part, stride: 1, absent: false, writes, fold: Fold::Sum };
    if args.len() == 2 { single } else { Class::Each(several) }
}
