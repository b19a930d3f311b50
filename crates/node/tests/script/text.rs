//! How messages, operations and answers are written in a script: short, and the same in every run.

use crate::script::cluster::EPOCH_MS;
use crate::script::machine::actor_text;
use causal::map::Knowledge;
use causal::{Actor, Amount, Cell, Context, Delta, Dot, Entries, Entry, Payload};
use placement::Layout;
use wire::Reply;
use wire::peer::exchange::Step;
use wire::peer::quorum::Counts;
use wire::peer::{Found, Message, Report, Verdict};
use wire::request::{Job, Request};

/// What a message says.
pub(crate) fn message(message: &Message) -> String {
    match message {
        Message::Apply { deltas, passes_on: true, .. } => format!("apply and pass on {}", all_deltas(deltas)),
        Message::Apply { deltas, .. } => format!("apply {}", all_deltas(deltas)),
        Message::Mend { cell, found, deltas, .. } => {
            let then =
                if deltas.is_empty() { String::new() } else { format!(", then {}", all_deltas(deltas)) };
            format!("mend {}: {}{then}", key(cell), self::found(cell, found))
        }
        Message::Applied { verdict, .. } => self::verdict(verdict),
        Message::Fetch { cell: Some(cell), .. } => format!("what of {}?", key(cell)),
        Message::Fetch { cell: None, .. } => "what was applied?".into(),
        Message::Fetched { report: None, .. } => "the same".into(),
        Message::Fetched { report: Some(report), .. } => self::report(report),
        Message::Ask { request, .. } => format!("asks on: {}", self::request(request)),
        Message::Answer { reply, .. } => format!("the answer: {}", self::reply(reply)),
        Message::Layout { layout } => {
            let epoch = Layout::decode(layout).map_or(0, |layout| layout.epoch());
            format!("the layout of epoch {epoch}")
        }
        Message::LayoutWanted => "which layout?".into(),
        Message::Exchange { step, .. } => self::step(step),
        other => format!("{other:?}"),
    }
}

/// What two say to each other to come to hold the same.
fn step(step: &Step) -> String {
    match step {
        Step::Compare(_) => "do we hold the same?".into(),
        Step::Same => "we hold the same".into(),
        Step::Differs(state) => {
            let ahead = if state.is_ahead { ", and cells may say more" } else { "" };
            let learning = match state.counts {
                Counts::Everywhere => "",
                Counts::Locally => ", and am learning what others know elsewhere",
                Counts::Nowhere => ", and am learning",
            };
            format!("we differ: I have applied {}{ahead}{learning}", context(&state.context))
        }
        Step::Forgotten(seen) => format!("you had applied {}", context(seen)),
        Step::Open(applied) => format!("I take from you, and have applied {}", context(applied)),
        Step::Opened { knowledge, .. } => format!("a snapshot that {}", self::knowledge(knowledge)),
        Step::Descend { chunks, .. } => format!("the leaves of {} chunks?", chunks.len()),
        Step::Leaves(chunks) => format!("the leaves of {} chunks", chunks.len()),
        Step::Take { leaves, skip: 0, .. } => format!("the cells of {} leaves?", leaves.len()),
        Step::Take { leaves, skip, .. } => format!("the cells of {} leaves, but for {skip}?", leaves.len()),
        Step::Cells { leaves, more } => {
            let cells = leaves.iter().flat_map(|leaf| &leaf.cells);
            let cells: Vec<String> =
                cells.map(|(cell, entries)| format!("{}: {}", key(cell), self::entries(entries))).collect();
            let cells = if cells.is_empty() { "none that are new".into() } else { cells.join(", ") };
            format!("the cells: {cells}{}", if more.is_some() { ", and more" } else { "" })
        }
        Step::Close => "I have taken it".into(),
        Step::Gone => "there is no such snapshot".into(),
        Step::Later => "not now".into(),
        Step::Offer(seen) => format!("I keep {} for you", context(seen)),
        Step::Had => "I have all of that".into(),
        Step::Lent { knowledge, leaves, .. } => {
            format!("a snapshot of {} leaves that {}", leaves.len(), self::knowledge(knowledge))
        }
    }
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Held { report: None } => "held".into(),
        Verdict::Held { report: Some(report) } => format!("held; {}", self::report(report)),
        Verdict::StampAhead { ahead_ms } => format!("refused: its stamp is {ahead_ms} ms ahead"),
        Verdict::Refused => "refused".into(),
        Verdict::Learning => "held, and learning itself".into(),
    }
}

fn report(report: &Report) -> String {
    let idle = if report.idle.is_empty() {
        String::new()
    } else {
        format!(", of which {} leave it alone", context(&report.idle))
    };
    let Found { entries, knowledge } = &report.found;
    format!(
        "holds {}, has applied {}{idle}{}",
        self::entries(entries),
        context(&knowledge.context),
        early(knowledge)
    )
}

fn found(cell: &Cell, found: &Found) -> String {
    let of_cell = Knowledge { context: found.knowledge.dots_of(cell), ..Knowledge::default() };
    format!("{}, knowing {}", entries(&found.entries), context(&of_cell.context))
}

fn early(knowledge: &Knowledge) -> String {
    let mut out = String::new();
    for (_, dot) in knowledge.early.single() {
        out += &format!(", leaves out {}", self::dot(*dot));
    }
    for sweep in knowledge.early.sweeps() {
        out += &format!(", leaves out all of {}", context(&sweep.seen));
    }
    for (_, seen) in knowledge.early.taken() {
        out += &format!(", leaves out what is left of {}", context(seen));
    }
    out
}

