//! `armilla status`: the members of a cluster as one of them sees them.
//!
//! Not a verdict on the cluster: another node may see it otherwise, and `-s` asks that one.
//!
//! 1. What the node does not know is shown as `-`, never as zero.
//! 2. A member counts as up only if the node says that it is, or is itself the member.

mod autoscale;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use wire::Reply;

use crate::client::Client;
use crate::flags::StatusFlags;
use crate::show::Style;
use crate::talk;

/// Longest wait for the answer, in seconds.
const ANSWER_SECONDS_MAX: u64 = 10;
/// Longest wait for each member's word on itself, in seconds; the table is worth showing without it.
const MEMBER_SECONDS_MAX: u64 = 2;
/// The first column of the table that holds numbers.
const COLUMN_OF_NUMBERS: usize = 6;
/// What only a member itself knows.
const OWN_FIELDS: [&str; 7] =
    ["keys", "disk_room", "disk_free_bytes", "shards_failed", "sync", "handoff", "autoscale"];
/// So many partitions are shown in which a member lacks something.
const LAGGING_SHOWN_MAX: usize = 8;
/// Some members are not up.
const EXIT_SOME_DOWN: u8 = 1;

/// What a node says of its cluster.
#[derive(Debug)]
pub(crate) struct Report {
    /// Who says it.
    node: String,
    /// The version of the layout.
    epoch: Option<i64>,
    /// Whether each partition is where it is wanted.
    pub(crate) is_settled: bool,
    /// Copies of partitions that are to move.
    to_move: i64,
    /// The members that are down without which some do not.
    awaited: Option<String>,
    /// All members, down ones too.
    pub(crate) members: Vec<Seen>,
    /// What the autoscaler does, in words.
    autoscale: Vec<String>,
}

/// A member as it is seen.
#[derive(Debug)]
pub(crate) struct Seen {
    name: String,
    /// What the node says of it: `this node`, `up`, `suspect`, `down`, `unlinked`, `silent`.
    state: String,
    /// For how long, in milliseconds.
    since_ms: Option<i64>,
    /// Which of its own words that goes by.
    incarnation: Option<i64>,
    /// Requests of its clients in a second, by its own word.
    operations: Option<i64>,
    client: String,
    peer: String,
    zone: String,
    weight: String,
    /// Whether it holds nothing, and passes requests on.
    is_gateway: bool,
    /// How it goes, if it goes.
    leaves: Option<String>,
    /// Part of the ring, 0 to 1.
    share: Option<f64>,
    /// Keys of which it has a copy, by its own word.
    keys: Option<i64>,
    /// What it does wrong on purpose, by its own word.
    chaos: Vec<String>,
    /// Bytes that the node has for it and could not send yet.
    lag: Option<i64>,
    /// What is wrong with its disk, by its own word.
    disk: Option<String>,
    /// What it lacks of what others hold, by its own word.
    sync: Option<String>,
    /// What it keeps for others, by its own word.
    handoff: Vec<String>,
}

/// Runs `armilla status`.
///
/// # Errors
/// No node answers, or its answer is not understood.
pub(crate) fn run(flags: &StatusFlags) -> anyhow::Result<ExitCode> {
    let address = &flags.node.server;
    let mut reply = ask(address, ANSWER_SECONDS_MAX).with_context(|| format!("cannot ask {address}"))?;
    let seen = Report::of(&reply).with_context(|| address.clone())?;
    let own: Vec<Option<Reply>> = seen.members.iter().map(Seen::ask_itself).collect();
    add_own(&mut reply, &own);
    let report = Report::of(&reply)?;
    let text = if flags.json { Style::Json.show(&reply) } else { report.table().into_bytes() };
    talk::print(&mut io::stdout(), &text);
    Ok(if report.all_up() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_SOME_DOWN) })
}

fn ask(address: &str, seconds_max: u64) -> io::Result<Reply> {
    let within = Some(Duration::from_secs(seconds_max));
    Client::connect_within(address, within)?.call(&["ARMILLA.STATUS"])
}

