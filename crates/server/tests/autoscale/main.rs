//! The autoscaler on clusters that are made up: golden scripts (`scripts`), and what holds whatever happens (`laws`).
//!
//! `UPDATE_GOLDENFILES=1 cargo test -p server --test autoscale` writes the answers anew; look at the difference.

mod laws;
mod script;

use std::path::Path;

#[test]
fn scripts() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/autoscale/scripts");
    let paths = directory.read_dir().expect("the directory is part of the crate");
    let mut paths: Vec<_> = paths.map(|entry| entry.expect("its entries can be read").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "there are scripts");
    for path in paths {
        goldenscript::run(&mut script::Script::default(), &path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}