/// What a node has applied, and what it will leave out when it comes.
pub(crate) fn knowledge(knowledge: &Knowledge) -> String {
    format!("has applied {}{}", context(&knowledge.context), early(knowledge))
}

fn all_deltas(deltas: &[Delta]) -> String {
    deltas.iter().map(delta).collect::<Vec<_>>().join(" and ")
}

fn delta(delta: &Delta) -> String {
    let mut out = dot(delta.dot);
    for edit in &delta.edits {
        out += &format!(" of {}:", key(&edit.cell));
        out +=
            &edit.add.as_ref().map(|payload| format!(" adds {}", self::payload(payload))).unwrap_or_default();
        let removes: Vec<_> = edit.removes.iter().map(|dot| self::dot(*dot)).collect();
        if !removes.is_empty() {
            out += &format!(" removes {}", removes.join(" "));
        }
    }
    if let Some(sweep) = &delta.sweep {
        out += &format!(" sweeps {}", context(&sweep.seen));
    }
    out
}

/// The entries of a cell, with a mark for the one that a reader sees where there are several.
pub(crate) fn entries(entries: &Entries) -> String {
    if entries.is_empty() {
        return "nothing".into();
    }
    let is_plain = |entry: &&Entry| matches!(entry.payload, Payload::Plain(_));
    let seen = entries.iter().filter(is_plain).max_by_key(|entry| entry.stamp).map(|entry| entry.dot);
    let several = entries.iter().filter(is_plain).count() > 1;
    let mark = |entry: &Entry| if several && seen == Some(entry.dot) { " (seen)" } else { "" };
    let text = |entry: &Entry| format!("{} {}{}", dot(entry.dot), payload(&entry.payload), mark(entry));
    entries.iter().map(text).collect::<Vec<_>>().join(" + ")
}

/// Every operation of a context, runs as `a1-3`.
fn context(context: &Context) -> String {
    let mut parts = Vec::new();
    for (actor, intervals) in context.actors() {
        for (first, last) in intervals.runs() {
            let first_dot = dot(Dot::new(actor, *first));
            parts.push(if first == last { first_dot } else { format!("{first_dot}-{last}") });
        }
    }
    if parts.is_empty() { "nothing".into() } else { parts.join(" ") }
}

fn dot(dot: Dot) -> String {
    format!("{}{}", actor_text(dot.actor), dot.n)
}

fn payload(payload: &Payload) -> String {
    match payload {
        Payload::Plain(bytes) => format!("\"{}\"", String::from_utf8_lossy(bytes)),
        Payload::Increment(Amount::Integer(by)) => format!("{by:+}"),
        Payload::Increment(Amount::Decimal(by)) => format!("{by:+}"),
    }
}

fn key(cell: &Cell) -> String {
    String::from_utf8_lossy(&cell.key.name).into_owned()
}

/// What a client asks.
pub(crate) fn request(request: &Request) -> String {
    let name = |key: &causal::Key| String::from_utf8_lossy(&key.name).into_owned();
    match &request.job {
        Job::Command { words, .. } => {
            words.iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>().join(" ")
        }
        Job::Siblings { key } => format!("SIBLINGS {}", name(key)),
        Job::Resolve { key, value, .. } => {
            format!("RESOLVE {} to {}", name(key), String::from_utf8_lossy(value))
        }
        Job::Explain { key } => format!("EXPLAIN {}", name(key)),
        Job::Count { .. } => "COUNT".into(),
        Job::List { limit, .. } => format!("LIST {limit}"),
        Job::Flush { .. } => "FLUSHALL".into(),
    }
}

/// An answer: one line, and one more for each map in a map.
pub(crate) fn reply(reply: &Reply) -> String {
    match reply {
        Reply::Simple(text) => text.to_string(),
        Reply::Integer(number) => number.to_string(),
        Reply::Bulk(bytes) => format!("\"{}\"", String::from_utf8_lossy(bytes)),
        Reply::Nil => "nil".into(),
        Reply::Array(items) => format!("[{}]", items.iter().map(self::reply).collect::<Vec<_>>().join(", ")),
        Reply::Error(fault) => format!("-{fault}"),
        Reply::Map(pairs) => fields(pairs),
        other => format!("{other:?}"),
    }
}

fn fields(pairs: &[(Reply, Reply)]) -> String {
    let text = |(name, value): &(Reply, Reply)| format!("{} {}", field(name), field(value));
    pairs.iter().map(text).collect::<Vec<_>>().join(", ").replace(" \n", "\n")
}

fn field(value: &Reply) -> String {
    match value {
        Reply::Bulk(text) => dot_of_text(&String::from_utf8_lossy(text)),
        Reply::Array(items) => {
            let is_map = |item: &Reply| matches!(item, Reply::Map(_));
            let line = |item: &Reply| if is_map(item) { format!("\n  {}", field(item)) } else { field(item) };
            let lines: Vec<String> = items.iter().map(line).collect();
            if lines.is_empty() {
                "none".into()
            } else {
                lines.join(if items.iter().all(is_map) { "" } else { " + " })
            }
        }
        other => reply(other),
    }
}

/// `000000000000f00d:1 at 1700000000300 ms`, the way in which `EXPLAIN` tells of an operation, as `a1 at 300 ms`.
fn dot_of_text(text: &str) -> String {
    let short = || {
        let (name, at_ms) = text.strip_suffix(" ms")?.split_once(" at ")?;
        let (actor, n) = name.split_once(':')?;
        let actor = Actor(u64::from_str_radix(actor, 16).ok()?);
        let since = at_ms.parse::<u64>().ok()?.checked_sub(EPOCH_MS)?;
        Some(format!("{}{n} at {since} ms", actor_text(actor)))
    };
    short().unwrap_or_else(|| text.to_owned())
}
