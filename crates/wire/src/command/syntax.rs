//! The arguments of a command, read from the line that the manual shows.
//!
//! ```text
//! key value [NX | XX] [GET]     names in lower case stand for what is to be given, capitals for themselves;
//! key [key ...]                 [..] may be left out, a | b is one of them, <..> holds together,
//! [MATCH pattern]               [x ...] after an x says that there may be more of it
//! ```
//!
//! Not a parser of requests: those are read by the functions of the commands.
//!
//! 1. Any text gives some arguments: what does not close ends with the line.

/// One argument, or several that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Argument {
    /// Its name in lower case.
    pub(super) name: String,
    /// The word that announces it, or that it is.
    pub(super) token: Option<String>,
    /// What is to be given.
    pub(super) kind: Kind,
    /// Whether it may be left out.
    pub(super) optional: bool,
    /// Whether there may be several.
    pub(super) multiple: bool,
}

/// What is to be given for an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// The name of a key.
    Key,
    /// A glob pattern.
    Pattern,
    /// An integer.
    Integer,
    /// A number.
    Double,
    /// A moment.
    UnixTime,
    /// Any bytes.
    String,
    /// Nothing but the word itself.
    PureToken,
    /// One of these.
    OneOf(Vec<Argument>),
    /// All of these, in order.
    Block(Vec<Argument>),
}

/// The arguments that a line of syntax describes.
pub(super) fn parse(line: &str) -> Vec<Argument> {
    let spaced = ["[", "]", "<", ">", "|"]
        .iter()
        .fold(line.to_owned(), |line, mark| line.replace(mark, &format!(" {mark} ")));
    let words: Vec<&str> = spaced.split_whitespace().collect();
    sequence(&mut words.as_slice())
}

impl Argument {
    /// The parts of a block or the choices of a one-of.
    pub(super) fn parts(&self) -> &[Self] {
        match &self.kind {
            Kind::OneOf(parts) | Kind::Block(parts) => parts,
            _ => &[],
        }
    }

    fn new(name: &str, kind: Kind) -> Self {
        Self { name: name.to_ascii_lowercase(), token: None, kind, optional: false, multiple: false }
    }

    /// Several arguments as one.
    fn block(mut parts: Vec<Self>) -> Self {
        if parts.len() == 1 {
            return parts.remove(0);
        }
        let name = parts.first().map(|part| part.name.clone()).unwrap_or_default();
        Self::new(&name, Kind::Block(parts))
    }
}

/// Arguments up to a mark that closes or divides.
fn sequence(words: &mut &[&str]) -> Vec<Argument> {
    let mut found: Vec<Argument> = Vec::new();
    while let [word, rest @ ..] = *words {
        match *word {
            "]" | ">" | "|" => break,
            "[" | "<" => {
                *words = rest;
                let inner = choice(words);
                *words = words.get(1..).unwrap_or_default();
                bracketed(&mut found, inner, *word == "[");
            }
            "..." => {
                *words = rest;
                found.iter_mut().last().into_iter().for_each(|last| last.multiple = true);
            }
            _ => {
                *words = rest;
                found.push(word_or_pair(word, words));
            }
        }
    }
    found
}

/// Sequences divided by bars, up to a mark that closes.
fn choice(words: &mut &[&str]) -> Argument {
    let mut choices = vec![Argument::block(sequence(words))];
    while let ["|", rest @ ..] = *words {
        *words = rest;
        choices.push(Argument::block(sequence(words)));
    }
    if choices.len() == 1 {
        return choices.remove(0);
    }
    let name = choices.iter().map(|choice| choice.name.as_str()).collect::<Vec<_>>().join("-");
    Argument::new(&name, Kind::OneOf(choices))
}

