//! Sizes that keep a file on a screen or two and a function on one, and a module's face small.
//!
//! Invariant: a size has one home, the constants below; the pages quote them.

use crate::demand;
use crate::house::{self, Source};
use crate::items;

/// Lines of a source file, its tests not counted.
const FILE_LINES_MAX: usize = 500;
/// Lines of the median source file, its tests not counted.
const FILE_LINES_MEDIAN_MAX: usize = 200;
/// Lines of a function, from `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 60;
/// Names that a module shows to others.
const PUBLIC_NAMES_MAX: usize = 12;
/// Names that a crate's root shows: its modules, and what it re-exports of them.
const ROOT_NAMES_MAX: usize = 24;

#[test]
fn files_are_short() {
    demand(
        "Split a long file along its nouns; move long tests to `tests.rs` beside it.",
        &long_files(&house::sources()),
    );
}

#[test]
fn the_median_file_is_short() {
    let files: Vec<usize> =
        house::sources().iter().map(|source| source.lines).filter(|&lines| lines > 0).collect();
    let functions: Vec<usize> = house::sources()
        .iter()
        .flat_map(|source| items::functions(&source.shipped))
        .map(|f| f.lines)
        .collect();
    println!("{} source files, median {} lines without tests", files.len(), median(files.clone()));
    println!("{} functions, median {} lines", functions.len(), median(functions.clone()));
    assert!(
        median(files) <= FILE_LINES_MEDIAN_MAX,
        "The median source file is above {FILE_LINES_MEDIAN_MAX} lines: files are growing together; split some."
    );
}

#[test]
fn functions_are_short() {
    demand(
        "Name the steps of a long function and let them be functions.",
        &long_functions(&house::sources()),
    );
}

#[test]
fn modules_show_few_names() {
    demand("Hide what only the inside needs, or split the module.", &broad_modules(&house::sources()));
}

fn long_files(sources: &[Source]) -> Vec<String> {
    let long = sources.iter().filter(|source| source.lines > FILE_LINES_MAX);
    long.map(|source| format!("{}: {} lines, at most {FILE_LINES_MAX}", source.path, source.lines)).collect()
}

fn long_functions(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for function in items::functions(&source.shipped).iter().filter(|f| f.lines > FUNCTION_LINES_MAX) {
            let items::Function { name, line, lines } = function;
            found.push(format!(
                "{}:{line}: fn {name}: {lines} lines, at most {FUNCTION_LINES_MAX}",
                source.path
            ));
        }
    }
    found
}

fn broad_modules(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let names = items::public_names(&source.shipped);
        let most = if source.module().is_empty() { ROOT_NAMES_MAX } else { PUBLIC_NAMES_MAX };
        if names.len() > most {
            found.push(format!(
                "{}: {} names, at most {most}: {}",
                source.path,
                names.len(),
                names.join(" ")
            ));
        }
    }
    found
}

fn median(mut sizes: Vec<usize>) -> usize {
    sizes.sort_unstable();
    sizes.get(sizes.len() / 2).copied().unwrap_or_default()
}

#[test]
fn a_long_file_is_caught() {
    let long = Source::new("crates/a/src/b.rs", &"let x;\n".repeat(FILE_LINES_MAX + 1));
    assert_eq!(long_files(&[long]).len(), 1);
    let tests = format!("//! x\n#[cfg(test)]\nmod tests {{\n{}}}\n", "let x;\n".repeat(FILE_LINES_MAX));
    assert!(long_files(&[Source::new("crates/a/src/b.rs", &tests)]).is_empty());
}

#[test]
fn a_long_function_is_caught() {
    let body = |lines| format!("fn a() {{\n{}}}\n", "let x = \"}\";\n".repeat(lines));
    let source = |lines| Source::new("crates/a/src/b.rs", &body(lines));
    assert!(long_functions(&[source(FUNCTION_LINES_MAX - 2)]).is_empty());
    assert_eq!(long_functions(&[source(FUNCTION_LINES_MAX - 1)]).len(), 1);
}

#[test]
fn a_broad_module_is_caught() {
    let text = |names| (0..names).map(|n| format!("pub struct S{n};\n")).collect::<String>();
    let found = |path, names| broad_modules(&[Source::new(path, &text(names))]).len();
    assert_eq!(found("crates/a/src/b.rs", PUBLIC_NAMES_MAX), 0);
    assert_eq!(found("crates/a/src/b.rs", PUBLIC_NAMES_MAX + 1), 1);
    assert_eq!(found("crates/a/src/lib.rs", PUBLIC_NAMES_MAX + 1), 0);
    assert_eq!(found("crates/a/src/lib.rs", ROOT_NAMES_MAX + 1), 1);
}

#[test]
fn the_median_is_the_middle() {
    assert_eq!((median(vec![9, 1, 5]), median(vec![])), (5, 0));
}
