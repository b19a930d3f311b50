//! Commands of the layout's scripts.

use std::error::Error;
use std::fmt::Write as _;

use goldenscript::{Context, Runner};
use placement::layout::{Advance, Move, Step};
use placement::{Change, Copies, Duty, Layout, Member, NodeId, PartitionId, Place, Seat, Zone};

#[derive(goldenscript::Command)]
pub(crate) enum Command {
    /// The first layout of a cluster.
    Found {
        name: String,
        #[arg(key)]
        partitions: u32,
        #[arg(key)]
        replicas: Option<String>,
        #[arg(key)]
        weight: Option<u32>,
        #[arg(key)]
        zone: Option<Zone>,
    },
    /// Members join; the answer says how many places each gave up or got.
    Join {
        names: Vec<String>,
        #[arg(key)]
        weight: Option<u32>,
        #[arg(key)]
        zone: Option<Zone>,
        /// The port of the client address, if not the usual one.
        #[arg(key)]
        port: Option<u16>,
    },
    /// A member joins, and has nothing yet. This and the changes below answer with the places that they change.
    Admit(String),
    Leave(String),
    Lose {
        name: String,
        #[arg(key, optional)]
        accepts_loss: bool,
    },
    Succeed {
        old: String,
        new: String,
    },
    Stay(String),
    Weigh {
        name: String,
        weight: u32,
    },
    Zone {
        name: String,
        zone: Zone,
    },
    Replicas(String),
    Forget(String),
    /// Others vote: what is between is told too.
    Vote(Vec<String>),
    /// The next step of these partitions begins, or of all that may.
    Begin(#[arg(optional)] Vec<u16>),
    /// The newcomer has a copy; in which epoch that began, if not the last time.
    Copied {
        partition: u16,
        #[arg(key)]
        began: Option<u64>,
    },
    /// An owner has learned; since which epoch, if not the last time.
    Arrived {
        partition: u16,
        name: String,
        #[arg(key)]
        since: Option<u64>,
    },
    /// Where partitions are, and where they are wanted if that is elsewhere.
    Place,
    /// The members, and what each is there for.
    Members,
    /// The owners of all partitions, the home first, and the stand-ins after them.
    Owners,
    /// Places and homes of each member.
    Shares,
    /// Slot, position, partition and owners of a key.
    Key(String),
    /// Encodes and decodes, with a bit flipped if asked.
    Recode {
        #[arg(key)]
        flip: Option<usize>,
        #[arg(key)]
        version: Option<u8>,
    },
}

#[derive(Default)]
pub(crate) struct LayoutScript {
    layout: Option<Layout>,
}

fn member(name: &str, weight: Option<u32>, zone: Option<&Zone>, port: Option<u16>) -> Member {
    Member {
        id: NodeId::of_name(name),
        name: name.into(),
        client_addr: format!("{name}:{}", port.unwrap_or(7001)),
        peer_addr: format!("{name}:10001"),
        weight: weight.unwrap_or(1),
        zone: zone.cloned().unwrap_or_default(),
        duty: Duty::Store,
    }
}

impl Runner for LayoutScript {
    type Command = Command;

