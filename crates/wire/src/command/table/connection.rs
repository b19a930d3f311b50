//! The rows of the connection itself.
//!
//! Not what they do to it: the server does that.
//!
//! 1. Rows are in the order of their names.

use super::super::flag::{Category, Flag, Group};
use super::super::row::{Choice, Class, Command};
use super::super::{connection, introspection};

/// Commands about the connection.
pub(super) static ROWS: &[Command] = &[
    Command {
        name: "auth",
        arity: -2,
        flags: &[Flag::Noscript, Flag::Loading, Flag::Stale, Flag::Fast, Flag::NoAuth, Flag::AllowBusy],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Pure(connection::auth)),
        summary: "Authenticates the connection.",
        since: "1.0.0",
        group: Group::Connection,
        syntax: "[username] password",
        ..Command::BLANK
    },
    Command {
        name: "client",
        arity: -2,
        summary: "Holds the commands about client connections.",
        since: "2.4.0",
        group: Group::Connection,
        complexity: "Depends on the subcommand.",
        subcommands: CLIENT,
        ..Command::BLANK
    },
    Command {
        name: "echo",
        arity: 2,
        flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Pure(connection::echo)),
        summary: "Returns the message.",
        since: "1.0.0",
        group: Group::Connection,
        syntax: "message",
        ..Command::BLANK
    },
    Command {
        name: "hello",
        arity: -1,
        flags: &[Flag::Noscript, Flag::Loading, Flag::Stale, Flag::Fast, Flag::NoAuth, Flag::AllowBusy],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Local(connection::hello)),
        summary: "Chooses the protocol and tells what the server is.",
        since: "6.0.0",
        group: Group::Connection,
        syntax: "[protover [AUTH username password] [SETNAME clientname]]",
        ..Command::BLANK
    },
    Command {
        name: "ping",
        arity: -1,
        flags: &[Flag::Fast],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Pure(connection::ping)),
        summary: "Answers PONG, or the message.",
        since: "1.0.0",
        group: Group::Connection,
        syntax: "[message]",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..Command::BLANK
    },
    Command {
        name: "quit",
        arity: -1,
        flags: &[Flag::Noscript, Flag::Loading, Flag::Stale, Flag::Fast, Flag::NoAuth, Flag::AllowBusy],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Local(connection::quit)),
        summary: "Closes the connection.",
        since: "1.0.0",
        group: Group::Connection,
        ..Command::BLANK
    },
    Command {
        name: "reset",
        arity: 1,
        flags: &[Flag::Noscript, Flag::Loading, Flag::Stale, Flag::Fast, Flag::NoAuth, Flag::AllowBusy],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Local(connection::reset)),
        summary: "Makes the connection as it was when it opened.",
        since: "6.2.0",
        group: Group::Connection,
        ..Command::BLANK
    },
    Command {
        name: "select",
        arity: 2,
        flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Local(connection::select)),
        summary: "Chooses the database, from 0 to 15.",
        since: "1.0.0",
        group: Group::Connection,
        syntax: "index",
        ..Command::BLANK
    },
];

/// `CLIENT ...`
static CLIENT: &[Command] = &[
    Command {
        name: "client|getname",
        arity: 2,
        flags: &[Flag::Noscript, Flag::Loading, Flag::Stale],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Local(connection::client_getname)),
        summary: "Returns the name of the connection.",
        since: "2.6.9",
        group: Group::Connection,
        ..Command::BLANK
    },
    Command {
        name: "client|help",
        arity: 2,
        flags: &[Flag::Loading, Flag::Stale],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Table(introspection::help)),
        summary: "Shows the subcommands.",
        since: "5.0.0",
        group: Group::Connection,
        ..Command::BLANK
    },
    Command {
        name: "client|id",
        arity: 2,
        flags: &[Flag::Noscript, Flag::Loading, Flag::Stale],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Local(connection::client_id)),
        summary: "Returns the id of the connection.",
        since: "5.0.0",
        group: Group::Connection,
        ..Command::BLANK
    },
    Command {
        name: "client|info",
        arity: 2,
        flags: &[Flag::Noscript, Flag::Loading, Flag::Stale],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Local(connection::client_info)),
        summary: "Describes the connection.",
        since: "6.2.0",
        group: Group::Connection,
        tips: &["nondeterministic_output"],
        ..Command::BLANK
    },
    Command {
        name: "client|list",
        arity: -2,
        flags: &[Flag::Admin, Flag::Noscript, Flag::Loading, Flag::Stale],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Local(connection::client_list)),
        summary: "Describes the connections of this node.",
        since: "2.4.0",
        group: Group::Connection,
        complexity: "O(N) where N is the number of connections",
        syntax: "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]",
        tips: &["nondeterministic_output"],
        ..Command::BLANK
    },
    Command {
        name: "client|no-evict",
        arity: 3,
        flags: &[Flag::Admin, Flag::Noscript, Flag::Loading, Flag::Stale],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Pure(connection::client_switch)),
        summary: "Accepted: no connection is ever evicted.",
        since: "7.0.0",
        group: Group::Connection,
        syntax: "<ON | OFF>",
        ..Command::BLANK
    },
    Command {
        name: "client|no-touch",
        arity: 3,
        flags: &[Flag::Noscript, Flag::Loading, Flag::Stale],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Pure(connection::client_switch)),
        summary: "Accepted: no key has an access time.",
        since: "7.2.0",
        group: Group::Connection,
        syntax: "<ON | OFF>",
        ..Command::BLANK
    },
    Command {
        name: "client|setinfo",
        arity: 4,
        flags: &[Flag::Noscript, Flag::Loading, Flag::Stale],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Local(connection::client_setinfo)),
        summary: "Says which client library is talking.",
        since: "7.2.0",
        group: Group::Connection,
        syntax: "<LIB-NAME libname | LIB-VER libver>",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..Command::BLANK
    },
    Command {
        name: "client|setname",
        arity: 3,
        flags: &[Flag::Noscript, Flag::Loading, Flag::Stale],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Local(connection::client_setname)),
        summary: "Names the connection.",
        since: "2.6.9",
        group: Group::Connection,
        syntax: "connection-name",
        ..Command::BLANK
    },
];
