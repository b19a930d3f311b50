//! What `COMMAND DOCS` says of one command, from which `redis-cli` makes its help and its hints.
//!
//! Not the text of the manual: rows hold that.
//!
//! 1. Arguments come from the row's syntax, so the hint and the manual cannot differ.

use bytes::Bytes;

use super::row::Command;
use super::syntax::{self, Argument, Kind};
use crate::reply::Reply;

/// All that the manual says of a command.
pub(super) fn of(row: &'static Command) -> Reply {
    let mut fields = vec![
        field("summary", text(row.summary)),
        field("since", text(row.since)),
        field("group", text(row.group.name())),
        field("complexity", text(row.complexity)),
    ];
    if !row.syntax.is_empty() {
        fields.push(field(
            "arguments",
            Reply::Array(syntax::parse(row.syntax).into_iter().map(argument).collect()),
        ));
    }
    if !row.subcommands.is_empty() {
        let subcommands = row.subcommands.iter().map(|sub| (text(sub.name), of(sub))).collect();
        fields.push(field("subcommands", Reply::Map(subcommands)));
    }
    Reply::Map(fields)
}

fn argument(argument: Argument) -> Reply {
    let mut fields =
        vec![field("name", Reply::bulk(argument.name)), field("type", text(kind_name(&argument.kind)))];
    if argument.kind == Kind::Key {
        fields.push(field("key_spec_index", Reply::Integer(0)));
    }
    if let Some(token) = argument.token {
        fields.push(field("token", Reply::bulk(token)));
    }
    let flags = [(argument.optional, "optional"), (argument.multiple, "multiple")];
    let flags: Vec<_> =
        flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| Reply::simple(name)).collect();
    if !flags.is_empty() {
        fields.push(field("flags", Reply::Set(flags)));
    }
    if let Kind::OneOf(parts) | Kind::Block(parts) = argument.kind {
        fields.push(field("arguments", Reply::Array(parts.into_iter().map(self::argument).collect())));
    }
    Reply::Map(fields)
}

fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Key => "key",
        Kind::Pattern => "pattern",
        Kind::Integer => "integer",
        Kind::Double => "double",
        Kind::UnixTime => "unix-time",
        Kind::String => "string",
        Kind::PureToken => "pure-token",
        Kind::OneOf(_) => "oneof",
        Kind::Block(_) => "block",
    }
}

fn field(name: &'static str, value: Reply) -> (Reply, Reply) {
    (text(name), value)
}

fn text(text: &'static str) -> Reply {
    Reply::Bulk(Bytes::from_static(text.as_bytes()))
}
