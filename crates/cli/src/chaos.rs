//! `armilla chaos`: has a node fail on purpose, and tells what it does wrong.
//!
//! Not the failing: the node does that, if it was started for it.
//!
//! 1. Exit code 0: it is done; 1: the node has refused; 2: no node was asked.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use wire::Reply;

use crate::client::Client;
use crate::flags::{ChaosFlags, ChaosWord};
use crate::show::Style;
use crate::talk;

/// Longest wait for the answer, in seconds.
const ANSWER_SECONDS_MAX: u64 = 10;

/// Runs `armilla chaos`.
///
/// # Errors
/// No node answers, or the flags do not go together.
pub(crate) fn run(flags: &ChaosFlags) -> anyhow::Result<ExitCode> {
    let address = &flags.node.server;
    let words = words(flags)?;
    let ask = || Client::connect_within(address, Some(Duration::from_secs(ANSWER_SECONDS_MAX)))?.call(&words);
    let reply = ask().with_context(|| format!("cannot ask {address}"))?;
    if let Some(fault) = reply.fault() {
        talk::print(&mut io::stderr(), format!("armilla: {fault}").as_bytes());
        return Ok(ExitCode::from(talk::EXIT_ERROR_REPLY));
    }
    let text = match &reply {
        Reply::Array(lines) if lines.is_empty() => b"it does nothing wrong on purpose".to_vec(),
        other => Style::Raw.show(other),
    };
    talk::print(&mut io::stdout(), &text);
    Ok(ExitCode::SUCCESS)
}

fn words(flags: &ChaosFlags) -> anyhow::Result<Vec<String>> {
    let mut words = vec!["ARMILLA.CHAOS".to_owned()];
    let delay = match (flags.what, flags.by_ms) {
        (Some(ChaosWord::Delay), None) => anyhow::bail!("delay: say by how much, with --by-ms"),
        (Some(ChaosWord::Delay), delay) => delay,
        (_, None) => None,
        (_, Some(_)) => anyhow::bail!("--by-ms belongs to delay"),
    };
    let Some(what) = flags.what else { return Ok(words) };
    words.push(format!("{what:?}").to_uppercase());
    words.extend(delay.map(|by_ms| by_ms.to_string()));
    let numbers = [("RATE", flags.rate.map(u64::from)), ("FOR", flags.for_ms)];
    let options = numbers.into_iter().map(|(name, number)| (name, number.map(|number| number.to_string())));
    for (name, value) in options.chain([("PEER", flags.peer.clone())]) {
        words.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::words;
    use crate::flags::{Armilla, Command};
    use clap::Parser;

    fn asked(line: &str) -> String {
        let Command::Chaos(flags) = Armilla::parse_from(line.split(' ')).command else { panic!("{line}") };
        words(&flags).map_or_else(|error| error.to_string(), |words| words.join(" "))
    }

    #[test]
    fn flags_become_the_words_of_the_command() {
        assert_eq!(asked("armilla chaos"), "ARMILLA.CHAOS");
        assert_eq!(asked("armilla chaos off"), "ARMILLA.CHAOS OFF");
        let line = "armilla chaos drop --peer b --rate 30 --for-ms 5000 -s 127.0.0.1:7002";
        assert_eq!(asked(line), "ARMILLA.CHAOS DROP RATE 30 FOR 5000 PEER b");
        assert_eq!(asked("armilla chaos delay --by-ms 200"), "ARMILLA.CHAOS DELAY 200");
        assert_eq!(asked("armilla chaos delay"), "delay: say by how much, with --by-ms");
        assert_eq!(asked("armilla chaos refuse --by-ms 2"), "--by-ms belongs to delay");
    }
}
