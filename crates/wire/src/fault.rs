//! The one error table: everything that can go wrong for a client, with the line it reads and what to do next.
//!
//! Not a log and not an internal error type: a fault here is always shown to somebody. Every door (RESP, JSON lines, HTTP,
//! gRPC) maps the same faults; none makes its own sentences. `tests/scripts/faults` holds the whole table as golden text.
//!
//! 1. Where Redis has a text, the text here is Redis 7's, byte for byte.
//! 2. The first word of a fault's line is its [`Fault::code`].
//! 3. A fault for which [`Fault::is_unknown`] is false and which answers a write says that the write was applied nowhere.
//! 4. No line holds CR or LF, whatever the client sent.

use std::fmt;

use thiserror::Error;

/// Longest part of a client's own words that an error repeats, in bytes (as Redis).
pub const QUOTED_BYTES_MAX: usize = 128;

/// What whoever got a fault does next, without asking a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Move {
    /// Nothing was applied and the request is sound: the same request may be sent again, here or to another node.
    Retry,
    /// The request can never succeed as it is.
    FixInput,
    /// Neither helps. Above all [`Fault::Unknown`]: to repeat it could apply it twice, so read first.
    GiveUp,
}

/// Bytes that are not the protocol. The connection is answered once and closed, as Redis does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProtocolFault {
    /// `*` is not followed by a number of arguments within the limit.
    #[error("ERR Protocol error: invalid multibulk length")]
    ArgumentCount,
    /// An argument does not begin with `$`.
    #[error("ERR Protocol error: expected '$', got '{}'", Shown(*.0))]
    ExpectedBulk(u8),
    /// `$` is not followed by a length within the limit.
    #[error("ERR Protocol error: invalid bulk length")]
    BulkLength,
    /// An argument is not followed by CR LF (Redis does not look; a client that gets its own lengths wrong is stopped here).
    #[error("ERR Protocol error: expected CRLF after a bulk string")]
    BulkEnd,
    /// An inline command is longer than the limit.
    #[error("ERR Protocol error: too big inline request")]
    InlineLength,
    /// An inline command opens a quote and does not close it.
    #[error("ERR Protocol error: unbalanced quotes in request")]
    InlineQuotes,
    /// The arguments together are more than one request may hold.
    #[error("ERR Protocol error: too big request")]
    RequestLength,
    /// A reply begins with a byte that names no type.
    #[error("ERR Protocol error: unknown reply type '{}'", Shown(*.0))]
    ReplyType(u8),
    /// A reply of a known type holds something that this type cannot hold.
    #[error("ERR Protocol error: malformed reply of type '{}'", Shown(*.0))]
    ReplyForm(u8),
    /// A reply nests deeper than the limit.
    #[error("ERR Protocol error: reply nested too deep")]
    ReplyDepth,
    /// A reply is larger than the limit.
    #[error("ERR Protocol error: too big reply")]
    ReplyLength,
}

