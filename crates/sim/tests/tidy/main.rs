//! Tidy: the rules of the house that a test can keep. It reads every file of the repository as text and fails with a
//! sentence that says where and what to do.
//!
//! What it is not: a compiler or a style checker. `rustfmt` and `clippy` keep what they can; this keeps the rest: sizes,
//! names, purity, who may know whom, and that the pages tell the truth about files.
//!
//! Invariants:
//! 1. Every rule is a function of texts, so that it can be shown a breach; next to each rule stands a test that does.
//! 2. Rules look at code with comments and strings blanked out (`mask`), so words in prose never trip them.
//! 3. Nothing here is a list of exceptions. A rule that cannot be kept is changed for everybody.

mod habits;
mod house;
mod items;
mod manifests;
mod mask;
mod modules;
mod mutants;
mod pages;
mod paths;
mod sizes;

/// Fails with one line per breach, and the rule's advice above them.
fn demand(advice: &str, breaches: &[String]) {
    assert!(breaches.is_empty(), "{advice}\n  {}\n", breaches.join("\n  "));
}
