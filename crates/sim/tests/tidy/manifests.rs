//! Who may know whom, and what keeps the pure crates pure.
//!
//! Manifests are read line by line, as we write them: a section, then `name = ...` or `name.workspace = true`. Invariants:
//! 1. `placement, causal <- wire, store <- node <- server <- cli`; `client` knows `wire` and `causal`; nobody knows `sim`.
//! 2. A pure crate depends only on what has no runtime, socket, clock, file, thread or random source, and its own code
//!    reaches for none in std either. The engine stays out: `node` and `sim` do not turn on the store's feature.
//! 3. Every crate takes the workspace's lints.

use crate::demand;
use crate::house::{self, Source};
use crate::paths;

/// Each crate and the crates of ours that it may know. A new crate is entered here, in the order of knowing.
const KNOWS: [(&str, &[&str]); 9] = [
    ("placement", &[]),
    ("causal", &[]),
    ("wire", &["placement", "causal"]),
    ("store", &["placement", "causal"]),
    ("node", &["placement", "causal", "wire", "store"]),
    ("client", &["wire", "causal"]),
    ("server", &["placement", "causal", "wire", "store", "node"]),
    ("cli", &["placement", "causal", "wire", "store", "node", "server", "client"]),
    ("sim", &["placement", "causal", "wire", "store", "node"]),
];

const PURE: [&str; 4] = ["placement", "causal", "wire", "node"];

/// Crates of others that compute and do nothing else. A new one is entered after reading what it does.
const PURE_CRATES: [&str; 10] = [
    "bytes",
    "hashbrown",
    "itoa",
    "md-5",
    "memchr",
    "rust_decimal",
    "serde",
    "serde_json",
    "thiserror",
    "xxhash-rust",
];

/// Crates of others that only tests and benches use.
const TEST_CRATES: [&str; 4] = ["allocation-counter", "criterion", "goldenscript", "proptest"];

/// What of std a pure crate does not touch. (Hash maps of std are ordered by chance.)
const IMPURE_STD: [&str; 16] = [
    "std::time::Instant",
    "std::time::SystemTime",
    "std::thread",
    "std::fs",
    "std::env",
    "std::process",
    "std::os",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::hash::RandomState",
];

/// A dependency as its manifest lists it.
struct Dependency {
    name: String,
    line: String,
    for_tests: bool,
}

/// A crate: its folder's name, its manifest.
struct Manifest {
    krate: String,
    text: String,
}

impl Manifest {
    fn dependencies(&self) -> Vec<Dependency> {
        let mut found = Vec::new();
        let mut section = String::new();
        for line in self.text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            if let Some(header) = line.strip_prefix('[') {
                section = header.trim_end_matches(']').to_owned();
                // `[dependencies.name]` is a dependency by itself.
                if let Some((kind, name)) = section.rsplit_once("dependencies.") {
                    let for_tests = kind.ends_with("dev-");
                    found.push(Dependency { name: name.to_owned(), line: line.to_owned(), for_tests });
                }
            } else if section.ends_with("dependencies")
                && let Some((name, _)) = line.split_once('=')
            {
                let name = name.split('.').next().unwrap_or_default().trim().to_owned();
                found.push(Dependency {
                    name,
                    line: line.to_owned(),
                    for_tests: section.ends_with("dev-dependencies"),
                });
            }
        }
        found
    }
}

#[test]
fn crates_know_only_what_lies_below_them() {
    demand(
        "Dependencies point one way (DESIGN, The house): pass values up, traits down.",
        &wrong_ways(&manifests()),
    );
}

#[test]
fn the_order_of_knowing_has_no_cycle() {
    let index =
        |name: &str| KNOWS.iter().position(|(krate, _)| *krate == name).expect("a crate of the house");
    for (krate, knows) in KNOWS {
        assert!(
            knows.iter().all(|other| index(other) < index(krate)),
            "{krate} knows a crate that is listed after it"
        );
        assert!(!knows.contains(&"sim"), "nobody knows sim");
    }
}

#[test]
fn pure_crates_depend_on_nothing_that_acts() {
    demand(
        "Pass it in as a value or an event, or enter a crate that only computes in PURE_CRATES.",
        &impure(&manifests()),
    );
}

#[test]
fn pure_crates_do_not_reach_into_std() {
    demand("Time, chance and files come in as arguments and events.", &impure_code(&house::sources()));
}

#[test]
fn crates_take_the_lints_of_the_workspace() {
    demand("Add `[lints]` with `workspace = true` to the manifest.", &without_lints(&manifests()));
}

fn manifests() -> Vec<Manifest> {
    let paths = house::files()
        .into_iter()
        .filter(|path| path.starts_with("crates/") && path.ends_with("/Cargo.toml"));
    let found: Vec<Manifest> = paths
        .map(|path| Manifest {
            krate: path.split('/').nth(1).unwrap_or_default().to_owned(),
            text: house::read(&path),
        })
        .collect();
    assert!(!found.is_empty(), "no manifests under crates/");
    found
}

