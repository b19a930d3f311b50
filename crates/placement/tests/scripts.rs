//! The golden scripts of this crate: `tests/scripts/ring` and `tests/scripts/layout`.
//!
//! A script is commands and, below `---`, what they answered. Read them as documentation, in the order of
//! their names. `UPDATE_GOLDENFILES=1 cargo test -p placement` writes the answers anew; look at the difference.

mod script;

use std::path::Path;

use script::{LayoutScript, RingScript};

/// Runs every script of a directory, each with a new runner.
fn run_all<R: goldenscript::Runner>(directory: &str, runner: impl Fn() -> R) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts").join(directory);
    let mut paths: Vec<_> = directory
        .read_dir()
        .expect("the directory is part of the crate")
        .map(|entry| entry.expect("its entries can be read").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} has scripts", directory.display());
    for path in paths {
        goldenscript::run(&mut runner(), &path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

#[test]
fn ring() {
    run_all("ring", RingScript::default);
}

#[test]
fn layout() {
    run_all("layout", LayoutScript::default);
}