/// Puts what each member said of itself beside what the node said of it: its keys, its disk, and what it does wrong on purpose.
fn add_own(reply: &mut Reply, own: &[Option<Reply>]) {
    let Reply::Map(pairs) = reply else { return };
    let members = pairs.iter_mut().find(|(key, _)| Style::Raw.show(key) == b"members");
    let Some((_, Reply::Array(members))) = members else { return };
    for (member, own) in members.iter_mut().zip(own) {
        if let Reply::Map(fields) = member {
            for name in OWN_FIELDS {
                let said = own.as_ref().and_then(|own| field(own, name)).cloned();
                fields.push((Reply::bulk(name), said.unwrap_or(Reply::Nil)));
            }
            let chaos = own.as_ref().and_then(|own| field(own, "chaos"));
            let chaos = chaos.filter(|chaos| !matches!(chaos, Reply::Array(lines) if lines.is_empty()));
            fields.extend(chaos.map(|chaos| (Reply::bulk("chaos"), chaos.clone())));
        }
    }
}

impl Report {
    /// Reads the answer to `ARMILLA.STATUS`.
    ///
    /// # Errors
    /// It is an error, or it lists no members.
    pub(crate) fn of(reply: &Reply) -> anyhow::Result<Self> {
        if let Some(fault) = reply.fault() {
            bail!("{fault}");
        }
        let Some(Reply::Array(members)) = field(reply, "members") else {
            bail!("the answer lists no members: is this a node of Armilla?");
        };
        Ok(Self {
            node: text(reply, "node"),
            epoch: integer(reply, "epoch"),
            is_settled: field(reply, "ring").is_none_or(is_settled),
            to_move: field(reply, "ring").and_then(|ring| integer(ring, "places_to_move")).unwrap_or(0),
            awaited: field(reply, "ring").and_then(awaited),
            members: members.iter().map(Seen::of).collect(),
            autoscale: autoscale::lines(members.iter().filter_map(|member| field(member, "autoscale"))),
        })
    }

    /// Whether every member is up.
    pub(crate) fn all_up(&self) -> bool {
        self.members.iter().all(Seen::is_up)
    }

    fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(NOTHING);
        table.set_header([
            "member",
            "state",
            "since",
            "clients",
            "peers",
            "zone",
            "weight",
            "share",
            "keys",
            "ops/s",
            "lag",
            "incarnation",
        ]);
        for member in &self.members {
            table.add_row(member.row());
        }
        for column in table.column_iter_mut() {
            if column.index >= COLUMN_OF_NUMBERS {
                column.set_cell_alignment(CellAlignment::Right);
            }
            column.set_padding((0, 2));
        }
        let up = self.members.iter().filter(|member| member.is_up()).count();
        let rows: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        let epoch = self.epoch.map_or_else(|| "-".to_owned(), |epoch| epoch.to_string());
        let told = |member: &Seen| {
            let name = member.name.clone();
            let disk = member
                .leaves
                .iter()
                .chain(&member.disk)
                .chain(&member.sync)
                .chain(&member.handoff)
                .map(|disk| format!("\n{name}: {disk}"))
                .collect::<Vec<_>>();
            let chaos = member.chaos.iter().map(|line| format!("\n{name} fails on purpose: {line}"));
            disk.into_iter().chain(chaos.collect::<Vec<_>>())
        };
        let moving = (!self.is_settled).then(|| {
            format!(
                "\nthe ring changes: {} copies are to move yet (`armilla watch` follows it){}",
                self.to_move,
                self.awaited.iter().map(|names| format!("; waits for {names}")).collect::<String>()
            )
        });
        let scaled = self.autoscale.iter().map(|line| format!("\n{line}"));
        let told: String =
            moving.into_iter().chain(self.members.iter().flat_map(told)).chain(scaled).collect();
        format!(
            "{}\n\n{up} of {} up, layout {epoch}, as {} sees it{told}",
            rows.join("\n"),
            self.members.len(),
            self.node,
        )
    }
}

impl Seen {
    fn of(reply: &Reply) -> Self {
        let share = match field(reply, "share") {
            Some(Reply::Double(share)) => Some(*share),
            _ => None,
        };
        Self {
            name: text(reply, "name"),
            state: text(reply, "state"),
            since_ms: integer(reply, "since_ms_ago"),
            incarnation: integer(reply, "incarnation"),
            operations: integer(reply, "operations_per_s"),
            client: text(reply, "client_addr"),
            peer: text(reply, "peer_addr"),
            zone: text(reply, "zone"),
            weight: text(reply, "weight"),
            is_gateway: text(reply, "duty") == "route",
            leaves: leaves(reply),
            share,
            keys: integer(reply, "keys"),
            chaos: lines(reply, "chaos"),
            lag: integer(reply, "waiting_bytes"),
            disk: disk(reply),
            sync: sync(reply),
            handoff: handoff(reply),
        }
    }

