//! Changes of the cluster: `armilla drain` and its kin, `armilla plan`, `armilla watch`.
//!
//! Not the changing: nodes agree on that. Here it is asked for, told, and followed.
//!
//! 1. Exit code 0: it is done, or begun with --detach; 1: it was refused, or did not end in time; 2: no node was asked.
//! 2. Whoever follows a change may leave: it goes on.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use wire::Reply;

use crate::changes::{HowFlags, PlanFlags, PlannedChange, RingChange, WatchFlags};
use crate::client::Client;
use crate::show::Style;
use crate::status::{awaited, field, integer, is_settled, text};
use crate::talk;

/// Longest wait for an answer, in seconds.
const ANSWER_SECONDS_MAX: u64 = 15;
/// How often it is looked how far a change is.
const LOOK: Duration = Duration::from_millis(250);
/// How often it is told where nobody watches a terminal.
const TELL: Duration = Duration::from_secs(5);
/// It was refused, or did not end in time.
const EXIT_NOT_DONE: u8 = 1;

/// Makes a change and follows it.
///
/// # Errors
/// No node answers.
pub(crate) fn change(change: &RingChange) -> anyhow::Result<ExitCode> {
    let (words, how) = words(change);
    let Ok(reply) = ask(how, words)? else { return Ok(ExitCode::from(EXIT_NOT_DONE)) };
    tell(&reply, how.json, "epoch");
    if how.detach || how.json {
        return Ok(ExitCode::SUCCESS);
    }
    follow(&how.node.server, None)
}

/// Shows what a change would move.
///
/// # Errors
/// No node answers.
pub(crate) fn plan(flags: &PlanFlags) -> anyhow::Result<ExitCode> {
    let (words, how) = match &flags.change {
        PlannedChange::Change(change) => words(change),
        PlannedChange::Join { name, weight, zone, how } => (
            of(["JOIN", name, &weight.to_string(), &zone.to_string()].map(ToOwned::to_owned).into(), how),
            how,
        ),
    };
    let words = std::iter::once("PLAN".to_owned()).chain(words).collect();
    let Ok(reply) = ask(how, words)? else { return Ok(ExitCode::from(EXIT_NOT_DONE)) };
    tell(&reply, how.json, "by this plan, of epoch");
    Ok(ExitCode::SUCCESS)
}

/// Follows what moves.
///
/// # Errors
/// No node answers.
pub(crate) fn watch(flags: &WatchFlags) -> anyhow::Result<ExitCode> {
    follow(&flags.node.server, flags.timeout.map(Duration::from_secs))
}

/// The words of a change, and how it is asked for.
fn words(change: &RingChange) -> (Vec<String>, &HowFlags) {
    let said = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (words, how) = match change {
        RingChange::Drain { name, how } => (said(&["LEAVE", name]), how),
        RingChange::Remove { name, accept_data_loss: false, how } => (said(&["LOSE", name]), how),
        RingChange::Remove { name, how, .. } => (said(&["LOSE", name, "ACCEPT-DATA-LOSS"]), how),
        RingChange::Replace { old, new, how } => (said(&["SUCCEED", old, new]), how),
        RingChange::Weight { name, weight, how } => (said(&["WEIGH", name, &weight.to_string()]), how),
        RingChange::Zone { name, zone, how } => (said(&["LOCATE", name, zone]), how),
        RingChange::Replicas { replicas, how } => (said(&["REPLICATE", &replicas.to_string()]), how),
        RingChange::Recover { how, .. } => (said(&["RECOVER", "ACCEPT-DATA-LOSS"]), how),
        RingChange::Cancel { name, how } => (said(&["STAY", name]), how),
    };
    (of(words, how), how)
}

/// The same words, and of which epoch.
fn of(mut words: Vec<String>, how: &HowFlags) -> Vec<String> {
    words.extend(how.of.into_iter().flat_map(|epoch| ["OF".to_owned(), epoch.to_string()]));
    words
}

