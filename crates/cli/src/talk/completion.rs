//! What can follow the words typed so far: candidates for TAB, and the rest of the syntax as a hint.
//!
//! Not a parser of commands: it looks at words between blanks and never refuses a line.
//!
//! 1. Candidates and hints come from the command table, besides the three words that only the prompt knows.
//! 2. Candidates take the case of what was typed: capitals if it has none yet.

use wire::command::{Command, find, rows};

use super::help;

/// What the prompt itself understands.
const OWN_WORDS: [&str; 3] = ["DELETE", "EXIT", "HELP"];

/// Where the last word of a line begins, and what it can become.
pub(super) fn candidates(line: &str) -> (usize, Vec<String>) {
    let start = line.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let (before, last) = line.split_at(start);
    let before: Vec<&str> = before.split_whitespace().collect();
    let lower = last.starts_with(|first: char| first.is_lowercase());
    let fits = |word: &String| {
        word.len() >= last.len() && word.as_bytes()[..last.len()].eq_ignore_ascii_case(last.as_bytes())
    };
    let mut found: Vec<String> = following(&before).into_iter().filter(fits).collect();
    if lower {
        found.iter_mut().for_each(|word| word.make_ascii_lowercase());
    }
    found.sort();
    (start, found)
}

/// Words in capitals that may come after these.
fn following(before: &[&str]) -> Vec<String> {
    let names = || rows().iter().map(|row| help::spelled(row));
    match before {
        [] => names().chain(OWN_WORDS.map(str::to_owned)).collect(),
        [first] if first.eq_ignore_ascii_case("help") => names()
            .chain(help::groups().into_iter().map(|group| format!("@{}", group.to_uppercase())))
            .collect(),
        [first, rest @ ..] if first.eq_ignore_ascii_case("help") => subcommands(rest),
        [_] if !subcommands(before).is_empty() => subcommands(before),
        _ => options(before),
    }
}

fn subcommands(words: &[&str]) -> Vec<String> {
    let [first] = words else { return Vec::new() };
    let command = find(first.as_bytes());
    command.iter().flat_map(|row| row.subcommands).map(|sub| sub.short_name().to_ascii_uppercase()).collect()
}

/// The words in capitals of the command's syntax that were not written yet.
fn options(before: &[&str]) -> Vec<String> {
    let Some((command, given)) = command_of(before) else { return Vec::new() };
    let words = command.syntax.split(|mark: char| mark.is_whitespace() || "[]<>|".contains(mark));
    let options = words.filter(|word| word.starts_with(|first: char| first.is_ascii_uppercase()));
    let missing = options.filter(|word| !given.iter().any(|given| given.eq_ignore_ascii_case(word)));
    missing.map(str::to_owned).collect()
}

/// The command that these words begin with and what they give to it.
fn command_of<'a>(words: &'a [&'a str]) -> Option<(&'static Command, &'a [&'a str])> {
    let (first, rest) = words.split_first()?;
    let name = if first.eq_ignore_ascii_case("delete") { "del" } else { first };
    let command = find(name.as_bytes())?;
    let Some((second, given)) = rest.split_first().filter(|_| !command.subcommands.is_empty()) else {
        return Some((command, rest));
    };
    Some((command.subcommand(second.as_bytes())?, given))
}

/// The part of the syntax that is still to be written, if the line is a command and at the end of a word.
pub(super) fn hint(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (command, given) = command_of(&words)?;
    if !command.subcommands.is_empty() {
        return None;
    }
    let mut parts = parts_of(command.syntax);
    for word in given {
        take(&mut parts, word);
    }
    let rest = parts.join(" ");
    let blank = if line.ends_with(char::is_whitespace) { "" } else { " " };
    (!rest.is_empty()).then(|| format!("{blank}{rest}"))
}

/// The arguments of a line of syntax: words, and brackets with what they hold.
fn parts_of(syntax: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, mark) in syntax.char_indices().chain([(syntax.len(), ' ')]) {
        match mark {
            '[' | '<' => depth += 1,
            ']' | '>' => depth = depth.saturating_sub(1),
            ' ' if depth == 0 => {
                parts.push(&syntax[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Takes away the part that a word gives: the first required one, or the option that it names.
fn take(parts: &mut Vec<&str>, word: &str) {
    let names = |part: &&str| {
        let mut words = part.split(|mark: char| mark.is_whitespace() || "[]<>|".contains(mark));
        words.any(|name| {
            name.starts_with(|first: char| first.is_ascii_uppercase()) && name.eq_ignore_ascii_case(word)
        })
    };
    let required = |part: &&str| !part.starts_with('[');
    if let Some(at) = parts.iter().position(names).or_else(|| parts.iter().position(required)) {
        parts.remove(at);
    }
}

#[cfg(test)]
mod tests {
    use super::{candidates, hint};

    fn candidates_of(line: &str) -> Vec<String> {
        candidates(line).1
    }

    #[test]
    fn commands_complete_in_the_case_they_are_typed() {
        assert_eq!(candidates("SETR"), (0, vec!["SETRANGE".to_owned()]));
        assert_eq!(candidates_of("setr"), ["setrange"]);
        assert_eq!(candidates_of("DELE"), ["DELETE"]);
        assert!(candidates_of("").contains(&"EXIT".to_owned()));
        assert_eq!(candidates("help setr"), (5, vec!["setrange".to_owned()]));
        assert_eq!(candidates_of("HELP @STR"), ["@STRING"]);
        assert_eq!(candidates_of("CLIENT SETN"), ["SETNAME"]);
        assert!(candidates_of("set k v ").contains(&"NX".to_owned()));
        assert!(!candidates_of("set k v nx ").contains(&"NX".to_owned()));
        assert!(candidates_of("no such thing").is_empty());
        assert!(candidates_of("schl\u{fc}").is_empty());
    }

    #[test]
    fn the_hint_is_what_is_still_to_be_written() {
        assert_eq!(hint("GET").unwrap(), " key");
        assert_eq!(hint("GET "), Some("key".to_owned()));
        assert_eq!(hint("GET k"), None);
        assert!(hint("SET k ").unwrap().starts_with("value ["));
        assert!(hint("SET k v NX").unwrap().starts_with(" ["));
        assert_eq!(hint("delete ").unwrap(), hint("DEL ").unwrap());
        assert_eq!(hint("CLIENT"), None);
        assert_eq!(hint("CLIENT SETNAME ").unwrap(), "connection-name");
        assert_eq!(hint("nothing"), None);
        assert_eq!(hint(""), None);
    }
}
