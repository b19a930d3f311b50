//! The table of faults as golden text, complete by construction: a new fault does not compile until it has its row.

use std::error::Error;
use std::fmt::Write;

use goldenscript::{Command, Context, Runner};

use super::{Fault, Move, ProtocolFault, QUOTED_BYTES_MAX};

/// The fault in the row below `fault`'s.
fn below(fault: &Fault) -> Option<Fault> {
    let text = || "x".into();
    Some(match fault {
        Fault::WrongType => Fault::Syntax,
        Fault::Syntax => Fault::NotInteger,
        Fault::NotInteger => Fault::NotFloat,
        Fault::NotFloat => Fault::Overflow,
        Fault::Overflow => Fault::DecrementOverflow,
        Fault::DecrementOverflow => Fault::NotFinite,
        Fault::NotFinite => Fault::unknown_command(b"foo", &["a", "b\r\nc"]),
        Fault::UnknownCommand { .. } => Fault::unknown_subcommand("client", b"foo"),
        Fault::UnknownSubcommand { .. } => Fault::argument_count("CLIENT|getname"),
        Fault::ArgumentCount(_) => Fault::DatabaseIndex,
        Fault::DatabaseIndex => Fault::ProtocolVersion,
        Fault::ProtocolVersion => Fault::ProtocolVersionNotInteger,
        Fault::ProtocolVersionNotInteger => Fault::HelloOption(text()),
        Fault::HelloOption(_) => Fault::Offset,
        Fault::Offset => Fault::StringLength,
        Fault::StringLength => Fault::Cursor,
        Fault::Cursor => Fault::AuthWithoutPassword,
        Fault::AuthWithoutPassword => Fault::WrongPassword,
        Fault::WrongPassword => Fault::ClientText("Client names".into()),
        Fault::ClientText(_) => Fault::ClientType(text()),
        Fault::ClientType(_) => Fault::ClientId,
        Fault::ClientId => Fault::UnknownOption(text()),
        Fault::UnknownOption(_) => Fault::ConfigName(text()),
        Fault::ConfigName(_) => Fault::ConfigValue { name: text(), reason: "why".into() },
        Fault::ConfigValue { .. } => Fault::Slot,
        Fault::Slot => Fault::Timeout,
        Fault::Timeout => Fault::TimeoutNegative,
        Fault::TimeoutNegative => Fault::GetKeysCommand,
        Fault::GetKeysCommand => Fault::GetKeysArguments,
        Fault::GetKeysArguments => Fault::GetKeysNone,
        Fault::GetKeysNone => Fault::NoSuchKey,
        Fault::NoSuchKey => Fault::NotText,
        Fault::NotText => Fault::NotOneValue,
        Fault::NotOneValue => Fault::JsonLine(text()),
        Fault::JsonLine(_) => Fault::JsonLineLength { bytes_max: 8 },
        Fault::JsonLineLength { .. } => Fault::Expiry("EX".into()),
        Fault::Expiry(_) => Fault::Level,
        Fault::Level => Fault::Context,
        Fault::Context => Fault::Unknown { held: 1, needed: 2 },
        Fault::Unknown { .. } => Fault::Partial { done: 1, keys: 3 },
        Fault::Partial { .. } => Fault::NoQuorum { needed: 2, reachable: 1 },
        Fault::NoQuorum { .. } => Fault::NoCopies,
        Fault::NoCopies => Fault::Busy,
        Fault::Busy => Fault::ClockAhead { ahead_ms: 1500, allowed_ms: 1000 },
        Fault::ClockAhead { .. } => Fault::Forming,
        Fault::Forming => Fault::Storage,
        Fault::Storage => Fault::StorageFailed,
        Fault::StorageFailed => Fault::DiskFull,
        Fault::DiskFull => Fault::HandoffFull,
        Fault::HandoffFull => Fault::TooLarge { bytes: 9, bytes_max: 8 },
        Fault::TooLarge { .. } => Fault::from_line(b"LOADING Redis is loading the dataset in memory"),
        Fault::Custom { .. } => Fault::Protocol(ProtocolFault::ArgumentCount),
        Fault::Protocol(fault) => return below_protocol(*fault).map(Fault::Protocol),
    })
}

fn below_protocol(fault: ProtocolFault) -> Option<ProtocolFault> {
    Some(match fault {
        ProtocolFault::ArgumentCount => ProtocolFault::ExpectedBulk(b'\n'),
        ProtocolFault::ExpectedBulk(_) => ProtocolFault::BulkLength,
        ProtocolFault::BulkLength => ProtocolFault::BulkEnd,
        ProtocolFault::BulkEnd => ProtocolFault::InlineLength,
        ProtocolFault::InlineLength => ProtocolFault::InlineQuotes,
        ProtocolFault::InlineQuotes => ProtocolFault::RequestLength,
        ProtocolFault::RequestLength => ProtocolFault::ReplyType(b'?'),
        ProtocolFault::ReplyType(_) => ProtocolFault::ReplyForm(b':'),
        ProtocolFault::ReplyForm(_) => ProtocolFault::ReplyDepth,
        ProtocolFault::ReplyDepth => ProtocolFault::ReplyLength,
        ProtocolFault::ReplyLength => return None,
    })
}

fn rows() -> impl Iterator<Item = Fault> {
    std::iter::successors(Some(Fault::WrongType), below)
}

struct Table;

impl Runner for Table {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Box<dyn Error>> {
        let asked = |fault: &Fault| match command.name.as_str() {
            "retry" => fault.next_move() == Move::Retry,
            "fix-input" => fault.next_move() == Move::FixInput,
            "give-up" => fault.next_move() == Move::GiveUp,
            _ => fault.is_unknown(),
        };
        let mut table = String::new();
        for fault in rows().filter(asked) {
            writeln!(table, "-{fault}")?;
        }
        Ok(table)
    }
}

#[test]
fn table() {
    goldenscript::run(&mut Table, "tests/scripts/faults").unwrap();
}

#[test]
fn a_line_begins_with_its_code_and_is_one_line() {
    for fault in rows() {
        let line = fault.to_string();
        assert_eq!(line.split(' ').next(), Some(fault.code()), "{line}");
        assert!(!line.contains(['\r', '\n']), "{line}");
    }
}

#[test]
fn a_trip_through_a_line_keeps_what_programs_ask_for() {
    for fault in rows() {
        let back = Fault::from_line(fault.to_string().as_bytes());
        assert_eq!(back.to_string(), fault.to_string());
        assert_eq!(back.code(), fault.code());
        assert_eq!(back.next_move(), fault.next_move());
        assert_eq!(back.is_unknown(), fault.is_unknown());
    }
    assert_eq!(
        Fault::from_line(b"WRONGTYPE Operation against a key holding the wrong kind of value"),
        Fault::WrongType
    );
}

#[test]
fn long_words_are_shortened_as_redis_does() {
    let long = "y".repeat(200);
    let Fault::UnknownCommand { name, arguments } =
        Fault::unknown_command(long.as_bytes(), &["a", &long, "b"])
    else {
        panic!("not an unknown command");
    };
    assert_eq!(name.len(), QUOTED_BYTES_MAX);
    assert_eq!(*arguments, format!("'a' '{}' ", "y".repeat(QUOTED_BYTES_MAX - 4)));
}
