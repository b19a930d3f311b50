//! The catalogues of mutants name lines that are there: one that has moved on would be run, and found stale, much later.
//! And no file keeps the marks of a merge.

use crate::demand;
use crate::house;

#[test]
fn mutants_match_their_files_once() {
    let catalogues =
        house::files().into_iter().filter(|path| path.starts_with("mutants/") && path.ends_with(".toml"));
    let mut stale = Vec::new();
    for path in catalogues {
        stale.extend(
            stale_in(&house::read(&path), &house::read).into_iter().map(|what| format!("{path}: {what}")),
        );
    }
    demand("Say what the mutant's line is now, or take the mutant out.", &stale);
}

#[test]
fn no_merge_is_left_open() {
    let open = |path: &String| has_merge_marks(&house::read(path));
    demand("End the merge.", &house::files().into_iter().filter(open).collect::<Vec<_>>());
}

/// The mutants whose `find` is not in their file, or several times.
fn stale_in(catalogue: &str, read: &dyn Fn(&str) -> String) -> Vec<String> {
    let (mut file, mut stale) = (String::new(), Vec::new());
    let mut lines = catalogue.lines();
    while let Some(line) = lines.next() {
        let find = if line == "find = \"\"\"" {
            let mut long = String::new();
            for line in lines.by_ref() {
                if let Some(end) = line.strip_suffix("\"\"\"") {
                    long += end;
                    break;
                }
                long = long + line + "\n";
            }
            Some(long)
        } else {
            basic_string(line, "find")
        };
        file = basic_string(line, "file").unwrap_or(file);
        let times = find.as_ref().map_or(1, |find| read(&file).matches(find.as_str()).count());
        if times != 1 {
            stale.push(format!("{times} times in {file}: {}", find.unwrap_or_default()));
        }
    }
    stale
}

/// The value of `key = "..."`, as our catalogues write it.
fn basic_string(line: &str, key: &str) -> Option<String> {
    let quoted = line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"')?;
    let mut value = String::new();
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        value.push(match letter {
            '\\' => match letters.next()? {
                'n' => '\n',
                't' => '\t',
                other => other,
            },
            other => other,
        });
    }
    Some(value)
}

fn has_merge_marks(text: &str) -> bool {
    let marks = [["<<<<", "<<< "].concat(), [">>>>", ">>> "].concat()];
    text.lines().any(|line| marks.iter().any(|mark| line.starts_with(mark.as_str())))
}

#[test]
fn a_stale_mutant_and_an_open_merge_are_caught() {
    let read = |_: &str| "let a = \"1\";\nlet b = 2;\nlet b = 2;\n".to_owned();
    let catalogue = |find: &str| format!("file = \"x.rs\"\nfind = \"{find}\"\nreplace = \"\"\n");
    assert_eq!(stale_in(&catalogue(r#"let a = \"1\";\nlet b"#), &read), Vec::<String>::new());
    assert_eq!(stale_in(&catalogue("let b"), &read), ["2 times in x.rs: let b"]);
    assert_eq!(stale_in(&catalogue("let c"), &read), ["0 times in x.rs: let c"]);
    assert!(has_merge_marks(&["text\n<<<<", "<<< HEAD\n"].concat()));
    assert!(!has_merge_marks("a <<<<<<< b\n"));
}
