//! The rows of the server.
//!
//! Not the answers: the server has most of them.
//!
//! 1. Rows are in the order of their names.

use super::super::flag::{Category, Flag, Group};
use super::super::row::{Choice, Class, Command};
use super::super::{introspection, keyspace, server};

/// Commands about the server.
pub(super) static ROWS: &[Command] = &[
    Command {
        name: "command",
        arity: -1,
        flags: &[Flag::Loading, Flag::Stale],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Table(introspection::command)),
        summary: "Describes all commands.",
        since: "2.8.13",
        group: Group::Server,
        complexity: "O(N) where N is the number of commands",
        tips: &["nondeterministic_output_order"],
        subcommands: COMMAND,
        ..Command::BLANK
    },
    Command {
        name: "config",
        arity: -2,
        summary: "Holds the commands about settings.",
        since: "2.0.0",
        group: Group::Server,
        complexity: "Depends on the subcommand.",
        subcommands: CONFIG,
        ..Command::BLANK
    },
    Command {
        name: "dbsize",
        arity: 1,
        flags: &[Flag::Readonly, Flag::Fast],
        categories: &[Category::Keyspace],
        class: Choice::Always(Class::Keyspace(keyspace::dbsize)),
        summary: "Returns how many keys the database has.",
        since: "1.0.0",
        group: Group::Server,
        complexity: "O(P) where P is the number of partitions",
        tips: &["request_policy:all_shards", "response_policy:agg_sum"],
        ..Command::BLANK
    },
    Command {
        name: "flushall",
        arity: -1,
        flags: &[Flag::Write],
        categories: &[Category::Keyspace, Category::Dangerous],
        class: Choice::Always(Class::Keyspace(keyspace::flushall)),
        summary: "Removes all keys of all databases.",
        since: "1.0.0",
        group: Group::Server,
        complexity: "O(N) where N is the number of keys in all databases",
        syntax: "[ASYNC | SYNC]",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..Command::BLANK
    },
    Command {
        name: "flushdb",
        arity: -1,
        flags: &[Flag::Write],
        categories: &[Category::Keyspace, Category::Dangerous],
        class: Choice::Always(Class::Keyspace(keyspace::flushdb)),
        summary: "Removes all keys of the database.",
        since: "1.0.0",
        group: Group::Server,
        complexity: "O(N) where N is the number of keys in the database",
        syntax: "[ASYNC | SYNC]",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..Command::BLANK
    },
    Command {
        name: "info",
        arity: -1,
        flags: &[Flag::Loading, Flag::Stale],
        categories: &[Category::Dangerous],
        class: Choice::Always(Class::Local(server::info)),
        summary: "Describes the server in figures.",
        since: "1.0.0",
        group: Group::Server,
        syntax: "[section [section ...]]",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..Command::BLANK
    },
    Command {
        name: "time",
        arity: 1,
        flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
        class: Choice::Always(Class::Local(server::time)),
        summary: "Returns the server's time, in seconds and microseconds.",
        since: "2.6.0",
        group: Group::Server,
        tips: &["nondeterministic_output"],
        ..Command::BLANK
    },
];

/// `COMMAND ...`
static COMMAND: &[Command] = &[
    Command {
        name: "command|count",
        arity: 2,
        flags: &[Flag::Loading, Flag::Stale],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Table(introspection::count)),
        summary: "Returns how many commands there are.",
        since: "2.8.13",
        group: Group::Server,
        ..Command::BLANK
    },
    Command {
        name: "command|docs",
        arity: -2,
        flags: &[Flag::Loading, Flag::Stale],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Table(introspection::docs)),
        summary: "Returns the manual of commands.",
        since: "7.0.0",
        group: Group::Server,
        complexity: "O(N) where N is the number of commands asked for",
        syntax: "[command-name [command-name ...]]",
        tips: &["nondeterministic_output_order"],
        ..Command::BLANK
    },
    Command {
        name: "command|getkeys",
        arity: -3,
        flags: &[Flag::Loading, Flag::Stale],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Table(introspection::getkeys)),
        summary: "Returns the keys in a whole command.",
        since: "2.8.13",
        group: Group::Server,
        complexity: "O(N) where N is the number of arguments",
        syntax: "command [arg [arg ...]]",
        ..Command::BLANK
    },
    Command {
        name: "command|help",
        arity: 2,
        flags: &[Flag::Loading, Flag::Stale],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Table(introspection::help)),
        summary: "Shows the subcommands.",
        since: "5.0.0",
        group: Group::Server,
        ..Command::BLANK
    },
    Command {
        name: "command|info",
        arity: -2,
        flags: &[Flag::Loading, Flag::Stale],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Table(introspection::info)),
        summary: "Describes commands.",
        since: "2.8.13",
        group: Group::Server,
        complexity: "O(N) where N is the number of commands asked for",
        syntax: "[command-name [command-name ...]]",
        tips: &["nondeterministic_output_order"],
        ..Command::BLANK
    },
    Command {
        name: "command|list",
        arity: -2,
        flags: &[Flag::Loading, Flag::Stale],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Table(introspection::list)),
        summary: "Returns the names of commands.",
        since: "7.0.0",
        group: Group::Server,
        complexity: "O(N) where N is the number of commands",
        syntax: "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
        tips: &["nondeterministic_output_order"],
        ..Command::BLANK
    },
];

/// `CONFIG ...`
static CONFIG: &[Command] = &[
    Command {
        name: "config|get",
        arity: -3,
        flags: &[Flag::Admin, Flag::Noscript, Flag::Loading, Flag::Stale],
        class: Choice::Always(Class::Local(server::config_get)),
        summary: "Returns the settings that match patterns.",
        since: "2.0.0",
        group: Group::Server,
        complexity: "O(N) where N is the number of settings",
        syntax: "parameter [parameter ...]",
        ..Command::BLANK
    },
    Command {
        name: "config|help",
        arity: 2,
        flags: &[Flag::Loading, Flag::Stale],
        class: Choice::Always(Class::Table(introspection::help)),
        summary: "Shows the subcommands.",
        since: "5.0.0",
        group: Group::Server,
        ..Command::BLANK
    },
    Command {
        name: "config|set",
        arity: -4,
        flags: &[Flag::Admin, Flag::Noscript, Flag::Loading, Flag::Stale],
        class: Choice::Always(Class::Local(server::config_set)),
        summary: "Changes settings of this node, all or none.",
        since: "2.0.0",
        group: Group::Server,
        complexity: "O(N) where N is the number of settings given",
        syntax: "parameter value [parameter value ...]",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..Command::BLANK
    },
];