    fn run(&mut self, command: &Command, _context: &Context) -> Result<String, Box<dyn Error>> {
        let mut out = String::new();
        match command {
            Command::Found { name, partitions, replicas, weight, zone } => {
                let first = member(name, *weight, zone.as_ref(), None);
                let copies: Copies = replicas.as_deref().unwrap_or("3").parse()?;
                self.layout = Some(Layout::found(1, 2, *partitions, copies, first, 9)?);
            }
            Command::Join { names, weight, zone, port } => {
                for name in names {
                    let next = self.layout()?.with_member(member(name, *weight, zone.as_ref(), *port))?;
                    write_join(&mut out, self.layout()?, &next)?;
                    self.layout = Some(next);
                }
            }
            Command::Place => write_places(&mut out, self.layout()?, |_| true)?,
            Command::Members => write_members(&mut out, self.layout()?)?,
            Command::Vote(names) => {
                let node = |name: &String| Seat { node: NodeId::of_name(name), disk: 9 };
                out += &self.change(&Change::Seat(names.iter().map(node).collect()))?;
                out += &self.change(&Change::Seated)?;
            }
            Command::Owners => write_owners(&mut out, self.layout()?)?,
            Command::Shares => write_shares(&mut out, self.layout()?)?,
            Command::Key(key) => {
                let layout = self.layout()?;
                let position = layout.keyspace().position(0, key.as_bytes());
                let partition = layout.keyspace().partition_of(position);
                let owners = names(layout, layout.owners(partition).iter().copied());
                writeln!(
                    out,
                    "slot {} position {position} partition {partition} owners {owners}",
                    position.slot()
                )?;
            }
            Command::Recode { flip, version } => {
                let mut bytes = self.layout()?.encode();
                flip.iter().for_each(|&at| bytes[at] ^= 1);
                version.iter().for_each(|&version| bytes[0] = version);
                let same = Layout::decode(&bytes)? == *self.layout()?;
                writeln!(out, "{} bytes, the same layout: {same}", bytes.len())?;
            }
            other => out = self.change(&change(self.layout()?, other)?)?,
        }
        Ok(out)
    }
}

/// What a command asks for.
fn change(layout: &Layout, command: &Command) -> Result<Change, Box<dyn Error>> {
    let id = |name: &String| NodeId::of_name(name);
    Ok(match command {
        Command::Admit(name) => Change::Join(member(name, None, None, None)),
        Command::Leave(name) => Change::Leave(id(name)),
        Command::Lose { name, accepts_loss } => {
            Change::Lose { member: id(name), accepts_loss: *accepts_loss }
        }
        Command::Succeed { old, new } => Change::Succeed { old: id(old), new: id(new) },
        Command::Stay(name) => Change::Stay(id(name)),
        Command::Weigh { name, weight } => Change::Weigh(id(name), *weight),
        Command::Zone { name, zone } => Change::Locate(id(name), zone.clone()),
        Command::Replicas(replicas) => Change::Replicate(replicas.parse()?),
        Command::Forget(name) => Change::Forget(id(name)),
        Command::Begin(partitions) if partitions.is_empty() => begin(layout.may_begin()),
        Command::Begin(partitions) => begin(partitions.iter().copied().map(PartitionId)),
        Command::Copied { partition, began } => {
            let place = layout.place(PartitionId(*partition));
            let Step::Copying { newcomer, began: last } = *place.step() else {
                return Err("nobody copies".into());
            };
            let advance = Advance::Copied { newcomer, began: began.unwrap_or(last) };
            moved(*partition, advance)
        }
        Command::Arrived { partition, name, since } => {
            let last = layout.place(PartitionId(*partition)).since();
            moved(*partition, Advance::Arrived { owner: id(name), since: since.unwrap_or(last) })
        }
        _ => return Err("that changes nothing".into()),
    })
}

fn begin(partitions: impl IntoIterator<Item = PartitionId>) -> Change {
    let moves = partitions.into_iter().map(|partition| Move { partition, advance: Advance::Begin });
    Change::Move(moves.collect())
}

fn moved(partition: u16, advance: Advance) -> Change {
    Change::Move(vec![Move { partition: PartitionId(partition), advance }])
}

impl LayoutScript {
    fn layout(&self) -> Result<&Layout, &'static str> {
        self.layout.as_ref().ok_or("found a cluster first")
    }

    /// Makes the next layout; answers with the places that are others, or wanted elsewhere.
    fn change(&mut self, change: &Change) -> Result<String, Box<dyn Error>> {
        let before = self.layout()?;
        let next = before.changed(change)?;
        let mut out = format!("epoch {}\n", next.epoch());
        let is_other = |p| before.place(p) != next.place(p) || before.wanted(p) != next.wanted(p);
        write_places(&mut out, &next, is_other)?;
        self.layout = Some(next);
        Ok(out)
    }
}

