//! Help on commands, from their rows in the table.
//!
//! Not a manual of its own: each line is a field of a row, so what the server takes and what is said here cannot differ.
//!
//! 1. Every command of the table can be found by its name, in any case, and is listed under its group.

use bytes::Bytes;
use wire::command::{Command, find, rows};

/// Widest line of a list of names, in columns.
const COLUMNS: usize = 78;

/// The text on a topic: nothing, a command, a container and its subcommand, or `@group`; the error is a text as well.
pub(super) fn of(topic: &[Bytes]) -> Result<String, String> {
    let mut words = topic.iter().map(|word| String::from_utf8_lossy(word).to_ascii_lowercase());
    let Some(first) = words.next() else { return Ok(overview()) };
    if let Some(group) = first.strip_prefix('@') {
        return listed(group).ok_or_else(|| format!("no group is called @{group}; HELP lists them"));
    }
    let name = if first == "delete" { "del" } else { &first };
    let command = find(name.as_bytes()).ok_or_else(|| unknown(&first))?;
    match words.next() {
        None => Ok(page(command)),
        Some(second) => command
            .subcommand(second.as_bytes())
            .map(page)
            .ok_or_else(|| format!("{} has no subcommand {second}; HELP {0} lists them", spelled(command))),
    }
}

/// A command's name as people write it: `CLIENT ID`.
pub(super) fn spelled(command: &Command) -> String {
    command.name.replace('|', " ").to_ascii_uppercase()
}

fn overview() -> String {
    let mut text = "HELP COMMAND tells about one command, HELP @GROUP about all of a group; TAB completes.\n\
                    DELETE is another name for DEL; EXIT or QUIT leaves."
        .to_owned();
    for group in groups() {
        let names: Vec<_> =
            rows().iter().filter(|row| row.group.name() == group).map(|row| spelled(row)).collect();
        text.push_str(&format!("\n\n@{group}\n{}", wrapped(&names)));
    }
    text
}

/// The groups in the order of the table.
pub(super) fn groups() -> Vec<&'static str> {
    let mut groups: Vec<_> = rows().iter().map(|row| row.group.name()).collect();
    groups.dedup();
    groups
}

fn wrapped(names: &[String]) -> String {
    let mut lines = vec![String::new()];
    for name in names {
        let last = lines.last_mut().filter(|line| line.len() + name.len() + 2 <= COLUMNS);
        match last {
            Some(line) => line.push_str(&format!("  {name}")),
            None => lines.push(format!("  {name}")),
        }
    }
    lines.join("\n")
}

fn listed(group: &str) -> Option<String> {
    let rows: Vec<_> = rows().iter().filter(|row| row.group.name() == group).collect();
    let line = |row: &&&'static Command| format!("{}\n    {}", usage(row), row.summary);
    (!rows.is_empty()).then(|| rows.iter().map(line).collect::<Vec<_>>().join("\n"))
}

fn usage(command: &Command) -> String {
    let syntax = if command.subcommands.is_empty() { command.syntax } else { "subcommand" };
    format!("{} {syntax}", spelled(command)).trim_end().to_owned()
}

fn page(command: &'static Command) -> String {
    let mut text = format!("{}\n  {}\n", usage(command), command.summary);
    for subcommand in command.subcommands {
        text.push_str(&format!("\n  {}\n      {}", usage(subcommand), subcommand.summary));
    }
    if command.subcommands.is_empty() {
        text.push_str(&format!("\n  cost   {}", command.complexity));
    }
    text.push_str(&format!("\n  since  {}\n  group  @{}", command.since, command.group.name()));
    text
}

/// What was asked for is no command; those that begin alike may be meant.
fn unknown(name: &str) -> String {
    let start: String = name.chars().take(2).collect();
    let alike: Vec<_> =
        rows().iter().filter(|row| row.name.starts_with(&start)).map(|row| spelled(row)).collect();
    if start.is_empty() || alike.is_empty() {
        return format!("no command is called {name}; HELP lists them");
    }
    format!("no command is called {name}; there are {}", alike.join(", "))
}

#[cfg(test)]
mod tests {
    use super::of;
    use bytes::Bytes;
    use wire::command::rows;

    fn help(topic: &str) -> Result<String, String> {
        of(&topic.split_whitespace().map(|word| Bytes::from(word.to_owned())).collect::<Vec<_>>())
    }

    #[test]
    fn every_command_is_listed_and_has_a_page() {
        let overview = help("").unwrap();
        for row in rows() {
            let name = row.name.to_ascii_uppercase();
            assert!(overview.contains(&format!("  {name}")), "{name}");
            let page = help(&name).unwrap();
            assert!(page.starts_with(&name) && page.contains(row.summary), "{page}");
            assert!(help(&format!("@{}", row.group.name())).unwrap().contains(row.summary));
            for sub in row.subcommands {
                let page = help(&sub.name.replace('|', " ")).unwrap();
                assert!(page.contains(sub.summary), "{page}");
            }
        }
        assert!(overview.lines().all(|line| line.len() <= 100));
    }

    #[test]
    fn pages_and_refusals_read_well() {
        assert_eq!(help("get").unwrap().lines().next().unwrap(), "GET key",);
        assert_eq!(help("delete").unwrap(), help("DEL").unwrap());
        assert!(help("client").unwrap().contains("CLIENT SETNAME connection-name"));
        assert_eq!(help("getx").unwrap_err().split(';').next().unwrap(), "no command is called getx");
        assert!(help("getx").unwrap_err().contains("GETSET"));
        assert_eq!(help("zzz").unwrap_err(), "no command is called zzz; HELP lists them");
        assert_eq!(help("@zoo").unwrap_err(), "no group is called @zoo; HELP lists them");
        assert_eq!(help("client zoo").unwrap_err(), "CLIENT has no subcommand zoo; HELP CLIENT lists them");
    }
}
