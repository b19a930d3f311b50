//! What a row of the command table says, and what kind of work a command is.
//!
//! Not the rows: those are in `table`, one file a group. Not how the work is done: a class carries pure functions, and
//! nothing here reads a store, a clock or a connection.
//!
//! 1. A row is constant: nothing about a command is decided when the program runs, but for what its arguments decide.
//! 2. Names are lower case, as Redis spells them in `COMMAND INFO`; a subcommand's is `container|subcommand`.
//! 3. What can be derived from another field is derived: the categories that follow from flags, the parts of a name.
//! 4. Every function gets the whole argument vector, names included, of which [`super::resolve`] has checked the arity.
//! 5. What a command refuses, it refuses with [`Change::Keep`] or a fault: a fault changes nothing.

use bytes::Bytes;
use causal::{Change, Value};

use super::each::Each;
use super::flag::{Category, Flag, Group};
use super::keyspace::Keyspace;
use super::local::Local;
use super::own::Own;
use crate::fault::Fault;
use crate::reply::Reply;

pub use super::each::Fold;
pub use super::keys::{Access, Keys};

/// One command: how it is called, what it touches, who may call it, what it does and how it is explained.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// In lower case; `client|id` for a subcommand.
    pub name: &'static str,
    /// Number of arguments with the name (both names of a subcommand); negative: at least so many.
    pub arity: i32,
    /// As Redis 7 flags this command.
    pub flags: &'static [Flag],
    /// The categories that do not follow from the flags; [`Command::acl`] gives all.
    pub categories: &'static [Category],
    /// Which arguments are keys.
    pub keys: Keys,
    /// What it does.
    pub class: Choice,
    /// One line for people.
    pub summary: &'static str,
    /// The version that had it first: Redis's for a command of Redis, Armilla's for one of its own.
    pub since: &'static str,
    /// The chapter it belongs to.
    pub group: Group,
    /// What it costs.
    pub complexity: &'static str,
    /// Its arguments as the manual writes them; `syntax` reads this.
    pub syntax: &'static str,
    /// Hints for cluster clients, in Redis's words.
    pub tips: &'static [&'static str],
    /// Commands named by the second argument.
    pub subcommands: &'static [Command],
}

/// Arguments and what the key holds give an answer and what is to become of the key.
///
/// # Errors
/// The fault to answer; nothing is to be changed.
pub type Run = fn(args: &[Bytes], value: Option<&Value>) -> Result<(Reply, Change), Fault>;

/// Arguments, read into a value that says what is asked for.
///
/// # Errors
/// The fault to answer.
pub type Ask<T> = fn(args: &[Bytes]) -> Result<T, Fault>;

