//! Habits of writing: how a file opens, which names are refused, what code does not say.

use crate::demand;
use crate::house::{self, Source};
use crate::{items, paths};

/// Words that stand for a noun nobody has found yet.
const NAMES_REFUSED: [&str; 9] =
    ["util", "utils", "helper", "helpers", "manager", "managers", "common", "base", "misc"];

/// Macros that mark unfinished work.
const MACROS_REFUSED: [&str; 3] = ["todo", "unimplemented", "dbg"];

#[test]
fn files_open_with_an_essay() {
    demand(
        "Open the file with `//!`: what it is, what it is not, its invariants numbered.",
        &bare(&house::sources()),
    );
}

#[test]
fn names_are_nouns_of_the_field() {
    demand("Find the noun (DESIGN, Words) and name it so.", &vague_names(&house::sources()));
}

#[test]
fn imports_name_what_they_take() {
    let advice = "Name each import. Only a `prelude` may be taken whole, and only under tests/ or benches/.";
    demand(advice, &globs(&house::sources()));
}

#[test]
fn nothing_is_unsafe() {
    demand("Write it without `unsafe`.", &unsafe_code(&house::sources()));
}

#[test]
fn code_that_ships_does_not_unwrap() {
    let advice = "Return an error; or `expect` our own invariant, with the reason why it holds in the text.";
    demand(advice, &unwraps(&house::sources()));
}

#[test]
fn nothing_is_left_unfinished() {
    demand("Finish it or delete it.", &unfinished(&house::sources()));
}

fn bare(sources: &[Source]) -> Vec<String> {
    let opens = |source: &Source| {
        let essay = source.text.strip_prefix("//!").and_then(|rest| rest.lines().next());
        essay.is_some_and(|line| !line.trim().is_empty())
    };
    sources
        .iter()
        .filter(|source| !opens(source))
        .map(|source| format!("{}:1: no `//!`", source.path))
        .collect()
}

fn vague_names(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let parts = source.path.split('/').map(|part| part.trim_end_matches(".rs"));
        found.extend(
            parts.filter(|part| is_vague(part)).map(|part| format!("{}: the name `{part}`", source.path)),
        );
        for kind in ["mod", "struct", "enum", "trait", "type"] {
            for at in items::words(&source.code, kind) {
                let rest = source.code[at + kind.len()..].trim_start();
                let name = rest.split(|letter| !items::is_word(letter)).next().unwrap_or_default();
                if is_vague(name) {
                    found.push(source.at(at, &format!("the name `{name}`")));
                }
            }
        }
    }
    found
}

/// Whether one of the words of a `snake_case` or `CamelCase` name is refused.
fn is_vague(name: &str) -> bool {
    let mut spaced = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() {
            spaced.push('_');
        }
        spaced.extend(letter.to_lowercase());
    }
    spaced.split(['_', '-']).any(|word| NAMES_REFUSED.contains(&word))
}

fn globs(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for path in
            paths::uses(&source.code).iter().filter(|path| path.last().is_some_and(|last| last == "*"))
        {
            let prelude = path.iter().any(|word| word == "prelude");
            if source.in_src() || !prelude {
                found.push(format!("{}: use {}", source.path, path.join("::")));
            }
        }
    }
    found
}

fn unsafe_code(sources: &[Source]) -> Vec<String> {
    let each =
        sources.iter().flat_map(|source| items::words(&source.code, "unsafe").map(move |at| (source, at)));
    each.map(|(source, at)| source.at(at, "unsafe")).collect()
}

fn unwraps(sources: &[Source]) -> Vec<String> {
    let each =
        sources.iter().flat_map(|source| items::words(&source.shipped, "unwrap").map(move |at| (source, at)));
    let called = each.filter(|(source, at)| source.shipped[..*at].trim_end().ends_with(['.', ':']));
    called.map(|(source, at)| source.at(at, "unwrap")).collect()
}

fn unfinished(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for name in MACROS_REFUSED {
            let calls =
                items::words(&source.code, name).filter(|at| source.code[at + name.len()..].starts_with('!'));
            found.extend(calls.map(|at| source.at(at, &format!("{name}!"))));
        }
    }
    found
}

/// What `rule` says of one file at `crates/a/src/b.rs`.
#[cfg(test)]
fn judged(rule: fn(&[Source]) -> Vec<String>, text: &str) -> usize {
    rule(&[Source::new("crates/a/src/b.rs", text)]).len()
}

#[test]
fn a_bare_file_is_caught() {
    assert_eq!(judged(bare, "use a;\n"), 1);
    assert_eq!(judged(bare, "//!\nuse a;\n"), 1);
    assert_eq!(judged(bare, "//! The ring.\n"), 0);
}

#[test]
fn a_vague_name_is_caught() {
    assert_eq!(judged(vague_names, "struct RingManager;\nmod utils { }\n"), 2);
    assert_eq!(judged(vague_names, "// a manager\nstruct Database;\nmod base64 {}\n"), 0);
    assert_eq!(vague_names(&[Source::new("crates/a/tests/common/mod.rs", "")]).len(), 1);
}

#[test]
fn a_glob_is_caught() {
    assert_eq!(judged(globs, "use super::*;\nuse a::{b, c::*};\n"), 2);
    assert_eq!(judged(globs, "use proptest::prelude::*;\nlet a = b * c;\n"), 1);
    assert!(globs(&[Source::new("crates/a/tests/b.rs", "use proptest::prelude::*;")]).is_empty());
    assert_eq!(globs(&[Source::new("crates/a/tests/b.rs", "use a::*;")]).len(), 1);
}

#[test]
fn unsafe_is_caught() {
    assert_eq!(judged(unsafe_code, "fn a() { unsafe { b() } }"), 1);
    assert_eq!(judged(unsafe_code, "//! Nothing unsafe.\nfn a() { \"unsafe\" }"), 0);
}

#[test]
fn an_unwrap_is_caught() {
    assert_eq!(judged(unwraps, "fn a() { b()\n  .unwrap(); c.map(Option::unwrap) }"), 2);
    assert_eq!(judged(unwraps, "fn a() { b.unwrap_or(1) }\n#[test]\nfn c() { d.unwrap(); }"), 0);
}

#[test]
fn unfinished_work_is_caught() {
    assert_eq!(judged(unfinished, "fn a() { todo!() }\nfn b() { dbg!(1); unimplemented!(\"x\") }"), 3);
    assert_eq!(judged(unfinished, "fn a() { todo() } // todo!"), 0);
}