/// An outcome that is not the answer asked for.
///
/// `Display` gives the line of the RESP error without the leading `-`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// The key holds another type than the command works on.
    #[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
    WrongType,
    /// Options that do not exist or do not go together.
    #[error("ERR syntax error")]
    Syntax,
    /// An argument or a stored value had to be a 64-bit integer.
    #[error("ERR value is not an integer or out of range")]
    NotInteger,
    /// An argument or a stored value had to be a number.
    #[error("ERR value is not a valid float")]
    NotFloat,
    /// A counter would leave 64 bits.
    #[error("ERR increment or decrement would overflow")]
    Overflow,
    /// `DECRBY` by the smallest integer, which has no negative.
    #[error("ERR decrement would overflow")]
    DecrementOverflow,
    /// `INCRBYFLOAT` would leave the numbers.
    #[error("ERR increment would produce NaN or Infinity")]
    NotFinite,
    /// No such command. Made by [`Fault::unknown_command`].
    #[error("ERR unknown command '{name}', with args beginning with: {arguments}")]
    UnknownCommand {
        /// The command's name as sent, shortened.
        name: Box<str>,
        /// Its arguments quoted, each followed by a space, shortened.
        arguments: Box<str>,
    },
    /// No such subcommand. Made by [`Fault::unknown_subcommand`].
    #[error("ERR unknown subcommand '{name}'. Try {command} HELP.")]
    UnknownSubcommand {
        /// The container command, in capitals.
        command: Box<str>,
        /// The subcommand's name as sent, shortened.
        name: Box<str>,
    },
    /// Too few or too many arguments. The name is in lower case, a subcommand as `client|getname`.
    #[error("ERR wrong number of arguments for '{0}' command")]
    ArgumentCount(Box<str>),
    /// A database number that does not exist.
    #[error("ERR DB index is out of range")]
    DatabaseIndex,
    /// `HELLO` with a version that is neither 2 nor 3.
    #[error("NOPROTO unsupported protocol version")]
    ProtocolVersion,
    /// `HELLO` with a version that is no number.
    #[error("ERR Protocol version is not an integer or out of range")]
    ProtocolVersionNotInteger,
    /// `HELLO` with an option that does not exist or is not complete.
    #[error("ERR Syntax error in HELLO option '{0}'")]
    HelloOption(Box<str>),
    /// `SETRANGE` with a negative offset.
    #[error("ERR offset is out of range")]
    Offset,
    /// A string would grow beyond the largest bulk.
    #[error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")]
    StringLength,
    /// A `SCAN` cursor that is no number.
    #[error("ERR invalid cursor")]
    Cursor,
    /// `AUTH password` where no password is set.
    #[error(
        "ERR AUTH <password> called without any password configured for the default user. \
         Are you sure your configuration is correct?"
    )]
    AuthWithoutPassword,
    /// `AUTH user password` that matches nobody.
    #[error("WRONGPASS invalid username-password pair or user is disabled.")]
    WrongPassword,
    /// `CLIENT SETNAME` and the like with bytes that would break `CLIENT LIST`.
    #[error("ERR {0} cannot contain spaces, newlines or special characters.")]
    ClientText(Box<str>),
    /// `CLIENT LIST TYPE` of a type that does not exist.
    #[error("ERR Unknown client type '{0}'")]
    ClientType(Box<str>),
    /// A client's id that is no positive number.
    #[error("ERR Invalid client ID")]
    ClientId,
    /// An option that a command does not have.
    #[error("ERR Unrecognized option '{0}'")]
    UnknownOption(Box<str>),
    /// `CONFIG SET` of what does not exist.
    #[error("ERR Unknown option or number of arguments for CONFIG SET - '{0}'")]
    ConfigName(Box<str>),
    /// `CONFIG SET` of a value that cannot be taken.
    #[error("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")]
    ConfigValue {
        /// The parameter.
        name: Box<str>,
        /// Why not.
        reason: Box<str>,
    },
    /// A Redis Cluster slot that is no number from 0 to 16383.
    #[error("ERR Invalid slot")]
    Slot,
    /// A timeout that is no number.
    #[error("ERR timeout is not an integer or out of range")]
    Timeout,
    /// A negative timeout.
    #[error("ERR timeout is negative")]
    TimeoutNegative,
    /// `COMMAND GETKEYS` of a command that does not exist.
    #[error("ERR Invalid command specified")]
    GetKeysCommand,
    /// `COMMAND GETKEYS` of a command with a wrong number of arguments.
    #[error("ERR Invalid number of arguments specified for command")]
    GetKeysArguments,
    /// `COMMAND GETKEYS` of a command that has no keys.
    #[error("ERR The command has no key arguments")]
    GetKeysNone,
    /// The key is not there, and this door has no other way to say so.
    #[error("ERR no such key")]
    NoSuchKey,
    /// The value is not text, and this door carries nothing else.
    #[error("ERR the value is not UTF-8 text: read it over RESP")]
    NotText,
    /// The answer has several values, and this door carries one.
    #[error("ERR the answer is not a single value: ask over RESP")]
    NotOneValue,
    /// A line that is not a request of the JSON-lines protocol. The connection stays.
    #[error("ERR not a request: {0}")]
    JsonLine(Box<str>),
    /// A line longer than the limit, which was skipped up to its end. The connection stays.
    #[error("ERR a line is longer than {bytes_max} bytes: it was skipped, send it over RESP")]
    JsonLineLength {
        /// What is allowed, in bytes.
        bytes_max: u64,
    },
    /// An option or command that has to do with expiry, which this release does not have.
    #[error("ERR {0} is not supported yet: expiry comes in a later release")]
    Expiry(Box<str>),
    /// A consistency level that does not exist or asks for more owners than there are.
    #[error(
        "ERR the level is one, quorum, local_quorum, each_quorum, all, sloppy, or a number of owners to read and one to \
         write, from 1 to N"
    )]
    Level,
    /// A context token that this cluster did not make.
    #[error("ERR the context is not one that this cluster gave out")]
    Context,
    /// Bytes that are not the protocol.
    #[error(transparent)]
    Protocol(#[from] ProtocolFault),
    /// The write may or may not be there later.
    #[error(
        "UNKNOWN {held} of the {needed} owners needed are known to hold this write: it may surface later. \
         Read the key before you repeat it"
    )]
    Unknown {
        /// Owners that are known to hold it durably.
        held: u32,
        /// Owners that the level asks for.
        needed: u32,
    },
    /// A write of several keys of which only some are known to be written; each key is a write of its own.
    #[error(
        "UNKNOWN {done} of the {keys} keys are known to be written: the others may be there or surface later. \
         Read them before you repeat it"
    )]
    Partial {
        /// Keys that are known to be written.
        done: u32,
        /// Keys of the request.
        keys: u32,
    },
    /// Too few owners can be reached. Provably applied nowhere.
    #[error("NOQUORUM {needed} owners are needed and {reachable} can be reached: nothing was applied")]
    NoQuorum {
        /// Owners that the level asks for.
        needed: u32,
        /// Owners that can be reached now.
        reachable: u32,
    },
    /// A level of one datacenter, where this one has no copies. Provably applied nowhere.
    #[error(
        "NOQUORUM no copy of that is kept in the datacenter of this node: nothing was applied; \
         use another level, or have copies kept there (armilla replicas)"
    )]
    NoCopies,
    /// A queue is full. Provably applied nowhere.
    #[error("BUSY this node has all the work it can queue: nothing was applied, try again in a moment")]
    Busy,
    /// The clock that stamped the write runs too far ahead. Provably applied nowhere.
    #[error(
        "CLOCKAHEAD a clock runs {ahead_ms} ms ahead of its peers, {allowed_ms} ms are allowed: nothing was applied"
    )]
    ClockAhead {
        /// How far ahead, in milliseconds.
        ahead_ms: u64,
        /// How far ahead it may be, in milliseconds.
        allowed_ms: u64,
    },
    /// The cluster has no layout yet. Redis's own code for a cluster that cannot serve, which clients retry.
    #[error("CLUSTERDOWN the cluster is being formed: nothing was applied, try again in a moment")]
    Forming,
    /// The disk failed before the request was begun. Provably applied nowhere (a disk that fails midway is
    /// [`Fault::Unknown`]).
    #[error("STORAGE this node cannot use its disk: nothing was applied, ask another node")]
    Storage,
    /// The disk failed while the request was carried out.
    #[error(
        "UNKNOWN this node's disk has failed on the way: the write may be there or surface later. \
         Read the key before you repeat it"
    )]
    StorageFailed,
    /// The disk is nearly full. Provably applied nowhere.
    #[error(
        "DISKFULL the disk of this node is nearly full: nothing was applied. Delete keys or give it more room; \
         reads go on"
    )]
    DiskFull,
    /// This node stands in for owners that are down, and keeps as much for them as it may.
    #[error(
        "HANDOFFFULL this node keeps as much for nodes that are down as handoff-bytes-max allows: nothing was applied. \
         Bring those back, or try another node"
    )]
    HandoffFull,
    /// A key or value is larger than is allowed.
    #[error("TOOLARGE {bytes} bytes where at most {bytes_max} are allowed")]
    TooLarge {
        /// What was sent, in bytes.
        bytes: u64,
        /// What is allowed, in bytes.
        bytes_max: u64,
    },
    /// A fault that came as a line from another node or server. Made by [`Fault::from_line`].
    #[error("{code}{}{text}", if text.is_empty() { "" } else { " " })]
    Custom {
        /// First word.
        code: Box<str>,
        /// The rest of the line.
        text: Box<str>,
    },
}

