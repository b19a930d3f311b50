//! Commands of the layout's scripts.

use std::error::Error;
use std::fmt::Write as _;

use goldenscript::{Context, Runner};
use placement::{Layout, Member, NodeId, PartitionId, Zone};

#[derive(goldenscript::Command)]
pub(crate) enum Command {
    /// The first layout of a cluster.
    Found {
        name: String,
        #[arg(key)]
        partitions: u32,
        #[arg(key)]
        replicas: Option<u8>,
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
    }
}

impl Runner for LayoutScript {
    type Command = Command;

    fn run(&mut self, command: &Command, _context: &Context) -> Result<String, Box<dyn Error>> {
        let mut out = String::new();
        match command {
            Command::Found { name, partitions, replicas, weight, zone } => {
                let first = member(name, *weight, zone.as_ref(), None);
                self.layout = Some(Layout::found(1, 2, *partitions, replicas.unwrap_or(3), first)?);
            }
            Command::Join { names, weight, zone, port } => {
                for name in names {
                    let next = self.layout()?.with_member(member(name, *weight, zone.as_ref(), *port))?;
                    write_join(&mut out, self.layout()?, &next)?;
                    self.layout = Some(next);
                }
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
        }
        Ok(out)
    }
}

impl LayoutScript {
    fn layout(&self) -> Result<&Layout, &'static str> {
        self.layout.as_ref().ok_or("found a cluster first")
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
