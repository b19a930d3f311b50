//! The rows of what Redis has no word for.
//!
//! Not their answers: the node has those.
//!
//! 1. Rows are in the order of their names.

use super::super::flag::{Category, Flag, Group};
use super::super::keys::{Access, Keys};
use super::super::row::{Choice, Class, Command};
use super::super::{chaos, membership, own, ring, server};

/// Armilla's own commands.
pub(super) static ROWS: &[Command] = &[
    Command {
        name: "armilla.chaos",
        arity: -1,
        flags: &[Flag::Admin, Flag::Noscript, Flag::Loading, Flag::Stale],
        categories: &[Category::Admin],
        class: Choice::Always(Class::Local(chaos::chaos)),
        summary: "Has this node fail on purpose, if it was started with --enable-chaos; tells what it does wrong.",
        since: "0.1.0",
        group: Group::Armilla,
        syntax: "[OFF | HEALTH | DROP | <DELAY milliseconds> | REFUSE] [PEER name] [RATE percent] [FOR milliseconds]",
        ..Command::BLANK
    },
    Command {
        name: "armilla.explain",
        arity: 2,
        flags: &[Flag::Readonly],
        categories: &[Category::Keyspace],
        keys: Keys::one(&[Access::ReadOnly]),
        class: Choice::Always(Class::Own(own::explain)),
        summary: "Tells the position, partition and owners of a key, and who holds which dots.",
        since: "0.1.0",
        group: Group::Armilla,
        complexity: "O(N) where N is the number of owners",
        syntax: "key",
        tips: &["nondeterministic_output"],
        ..Command::BLANK
    },
    Command {
        name: "armilla.join",
        arity: -6,
        flags: &[Flag::Admin, Flag::Noscript],
        categories: &[Category::Admin],
        class: Choice::Always(Class::Local(membership::join)),
        summary: "Makes a node a member of the cluster, and returns the layout.",
        since: "0.1.0",
        group: Group::Armilla,
        syntax: "name client-addr peer-addr weight zone [STORE | ROUTE]",
        ..Command::BLANK
    },
    Command {
        name: "armilla.level",
        arity: -1,
        flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
        categories: &[Category::Connection],
        class: Choice::Always(Class::Local(server::level)),
        summary: "Tells or chooses how many owners the reads and writes of this connection wait for.",
        since: "0.1.0",
        group: Group::Armilla,
        syntax: "[ONE | QUORUM | ALL | SLOPPY | <read write>]",
        ..Command::BLANK
    },
    Command {
        name: "armilla.resolve",
        arity: 4,
        flags: &[Flag::Write, Flag::Denyoom, Flag::Fast],
        categories: &[Category::String],
        keys: Keys::one(&[Access::ReadWrite, Access::Update]),
        class: Choice::Always(Class::Own(own::resolve)),
        summary: "Puts a value in the place of exactly the values that a token of ARMILLA.SIBLINGS names.",
        since: "0.1.0",
        group: Group::Armilla,
        syntax: "key token value",
        ..Command::BLANK
    },
    Command {
        name: "armilla.ring",
        arity: -3,
        flags: &[Flag::Admin, Flag::Noscript],
        categories: &[Category::Admin],
        class: Choice::Always(Class::Local(ring::ring)),
        summary: "Has members leave, be removed or replaced, weigh or lie elsewhere, or keys have more or fewer copies; tells what that moves.",
        since: "0.1.0",
        group: Group::Armilla,
        syntax: "[PLAN] <LEAVE name | <LOSE name [ACCEPT-DATA-LOSS]> | <SUCCEED old new> | STAY name | <WEIGH name weight> | <LOCATE name zone> | REPLICATE replicas | <RECOVER ACCEPT-DATA-LOSS>> [OF epoch]",
        ..Command::BLANK
    },
    Command {
        name: "armilla.siblings",
        arity: 2,
        flags: &[Flag::Readonly, Flag::Fast],
        categories: &[Category::String],
        keys: Keys::one(&[Access::ReadOnly, Access::Access]),
        class: Choice::Always(Class::Own(own::siblings)),
        summary: "Returns all values of a key and a token that names them.",
        since: "0.1.0",
        group: Group::Armilla,
        complexity: "O(N) where N is the number of values",
        syntax: "key",
        ..Command::BLANK
    },
    Command {
        name: "armilla.status",
        arity: 1,
        flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
        categories: &[],
        class: Choice::Always(Class::Local(membership::status)),
        summary: "Tells the node, its epoch, its members and their state as seen from here, and its figures.",
        since: "0.1.0",
        group: Group::Armilla,
        syntax: "",
        ..Command::BLANK
    },
];
