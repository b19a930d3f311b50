//! Items of a masked file: which of them are tests, how long its functions are, what it makes public.
//!
//! It is not a parser: it matches brackets and reads the words in front of them. It expects text from `mask`.

use crate::paths;

/// A function and the lines from its `fn` to its closing brace.
#[derive(Debug, PartialEq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

/// The masked code with every item under `#[cfg(test)]` or `#[test]` blanked out, and how many lines those took.
pub(crate) fn without_tests(code: &str) -> (String, usize) {
    let mut out = code.to_owned();
    let mut lines = 0;
    while let Some(start) =
        ["#[cfg(test)]", "#[cfg(all(test", "#[test]"].iter().filter_map(|mark| out.find(mark)).min()
    {
        let end = item_end(&out, start);
        let item = &out[start..end];
        lines += item.lines().count();
        let blank: String = item.chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }).collect();
        out.replace_range(start..end, &blank);
    }
    (out, lines)
}

/// Names of the modules that are declared in another file and only for tests.
pub(crate) fn test_modules(code: &str) -> Vec<String> {
    let after = code.split("#[cfg(test)]").skip(1);
    let declared = after.filter_map(|rest| rest.trim_start().strip_prefix("mod ")?.split_once(';'));
    declared.map(|(name, _)| name.trim().to_owned()).filter(|name| name.chars().all(is_word)).collect()
}

/// Every function that has a body.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for start in words(code, "fn") {
        let name: String =
            code[start + 2..].trim_start().chars().take_while(|&letter| is_word(letter)).collect();
        let end = item_end(code, start);
        if name.is_empty() || !code[start..end].ends_with('}') {
            continue;
        }
        let line = code[..start].matches('\n').count() + 1;
        found.push(Function { name, line, lines: code[start..end].matches('\n').count() + 1 });
    }
    found
}

/// The names that a file offers to others: public items at its top level, and each name of a public `use`.
pub(crate) fn public_names(code: &str) -> Vec<String> {
    let top = top_level(code);
    let mut names = Vec::new();
    for start in words(&top, "pub") {
        let item = code[start + 3..].trim_start();
        let (seen_by, item) = match item.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            Some((scope, rest)) => (scope.trim(), rest),
            None => ("everyone", item),
        };
        if seen_by == "super" || seen_by == "self" {
            continue;
        }
        if item.trim_start().starts_with("use ") {
            let tree = item.trim_start().trim_start_matches("use ");
            names.extend(paths::leaves(tree).into_iter().filter_map(|path| path.last().cloned()));
            continue;
        }
        let kinds = [
            "async", "unsafe", "const", "extern", "fn", "struct", "enum", "trait", "type", "static", "mod",
            "mut",
        ];
        let mut rest = item.split(|letter: char| !is_word(letter)).filter(|word| !word.is_empty());
        names.extend(rest.find(|word| !kinds.contains(word)).map(str::to_owned));
    }
    names
}

/// Offsets at which `word` stands as a whole word.
pub(crate) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

pub(crate) fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Where the item that begins at `start` ends: behind its `;` or its closing brace, attributes passed over.
fn item_end(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, letter) in code[start..].char_indices() {
        match letter {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && (letter == ';' || letter == '}') {
            return start + at + 1;
        }
    }
    code.len()
}

/// The code with everything inside brackets blanked out: what is left stands at the top level.
fn top_level(code: &str) -> String {
    let mut depth = 0_usize;
    let mut blank = |letter: char| {
        let outside = depth == 0;
        match letter {
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if outside || letter == '\n' { letter.to_string() } else { " ".repeat(letter.len_utf8()) }
    };
    code.chars().map(&mut blank).collect()
}

#[test]
fn test_items_are_set_aside() {
    let code = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n#[test]\nfn c() -> [u8; 2] {\n}\nfn d() {}\n";
    let (rest, lines) = without_tests(code);
    assert_eq!(functions(&rest).iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["a", "d"]);
    assert_eq!((rest.lines().count(), lines), (9, 7));
    assert_eq!(test_modules("#[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod b {}"), ["tests"]);
}

#[test]
fn functions_are_measured_from_fn_to_brace() {
    let code = "trait T { fn no_body(a: [u8; 4]); }\nimpl X {\n    fn one(f: fn(u8)) -> u8 {\n        if a { b }\n    }\n}\n";
    assert_eq!(functions(code), [Function { name: "one".into(), line: 3, lines: 3 }]);
}

#[test]
fn public_names_are_items_and_re_exports() {
    let code = "pub mod a;\npub use a::{B, c::D as E};\npub(crate) const fn f() {}\npub struct G(pub u8);\n\
                mod h { pub fn hidden() {} }\nimpl G { pub fn method(&self) {} }\npub(super) fn parent() {}\nfn own() {}\n";
    assert_eq!(public_names(code), ["a", "B", "E", "f", "G"]);
}