/// `[x ...]` after an `x` says that there may be more of it; other brackets hold an argument of their own.
fn bracketed(found: &mut Vec<Argument>, mut inner: Argument, optional: bool) {
    let repeated = inner.multiple || inner.parts().last().is_some_and(|part| part.multiple);
    let length = inner.parts().len().max(1);
    let same = |argument: &&mut Argument| argument.name == inner.name;
    if !(optional && repeated) {
        inner.optional = optional;
        found.push(inner);
    } else if length == 1 && found.last_mut().as_ref().is_some_and(same) {
        found.iter_mut().last().into_iter().for_each(|last| last.multiple = true);
    } else if found.len() >= length && found[found.len() - length].name == inner.name {
        let parts = found.split_off(found.len() - length);
        found.push(Argument { multiple: true, ..Argument::block(parts) });
    } else {
        found.push(Argument { optional: true, ..inner });
    }
}

/// A name; or a word in capitals, with the name that follows it if one does.
fn word_or_pair(word: &str, words: &mut &[&str]) -> Argument {
    if !is_token(word) {
        return Argument::new(word, kind_of(word));
    }
    let mut argument = match *words {
        ["<", rest @ ..] => {
            *words = rest;
            let choice = choice(words);
            *words = words.get(1..).unwrap_or_default();
            choice
        }
        [name, rest @ ..] if is_name(name) => {
            *words = rest;
            Argument::new(name, kind_of(name))
        }
        _ => Argument::new(word, Kind::PureToken),
    };
    argument.token = Some(word.to_owned());
    argument
}

fn is_token(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_uppercase())
}

fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_lowercase())
}

fn kind_of(name: &str) -> Kind {
    match name {
        "key" => Kind::Key,
        "pattern" => Kind::Pattern,
        "seconds" | "milliseconds" | "count" | "offset" | "start" | "end" | "index" | "slot" | "cursor"
        | "protover" | "client-id" | "numreplicas" | "timeout" | "decrement" | "read" | "write" | "by" => {
            Kind::Integer
        }
        "increment" => Kind::Double,
        "unix-time-seconds" | "unix-time-milliseconds" => Kind::UnixTime,
        _ => Kind::String,
    }
}

#[cfg(test)]
mod tests {
    use super::{Argument, Kind, parse};

    fn shown(arguments: &[Argument]) -> String {
        arguments.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    fn one(argument: &Argument) -> String {
        let token = argument.token.as_ref().map(|token| format!("'{token}'")).unwrap_or_default();
        let text = match &argument.kind {
            Kind::OneOf(parts) => format!("{token}one({})", shown(parts)),
            Kind::Block(parts) => format!("{token}all({})", shown(parts)),
            Kind::PureToken => token,
            _ => format!("{token}{}", argument.name),
        };
        let (optional, multiple) = (argument.optional, argument.multiple);
        format!("{text}{}{}", if multiple { "+" } else { "" }, if optional { "?" } else { "" })
    }

    #[test]
    fn lines_of_the_manual() {
        for (line, expected) in [
            ("", ""),
            ("key [key ...]", "key+"),
            ("key value [key value ...]", "all(key value)+"),
            ("[section [section ...]]", "section+?"),
            ("key [NX | XX] [EX seconds | KEEPTTL]", "key one('NX' 'XX')? one('EX'seconds 'KEEPTTL')?"),
            ("[TYPE <A | B>] [ID id [id ...]]", "'TYPE'one('A' 'B')? 'ID'id+?"),
            (
                "[ver [AUTH user password] [SETNAME name]]",
                "all(ver all('AUTH'user password)? 'SETNAME'name?)?",
            ),
            ("[ONE | <read write>]", "one('ONE' all(read write))?"),
        ] {
            assert_eq!(shown(&parse(line)), expected, "{line}");
        }
    }

    #[test]
    fn what_does_not_close_ends_with_the_line() {
        for line in ["[", "]", "a ] b", "<a | [b", "...", "| |", "TYPE <"] {
            parse(line);
        }
        assert_eq!(shown(&parse("a [b | C")), "a one(b 'C')?");
    }
}
