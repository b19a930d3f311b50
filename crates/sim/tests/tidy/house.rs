//! The repository as texts: every Rust file of every crate, and every other file that is kept in it.
//!
//! It reads the tree rather than git's index, so a file is judged before it is committed; what `.gitignore` names at the
//! root is left out. Paths are relative to the root, with `/`.

use std::fs;
use std::path::Path;

use crate::{items, mask};

/// A Rust file. `code` is masked; `shipped` is masked and has its tests blanked out, empty for a file of tests.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) code: String,
    pub(crate) shipped: String,
    /// Lines that ship: all lines but those of test items; 0 for a file of tests.
    pub(crate) lines: usize,
}

impl Source {
    /// A file of the given path and text. Files under `tests/`, `benches/` or `fuzz/`, and files named `tests.rs`, are tests.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = mask::masked(text);
        let beside = path.split('/').any(|part| matches!(part, "tests" | "benches" | "fuzz" | "tests.rs"));
        let (shipped, tests) = items::without_tests(&code);
        let all = text.lines().count();
        let (shipped, lines) = if beside { (String::new(), 0) } else { (shipped, all - tests.min(all)) };
        Self { path: path.to_owned(), text: text.to_owned(), code, shipped, lines }
    }

    /// The folder of the crate it belongs to, `crates/NAME`; empty elsewhere.
    pub(crate) fn crate_name(&self) -> &str {
        self.path.strip_prefix("crates/").and_then(|rest| rest.split('/').next()).unwrap_or_default()
    }

    /// Whether the file lies under a crate's `src`.
    pub(crate) fn in_src(&self) -> bool {
        self.path.split('/').nth(2) == Some("src")
    }

    /// Module path inside its crate, from the file's place: `src/a/b.rs` is `[a, b]`, `src/lib.rs` is `[]`.
    pub(crate) fn module(&self) -> Vec<String> {
        let place = self.path.split('/').skip(3).map(|part| part.trim_end_matches(".rs"));
        let mut module: Vec<String> = place.map(str::to_owned).collect();
        if module.last().is_some_and(|last| matches!(last.as_str(), "lib" | "main" | "mod")) {
            module.pop();
        }
        module
    }

    /// `path:line: what` for the place at an offset of the code.
    pub(crate) fn at(&self, offset: usize, what: &str) -> String {
        format!("{}:{}: {what}", self.path, self.code[..offset].matches('\n').count() + 1)
    }
}

/// All Rust files, tests included.
pub(crate) fn sources() -> Vec<Source> {
    let rust = files().into_iter().filter(|path| path.ends_with(".rs"));
    let mut sources: Vec<Source> = rust.map(|path| Source::new(&path, &read(&path))).collect();
    set_test_modules_aside(&mut sources);
    assert!(sources.iter().any(Source::in_src), "no sources found under {}", root().display());
    sources
}

/// A module declared as `#[cfg(test)] mod x;` ships nothing, and neither do the files below it.
fn set_test_modules_aside(sources: &mut [Source]) {
    let mut aside: Vec<(String, Vec<String>)> = Vec::new();
    for source in sources.iter() {
        for name in items::test_modules(&source.code) {
            aside.push((source.crate_name().to_owned(), [source.module(), vec![name]].concat()));
        }
    }
    for source in sources.iter_mut().filter(|source| source.in_src()) {
        let module = source.module();
        if aside.iter().any(|(krate, test)| source.crate_name() == krate && module.starts_with(test)) {
            (source.shipped, source.lines) = (String::new(), 0);
        }
    }
}

/// Every file of the repository, in order of its path.
pub(crate) fn files() -> Vec<String> {
    let ignored: Vec<String> =
        read(".gitignore").lines().filter_map(|line| line.strip_prefix('/').map(str::to_owned)).collect();
    let mut found = Vec::new();
    walk("", &ignored, &mut found);
    found.sort();
    found
}

fn walk(folder: &str, ignored: &[String], found: &mut Vec<String>) {
    let entries = fs::read_dir(root().join(folder)).expect("a folder of the repository can be listed");
    for entry in entries {
        let entry = entry.expect("a folder of the repository can be listed");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if name == ".git" || name == "__pycache__" || name == "target" || ignored.contains(&path) {
            continue;
        }
        if entry.file_type().expect("a file has a type").is_dir() {
            walk(&path, ignored, found);
        } else {
            found.push(path);
        }
    }
}

/// The text of a file, by its path from the root; bytes that are not text become question marks.
pub(crate) fn read(path: &str) -> String {
    let bytes = fs::read(root().join(path)).unwrap_or_else(|error| panic!("{path} cannot be read: {error}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a path from the root exists.
pub(crate) fn exists(path: &str) -> bool {
    root().join(path).exists()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("the crate lies two folders below the root")
}

#[test]
fn a_source_knows_its_place() {
    let source =
        Source::new("crates/node/src/write/tally.rs", "//! x\nfn a() {}\n#[cfg(test)]\nmod tests {\n}\n");
    assert_eq!((source.crate_name(), source.module().join("::")), ("node", "write::tally".to_owned()));
    assert_eq!((source.lines, source.in_src()), (2, true));
    assert_eq!(Source::new("crates/node/src/write/tests.rs", "fn a() {}").lines, 0);
    assert_eq!(Source::new("crates/node/tests/a.rs", "fn a() {}").lines, 0);
}

#[test]
fn a_module_declared_for_tests_ships_nothing() {
    let mut sources = vec![
        Source::new("crates/a/src/lib.rs", "//! x\n#[cfg(test)]\nmod laws;\n"),
        Source::new("crates/a/src/laws/deep.rs", "fn a() {}\n"),
        Source::new("crates/b/src/laws.rs", "fn a() {}\n"),
    ];
    set_test_modules_aside(&mut sources);
    assert_eq!(sources.iter().map(|source| source.lines).collect::<Vec<_>>(), [1, 0, 1]);
}
