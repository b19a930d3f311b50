//! No module cycles inside a crate: of two siblings, one knows the other or neither does.
//!
//! An approximation by text. A path that begins with `crate` or `super` is followed through the modules that are files, and
//! through the re-exports of a module to where the name lives. An edge between two modules counts at the level where their
//! ways part, so a parent and its child may know each other, and `a::x` using `b::y` is `a` using `b`.

use std::collections::{BTreeMap, BTreeSet};

use crate::demand;
use crate::house::{self, Source};
use crate::paths;

type Module = Vec<String>;

#[test]
fn modules_have_no_cycles() {
    let advice = "Move what both need below both, or pass it in.";
    demand(advice, &cycles(&house::sources()));
}

/// The modules of one crate, and the names each of them imports, with the module that each name came from.
struct Crate<'a> {
    modules: BTreeMap<Module, &'a Source>,
    imports: BTreeMap<Module, BTreeMap<String, Module>>,
}

impl<'a> Crate<'a> {
    fn new(sources: impl Iterator<Item = &'a Source>) -> Self {
        let modules = sources.map(|source| (source.module(), source)).collect();
        let mut krate = Self { modules, imports: BTreeMap::new() };
        krate.imports = krate
            .modules
            .iter()
            .map(|(module, source)| (module.clone(), krate.imported(module, source)))
            .collect();
        krate
    }

    fn imported(&self, module: &Module, source: &Source) -> BTreeMap<String, Module> {
        let uses = paths::uses(&source.shipped).into_iter();
        uses.filter_map(|path| Some((path.last()?.clone(), self.target(module, &path)?))).collect()
    }

    /// The module that a path written in `from` leads to, if it stays in this crate.
    fn target(&self, from: &Module, path: &[String]) -> Option<Module> {
        let mut at = from.clone();
        for (index, word) in path.iter().enumerate() {
            let child: Module = at.iter().chain([word]).cloned().collect();
            match word.as_str() {
                "crate" => at = Vec::new(),
                "self" => {}
                "super" => drop(at.pop()),
                _ if self.modules.contains_key(&child) => at = child,
                _ if index == 0 => return None,
                _ => {
                    return Some(
                        self.imports.get(&at).and_then(|names| names.get(word)).cloned().unwrap_or(at),
                    );
                }
            }
        }
        Some(at)
    }

    /// Who knows whom among siblings.
    fn edges(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let mut edges: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
        for (module, source) in &self.modules {
            let written =
                ["crate", "super"].iter().flat_map(|first| paths::beginning_with(&source.shipped, first));
            for target in written.filter_map(|path| self.target(module, &path)) {
                let shared = module.iter().zip(&target).take_while(|(a, b)| a == b).count();
                if let (Some(from), Some(to)) = (module.get(..=shared), target.get(..=shared)) {
                    edges.entry(from.to_vec()).or_default().insert(to.to_vec());
                }
            }
        }
        edges
    }
}

fn cycles(sources: &[Source]) -> Vec<String> {
    let names: BTreeSet<&str> =
        sources.iter().filter(|source| source.in_src()).map(Source::crate_name).collect();
    let mut found = Vec::new();
    for name in names {
        let edges =
            Crate::new(sources.iter().filter(|source| source.in_src() && source.crate_name() == name))
                .edges();
        for start in edges.keys() {
            // Each cycle is reported once, from its least module.
            if let Some(way) = way_back(start, &edges)
                && way.iter().all(|module| module >= start)
            {
                let way: Vec<String> = way.iter().map(|module| module.join("::")).collect();
                found.push(format!("{name}: {}", way.join(" -> ")));
            }
        }
    }
    found
}

/// The shortest way from a module back to itself.
fn way_back(start: &Module, edges: &BTreeMap<Module, BTreeSet<Module>>) -> Option<Vec<Module>> {
    let mut ways = std::collections::VecDeque::from([vec![start.clone()]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for next in way.last().and_then(|last| edges.get(last)).into_iter().flatten() {
            let longer = [way.clone(), vec![next.clone()]].concat();
            if next == start {
                return Some(longer);
            }
            if seen.insert(next.clone()) {
                ways.push_back(longer);
            }
        }
    }
    None
}

#[test]
fn a_cycle_is_caught_with_its_path() {
    let source = |path: &str, text: &str| Source::new(&format!("crates/a/src/{path}"), text);
    let sources = [
        source("lib.rs", "mod x;\nmod y;\nmod z;\npub use z::Thing;\n"),
        source("x.rs", "use crate::y::{self, Y};\n"),
        source("y.rs", "mod deep;\nuse deep::Deep;\n"),
        source("y/deep.rs", "use super::Y;\nfn f() { crate::Thing::new(); }\n"),
        source("z.rs", "fn f() { super::x::g(); }\n#[cfg(test)]\nmod tests { use crate::y::Y; }\n"),
    ];
    assert_eq!(cycles(&sources), ["a: x -> y -> z -> x"]);
    assert!(cycles(&sources[..4]).is_empty());
}

#[test]
fn a_cycle_between_inner_siblings_is_caught() {
    let source = |path: &str, text: &str| Source::new(&format!("crates/a/src/{path}"), text);
    let sources = [
        source("lib.rs", "mod x;\n"),
        source("x.rs", "mod p;\nmod q;\n"),
        source("x/p.rs", "use super::q::Q;\n"),
        source("x/q.rs", "use crate::x::p::P;\n"),
    ];
    assert_eq!(cycles(&sources), ["a: x::p -> x::q -> x::p"]);
}
