//! The replicas that a golden script talks about, and how they are shown.

use bytes::Bytes;
use causal::map::{Applied, Knowledge, Map, Rows};
use causal::{
    Actor, Amount, Cell, Change, Delta, Dot, Entries, Entry, Key, Payload, Scope, Stamp, Sweep, Value, string,
};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write;

use crate::memory::MemoryRows;

type Output = Result<String, Box<dyn Error>>;

#[derive(Default)]
struct Replica {
    starts: u64,
    n: u64,
    map: Map,
    rows: MemoryRows,
    exchange: Option<(MemoryRows, Knowledge)>,
    /// The cells that it has brought.
    brought: BTreeSet<Cell>,
}

/// Every replica of a script by name, every operation by name, and the time.
#[derive(Default)]
pub(crate) struct Partition {
    replicas: BTreeMap<String, Replica>,
    deltas: BTreeMap<Dot, Delta>,
    time: u64,
}

impl Partition {
    /// A command of one replica.
    pub(crate) fn at(&mut self, name: &str, command: &str, words: &[&str]) -> Output {
        self.replicas.entry(name.to_owned()).or_default();
        match (command, words) {
            ("put", [key, value]) => self.change(name, key, Change::Put(Bytes::from((*value).to_owned())), 0),
            ("put", [key, value, ahead]) => {
                self.change(name, key, Change::Put(Bytes::from((*value).to_owned())), ahead.parse()?)
            }
            ("del", [key]) => self.change(name, key, Change::Delete, 0),
            ("incr", [key, by]) => self.change(name, key, Change::Add(Amount::Integer(by.parse()?)), 0),
            ("flush", []) => self.flush(name),
            ("get", [key]) => Ok(self.get(name, key)),
            ("siblings", [key]) => Ok(self.siblings(name, key)),
            ("begin", [peer]) => self.begin(name, peer),
            ("take", [key]) => self.take(name, key),
            ("finish", []) => self.finish(name),
            ("abandon", []) => self.abandon(name),
            ("mend", [key, peer]) => self.mend(name, key, peer),
            ("restart", []) => self.restart(name),
            _ => Err(format!("no replica knows {command} {words:?}").into()),
        }
    }

    /// A command among replicas.
    pub(crate) fn among(&mut self, command: &str, words: &[&str]) -> Output {
        match (command, words) {
            ("send", [what, to @ ..]) if !to.is_empty() => self.send(what, to),
            ("exchange", [name, peer]) => self.exchange(name, peer),
            ("show", []) => self.show(),
            _ => Err(format!("nobody knows {command} {words:?}").into()),
        }
    }

    fn replica(&mut self, name: &str) -> &mut Replica {
        self.replicas.entry(name.to_owned()).or_default()
    }

    fn operate(&mut self, name: &str, ahead: u64, edits: Vec<causal::Edit>, sweep: Option<Sweep>) -> Output {
        self.time += 1;
        let physical_ms = self.time + ahead;
        let replica = self.replica(name);
        replica.n += 1;
        let actor = actor_of(name, replica.starts);
        let delta = Delta {
            dot: Dot::new(actor, replica.n),
            stamp: Stamp { physical_ms, logical: 0, actor },
            edits,
            sweep,
        };
        let shown = delta_text(&delta);
        replica.map.apply(&delta, &mut replica.rows).map_err(|_| "unreadable")?;
        self.deltas.insert(delta.dot, delta);
        Ok(shown)
    }

    fn change(&mut self, name: &str, key: &str, change: Change, ahead: u64) -> Output {
        let replica = self.replica(name);
        let entries = replica.held(key);
        let actor = actor_of(name, replica.starts);
        match string::edit(cell(key), change, &entries, actor) {
            Some(edit) => self.operate(name, ahead, vec![edit], None),
            None => Ok("nothing to do\n".into()),
        }
    }

    fn flush(&mut self, name: &str) -> Output {
        let replica = self.replica(name);
        let sweep = replica.map.sweep_of(Scope::All, &mut replica.rows).map_err(|_| "unreadable")?;
        self.operate(name, 0, Vec::new(), Some(sweep))
    }

