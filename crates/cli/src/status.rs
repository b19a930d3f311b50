//! `armilla status`: the members of a cluster as one of them sees them.
//!
//! Not a verdict on the cluster: another node may see it otherwise, and `-s` asks that one.
//!
//! 1. What the node does not know is shown as `-`, never as zero.
//! 2. A member counts as up only if the node says `up`.

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
/// Some members are not up.
const EXIT_SOME_DOWN: u8 = 1;

/// What a node says of its cluster.
#[derive(Debug, PartialEq)]
pub(crate) struct Report {
    /// Who says it.
    pub(crate) node: String,
    /// The version of the layout.
    pub(crate) epoch: Option<i64>,
    /// All members, down ones too.
    pub(crate) members: Vec<Seen>,
}

/// A member as it is seen.
#[derive(Debug, PartialEq)]
pub(crate) struct Seen {
    name: String,
    state: String,
    client: String,
    peer: String,
    zone: String,
    weight: String,
    /// Part of the ring, 0 to 1.
    share: Option<f64>,
    keys: Option<i64>,
    /// Operations that it is known to miss.
    lag: Option<i64>,
}

/// Runs `armilla status`.
///
/// # Errors
/// No node answers, or its answer is not understood.
pub(crate) fn run(flags: &StatusFlags) -> anyhow::Result<ExitCode> {
    let address = &flags.node.server;
    let within = Some(Duration::from_secs(ANSWER_SECONDS_MAX));
    let reply = Client::connect_within(address, within)
        .and_then(|mut client| client.call(&["ARMILLA.STATUS"]))
        .with_context(|| format!("cannot ask {address}"))?;
    let report = Report::of(&reply).with_context(|| address.clone())?;
    let text = if flags.json { Style::Json.show(&reply) } else { report.table().into_bytes() };
    talk::print(&mut io::stdout(), &text);
    Ok(if report.all_up() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_SOME_DOWN) })
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
            members: members.iter().map(Seen::of).collect(),
        })
    }

    /// Whether every member is up.
    pub(crate) fn all_up(&self) -> bool {
        self.members.iter().all(|member| member.state == "up")
    }

    fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(NOTHING);
        table.set_header(["member", "state", "clients", "peers", "zone", "weight", "share", "keys", "lag"]);
        for member in &self.members {
            table.add_row(member.row());
        }
        for column in table.column_iter_mut() {
            if column.index >= 5 {
                column.set_cell_alignment(CellAlignment::Right);
            }
            column.set_padding((0, 2));
        }
        let up = self.members.iter().filter(|member| member.state == "up").count();
        let rows: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        let epoch = shown(self.epoch);
        format!(
            "{}\n\n{up} of {} up, layout {epoch}, as {} sees it",
            rows.join("\n"),
            self.members.len(),
            self.node
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
            client: text(reply, "client"),
            peer: text(reply, "peer"),
            zone: text(reply, "zone"),
            weight: text(reply, "weight"),
            share,
            keys: integer(reply, "keys"),
            lag: integer(reply, "lag"),
        }
    }

    fn row(&self) -> [String; 9] {
        let share = self.share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0));
        let texts = [&self.name, &self.state, &self.client, &self.peer, &self.zone, &self.weight];
        let [name, state, client, peer, zone, weight] = texts.map(Clone::clone);
        [name, state, client, peer, zone, weight, share, shown(self.keys), shown(self.lag)]
    }
}

fn field<'a>(reply: &'a Reply, name: &str) -> Option<&'a Reply> {
    let Reply::Map(pairs) = reply else { return None };
    let named = |key: &Reply| Style::Raw.show(key) == name.as_bytes();
    pairs.iter().find(|(key, _)| named(key)).map(|(_, value)| value)
}

fn text(reply: &Reply, name: &str) -> String {
    let bytes = field(reply, name).map(|value| Style::Raw.show(value)).unwrap_or_default();
    if bytes.is_empty() { "-".to_owned() } else { String::from_utf8_lossy(&bytes).into_owned() }
}

fn integer(reply: &Reply, name: &str) -> Option<i64> {
    match field(reply, name) {
        Some(Reply::Integer(number)) => Some(*number),
        _ => None,
    }
}

fn shown(number: Option<i64>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::Report;
    use wire::Reply;

    fn map(pairs: Vec<(&'static str, Reply)>) -> Reply {
        Reply::Map(pairs.into_iter().map(|(key, value)| (Reply::bulk(key), value)).collect())
    }

    fn member(name: &'static str, state: &'static str, keys: Reply) -> Reply {
        map(vec![
            ("name", Reply::bulk(name)),
            ("client", Reply::bulk("127.0.0.1:7001")),
            ("peer", Reply::bulk("127.0.0.1:10001")),
            ("zone", Reply::bulk("dc1/rack1")),
            ("weight", Reply::Integer(1)),
            ("state", Reply::bulk(state)),
            ("share", Reply::Double(1.0 / 3.0)),
            ("keys", keys),
            ("lag", Reply::Integer(0)),
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
        let reply = status(vec![member("a", "up", Reply::Integer(12)), member("b", "down", Reply::Nil)]);
        let report = Report::of(&reply).unwrap();
        assert!(!report.all_up());
        let expected = "\
member  state  clients         peers            zone       weight   share  keys  lag
a       up     127.0.0.1:7001  127.0.0.1:10001  dc1/rack1       1  33.3 %    12    0
b       down   127.0.0.1:7001  127.0.0.1:10001  dc1/rack1       1  33.3 %     -    0

1 of 2 up, layout 3, as a sees it";
        assert_eq!(report.table(), expected);
    }

    #[test]
    fn only_up_is_up() {
        let all = |state| Report::of(&status(vec![member("a", state, Reply::Nil)])).unwrap().all_up();
        assert!(all("up"));
        assert!(!all("silent") && !all("") && !all("UP?"));
    }

    #[test]
    fn other_servers_are_told_apart() {
        assert!(Report::of(&Reply::ok()).unwrap_err().to_string().contains("lists no members"));
        let fault = wire::Fault::unknown_command::<&[u8]>(b"ARMILLA.STATUS", &[]);
        assert!(Report::of(&Reply::Error(fault)).unwrap_err().to_string().starts_with("ERR unknown command"));
    }
}
