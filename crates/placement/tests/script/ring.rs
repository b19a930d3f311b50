//! Commands of the ring's scripts.

use std::error::Error;
use std::fmt::Write as _;
use std::num::NonZeroU64;

use goldenscript::{Context, Runner};
use placement::ring::{Ring, md5, redis_slot, xxh3};
use placement::{Zone, slot::slot};

#[derive(goldenscript::Command)]
pub(crate) enum Command {
    /// A new ring. `hash` is letter (a is 0, b is 1, ...), md5, xxh3 or `redis_slot`; places 0 means 2^64.
    Ring {
        hash: String,
        #[arg(key, optional)]
        places: u64,
        #[arg(key)]
        tokens_per_weight: u32,
    },
    /// Adds servers and lists what changed hands.
    Add {
        ids: Vec<String>,
        #[arg(key)]
        weight: Option<u32>,
        #[arg(key)]
        zone: Option<Zone>,
    },
    /// Removes a server and lists what changed hands.
    Remove(String),
    /// Every taken place with its server.
    Tokens,
    /// The place and the server of keys.
    Find(Vec<String>),
    /// The owners of a key and the stand-ins after them.
    Prefer {
        key: String,
        #[arg(key)]
        n: usize,
    },
    /// The Redis Cluster slots of keys.
    Slot(Vec<String>),
}

#[derive(Default)]
pub(crate) struct RingScript {
    ring: Option<Ring<String>>,
}

impl Runner for RingScript {
    type Command = Command;

    fn run(&mut self, command: &Command, _context: &Context) -> Result<String, Box<dyn Error>> {
        let mut out = String::new();
        match command {
            Command::Ring { hash, places, tokens_per_weight } => {
                let hash: fn(&[u8]) -> u64 = match hash.as_str() {
                    "letter" => |name| u64::from(name.first().map_or(0, |&byte| byte - b'a')),
                    "md5" => md5,
                    "xxh3" => xxh3,
                    "redis_slot" => redis_slot,
                    other => return Err(format!("no hash {other}").into()),
                };
                self.ring = Some(match NonZeroU64::new(*places) {
                    Some(places) => Ring::with_places(places, *tokens_per_weight, hash),
                    None => Ring::new(*tokens_per_weight, hash),
                });
            }
            Command::Add { ids, weight, zone } => {
                for id in ids {
                    let before = self.ring()?.clone();
                    self.ring()?.add_server(
                        id.clone(),
                        weight.unwrap_or(1),
                        zone.clone().unwrap_or_default(),
                    )?;
                    self.moves(&before, &mut out)?;
                }
            }
            Command::Remove(id) => {
                let before = self.ring()?.clone();
                if !self.ring()?.remove_server(id) {
                    return Err(format!("no server {id}").into());
                }
                self.moves(&before, &mut out)?;
            }
            Command::Tokens => {
                let tokens: Vec<_> =
                    self.ring()?.tokens().map(|(place, id)| format!("{place}:{id}")).collect();
                writeln!(out, "{}", tokens.join(" "))?;
            }
            Command::Find(keys) => {
                for key in keys {
                    let ring = self.ring()?;
                    let server = ring.server_of(key.as_bytes()).map_or("nobody", String::as_str);
                    writeln!(out, "{key} at {} -> {server}", ring.place_of(key.as_bytes()))?;
                }
            }
            Command::Prefer { key, n } => {
                let ring = self.ring()?;
                let list: Vec<_> = ring.preference_list(key.as_bytes(), *n).into_iter().cloned().collect();
                let (owners, stand_ins) = list.split_at(ring.owners(key.as_bytes(), *n).len());
                writeln!(out, "{key} -> {} | {}", owners.join(" "), stand_ins.join(" "))?;
            }
            Command::Slot(keys) => {
                for key in keys {
                    writeln!(out, "{key} -> {}", slot(key.as_bytes()))?;
                }
            }
        }
        Ok(out)
    }
}

impl RingScript {
    fn ring(&mut self) -> Result<&mut Ring<String>, &'static str> {
        self.ring.as_mut().ok_or("make a ring first")
    }

    fn moves(&mut self, before: &Ring<String>, out: &mut String) -> Result<(), Box<dyn Error>> {
        for arc in before.moves_to(self.ring()?) {
            let (from, to) = (arc.from.as_deref().unwrap_or("nobody"), arc.to.as_deref().unwrap_or("nobody"));
            writeln!(out, "{} to {}: {from} -> {to}", arc.start, arc.end)?;
        }
        Ok(())
    }
}