    fn get(&mut self, name: &str, key: &str) -> String {
        let Some(Value::String(value)) = string::value(&self.replica(name).held(key)) else {
            return "(nil)\n".into();
        };
        format!("{}\n", String::from_utf8_lossy(&value))
    }

    fn siblings(&mut self, name: &str, key: &str) -> String {
        let values = string::siblings(&self.replica(name).held(key));
        let text = |Value::String(value): &Value| String::from_utf8_lossy(value).into_owned();
        format!("{}\n", values.iter().map(text).collect::<Vec<_>>().join(", "))
    }

    fn send(&mut self, what: &str, to: &[&str]) -> Output {
        let is_meant = |dot: &Dot| dot_text(*dot) == what || maker_of(dot.actor) == what;
        let deltas: Vec<Delta> = self.deltas.values().filter(|delta| is_meant(&delta.dot)).cloned().collect();
        if deltas.is_empty() {
            return Err(format!("nobody made {what}").into());
        }
        let mut out = String::new();
        for name in to {
            for delta in &deltas {
                let replica = self.replica(name);
                let applied = replica.map.apply(delta, &mut replica.rows).map_err(|_| "unreadable")?;
                writeln!(out, "{name}: {} is {}", dot_text(delta.dot), applied_text(applied))?;
            }
        }
        Ok(out)
    }

    fn exchange(&mut self, name: &str, peer: &str) -> Output {
        self.begin(name, peer)?;
        let mine = self.replica(name).rows.cells.clone();
        let theirs = self.replica(peer).rows.cells.clone();
        let cells = mine.keys().chain(theirs.keys());
        let differ = cells.filter(|cell| mine.get(cell) != theirs.get(cell));
        let keys: Vec<String> = differ.map(key_text).collect();
        for key in keys {
            self.take(name, &key)?;
        }
        self.finish(name)
    }

    fn begin(&mut self, name: &str, peer: &str) -> Output {
        let theirs = self.replica(peer);
        let ahead = theirs.map.is_ahead();
        let snapshot = (theirs.rows.clone(), theirs.map.knowledge().clone());
        let Replica { map, rows, exchange, brought, .. } = self.replica(name);
        brought.clear();
        map.begin(&snapshot.1, rows).map_err(|_| "unreadable")?;
        if ahead {
            map.mark_ahead();
        }
        *exchange = Some(snapshot);
        Ok(String::new())
    }

    fn take(&mut self, name: &str, key: &str) -> Output {
        let Replica { map, rows, exchange, brought, .. } = self.replica(name);
        brought.insert(cell(key));
        let (their_rows, knowledge) = exchange.as_ref().ok_or("no exchange is open")?;
        let theirs = their_rows.cells.get(&cell(key)).cloned().unwrap_or_default();
        map.take(&cell(key), &theirs, knowledge, rows).map_err(|_| "unreadable")?;
        Ok(String::new())
    }

    fn finish(&mut self, name: &str) -> Output {
        let Replica { map, rows, exchange, .. } = self.replica(name);
        let (_, knowledge) = exchange.take().ok_or("no exchange is open")?;
        map.finish(&knowledge, rows).map_err(|_| "unreadable")?;
        Ok(String::new())
    }

    fn abandon(&mut self, name: &str) -> Output {
        let Replica { map, rows, exchange, .. } = self.replica(name);
        *exchange = None;
        map.abandon(rows).map_err(|_| "unreadable")?;
        Ok(String::new())
    }

    fn mend(&mut self, name: &str, key: &str, peer: &str) -> Output {
        let theirs = self.replica(peer).held(key);
        let knowledge = self.replica(peer).map.knowledge().clone();
        let Replica { map, rows, exchange, brought, .. } = self.replica(name);
        let is_brought = exchange.is_some() && brought.contains(&cell(key));
        let mended = map.mend(&cell(key), &theirs, &knowledge, is_brought, rows).map_err(|_| "unreadable")?;
        Ok(format!("{}\n", applied_text(mended)))
    }