impl Fault {
    /// An unknown command, worded and shortened as Redis 7 does it. Bytes that are not UTF-8 are shown as U+FFFD.
    pub fn unknown_command<A: AsRef<[u8]>>(name: &[u8], arguments: &[A]) -> Self {
        let mut shown = Vec::new();
        for argument in arguments {
            if shown.len() >= QUOTED_BYTES_MAX {
                break;
            }
            let room = QUOTED_BYTES_MAX - shown.len();
            shown.push(b'\'');
            shown.extend_from_slice(&argument.as_ref()[..argument.as_ref().len().min(room)]);
            shown.extend_from_slice(b"' ");
        }
        Self::UnknownCommand { name: quoted(name), arguments: on_one_line(&shown) }
    }

    /// An unknown subcommand, worded and shortened as Redis 7 does it.
    pub fn unknown_subcommand(command: &str, name: &[u8]) -> Self {
        Self::UnknownSubcommand { command: command.to_ascii_uppercase().into(), name: quoted(name) }
    }

    /// A wrong number of arguments for `command`, which is put in lower case.
    pub fn argument_count(command: &str) -> Self {
        Self::ArgumentCount(command.to_ascii_lowercase().into())
    }

    /// Reads a fault off an error line without its `-`.
    ///
    /// It is [`Fault::Custom`] (the words are kept, the numbers in them are not parsed) except for [`Fault::WrongType`], which
    /// commands of several keys look for. [`Fault::code`], [`Fault::next_move`] and [`Fault::is_unknown`] answer as they
    /// did where the line was written.
    pub fn from_line(line: &[u8]) -> Self {
        let line = on_one_line(line);
        if *line == *Self::WrongType.to_string() {
            return Self::WrongType;
        }
        let (code, text) = line.split_once(' ').unwrap_or((&line, ""));
        Self::Custom { code: code.into(), text: text.into() }
    }

