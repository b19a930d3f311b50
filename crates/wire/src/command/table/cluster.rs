//! The rows of the cluster, in Redis Cluster's words.
//!
//! Not the truth about it: the server knows the layout.
//!
//! 1. Rows are in the order of their names.

use super::super::flag::{Category, Flag, Group};
use super::super::row::{Choice, Class, Command};
use super::super::{introspection, server};

/// Commands about the cluster.
pub(super) static ROWS: &[Command] = &[
    Command {
        name: "cluster",
        arity: -2,
        summary: "Holds the commands about the cluster.",
        since: "3.0.0",
        group: Group::Cluster,
        complexity: "Depends on the subcommand.",
        subcommands: CLUSTER,
        ..Command::BLANK
    },
    Command {
        name: "readonly",
        arity: 1,
        flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Pure(server::read_mode)),
        summary: "Accepted: every node serves reads.",
        since: "3.0.0",
        group: Group::Cluster,
        ..Command::BLANK
    },
    Command {
        name: "readwrite",
        arity: 1,
        flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Pure(server::read_mode)),
        summary: "Accepted: every node serves writes.",
        since: "3.0.0",
        group: Group::Cluster,
        ..Command::BLANK
    },
];

/// `CLUSTER ...`
static CLUSTER: &[Command] = &[
    Command {
        name: "cluster|countkeysinslot",
        arity: 3,
        flags: &[Flag::Stale],
        class: Choice::Always(Class::Keyspace(server::cluster_countkeysinslot)),
        summary: "Returns how many keys a slot has.",
        since: "3.0.0",
        group: Group::Cluster,
        complexity: "O(N) where N is the number of keys in the slot",
        syntax: "slot",
        ..Command::BLANK
    },
    Command {
        name: "cluster|help",
        arity: 2,
        flags: &[Flag::Loading, Flag::Stale],
        class: Choice::Always(Class::Table(introspection::help)),
        summary: "Shows the subcommands.",
        since: "5.0.0",
        group: Group::Cluster,
        ..Command::BLANK
    },
    Command {
        name: "cluster|info",
        arity: 2,
        flags: &[Flag::Stale],
        class: Choice::Always(Class::Local(server::cluster_info)),
        summary: "Describes the cluster in figures.",
        since: "3.0.0",
        group: Group::Cluster,
        tips: &["nondeterministic_output"],
        ..Command::BLANK
    },
    Command {
        name: "cluster|keyslot",
        arity: 3,
        flags: &[Flag::Stale],
        class: Choice::Always(Class::Pure(server::cluster_keyslot)),
        summary: "Returns the slot of a key.",
        since: "3.0.0",
        group: Group::Cluster,
        complexity: "O(N) where N is the length of the key",
        syntax: "key",
        ..Command::BLANK
    },
    Command {
        name: "cluster|myid",
        arity: 2,
        flags: &[Flag::Stale],
        class: Choice::Always(Class::Local(server::cluster_myid)),
        summary: "Returns the id of this node.",
        since: "3.0.0",
        group: Group::Cluster,
        ..Command::BLANK
    },
    Command {
        name: "cluster|nodes",
        arity: 2,
        flags: &[Flag::Stale],
        class: Choice::Always(Class::Local(server::cluster_nodes)),
        summary: "Returns the nodes as lines of text.",
        since: "3.0.0",
        group: Group::Cluster,
        complexity: "O(N) where N is the number of nodes",
        tips: &["nondeterministic_output"],
        ..Command::BLANK
    },
    Command {
        name: "cluster|shards",
        arity: 2,
        flags: &[Flag::Stale],
        class: Choice::Always(Class::Local(server::cluster_shards)),
        summary: "Returns which nodes own which slots.",
        since: "7.0.0",
        group: Group::Cluster,
        complexity: "O(N) where N is the number of nodes",
        tips: &["nondeterministic_output"],
        ..Command::BLANK
    },
    Command {
        name: "cluster|slots",
        arity: 2,
        flags: &[Flag::Stale],
        class: Choice::Always(Class::Local(server::cluster_slots)),
        summary: "Returns which nodes own which slots, in the older form.",
        since: "3.0.0",
        group: Group::Cluster,
        complexity: "O(N) where N is the number of nodes",
        tips: &["nondeterministic_output"],
        ..Command::BLANK
    },
];
