//! The command table: what every command is called, takes, touches and does.
//!
//! A command is one row of `table` and one function. Everything else follows from the row: which arguments are keys, how
//! many there must be, who may call it, `COMMAND`, the help of the command line and the manual.
//!
//! ```text
//! argv --resolve--> row --class--> Pure      function of argv        -> Reply
//!                                  Table     function of argv and the table -> Reply
//!                                  Local     what to ask the server  -> Local
//!                                  Read      function of argv and value -> Reply
//!                                  Write     the same, value ignored -> Reply, Change
//!                                  Update    the same, at the home   -> Reply, Change
//!                                  Each      one request a key       -> folded
//!                                  Keyspace  what to ask partitions  -> Keyspace
//!                                  Own       what to ask of one key  -> Own
//! ```
//!
//! Not how a command travels or is stored: a function here sees its arguments and what its key holds, never an entry, a
//! replica or a connection. It returns a value; whoever called it writes that to a client.
//!
//! 1. Everything here is a pure function of its arguments.
//! 2. Answers and error texts are Redis 7's, byte for byte, where Redis has them.
//! 3. Looking a command up allocates nothing.

mod chaos;
mod connection;
mod counter;
mod docs;
mod each;
pub mod flag;
mod generic;
pub mod glob;
mod introspection;
mod keys;
pub mod keyspace;
pub mod local;
mod membership;
mod number;
pub mod own;
mod ring;
pub mod row;
mod server;
mod set;
mod string;
mod syntax;
mod table;
#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use each::Each;
pub use row::{Class, Command};
pub use table::{find, rows};

use crate::fault::Fault;

/// The row that a request names, by its first argument or its first two, with the number of arguments checked.
///
/// # Errors
/// [`Fault::UnknownCommand`], [`Fault::UnknownSubcommand`] or [`Fault::ArgumentCount`].
pub fn resolve(args: &[Bytes]) -> Result<&'static Command, Fault> {
    let (name, rest) = args.split_first().ok_or_else(|| Fault::unknown_command::<Bytes>(b"", &[]))?;
    let command = find(name).ok_or_else(|| Fault::unknown_command(name, rest))?;
    let command = match rest.first() {
        Some(sub) if !command.subcommands.is_empty() => {
            command.subcommand(sub).ok_or_else(|| Fault::unknown_subcommand(command.name, sub))?
        }
        _ => command,
    };
    command.check_arity(args)?;
    Ok(command)
}
