//! The rows, one file a group, and how a name finds its row.
//!
//! Not what a row means: that is `row`. Not the functions that rows point to: those are named after what they work on.
//!
//! 1. A group's rows are in the order of their names; names are unique over all groups.
//! 2. A look-up in the index allocates nothing and compares one name, nearly always.

mod cluster;
mod connection;
mod generic;
mod own;
mod server;
mod string;

use std::sync::LazyLock;

use super::row::Command;

/// Length of the longest command name, in bytes. A longer one is unknown without a look.
const NAME_BYTES_MAX: usize = 32;

/// Slots of the index: several times the number of commands, so that runs of taken slots stay short.
const INDEX_SLOTS: usize = 512;

/// Odd, with its bits well mixed: 2^64 divided by the golden ratio.
const INDEX_MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

/// Open addressing: a name is in the first free slot at or after its place.
static INDEX: LazyLock<[Option<&'static Command>; INDEX_SLOTS]> = LazyLock::new(|| {
    let mut index = [None; INDEX_SLOTS];
    for &command in rows() {
        let mut slot = place_of(command.name.as_bytes());
        while index[slot].is_some() {
            slot = (slot + 1) % INDEX_SLOTS;
        }
        index[slot] = Some(command);
    }
    index
});

/// All commands, group by group; subcommands are in their containers.
pub fn rows() -> &'static [&'static Command] {
    static ROWS: LazyLock<Vec<&'static Command>> = LazyLock::new(|| {
        let groups = [connection::ROWS, string::ROWS, generic::ROWS, server::ROWS, cluster::ROWS, own::ROWS];
        groups.into_iter().flatten().collect()
    });
    &ROWS
}

/// The command of this name, in any case. A subcommand is found by [`super::resolve`] or in its container.
pub fn find(name: &[u8]) -> Option<&'static Command> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let index = &*INDEX;
    let mut slot = place_of(name);
    while let Some(command) = index[slot] {
        if command.name.as_bytes().eq_ignore_ascii_case(name) {
            return Some(command);
        }
        slot = (slot + 1) % INDEX_SLOTS;
    }
    None
}

/// A multiplicative hash of the length and the first, middle and last byte, letters in one case.
fn place_of(name: &[u8]) -> usize {
    let at = |index: usize| name.get(index).map_or(0, |byte| u64::from(byte | 0x20));
    let last = name.len().saturating_sub(1);
    let key = (name.len() as u64) << 24 | at(0) << 16 | at(last / 2) << 8 | at(last);
    usize::try_from(key.wrapping_mul(INDEX_MULTIPLIER) >> (64 - INDEX_SLOTS.trailing_zeros())).unwrap_or(0)
}
