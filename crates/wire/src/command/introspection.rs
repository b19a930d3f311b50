//! The table of commands as `COMMAND` and `HELP` show it to clients.
//!
//! Not the manual: `docs` has what `COMMAND DOCS` says. Not the requests' own look-up, which is `table`'s and fast.
//!
//! 1. Every answer is made from rows; nothing here knows a command by name.
//! 2. Answers have the shape of Redis 7's, so that clients find keys and arities where they look for them.

use bytes::Bytes;

use super::docs;
use super::flag::Category;
use super::glob;
use super::keys::Keys;
use super::row::Command;
use crate::fault::Fault;
use crate::reply::Reply;

/// `COMMAND`
pub(super) fn command(_: &[Bytes], rows: &[&'static Command]) -> Result<Reply, Fault> {
    Ok(Reply::Array(rows.iter().map(|row| details(row)).collect()))
}

/// `COMMAND COUNT`
pub(super) fn count(_: &[Bytes], rows: &[&'static Command]) -> Result<Reply, Fault> {
    Ok(index(rows.len()))
}

/// `COMMAND INFO [command-name [command-name ...]]`
pub(super) fn info(args: &[Bytes], rows: &[&'static Command]) -> Result<Reply, Fault> {
    if args.len() == 2 {
        return command(args, rows);
    }
    let shown = args[2..].iter().map(|name| named(rows, name).map_or(Reply::NilArray, details));
    Ok(Reply::Array(shown.collect()))
}

/// `COMMAND DOCS [command-name [command-name ...]]`. Unknown names are left out.
pub(super) fn docs(args: &[Bytes], rows: &[&'static Command]) -> Result<Reply, Fault> {
    let chosen: Vec<_> = match &args[2..] {
        [] => rows.to_vec(),
        names => names.iter().filter_map(|name| named(rows, name)).collect(),
    };
    Ok(Reply::Map(chosen.into_iter().map(|row| (text(row.name), docs::of(row))).collect()))
}

/// `COMMAND LIST [FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]`
pub(super) fn list(args: &[Bytes], rows: &[&'static Command]) -> Result<Reply, Fault> {
    let shown = match &args[2..] {
        [] => names(rows, &|_| true),
        [word, by, what] if word.eq_ignore_ascii_case(b"filterby") => {
            match by.to_ascii_lowercase().as_slice() {
                b"module" => Vec::new(),
                b"aclcat" => {
                    category(what).map(|category| names(rows, &|row| row.is_in(category))).unwrap_or_default()
                }
                b"pattern" => names(rows, &|row| glob::matches_ignore_case(what, row.name.as_bytes())),
                _ => return Err(Fault::Syntax),
            }
        }
        _ => return Err(Fault::Syntax),
    };
    Ok(Reply::Array(shown))
}

/// `COMMAND GETKEYS command [arg ...]`
pub(super) fn getkeys(args: &[Bytes], rows: &[&'static Command]) -> Result<Reply, Fault> {
    let args = &args[2..];
    let row = top(rows, &args[0]).ok_or(Fault::GetKeysCommand)?;
    let row = match args.get(1) {
        Some(sub) if !row.subcommands.is_empty() => row.subcommand(sub).ok_or(Fault::GetKeysCommand)?,
        _ => row,
    };
    Ok(Reply::Array(row.keys_of(args)?.into_iter().cloned().map(Reply::Bulk).collect()))
}

/// `HELP` of any command with subcommands.
pub(super) fn help(args: &[Bytes], rows: &[&'static Command]) -> Result<Reply, Fault> {
    let container = top(rows, &args[0]).ok_or_else(|| Fault::unknown_command(&args[0], &args[1..]))?;
    let name = container.name.to_ascii_uppercase();
    let mut lines = vec![format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")];
    for row in container.subcommands {
        lines.push(format!("{} {}", row.short_name().to_ascii_uppercase(), row.syntax).trim_end().to_owned());
        lines.push(format!("    {}", row.summary));
    }
    Ok(Reply::Array(lines.into_iter().map(|line| Reply::Simple(line.into())).collect()))
}

/// What `COMMAND INFO` says of one command: ten fields that clients know by their place.
fn details(row: &'static Command) -> Reply {
    let keys = &row.keys;
    Reply::Array(vec![
        text(row.name),
        Reply::Integer(row.arity.into()),
        Reply::Set(row.flags.iter().map(|flag| Reply::simple(flag.name())).collect()),
        index(keys.first),
        Reply::Integer(keys.last.into()),
        index(keys.step),
        Reply::Set(row.acl().map(|category| Reply::Simple(format!("@{}", category.name()).into())).collect()),
        Reply::Array(row.tips.iter().map(|tip| text(tip)).collect()),
        Reply::Array(if keys.first == 0 { Vec::new() } else { vec![key_specification(keys)] }),
        Reply::Array(row.subcommands.iter().map(details).collect()),
    ])
}

/// Where keys begin and how they go on. Redis counts the last one from the first, unless from the end.
fn key_specification(keys: &Keys) -> Reply {
    let last = if keys.last < 0 { keys.last.into() } else { 0 };
    Reply::Map(vec![
        (text("flags"), Reply::Set(keys.access.iter().map(|access| Reply::simple(access.name())).collect())),
        (text("begin_search"), search("index", vec![(text("index"), index(keys.first))])),
        (
            text("find_keys"),
            search(
                "range",
                vec![
                    (text("lastkey"), Reply::Integer(last)),
                    (text("keystep"), index(keys.step)),
                    (text("limit"), Reply::Integer(0)),
                ],
            ),
        ),
    ])
}

fn search(kind: &'static str, specification: Vec<(Reply, Reply)>) -> Reply {
    Reply::Map(vec![(text("type"), text(kind)), (text("spec"), Reply::Map(specification))])
}

/// The names of the rows and their subcommands that fit.
fn names(rows: &[&'static Command], fits: &dyn Fn(&Command) -> bool) -> Vec<Reply> {
    let with_subcommands = rows.iter().flat_map(|row| std::iter::once(*row).chain(row.subcommands));
    with_subcommands.filter(|row| fits(row)).map(|row| text(row.name)).collect()
}

fn named(rows: &[&'static Command], name: &[u8]) -> Option<&'static Command> {
    let all = rows.iter().flat_map(|row| std::iter::once(*row).chain(row.subcommands));
    all.into_iter().find(|row| row.name.as_bytes().eq_ignore_ascii_case(name))
}

fn top(rows: &[&'static Command], name: &[u8]) -> Option<&'static Command> {
    rows.iter().copied().find(|row| row.name.as_bytes().eq_ignore_ascii_case(name))
}

fn category(name: &[u8]) -> Option<Category> {
    Category::ALL.into_iter().find(|category| category.name().as_bytes().eq_ignore_ascii_case(name))
}

fn text(text: &'static str) -> Reply {
    Reply::Bulk(Bytes::from_static(text.as_bytes()))
}

fn index(index: usize) -> Reply {
    Reply::Integer(i64::try_from(index).unwrap_or(i64::MAX))
}