    fn restart(&mut self, name: &str) -> Output {
        let replica = self.replica(name);
        replica.starts += 1;
        replica.n = 0;
        replica.exchange = None;
        let Replica { map, .. } = replica;
        *map = Map::restore(map.knowledge().clone(), map.digest(), map.is_ahead());
        Ok(String::new())
    }

    fn show(&mut self) -> Output {
        let mut out = String::new();
        for (name, Replica { map, rows, .. }) in &self.replicas {
            map.check(&rows.cells);
            let held =
                rows.cells.iter().map(|(cell, held)| format!("{}: {}", key_text(cell), entries_text(held)));
            let held: Vec<_> = held.collect();
            let held = if held.is_empty() { "nothing".into() } else { held.join("; ") };
            writeln!(out, "{name} holds {held}")?;
            writeln!(out, "  has applied {}", context_text(map.context()))?;
            let early = map.knowledge();
            for (cell, dot) in early.early.single() {
                writeln!(out, "  awaits {} to leave it out of {}", dot_text(*dot), key_text(cell))?;
            }
            for sweep in early.early.sweeps() {
                writeln!(out, "  awaits {} to sweep it", context_text(&sweep.seen))?;
            }
            if map.is_ahead() {
                writeln!(out, "  may run ahead")?;
            }
        }
        Ok(out)
    }
}

impl Replica {
    fn held(&mut self, key: &str) -> Entries {
        self.rows.entries(&cell(key)).unwrap_or_default()
    }
}

fn cell(key: &str) -> Cell {
    Cell::string(Key::new(0, key.to_owned()))
}

fn key_text(cell: &Cell) -> String {
    String::from_utf8_lossy(&cell.key.name).into_owned()
}

/// The actor of the replica of that name, one letter, at its so-manyth start.
fn actor_of(name: &str, starts: u64) -> Actor {
    Actor(u64::from(name.as_bytes()[0]) << 8 | starts)
}

fn maker_of(actor: Actor) -> String {
    let starts = usize::try_from(actor.0 & 0xff).unwrap_or(0);
    let name = u8::try_from(actor.0 >> 8).map_or('?', char::from);
    format!("{name}{}", "'".repeat(starts))
}

fn dot_text(dot: Dot) -> String {
    format!("{}{}", maker_of(dot.actor), dot.n)
}

fn applied_text(applied: Applied) -> &'static str {
    match applied {
        Applied::Fresh => "new",
        Applied::Known => "known",
        Applied::Deferred => "deferred",
    }
}

fn context_text(context: &causal::Context) -> String {
    let mut parts = Vec::new();
    for (actor, intervals) in context.actors() {
        for (first, last) in intervals.runs() {
            let maker = maker_of(actor);
            parts.push(if first == last {
                format!("{maker}{first}")
            } else {
                format!("{maker}{first}-{last}")
            });
        }
    }
    if parts.is_empty() { "nothing".into() } else { parts.join(" ") }
}

fn payload_text(payload: &Payload) -> String {
    match payload {
        Payload::Plain(bytes) => format!("\"{}\"", String::from_utf8_lossy(bytes)),
        Payload::Increment(Amount::Integer(by)) => format!("{by:+}"),
        Payload::Increment(Amount::Decimal(by)) => format!("{by:+}"),
    }
}

fn entries_text(entries: &Entries) -> String {
    let text = |entry: &Entry| format!("{} {}", dot_text(entry.dot), payload_text(&entry.payload));
    entries.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn delta_text(delta: &Delta) -> String {
    let mut out = dot_text(delta.dot);
    for edit in &delta.edits {
        let add = edit.add.as_ref().map(|payload| format!(" adds {}", payload_text(payload)));
        let removes: Vec<_> = edit.removes.iter().map(|dot| dot_text(*dot)).collect();
        out += &add.unwrap_or_default();
        if !removes.is_empty() {
            out += &format!(" removes {}", removes.join(" "));
        }
    }
    if let Some(sweep) = &delta.sweep {
        out += &format!(" sweeps {}", context_text(&sweep.seen));
    }
    out + "\n"
}