/// The answer; nothing where the node refuses, and has been heard to.
fn ask(how: &HowFlags, words: Vec<String>) -> anyhow::Result<Result<Reply, ()>> {
    let words: Vec<String> = std::iter::once("ARMILLA.RING".to_owned()).chain(words).collect();
    let reply = call(&how.node.server, &words)?;
    let Some(fault) = reply.fault() else { return Ok(Ok(reply)) };
    talk::print(&mut io::stderr(), format!("armilla: {fault}").as_bytes());
    Ok(Err(()))
}

fn call(address: &str, words: &[String]) -> anyhow::Result<Reply> {
    let within = Some(Duration::from_secs(ANSWER_SECONDS_MAX));
    let ask = || Client::connect_within(address, within)?.call(words);
    ask().with_context(|| format!("cannot ask {address}"))
}

/// Tells what a change moves.
fn tell(reply: &Reply, json: bool, of: &str) {
    if json {
        return talk::print(&mut io::stdout(), &Style::Json.show(reply));
    }
    let mut table = Table::new();
    table
        .load_preset(NOTHING)
        .set_header(["member", "zone", "duty", "weight", "places", "then", "takes", "about"]);
    for member in items(reply, "members") {
        let number = |name| number(&member, name).to_string();
        let about = bytes(self::number(&member, "takes_bytes_about"));
        let row = [text(&member, "name"), text(&member, "zone"), text(&member, "duty"), number("weight")];
        let places = [number("places_before"), number("places_after"), number("takes"), about];
        table.add_row(row.into_iter().chain(places));
    }
    table.column_iter_mut().skip(3).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    let (moved, about) = (number(reply, "places_moved"), bytes(number(reply, "bytes_moved_about")));
    let (epoch, replicas) = (number(reply, "epoch"), number(reply, "replicas"));
    let missing = match number(reply, "replicas_missing") {
        0 => String::new(),
        missing => format!(", {missing} fewer than are wanted: there are too few members for them"),
    };
    let what = format!(
        "{of} {epoch}: {moved} copies of partitions move, about {about}; {replicas} copies of each{missing}"
    );
    talk::print(&mut io::stdout(), format!("{}\n{what}", table.trim_fmt()).as_bytes());
}

/// Follows what moves until it is where it is wanted.
fn follow(address: &str, within: Option<Duration>) -> anyhow::Result<ExitCode> {
    let (began, is_terminal) = (Instant::now(), io::stdout().is_terminal());
    let (mut first, mut told) = (None, None::<Instant>);
    loop {
        let status = call(address, &["ARMILLA.STATUS".to_owned()])?;
        let ring = field(&status, "ring").cloned().unwrap_or(Reply::Nil);
        let left = number(&ring, "places_to_move");
        let first = *first.get_or_insert(left);
        let is_settled = is_settled(&ring);
        let is_over = within.is_some_and(|within| began.elapsed() >= within);
        if is_terminal || is_settled || is_over || told.is_none_or(|told| told.elapsed() >= TELL) {
            told = Some(Instant::now());
            say(&progress(&ring, first, began.elapsed(), is_settled), is_terminal && !is_settled && !is_over);
        }
        if is_settled {
            return Ok(ExitCode::SUCCESS);
        }
        if is_over {
            return Ok(ExitCode::from(EXIT_NOT_DONE));
        }
        sleep(LOOK);
    }
}

/// How far a change is, in a line.
fn progress(ring: &Reply, first: i64, passed: Duration, is_settled: bool) -> String {
    if is_settled {
        return format!("everything is where it is wanted, after {:.1} s", passed.as_secs_f64());
    }
    let (left, each) = (number(ring, "places_to_move"), number(ring, "bytes_of_a_place_about"));
    let (copying, settling) = (number(ring, "partitions_copying"), number(ring, "partitions_settling"));
    let done = first.saturating_sub(left).max(0);
    let pace = done as f64 / passed.as_secs_f64().max(0.1);
    let time = if done > 0 { format!(", about {:.0} s left", left as f64 / pace) } else { String::new() };
    let rate = bytes(done * each * 1_000 / i64::try_from(passed.as_millis()).unwrap_or(i64::MAX).max(1));
    let awaited = awaited(ring).map_or_else(String::new, |names| format!("; waits for {names}"));
    format!(
        "{done} of {first} copies moved, {copying} on their way, {settling} settling: {} of {} at {rate}/s{time}{awaited}",
        bytes(done * each),
        bytes(first * each)
    )
}