fn names(layout: &Layout, ids: impl Iterator<Item = NodeId>) -> String {
    ids.map(|id| layout.member(id).map_or("?", |member| member.name.as_str())).collect::<Vec<_>>().join(" ")
}

fn held(layout: &Layout, id: NodeId, places: usize) -> usize {
    let holds = |&partition: &PartitionId| layout.owners(partition)[..places].contains(&id);
    layout.keyspace().partitions().filter(holds).count()
}

fn write_join(out: &mut String, before: &Layout, after: &Layout) -> std::fmt::Result {
    writeln!(out, "epoch {}, N = {}", after.epoch(), after.replicas())?;
    for member in after.members() {
        let owns = |layout: &Layout, partition| layout.owners(partition).contains(&member.id);
        let (mut got, mut gave) = (0, 0);
        for partition in after.keyspace().partitions() {
            got += usize::from(owns(after, partition) && !owns(before, partition));
            gave += usize::from(owns(before, partition) && !owns(after, partition));
        }
        if got + gave > 0 {
            writeln!(out, "  {}: got {got}, gave {gave}", member.name)?;
        }
    }
    Ok(())
}

fn write_places(
    out: &mut String,
    layout: &Layout,
    is_shown: impl Fn(PartitionId) -> bool,
) -> std::fmt::Result {
    for partition in layout.keyspace().partitions().filter(|partition| is_shown(*partition)) {
        let (place, wanted) = (layout.place(partition), layout.wanted(partition));
        let owners = names(layout, place.owners().iter().copied());
        write!(out, "{partition}: {owners} since {}", place.since())?;
        write_step(out, layout, place)?;
        if wanted != place.owners() {
            write!(out, " -> {}", names(layout, wanted.iter().copied()))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_step(out: &mut String, layout: &Layout, place: &Place) -> std::fmt::Result {
    let name = |id: NodeId| names(layout, std::iter::once(id));
    match place.step() {
        Step::Resting => Ok(()),
        Step::Copying { newcomer, began } => write!(out, ", {} copies since {began}", name(*newcomer)),
        Step::Settling { to_come, before } => {
            let silent = |id: &&NodeId| place.is_new(**id);
            let (new, stay): (Vec<_>, Vec<_>) = to_come.iter().partition(silent);
            let learn = |out: &mut String, who: Vec<NodeId>, how: &str| match who.as_slice() {
                [] => Ok(()),
                _ => write!(out, ", {} {how}", names(layout, who.into_iter())),
            };
            learn(out, new, "must learn to count")?;
            learn(out, stay, "must learn")?;
            let sets = before.iter().map(|set| names(layout, set.iter().copied()));
            write!(out, ": from {}", sets.collect::<Vec<_>>().join(" and from "))
        }
    }
}

fn write_members(out: &mut String, layout: &Layout) -> std::fmt::Result {
    let mut members: Vec<_> = layout.members().iter().collect();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    for Member { id, name, duty, .. } in members {
        let vote = if layout.voters().seat(*id) { ", votes" } else { "" };
        writeln!(out, "{name}: {duty:?}{vote}")?;
    }
    Ok(())
}

fn write_owners(out: &mut String, layout: &Layout) -> std::fmt::Result {
    for partition in layout.keyspace().partitions() {
        let owners = names(layout, layout.owners(partition).iter().copied());
        let stand_ins = names(layout, layout.stand_ins(partition));
        writeln!(out, "{partition}: {owners} | {stand_ins}")?;
    }
    Ok(())
}

fn write_shares(out: &mut String, layout: &Layout) -> std::fmt::Result {
    let mut members: Vec<_> = layout.members().iter().collect();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    for Member { id, name, weight, zone, .. } in members {
        let (places, homes) = (held(layout, *id, layout.replicas()), held(layout, *id, 1));
        let share = layout.share(*id) * 100.0;
        writeln!(out, "{name} {zone} weight {weight}: {places} places, {homes} homes, {share:.1}%")?;
    }
    Ok(())
}
