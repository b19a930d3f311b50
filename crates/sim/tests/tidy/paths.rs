//! Path trees as `use` writes them, `a::{b, c::D as E}`, spread into single paths.
//!
//! Not name resolution: a path is a list of words. Expects text from `mask`.

use crate::items::is_word;

/// A path, one word per segment; the last word is the name it is known by (after `as`), or `*`.
pub(crate) type Path = Vec<String>;

/// All paths of the tree at the start of `code`, which ends at the first letter that cannot belong to it.
pub(crate) fn leaves(code: &str) -> Vec<Path> {
    let mut found = Vec::new();
    tree(code, &[], &mut found);
    found
}

/// Paths anywhere in the code, in a `use` or not, that begin with the word `first` (`crate`, `super`, `std`).
pub(crate) fn beginning_with(code: &str, first: &str) -> Vec<Path> {
    let at_start = |at: &usize| !code[..*at].ends_with("::") && code[at + first.len()..].starts_with("::");
    crate::items::words(code, first).filter(at_start).flat_map(|at| leaves(&code[at..])).collect()
}

/// Paths of the `use` declarations, public or not.
pub(crate) fn uses(code: &str) -> Vec<Path> {
    crate::items::words(code, "use").flat_map(|at| leaves(code[at + 3..].trim_start())).collect()
}

/// Reads one tree behind `stem`, gives the rest of the text.
fn tree<'a>(code: &'a str, stem: &[String], found: &mut Vec<Path>) -> &'a str {
    let mut path = stem.to_vec();
    let mut rest = code.trim_start().trim_start_matches("::");
    loop {
        if let Some(inner) = rest.strip_prefix('{') {
            return group(inner, &path, found);
        }
        let width = if rest.starts_with('*') {
            1
        } else {
            rest.find(|letter| !is_word(letter)).unwrap_or(rest.len())
        };
        if width == 0 {
            break;
        }
        path.push(rest[..width].to_owned());
        rest = &rest[width..];
        match rest.strip_prefix("::") {
            Some(next) => rest = next,
            None => break,
        }
    }
    if let Some(alias) = rest.trim_start().strip_prefix("as ").map(str::trim_start) {
        let width = alias.find(|letter| !is_word(letter)).unwrap_or(alias.len());
        path.pop();
        path.push(alias[..width].to_owned());
        rest = &alias[width..];
    }
    if path.len() > stem.len() {
        // `a::{self}` names `a`.
        if path.len() > 1 && path.last().is_some_and(|word| word == "self") {
            path.pop();
        }
        found.push(path);
    }
    rest
}

/// The comma-separated trees up to the closing brace.
fn group<'a>(mut rest: &'a str, stem: &[String], found: &mut Vec<Path>) -> &'a str {
    loop {
        rest = rest.trim_start().trim_start_matches(',').trim_start();
        if rest.is_empty() {
            return rest;
        }
        if let Some(after) = rest.strip_prefix('}') {
            return after;
        }
        let after = tree(rest, stem, found);
        if after.len() == rest.len() {
            return after;
        }
        rest = after;
    }
}

#[test]
fn a_tree_is_spread_into_paths() {
    let joined = |code| leaves(code).iter().map(|path| path.join("::")).collect::<Vec<_>>();
    assert_eq!(
        joined("a::{b, c::D as E, f::{self, G}, h::*,};"),
        ["a::b", "a::c::E", "a::f", "a::f::G", "a::h::*"]
    );
    assert_eq!(joined("crate::x::y(z)"), ["crate::x::y"]);
    assert_eq!(joined("{a, b::c}"), ["a", "b::c"]);
}

#[test]
fn paths_are_found_outside_of_uses_too() {
    let code = "use crate::{a, b::C};\nfn f() { crate::d::e(); other::crate_::f(); std::fs::read() }\npub(crate) fn g() {}";
    let heads: Vec<String> = beginning_with(code, "crate").iter().map(|path| path[1].clone()).collect();
    assert_eq!(heads, ["a", "b", "d"]);
    assert_eq!(beginning_with(code, "std"), [["std", "fs", "read"].map(String::from).to_vec()]);
}