/// Says a line, in the place of the last one where somebody watches.
fn say(line: &str, stays: bool) {
    if !io::stdout().is_terminal() {
        return talk::print(&mut io::stdout(), line.as_bytes());
    }
    // To the beginning of the line, and what was there is cleared.
    let end = if stays { "" } else { "\n" };
    let mut out = io::stdout();
    // Whoever has closed it does not look any more.
    let _ = out.write_all(format!("\r\x1b[2K{line}{end}").as_bytes()).and_then(|()| out.flush());
}

fn items(reply: &Reply, name: &str) -> Vec<Reply> {
    match field(reply, name) {
        Some(Reply::Array(items)) => items.clone(),
        _ => Vec::new(),
    }
}

fn number(reply: &Reply, name: &str) -> i64 {
    integer(reply, name).unwrap_or(0)
}

/// A number of bytes for a person.
fn bytes(count: i64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let (mut count, mut unit) = (count as f64, 0);
    while count >= 1_000.0 && unit + 1 < units.len() {
        (count, unit) = (count / 1_000.0, unit + 1);
    }
    if unit == 0 { format!("{count:.0} B") } else { format!("{count:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::{bytes, progress, words};
    use crate::flags::{Armilla, Command};
    use clap::Parser;
    use std::time::Duration;
    use wire::Reply;

    fn asked(line: &str) -> String {
        let Command::Ring(change) = Armilla::parse_from(line.split(' ')).command else { panic!("{line}") };
        words(&change).0.join(" ")
    }

    #[test]
    fn commands_become_the_words_of_a_change() {
        assert_eq!(asked("armilla drain a"), "LEAVE a");
        assert_eq!(asked("armilla remove a --of 7 -s h:1"), "LOSE a OF 7");
        assert_eq!(asked("armilla remove a --accept-data-loss"), "LOSE a ACCEPT-DATA-LOSS");
        assert_eq!(asked("armilla replace a b"), "SUCCEED a b");
        assert_eq!(asked("armilla weight a 2"), "WEIGH a 2");
        assert_eq!(asked("armilla zone a dc2/r1"), "LOCATE a dc2/r1");
        assert_eq!(asked("armilla replicas 5"), "REPLICATE 5");
        assert_eq!(asked("armilla replicas dc1=3,dc2=2"), "REPLICATE dc1=3,dc2=2");
        assert_eq!(asked("armilla cancel a"), "STAY a");
        assert_eq!(asked("armilla recover --accept-data-loss -s h:1"), "RECOVER ACCEPT-DATA-LOSS");
    }

    #[test]
    fn progress_says_whom_it_waits_for() {
        let down = Reply::Array(vec![Reply::bulk("d"), Reply::bulk("e")]);
        let line =
            progress(&Reply::Map(vec![(Reply::bulk("waits_for"), down)]), 0, Duration::from_secs(5), false);
        assert!(
            line.ends_with("; waits for d, e (down; `armilla remove` one that is gone for good)"),
            "{line}"
        );
    }

    #[test]
    fn progress_says_how_much_and_how_long() {
        let numbers =
            [("places_to_move", 75), ("partitions_copying", 3), ("bytes_of_a_place_about", 2_000_000)];
        let pairs = numbers.map(|(name, number)| (Reply::bulk(name), Reply::Integer(number)));
        let line = progress(&Reply::Map(pairs.into()), 100, Duration::from_secs(5), false);
        assert_eq!(
            line,
            "25 of 100 copies moved, 3 on their way, 0 settling: 50.0 MB of 200.0 MB at 10.0 MB/s, about 15 s left"
        );
        assert_eq!(bytes(999), "999 B");
    }
}
