//! Every row of the table is well formed.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::flag::{Category, Flag};
use super::row::{Access, Choice};
use super::{Class, Command, find, resolve, rows, syntax};
use crate::fault::Fault;

fn all() -> impl Iterator<Item = &'static Command> {
    rows().iter().flat_map(|row| std::iter::once(*row).chain(row.subcommands))
}

/// A request with as many arguments as the row needs.
fn least(row: &Command) -> Vec<Bytes> {
    let mut words: Vec<Bytes> = row.name.split('|').map(Bytes::from).collect();
    words.resize((row.arity.unsigned_abs() as usize).max(words.len()), Bytes::from_static(b"1"));
    words
}

fn class(row: &Command) -> Class {
    row.class(&least(row))
}

#[test]
fn names_are_unique_in_lower_case_and_found_in_any() {
    let names: BTreeSet<_> = all().map(|row| row.name).collect();
    assert_eq!(names.len(), all().count());
    for row in rows() {
        assert_eq!(row.name, row.name.to_ascii_lowercase());
        assert_eq!(find(row.name.as_bytes()).unwrap().name, row.name);
        assert_eq!(find(row.name.to_ascii_uppercase().as_bytes()).unwrap().name, row.name);
        assert!(find(format!("{}x", row.name).as_bytes()).is_none());
    }
    assert!(find(b"").is_none());
    assert!(find(&[b'g'; 1000]).is_none());
}

#[test]
fn groups_are_in_order() {
    for pair in rows().windows(2).filter(|pair| pair[0].group == pair[1].group) {
        assert!(pair[0].name < pair[1].name, "{} before {}", pair[0].name, pair[1].name);
    }
    for row in rows() {
        assert!(row.subcommands.is_sorted_by_key(|sub| sub.name), "{}", row.name);
        assert!(row.subcommands.iter().all(|sub| sub.name.split_once('|').unwrap().0 == row.name));
    }
}

#[test]
fn rows_explain_themselves() {
    for row in all() {
        assert!(row.summary.ends_with('.') && row.summary.len() > 10, "{}: {}", row.name, row.summary);
        assert!(!row.since.is_empty() && !row.complexity.is_empty(), "{}", row.name);
    }
}

#[test]
fn arity_fits_syntax() {
    for row in all().filter(|row| row.subcommands.is_empty()) {
        let arguments = syntax::parse(row.syntax);
        let words = row.name.split('|').count();
        let needed =
            arguments.iter().filter(|argument| !argument.optional).map(words_of).sum::<usize>() + words;
        let open = arguments.iter().any(|argument| argument.optional || argument.multiple);
        let exact = row.arity.unsigned_abs() as usize;
        assert_eq!(needed, exact, "{} {}", row.name, row.syntax);
        // Redis says of `PING` and `QUIT` that they take any number.
        assert!(open == (row.arity < 0) || row.name == "quit", "{} {}", row.name, row.syntax);
    }
}

fn words_of(argument: &syntax::Argument) -> usize {
    let token = usize::from(argument.token.is_some() && argument.kind != syntax::Kind::PureToken);
    token
        + match &argument.kind {
            syntax::Kind::Block(parts) => parts.iter().map(words_of).sum(),
            syntax::Kind::OneOf(parts) => parts.iter().map(words_of).min().unwrap_or(0),
            _ => 1,
        }
}

#[test]
fn a_request_of_the_least_length_resolves_and_a_shorter_one_does_not() {
    for row in all().filter(|row| row.subcommands.is_empty()) {
        let words = least(row);
        assert_eq!(resolve(&words).unwrap().name, row.name);
        let parts = row.name.split('|').count();
        if words.len() > parts {
            assert_eq!(resolve(&words[..parts]).unwrap_err(), Fault::argument_count(row.name));
        }
    }
}

#[test]
fn flags_fit_classes() {
    for row in all() {
        let (write, readonly) = (row.has(Flag::Write), row.has(Flag::Readonly));
        assert!(!(write && readonly), "{}", row.name);
        match class(row) {
            Class::Read(_) => assert!(readonly, "{}", row.name),
            Class::Write(_) | Class::Update(_) => assert!(write, "{}", row.name),
            Class::Each(each) => {
                assert_eq!(each.writes, write, "{}", row.name);
                let part = find(each.part.as_bytes()).unwrap();
                assert_eq!(part.has(Flag::Write), write, "{}", row.name);
            }
            Class::Keyspace(_) => {
                assert!(write || readonly || row.name.starts_with("cluster|"), "{}", row.name);
            }
            Class::Own(_) => assert!(write || readonly, "{}", row.name),
            Class::Pure(_) | Class::Table(_) | Class::Local(_) => {
                assert!(!write && !readonly, "{}", row.name);
            }
        }
    }
}

#[test]
fn keys_fit_classes_and_access_fits_flags() {
    for row in all() {
        let one_key = matches!(
            class(row),
            Class::Read(_) | Class::Write(_) | Class::Update(_) | Class::Each(_) | Class::Own(_)
        );
        assert_eq!(row.keys.first == 1, one_key, "{}", row.name);
        assert_eq!(
            row.keys.access.contains(&Access::ReadOnly),
            one_key && row.has(Flag::Readonly),
            "{}",
            row.name
        );
        if one_key {
            assert_eq!(row.keys_of(&least(row)).unwrap()[0], &Bytes::from_static(b"1"), "{}", row.name);
        }
    }
}

#[test]
fn categories_are_those_of_redis() {
    let names = |name: &str| find(name.as_bytes()).unwrap().acl().map(Category::name).collect::<Vec<_>>();
    assert_eq!(names("get"), ["read", "string", "fast"]);
    assert_eq!(names("set"), ["write", "string", "slow"]);
    assert_eq!(names("flushall"), ["keyspace", "write", "slow", "dangerous"]);
    let list = find(b"client").unwrap().subcommand(b"LIST").unwrap();
    assert_eq!(
        list.acl().map(Category::name).collect::<Vec<_>>(),
        ["admin", "slow", "dangerous", "connection"]
    );
}

#[test]
fn plain_set_is_blind_and_conditional_set_is_not() {
    let class = |words: &str| {
        let words: Vec<Bytes> = words.split(' ').map(|word| Bytes::from(word.to_owned())).collect();
        resolve(&words).unwrap().class(&words)
    };
    assert!(matches!(class("set k v"), Class::Write(_)));
    assert!(matches!(class("set k nx"), Class::Write(_)));
    assert!(matches!(class("set k v Nx"), Class::Update(_)));
    assert!(matches!(class("set k v get"), Class::Update(_)));
    assert!(matches!(class("del k"), Class::Update(_)));
    assert!(matches!(class("del k l"), Class::Each(_)));
    assert!(matches!(class("exists k"), Class::Read(_)));
    assert!(matches!(find(b"set").unwrap().class, Choice::ByArguments(_)));
}