    fn is_up(&self) -> bool {
        matches!(self.state.as_str(), "up" | "this node")
    }

    /// Asks the member itself, which alone knows; one that is not up is not waited for.
    fn ask_itself(&self) -> Option<Reply> {
        let is_there = self.is_up() || self.state == "error";
        is_there.then(|| ask(&self.client, MEMBER_SECONDS_MAX))?.ok()
    }

    fn row(&self) -> [String; 12] {
        let share = match self.share {
            _ if self.is_gateway => "gateway".to_owned(),
            Some(share) => format!("{:.1} %", share * 100.0),
            None => "-".to_owned(),
        };
        let number = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let [keys, operations, incarnation] = [self.keys, self.operations, self.incarnation].map(number);
        let since = self.since_ms.map_or_else(|| "-".to_owned(), |ms| format!("{} s", ms / 1_000));
        let lag = self.lag.map_or_else(|| "-".to_owned(), |bytes| format!("{bytes} B"));
        let texts = [&self.name, &self.state, &self.client, &self.peer, &self.zone, &self.weight];
        let [name, state, client, peer, zone, weight] = texts.map(Clone::clone);
        [name, state, since, client, peer, zone, weight, share, keys, operations, lag, incarnation]
    }
}

/// What a member lacks of what other owners hold, if it does.
fn sync(reply: &Reply) -> Option<String> {
    let sync = field(reply, "sync")?;
    let number = |name| integer(sync, name).unwrap_or(0);
    let partitions = number("partitions");
    match (number("partitions_learning"), number("operations_behind")) {
        (0, 0) => None,
        (0, behind) => {
            Some(format!("{behind} operations behind, {} of its {partitions}; it takes them", lagging(sync)))
        }
        (learning, _) => {
            let local = match number("partitions_counting_locally") {
                0 => String::new(),
                local => format!(", but for {local} that count at local_quorum"),
            };
            Some(format!(
                "learning what others hold: {learning} of its {partitions} partitions count for no quorum yet{local}"
            ))
        }
    }
}

/// In which partitions it lacks something, those first that lack most.
fn lagging(sync: &Reply) -> String {
    let Some(Reply::Array(rows)) = field(sync, "lagging") else { return "in some partitions".to_owned() };
    let behind = rows.iter().filter_map(|row| {
        let behind = integer(row, "operations_behind").filter(|behind| *behind > 0)?;
        Some(format!("{} ({behind})", integer(row, "partition")?))
    });
    let all: Vec<String> = behind.collect();
    let more = if all.len() > LAGGING_SHOWN_MAX { ", ..." } else { "" };
    let shown = all.iter().take(LAGGING_SHOWN_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    format!("in {} partitions, {shown}{more}", all.len())
}

/// What a member keeps for others, if it does.
fn handoff(reply: &Reply) -> Vec<String> {
    let Some(handoff) = field(reply, "handoff") else { return Vec::new() };
    let Some(Reply::Array(targets)) = field(handoff, "targets") else { return Vec::new() };
    let number = |of: &Reply, name| integer(of, name).unwrap_or(0);
    let target = |target: &Reply| {
        let (bytes, partitions) = (number(target, "bytes"), number(target, "partitions"));
        format!("keeps {bytes} B of {partitions} partitions for {}", text(target, "member"))
    };
    let mut lines: Vec<String> = targets.iter().map(target).collect();
    let (bytes, bytes_max) = (number(handoff, "bytes"), number(handoff, "bytes_max"));
    let refused = number(handoff, "operations_not_kept");
    if refused > 0 && !lines.is_empty() {
        lines.push(format!(
            "keeps {bytes} B of at most {bytes_max}: {refused} operations found no room, and come from other owners later"
        ));
    }
    lines
}

/// How a member goes, in words.
fn leaves(reply: &Reply) -> Option<String> {
    match text(reply, "duty").as_str() {
        "leave" => Some("leaves, and gives away what it holds".to_owned()),
        "lost" => Some("is removed; what it held is made anew".to_owned()),
        _ => None,
    }
}

/// What is wrong with a member's disk, in words.
fn disk(reply: &Reply) -> Option<String> {
    let failed = integer(reply, "shards_failed").filter(|failed| *failed > 0);
    let room = Some(text(reply, "disk_room")).filter(|room| matches!(room.as_str(), "low" | "full"));
    let free = integer(reply, "disk_free_bytes").map_or_else(|| "-".to_owned(), |bytes| format!("{bytes} B"));
    match (failed, room) {
        (Some(failed), _) => Some(format!("storage has failed in {failed} of its shards, {free} free")),
        (None, Some(room)) => Some(format!("room on its disk is {room}, {free} free: it refuses writes")),
        (None, None) => None,
    }
}

/// The members that are down without which what moves does not come; nothing where there are none.
pub(crate) fn awaited(ring: &Reply) -> Option<String> {
    let names = lines(ring, "waits_for");
    (!names.is_empty())
        .then(|| format!("{} (down; `armilla remove` one that is gone for good)", names.join(", ")))
}

/// Whether the word on the ring is that each partition is where it is wanted.
pub(crate) fn is_settled(ring: &Reply) -> bool {
    matches!(field(ring, "settled"), Some(Reply::Boolean(true)))
}

/// What a map has under a name.
pub(crate) fn field<'a>(reply: &'a Reply, name: &str) -> Option<&'a Reply> {
    let Reply::Map(pairs) = reply else { return None };
    let named = |key: &Reply| Style::Raw.show(key) == name.as_bytes();
    pairs.iter().find(|(key, _)| named(key)).map(|(_, value)| value)
}