    /// The first word of the line, for programs: `ERR`, `WRONGTYPE`, `UNKNOWN`, ...
    pub fn code(&self) -> &str {
        match self {
            Self::WrongType => "WRONGTYPE",
            Self::ProtocolVersion => "NOPROTO",
            Self::WrongPassword => "WRONGPASS",
            Self::Unknown { .. } | Self::Partial { .. } | Self::StorageFailed => "UNKNOWN",
            Self::DiskFull => "DISKFULL",
            Self::HandoffFull => "HANDOFFFULL",
            Self::NoQuorum { .. } | Self::NoCopies => "NOQUORUM",
            Self::Busy => "BUSY",
            Self::ClockAhead { .. } => "CLOCKAHEAD",
            Self::Forming => "CLUSTERDOWN",
            Self::Storage => "STORAGE",
            Self::TooLarge { .. } => "TOOLARGE",
            Self::Custom { code, .. } => code,
            _ => "ERR",
        }
    }

    /// What to do next. It follows from the code alone, so it survives a trip through a line of text.
    pub fn next_move(&self) -> Move {
        match self.code() {
            "NOQUORUM" | "BUSY" | "CLOCKAHEAD" | "CLUSTERDOWN" | "STORAGE" | "DISKFULL" | "HANDOFFFULL"
            | "LOADING" | "TRYAGAIN" => Move::Retry,
            "ERR" | "WRONGTYPE" | "NOPROTO" | "WRONGPASS" | "TOOLARGE" | "NOAUTH" | "NOPERM" => {
                Move::FixInput
            }
            _ => Move::GiveUp,
        }
    }

    /// Whether the write may still surface: the third outcome, neither done nor refused.
    pub fn is_unknown(&self) -> bool {
        self.code() == "UNKNOWN"
    }
}

/// A client's own words as an error line may repeat them: at most [`QUOTED_BYTES_MAX`] of them, on one line.
pub fn quoted(words: &[u8]) -> Box<str> {
    on_one_line(&words[..words.len().min(QUOTED_BYTES_MAX)])
}

/// Text that cannot end an error line early: CR and LF become spaces, as in Redis.
fn on_one_line(bytes: &[u8]) -> Box<str> {
    String::from_utf8_lossy(bytes).replace(['\r', '\n'], " ").into()
}

/// One byte in an error line: itself if it is printable, else its escape.
struct Shown(u8);

impl fmt::Display for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            byte @ b' '..=b'~' => write!(formatter, "{}", char::from(byte)),
            byte => write!(formatter, "{}", byte.escape_ascii()),
        }
    }
}

#[cfg(test)]
mod tests;
