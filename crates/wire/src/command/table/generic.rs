//! The rows of keys of any type.
//!
//! Not their functions: `generic` and `keyspace` have those.
//!
//! 1. Rows are in the order of their names.

use super::super::flag::{Category, Flag, Group};
use super::super::keys::{Access, Keys};
use super::super::row::{Choice, Class, Command};
use super::super::{generic, keyspace, server};

/// Commands on keys of any type.
pub(super) static ROWS: &[Command] = &[
    Command {
        name: "del",
        arity: -2,
        flags: &[Flag::Write],
        categories: &[Category::Keyspace],
        keys: Keys::all(1, &[Access::Remove, Access::Delete]),
        class: Choice::ByArguments(generic::del_class),
        summary: "Deletes keys, each on its own, and returns how many there were.",
        since: "1.0.0",
        group: Group::Generic,
        complexity: "O(N) where N is the number of keys",
        syntax: "key [key ...]",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        ..Command::BLANK
    },
    Command {
        name: "exists",
        arity: -2,
        flags: &[Flag::Readonly, Flag::Fast],
        categories: &[Category::Keyspace],
        keys: Keys::all(1, &[Access::ReadOnly]),
        class: Choice::ByArguments(generic::exists_class),
        summary: "Returns how many of the keys exist; a key named twice counts twice.",
        since: "1.0.0",
        group: Group::Generic,
        complexity: "O(N) where N is the number of keys",
        syntax: "key [key ...]",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        ..Command::BLANK
    },
    Command {
        name: "keys",
        arity: 2,
        flags: &[Flag::Readonly],
        categories: &[Category::Keyspace, Category::Dangerous],
        class: Choice::Always(Class::Keyspace(keyspace::keys)),
        summary: "Returns all keys that match a pattern.",
        since: "1.0.0",
        group: Group::Generic,
        complexity: "O(N) where N is the number of keys in the database",
        syntax: "pattern",
        tips: &["request_policy:all_shards", "nondeterministic_output_order"],
        ..Command::BLANK
    },
    Command {
        name: "randomkey",
        arity: 1,
        flags: &[Flag::Readonly],
        categories: &[Category::Keyspace],
        class: Choice::Always(Class::Keyspace(keyspace::randomkey)),
        summary: "Returns some key.",
        since: "1.0.0",
        group: Group::Generic,
        tips: &["request_policy:all_shards", "nondeterministic_output"],
        ..Command::BLANK
    },
    Command {
        name: "scan",
        arity: -2,
        flags: &[Flag::Readonly],
        categories: &[Category::Keyspace],
        class: Choice::Always(Class::Keyspace(keyspace::scan)),
        summary: "Returns the next few keys of a walk over all of them.",
        since: "2.8.0",
        group: Group::Generic,
        complexity: "O(1) a call, O(N) for all, where N is the number of keys",
        syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
        tips: &["nondeterministic_output", "request_policy:special"],
        ..Command::BLANK
    },
    Command {
        name: "touch",
        arity: -2,
        flags: &[Flag::Readonly, Flag::Fast],
        categories: &[Category::Keyspace],
        keys: Keys::all(1, &[Access::ReadOnly]),
        class: Choice::ByArguments(generic::exists_class),
        summary: "Returns how many of the keys exist. There is no access time to change.",
        since: "3.2.1",
        group: Group::Generic,
        complexity: "O(N) where N is the number of keys",
        syntax: "key [key ...]",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        ..Command::BLANK
    },
    Command {
        name: "type",
        arity: 2,
        flags: &[Flag::Readonly, Flag::Fast],
        categories: &[Category::Keyspace],
        keys: Keys::one(&[Access::ReadOnly]),
        class: Choice::Always(Class::Read(generic::kind)),
        summary: "Returns the type of what a key holds.",
        since: "1.0.0",
        group: Group::Generic,
        syntax: "key",
        ..Command::BLANK
    },
    Command {
        name: "unlink",
        arity: -2,
        flags: &[Flag::Write, Flag::Fast],
        categories: &[Category::Keyspace],
        keys: Keys::all(1, &[Access::Remove, Access::Delete]),
        class: Choice::ByArguments(generic::del_class),
        summary: "Does what DEL does.",
        since: "4.0.0",
        group: Group::Generic,
        complexity: "O(N) where N is the number of keys",
        syntax: "key [key ...]",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        ..Command::BLANK
    },
    Command {
        name: "wait",
        arity: 3,
        flags: &[Flag::Noscript],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Local(server::wait)),
        summary: "Waits until so many replicas have the writes of this connection.",
        since: "3.0.0",
        group: Group::Generic,
        syntax: "numreplicas timeout",
        tips: &["request_policy:all_shards", "response_policy:agg_min"],
        ..Command::BLANK
    },
];