/// Its text.
pub(crate) fn text(reply: &Reply, name: &str) -> String {
    let bytes = field(reply, name).map(|value| Style::Raw.show(value)).unwrap_or_default();
    if bytes.is_empty() { "-".to_owned() } else { String::from_utf8_lossy(&bytes).into_owned() }
}

fn lines(reply: &Reply, name: &str) -> Vec<String> {
    let Some(Reply::Array(lines)) = field(reply, name) else { return Vec::new() };
    lines.iter().map(|line| String::from_utf8_lossy(&Style::Raw.show(line)).into_owned()).collect()
}

/// Its number.
pub(crate) fn integer(reply: &Reply, name: &str) -> Option<i64> {
    match field(reply, name) {
        Some(Reply::Integer(number)) => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Report, add_own};
    use crate::show::Style;
    use wire::Reply;

    fn map(pairs: Vec<(&'static str, Reply)>) -> Reply {
        Reply::Map(pairs.into_iter().map(|(key, value)| (Reply::bulk(key), value)).collect())
    }

    fn member(name: &'static str, state: &'static str) -> Reply {
        map(vec![
            ("name", Reply::bulk(name)),
            ("client_addr", Reply::bulk("127.0.0.1:7001")),
            ("peer_addr", Reply::bulk("127.0.0.1:10001")),
            ("zone", Reply::bulk("dc1/rack1")),
            ("weight", Reply::Integer(1)),
            ("state", Reply::bulk(state)),
            ("since_ms_ago", Reply::Integer(61_500)),
            ("incarnation", Reply::Integer(7)),
            ("operations_per_s", Reply::Integer(90)),
            ("share", Reply::Double(1.0 / 3.0)),
            ("waiting_bytes", Reply::Integer(0)),
        ])
    }

    fn status(members: Vec<Reply>) -> Reply {
        map(vec![
            ("node", Reply::bulk("a")),
            ("epoch", Reply::Integer(3)),
            ("members", Reply::Array(members)),
        ])
    }

    #[test]
    fn the_table_shows_what_is_known() {
        let mut reply = status(vec![member("a", "this node"), member("b", "down")]);
        let own = map(vec![("keys", Reply::Integer(12)), ("chaos", Reply::Array(Vec::new()))]);
        add_own(&mut reply, &[Some(own), None]);
        let report = Report::of(&reply).unwrap();
        assert!(!report.all_up());
        let expected = "\
member  state      since  clients         peers            zone       weight   share  keys  ops/s  lag  incarnation
a       this node  61 s   127.0.0.1:7001  127.0.0.1:10001  dc1/rack1       1  33.3 %    12     90  0 B            7
b       down       61 s   127.0.0.1:7001  127.0.0.1:10001  dc1/rack1       1  33.3 %     -     90  0 B            7

1 of 2 up, layout 3, as a sees it";
        assert_eq!(report.table(), expected);
        let json = String::from_utf8(Style::Json.show(&reply)).unwrap();
        assert!(
            json.contains(r#""waiting_bytes":0,"keys":12,"#) && json.contains(r#""keys":null,"#),
            "{json}"
        );
    }

    #[test]
    fn a_gateway_has_no_share() {
        let mut gateway = member("g", "up");
        let Reply::Map(fields) = &mut gateway else { unreachable!("a member is a map") };
        fields.push((Reply::bulk("duty"), Reply::bulk("route")));
        let table = Report::of(&status(vec![member("a", "this node"), gateway])).unwrap().table();
        let row = table.lines().find(|line| line.starts_with("g ")).unwrap();
        assert!(row.contains(" gateway ") && !row.contains('%'), "{table}");
    }

    #[test]
    fn a_disk_is_shown_where_something_is_wrong_with_it() {
        let own = |room: &'static str, failed| {
            let free = ("disk_free_bytes", Reply::Integer(7));
            Some(map(vec![("disk_room", Reply::bulk(room)), free, ("shards_failed", Reply::Integer(failed))]))
        };
        let mut reply = status(vec![member("a", "this node"), member("b", "up"), member("c", "up")]);
        add_own(&mut reply, &[own("enough", 0), own("low", 0), own("full", 2)]);
        let table = Report::of(&reply).unwrap().table();
        let expected = "3 of 3 up, layout 3, as a sees it
b: room on its disk is low, 7 B free: it refuses writes
c: storage has failed in 2 of its shards, 7 B free";
        assert!(table.ends_with(expected), "{table}");
    }

    #[test]
    fn what_is_kept_for_others_is_shown() {
        let target = vec![
            ("member", Reply::bulk("c")),
            ("partitions", Reply::Integer(3)),
            ("bytes", Reply::Integer(700)),
        ];
        let kept = |refused| {
            vec![
                ("bytes", Reply::Integer(700)),
                ("bytes_max", Reply::Integer(1000)),
                ("operations_not_kept", Reply::Integer(refused)),
                ("targets", Reply::Array(vec![map(target.clone())])),
            ]
        };
        let mut reply = status(vec![member("a", "this node"), member("b", "up")]);
        let own = |refused| Some(map(vec![("handoff", map(kept(refused)))]));
        add_own(&mut reply, &[own(0), own(5)]);
        let table = Report::of(&reply).unwrap().table();
        let expected = "as a sees it
a: keeps 700 B of 3 partitions for c
b: keeps 700 B of 3 partitions for c
b: keeps 700 B of at most 1000: 5 operations found no room, and come from other owners later";
        assert!(table.ends_with(expected), "{table}");
    }

    #[test]
    fn what_goes_wrong_on_purpose_is_not_forgotten() {
        let mut reply = status(vec![member("a", "this node"), member("b", "up")]);
        let lines = Reply::Array(vec![Reply::bulk("messages to c leave 7 ms late (30 %), for 9 s more")]);
        add_own(&mut reply, &[None, Some(map(vec![("chaos", lines)]))]);
        let table = Report::of(&reply).unwrap().table();
        let last = "b fails on purpose: messages to c leave 7 ms late (30 %), for 9 s more";
        assert_eq!(table.lines().last(), Some(last));
    }

    #[test]
    fn only_up_is_up() {
        let all = |state| Report::of(&status(vec![member("a", state)])).unwrap().all_up();
        assert!(all("up") && all("this node"));
        assert!(!all("suspect") && !all("silent") && !all("") && !all("UP?"));
    }

    #[test]
    fn other_servers_are_told_apart() {
        assert!(Report::of(&Reply::ok()).unwrap_err().to_string().contains("lists no members"));
        let fault = wire::Fault::unknown_command::<&[u8]>(b"ARMILLA.STATUS", &[]);
        assert!(Report::of(&Reply::Error(fault)).unwrap_err().to_string().starts_with("ERR unknown command"));
    }
}