/// Arguments and all rows of the table give an answer.
///
/// # Errors
/// The fault to answer.
pub type AskTable = fn(args: &[Bytes], rows: &[&'static Command]) -> Result<Reply, Fault>;

/// What kind of work a request is.
#[derive(Debug, Clone, Copy)]
pub enum Class {
    /// Answered from its arguments alone.
    Pure(Ask<Reply>),
    /// Answered from its arguments and the table of commands ([`super::rows`]).
    Table(AskTable),
    /// Answered by the server from what it knows of itself, the connection or the cluster.
    Local(Ask<Local>),
    /// Reads its one key and asks for no change.
    Read(Run),
    /// Writes its one key without looking: its run ignores what the key holds.
    Write(Run),
    /// Reads its one key at R and then writes it, at the home of the key's partition.
    Update(Run),
    /// Several keys, done as one single-key command a key, each on its own.
    Each(Each),
    /// About all keys rather than one.
    Keyspace(Ask<Keyspace>),
    /// About one key, in words that Redis does not have.
    Own(Ask<Own>),
}

/// A row's class, which the arguments of a request may decide.
#[derive(Debug, Clone, Copy)]
pub enum Choice {
    /// Whatever the arguments.
    Always(Class),
    /// `SET k v` is a blind write, `SET k v NX` is not.
    ByArguments(fn(args: &[Bytes]) -> Class),
}

impl Class {
    /// A name that only holds subcommands. [`super::resolve`] never comes back with one.
    pub(crate) const CONTAINER: Self = Self::Pure(bare_container);

    /// The run of a command on one key.
    pub fn run(&self) -> Option<Run> {
        match self {
            Self::Read(run) | Self::Write(run) | Self::Update(run) => Some(*run),
            _ => None,
        }
    }
}

fn bare_container(args: &[Bytes]) -> Result<Reply, Fault> {
    let name = args.first().map(|name| String::from_utf8_lossy(name)).unwrap_or_default();
    Err(Fault::argument_count(&name))
}

impl Command {
    /// What a row holds where it says nothing else. Only ever used as the rest of a row.
    pub(crate) const BLANK: Self = Self {
        name: "",
        arity: 0,
        flags: &[],
        categories: &[],
        keys: Keys::NONE,
        class: Choice::Always(Class::CONTAINER),
        summary: "",
        since: "",
        group: Group::Generic,
        complexity: "O(1)",
        syntax: "",
        tips: &[],
        subcommands: &[],
    };

    /// Whether a flag is set.
    pub fn has(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }

    /// Whether it belongs to a category.
    pub fn is_in(&self, category: Category) -> bool {
        self.categories.contains(&category)
            || match category {
                Category::Write => self.has(Flag::Write),
                Category::Read => self.has(Flag::Readonly),
                Category::Fast => self.has(Flag::Fast),
                Category::Slow => !self.has(Flag::Fast),
                Category::Admin | Category::Dangerous => self.has(Flag::Admin),
                Category::Keyspace | Category::String | Category::Connection => false,
            }
    }

    /// All categories that it belongs to.
    pub fn acl(&self) -> impl Iterator<Item = Category> {
        Category::ALL.iter().copied().filter(|&category| self.is_in(category))
    }

    /// The last part of the name: `id` of `client|id`.
    pub fn short_name(&self) -> &'static str {
        self.name.rsplit_once('|').map_or(self.name, |(_, short)| short)
    }

    /// What this request is, which for some commands its arguments decide.
    pub fn class(&self, args: &[Bytes]) -> Class {
        match self.class {
            Choice::Always(class) => class,
            Choice::ByArguments(choose) => choose(args),
        }
    }

    /// The subcommand of this name, in any case.
    pub fn subcommand(&self, name: &[u8]) -> Option<&'static Command> {
        self.subcommands.iter().find(|sub| sub.short_name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// Whether so many arguments, names included, fit Redis's arity.
    pub fn takes(&self, count: usize) -> bool {
        let wanted = self.arity.unsigned_abs() as usize;
        if self.arity >= 0 { count == wanted } else { count >= wanted }
    }

    /// The keys among the arguments, in order, as `COMMAND GETKEYS` shows them.
    ///
    /// # Errors
    /// [`Fault::GetKeysNone`] for a command without keys, [`Fault::GetKeysArguments`] if the arity does not fit.
    pub fn keys_of<'a>(&self, args: &'a [Bytes]) -> Result<Vec<&'a Bytes>, Fault> {
        if self.keys.first == 0 {
            return Err(Fault::GetKeysNone);
        }
        if !self.takes(args.len()) {
            return Err(Fault::GetKeysArguments);
        }
        Ok(self.keys.indexes(args.len()).map(|index| &args[index]).collect())
    }

    /// Whether the number of arguments is one that the command can work on.
    ///
    /// # Errors
    /// [`Fault::ArgumentCount`] if it does not fit the arity, or if keys come with values and one is left over.
    pub fn check_arity(&self, args: &[Bytes]) -> Result<(), Fault> {
        let whole = self.keys.step < 2
            || (args.len() - self.keys.first.min(args.len())).is_multiple_of(self.keys.step);
        if self.takes(args.len()) && whole { Ok(()) } else { Err(Fault::argument_count(self.name)) }
    }
}
