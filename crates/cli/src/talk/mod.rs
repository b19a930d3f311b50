//! `armilla cli`: one command, a script from a pipe, or a prompt.
//!
//! ```text
//! armilla cli SET k v            one command; its words are the arguments as they are
//! armilla cli < script           a command a line, in order, on one connection
//! armilla cli                    a prompt with history, completion, hints and help
//! ```
//!
//! Not what commands mean: that is the server's, and its table in `wire` gives completion and help.
//!
//! 1. Exit code 0: every reply was one; 1: the server answered an error; 2: no connection, or a line that is no command.
//! 2. Answers go to standard output, errors to standard error, except in JSON, where an error is an answer.
//! 3. `DELETE` is `DEL` here, `HELP` is answered without a server, `EXIT` and `QUIT` leave.

mod completion;
mod help;
mod prompt;
mod session;

use std::ffi::OsString;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use wire::Reply;
use wire::fault::ProtocolFault;
use wire::resp::Decoder;

use crate::flags::TalkFlags;
use crate::show::Style;
use session::Session;

/// The server answered an error.
pub(crate) const EXIT_ERROR_REPLY: u8 = 1;

/// What the words of a line ask for.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    /// Nothing was written.
    Empty,
    /// To be asked of the node.
    Ask(Vec<Bytes>),
    /// Help on what follows.
    Help(Vec<Bytes>),
    /// To leave.
    Exit,
}

impl Line {
    fn of(mut words: Vec<Bytes>) -> Self {
        let Some(name) = words.first().map(|name| name.to_ascii_lowercase()) else { return Self::Empty };
        match (name.as_slice(), words.len()) {
            (b"help" | b"?", _) => Self::Help(words.split_off(1)),
            (b"exit" | b"quit", 1) => Self::Exit,
            (b"delete", _) => {
                words[0] = Bytes::from_static(b"DEL");
                Self::Ask(words)
            }
            _ => Self::Ask(words),
        }
    }
}

/// Runs `armilla cli`.
///
/// # Errors
/// No connection, or a line that cannot be split into words.
pub(crate) fn run(flags: TalkFlags) -> anyhow::Result<ExitCode> {
    let level =
        flags.level.map(|level| level.split_whitespace().map(|word| Bytes::from(word.to_owned())).collect());
    let mut session = Session::new(flags.node.server, flags.database, level);
    let style = if flags.json {
        Style::Json
    } else if flags.human || (!flags.raw && io::stdout().is_terminal()) {
        Style::Human
    } else {
        Style::Raw
    };
    if !flags.words.is_empty() {
        let words = flags.words.into_iter().map(OsString::into_vec).map(Bytes::from).collect();
        return once(&mut session, style, words);
    }
    if io::stdin().is_terminal() { prompt::run(&mut session, style) } else { script(&mut session, style) }
}

fn once(session: &mut Session, style: Style, words: Vec<Bytes>) -> anyhow::Result<ExitCode> {
    let succeeded = match Line::of(words) {
        Line::Empty => true,
        Line::Help(topic) => tell_help(&topic),
        Line::Exit => tell(style, &session.ask(&[Bytes::from_static(b"QUIT")])?),
        Line::Ask(words) => tell(style, &session.ask(&words)?),
    };
    Ok(code(succeeded))
}

/// Asks one line after the other, whatever the answers.
fn script(session: &mut Session, style: Style) -> anyhow::Result<ExitCode> {
    let mut succeeded = true;
    for (index, line) in io::stdin().lock().split(b'\n').enumerate() {
        let line = line.context("cannot read standard input")?;
        let words = split(&line).with_context(|| format!("line {}", index + 1))?;
        succeeded &= match Line::of(words) {
            Line::Empty => true,
            Line::Help(topic) => tell_help(&topic),
            Line::Exit => break,
            Line::Ask(words) => tell(style, &session.ask(&words)?),
        };
    }
    Ok(code(succeeded))
}

fn code(succeeded: bool) -> ExitCode {
    if succeeded { ExitCode::SUCCESS } else { ExitCode::from(EXIT_ERROR_REPLY) }
}

/// The words of a line, split and unquoted as Redis does with an inline command.
fn split(line: &[u8]) -> Result<Vec<Bytes>, ProtocolFault> {
    // A blank first: a line that begins with `*` is a word here, not the header of an array.
    let mut buffer = BytesMut::from([b" ", line, b"\n"].concat().as_slice());
    Ok(Decoder::default().decode(&mut buffer)?.unwrap_or_default())
}

/// Prints a reply and says whether it was none of an error.
fn tell(style: Style, reply: &Reply) -> bool {
    let failed = reply.fault().is_some();
    let text = style.show(reply);
    if failed && style != Style::Json {
        print(&mut io::stderr(), &text);
    } else {
        print(&mut io::stdout(), &text);
    }
    !failed
}

fn tell_help(topic: &[Bytes]) -> bool {
    let text = help::of(topic);
    let (Ok(lines) | Err(lines)) = &text;
    print(&mut io::stdout(), lines.as_bytes());
    text.is_ok()
}

/// Prints a line. Whoever reads may leave before the end (`| head`); then there is nobody to tell and nothing to do.
pub(crate) fn print(out: &mut impl Write, line: &[u8]) {
    let written = out.write_all(line).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    if written.is_err() {
        std::process::exit(0);
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, split};
    use bytes::Bytes;

    fn words(words: &[&'static str]) -> Vec<Bytes> {
        words.iter().map(|word| Bytes::from(*word)).collect()
    }

    #[test]
    fn lines_split_as_redis_splits_them() {
        for (line, expected) in [
            ("", vec![]),
            ("   \t", vec![]),
            ("SET k v", vec!["SET", "k", "v"]),
            ("  get   k  ", vec!["get", "k"]),
            (r#"set "a b" 'c d'"#, vec!["set", "a b", "c d"]),
            (r#"set k "\x41\n\"" "#, vec!["set", "k", "A\n\""]),
            (r#"set k """#, vec!["set", "k", ""]),
            ("*3 k", vec!["*3", "k"]),
            ("set k v\r", vec!["set", "k", "v"]),
            ("set schl\u{fc}ssel \u{20ac}", vec!["set", "schl\u{fc}ssel", "\u{20ac}"]),
        ] {
            assert_eq!(split(line.as_bytes()).unwrap(), words(&expected), "{line}");
        }
        for line in [r#"set "a"#, "set 'a", r#"set "a"b"#] {
            let fault = split(line.as_bytes()).unwrap_err().to_string();
            assert_eq!(fault, "ERR Protocol error: unbalanced quotes in request", "{line}");
        }
    }

    #[test]
    fn own_words_of_the_prompt() {
        assert_eq!(Line::of(vec![]), Line::Empty);
        assert_eq!(Line::of(words(&["DELETE", "mykey"])), Line::Ask(words(&["DEL", "mykey"])));
        assert_eq!(Line::of(words(&["delete", "a", "b"])), Line::Ask(words(&["DEL", "a", "b"])));
        assert_eq!(Line::of(words(&["Exit"])), Line::Exit);
        assert_eq!(Line::of(words(&["HELP", "SET"])), Line::Help(words(&["SET"])));
        assert_eq!(Line::of(words(&["GET", "exit"])), Line::Ask(words(&["GET", "exit"])));
    }
}