/// Whether a dependency is one of ours; the package of `crates/cli` is called `armilla`.
fn ours(name: &str) -> Option<&'static str> {
    let folder = if name == "armilla" { "cli" } else { name };
    KNOWS.iter().map(|(krate, _)| *krate).find(|krate| *krate == folder)
}

fn wrong_ways(manifests: &[Manifest]) -> Vec<String> {
    let mut found = Vec::new();
    for manifest in manifests {
        let krate = &manifest.krate;
        let Some((_, knows)) = KNOWS.iter().find(|(name, _)| name == krate) else {
            found.push(format!("crates/{krate}: not entered in KNOWS"));
            continue;
        };
        let wrong = manifest.dependencies().into_iter().filter_map(|dependency| ours(&dependency.name));
        let wrong = wrong.filter(|name| !knows.contains(name));
        found.extend(wrong.map(|name| format!("crates/{krate}: knows {name}")));
    }
    found
}

fn impure(manifests: &[Manifest]) -> Vec<String> {
    let mut found = Vec::new();
    for manifest in manifests {
        let krate = &manifest.krate;
        for Dependency { name, line, for_tests } in manifest.dependencies() {
            let engine = name == "store" && line.contains("lsm");
            if engine && matches!(krate.as_str(), "node" | "sim") {
                found.push(format!("crates/{krate}: turns on the engine"));
            }
            let name = name.as_str();
            let known = ours(name).is_some()
                || PURE_CRATES.contains(&name)
                || for_tests && TEST_CRATES.contains(&name);
            if PURE.contains(&krate.as_str()) && !known {
                found.push(format!("crates/{krate}: depends on {name}"));
            }
        }
    }
    found
}

fn impure_code(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.in_src() && PURE.contains(&source.crate_name())) {
        for path in paths::beginning_with(&source.shipped, "std").iter().map(|path| path.join("::")) {
            // A module taken whole hides what is used of it.
            let touched = |refused: &&&str| {
                within(&path, refused) || path != "std" && (within(refused, &path) || path.ends_with("::*"))
            };
            if IMPURE_STD.iter().find(touched).is_some() {
                found.push(format!("{}: {path}", source.path));
            }
        }
    }
    found
}

/// Whether `path` is `outer` or lies in it.
fn within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn without_lints(manifests: &[Manifest]) -> Vec<String> {
    let takes = |text: &str| text.contains("[lints]\nworkspace = true");
    manifests
        .iter()
        .filter(|manifest| !takes(&manifest.text))
        .map(|manifest| format!("crates/{}", manifest.krate))
        .collect()
}

#[cfg(test)]
fn manifest(krate: &str, text: &str) -> [Manifest; 1] {
    [Manifest { krate: krate.to_owned(), text: text.to_owned() }]
}

#[test]
fn a_wrong_way_is_caught() {
    assert_eq!(
        wrong_ways(&manifest("causal", "[dependencies]\nwire.workspace = true\n")),
        ["crates/causal: knows wire"]
    );
    assert_eq!(wrong_ways(&manifest("server", "[dev-dependencies]\nsim = { path = \"../sim\" }\n")).len(), 1);
    assert_eq!(wrong_ways(&manifest("sim", "[dependencies.armilla]\npath = \"../cli\"\n")).len(), 1);
    assert_eq!(wrong_ways(&manifest("rest", "")), ["crates/rest: not entered in KNOWS"]);
    assert!(
        wrong_ways(&manifest("node", "[package]\nname = \"sim\"\n[dependencies]\nwire.workspace = true\n"))
            .is_empty()
    );
}

#[test]
fn an_impure_dependency_is_caught() {
    let found = impure(&manifest(
        "node",
        "[dependencies]\ntokio = \"1\"\nproptest = \"1\"\nbytes.workspace = true\n",
    ));
    assert_eq!(found, ["crates/node: depends on tokio", "crates/node: depends on proptest"]);
    let engine = "[dependencies]\nstore = { workspace = true, features = [\"lsm\"] }\n";
    assert_eq!(impure(&manifest("node", engine)), ["crates/node: turns on the engine"]);
    assert!(impure(&manifest("server", engine)).is_empty());
    assert!(impure(&manifest("wire", "[dev-dependencies]\nproptest.workspace = true\n")).is_empty());
}

#[test]
fn an_impure_reach_into_std_is_caught() {
    let judged = |path, text| impure_code(&[Source::new(path, text)]).len();
    let text = "use std::{fs, time::{Duration, Instant}};\nfn f() { std::thread::spawn(g); }\n";
    assert_eq!(judged("crates/node/src/a.rs", text), 3);
    assert_eq!(judged("crates/server/src/a.rs", text), 0);
    assert_eq!(judged("crates/node/src/a.rs", "use std::time;\nuse std::time::*;\n"), 2);
    let fine = "use std::{fmt, net::SocketAddr, time::Duration, collections::BTreeMap, io::Read};\n";
    assert_eq!(judged("crates/node/src/a.rs", fine), 0);
}

#[test]
fn missing_lints_are_caught() {
    assert_eq!(without_lints(&manifest("a", "[package]\n")).len(), 1);
    assert!(without_lints(&manifest("a", "[lints]\nworkspace = true\n")).is_empty());
}
