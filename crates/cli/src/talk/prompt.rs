//! The prompt: lines read with history, completion and hints, asked and answered one by one.
//!
//! Not the conversation: that is the session's, which survives a broken connection. The prompt says so and goes on.
//!
//! 1. A line with a password is not kept in the history.
//! 2. Ctrl-C gives up the line, Ctrl-D leaves, and what was typed is in the history the next time.

use std::borrow::Cow;
use std::env;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Editor};

use super::session::Session;
use super::{Line, completion, print, split, tell, tell_help};
use crate::show::Style;

/// Most lines kept in the history.
const HISTORY_LINES_MAX: usize = 10_000;

/// What the line editor asks about a line.
struct Table;

impl rustyline::Helper for Table {}
impl Validator for Table {}

impl Highlighter for Table {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        // Dim, so that it is not taken for what was typed.
        Cow::Owned(format!("\x1b[2m{hint}\x1b[0m"))
    }
}

impl Hinter for Table {
    type Hint = String;

    fn hint(&self, line: &str, position: usize, _: &Context<'_>) -> Option<String> {
        (position == line.len()).then(|| completion::hint(line)).flatten()
    }
}

impl Completer for Table {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(completion::candidates(&line[..position]))
    }
}

/// Asks until `EXIT` or the end of the input.
///
/// # Errors
/// There is no connection at the start, or the terminal fails.
pub(super) fn run(session: &mut Session, style: Style) -> anyhow::Result<ExitCode> {
    session.connect()?;
    let config = Config::builder().history_ignore_space(true).max_history_size(HISTORY_LINES_MAX)?.build();
    let mut editor: Editor<Table, DefaultHistory> = Editor::with_config(config)?;
    editor.set_helper(Some(Table));
    let history = history_path();
    if let Some(path) = &history {
        // There is none the first time.
        let _ = editor.load_history(path);
    }
    let version = env!("CARGO_PKG_VERSION");
    print(&mut io::stdout(), format!("armilla {version}; HELP lists the commands, EXIT leaves").as_bytes());
    loop {
        match editor.readline(&session.prompt()) {
            Ok(line) => {
                if !holds_password(&line) {
                    editor.add_history_entry(&line)?;
                }
                if !answer(session, style, &line) {
                    break;
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(path) = &history
        && let Err(error) = editor.append_history(path)
    {
        print(
            &mut io::stderr(),
            format!("the history was not kept in {}: {error}", path.display()).as_bytes(),
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Answers a line; false to leave.
fn answer(session: &mut Session, style: Style, line: &str) -> bool {
    let words = match split(line.as_bytes()) {
        Ok(words) => words,
        Err(fault) => {
            print(&mut io::stderr(), fault.to_string().as_bytes());
            return true;
        }
    };
    match Line::of(words) {
        Line::Empty => {}
        Line::Exit => return false,
        Line::Help(topic) => {
            tell_help(&topic);
        }
        Line::Ask(words) => match session.ask(&words) {
            Ok(reply) => {
                tell(style, &reply);
            }
            Err(error) => print(&mut io::stderr(), format!("{error:#}").as_bytes()),
        },
    }
    true
}

fn holds_password(line: &str) -> bool {
    line.split_whitespace().any(|word| word.eq_ignore_ascii_case("auth"))
}

/// `ARMILLA_HISTORY`, or a file in the home directory; none without either.
fn history_path() -> Option<PathBuf> {
    let chosen = env::var_os("ARMILLA_HISTORY").filter(|path| !path.is_empty()).map(PathBuf::from);
    chosen.or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".armilla_history")))
}
