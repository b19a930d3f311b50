//! The pages tell the truth about files: what they name exists, what they link to is there, and no file tells of the
//! machine it was written on.

use crate::demand;
use crate::house;

/// Where a path in ARCHITECTURE.md may begin; other words with a `/` are prose.
const FOLDERS: [&str; 8] = [".ci/", "bench/", "crates/", "docs/", "fuzz/", "scripts/", "spec/", "tests/"];

/// Paths of one machine, and what its files may not mention. In two halves, so that this file does not mention them.
const WORDS_REFUSED: [(&str, &str); 3] = [("/wo", "rk/"), ("/ro", "ot/"), ("crates.io ", "mirror")];

#[test]
fn the_map_names_files_that_exist() {
    assert!(
        house::exists("ARCHITECTURE.md"),
        "Write ARCHITECTURE.md: the map of the house, and the walk of a SET and a GET."
    );
    let named = named_paths(&house::read("ARCHITECTURE.md"));
    let missing = named.into_iter().filter(|path| !house::exists(path)).collect::<Vec<_>>();
    demand("ARCHITECTURE.md names what is not there: correct the page.", &missing);
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for page in house::files().into_iter().filter(|path| path.ends_with(".md")) {
        let targets = links(&page, &house::read(&page)).into_iter();
        broken.extend(
            targets.filter(|target| !house::exists(target)).map(|target| format!("{page}: {target}")),
        );
    }
    demand("Mend the links; they are relative to the page.", &broken);
}

#[test]
fn the_changelog_has_a_heading() {
    assert!(
        has_release(&house::read("CHANGELOG.md")),
        "CHANGELOG.md needs a heading `## Unreleased` or `## 1.2.3`."
    );
}

#[test]
fn files_do_not_tell_where_they_were_written() {
    let mut found = Vec::new();
    for path in house::files() {
        found.extend(
            refused_words(&house::read(&path))
                .into_iter()
                .map(|(line, word)| format!("{path}:{line}: {word}")),
        );
    }
    demand("Name things relative to the repository.", &found);
}

/// Paths in backticks: a file of ours by its ending, or anything in a folder of ours.
fn named_paths(page: &str) -> Vec<String> {
    let quoted = page.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let plain =
        quoted.filter(|word| word.contains('/') && !word.contains([' ', '*', '{', '<', ':', '(', '$']));
    let is_file = |word: &&str| [".rs", ".md", ".sh"].iter().any(|ending| word.ends_with(ending));
    let is_ours = |word: &&str| FOLDERS.iter().any(|folder| word.starts_with(folder));
    plain.filter(|word| is_file(word) || is_ours(word)).map(str::to_owned).collect()
}

/// Targets of the relative links of a page, as paths from the root; fenced code is not looked at.
fn links(page: &str, text: &str) -> Vec<String> {
    let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut found = Vec::new();
    for prose in text.split("```").step_by(2) {
        for link in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split(['#', ' ']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            found.push(if folder.is_empty() { target.to_owned() } else { format!("{folder}/{target}") });
        }
    }
    found
}

fn has_release(changelog: &str) -> bool {
    let headings = changelog.lines().filter_map(|line| line.strip_prefix("## "));
    let mut headings = headings.map(|heading| heading.trim_start_matches('['));
    headings.any(|heading| {
        heading.starts_with("Unreleased") || heading.starts_with(|first: char| first.is_ascii_digit())
    })
}

fn refused_words(text: &str) -> Vec<(usize, String)> {
    let words = WORDS_REFUSED.map(|(a, b)| format!("{a}{b}"));
    let lines = text.lines().enumerate();
    lines
        .flat_map(|(at, line)| {
            words.iter().filter(|word| line.contains(*word)).map(move |word| (at + 1, word.clone()))
        })
        .collect()
}

#[test]
fn named_paths_are_found() {
    let page = "See `crates/node/src/write.rs`, `crates/wire`, `docs/a.md`, `src/x.rs`.\nNot `and/or`, `a.rs` or `crates/*/src`.";
    assert_eq!(named_paths(page), ["crates/node/src/write.rs", "crates/wire", "docs/a.md", "src/x.rs"]);
    assert!(!house::exists("crates/node/src/no_such_file.rs"));
}

#[test]
fn relative_links_are_found() {
    let text = "[a](b.md#part) [c](https://x.y/z) [d](#here)\n```\n[e](f.md)\n```\n[g](../h.md \"title\")";
    assert_eq!(links("docs/p.md", text), ["docs/b.md", "docs/../h.md"]);
    assert_eq!(links("P.md", "[a](docs/b.md)"), ["docs/b.md"]);
}

#[test]
fn a_changelog_without_a_heading_is_caught() {
    assert!(!has_release("# Changelog\n\nText.\n"));
    assert!(has_release("# Changelog\n\n## [Unreleased]\n") && has_release("## 0.1.0, 2026-12-01\n"));
}

#[test]
fn a_path_of_a_machine_is_caught() {
    let text = format!("fine\ncd {}{}x\n", WORDS_REFUSED[0].0, WORDS_REFUSED[0].1);
    assert_eq!(refused_words(&text).iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2]);
    assert!(refused_words("fieldwork and roots\n").is_empty());
}
