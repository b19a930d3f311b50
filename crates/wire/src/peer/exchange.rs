//! What owners of a partition say to each other to come to hold the same: anti-entropy.
//!
//! ```text
//! taker                               source
//!   │ Compare { digest, applied } ─────▶ │   do we hold the same?
//!   │ ◀──────────────── Same, or Differs │   ... or this is what I have applied
//!   │ Open { applied } ────────────────▶ │   I take what I lack: keep a snapshot of this moment
//!   │ ◀───────────── Opened { chunks }   │   what it knows, and a sum for each chunk of positions
//!   │ Descend { chunks } ──────────────▶ │   those that differ, and what I have for each eighth of them
//!   │ ◀──────────────── Leaves { sums }  │   a sum for each leaf of the eighths that differ
//!   │ Take { leaves } ─────────────────▶ │   those that differ
//!   │ ◀──────────────── Cells { .. }     │   their cells, as far as the taker has not applied what wrote them
//!   │ Close ───────────────────────────▶ │
//! ```
//!
//! Who stands in for an owner that cannot be reached offers it what it keeps, and the owner takes it in the same way:
//!
//! ```text
//! stand-in                            owner
//!   │ Offer { held } ──────────────────▶ │   this I keep for you
//!   │ ◀─────────────── Had, or Open { .. }   I have all of it, or: I take what I lack
//!   │ Lent { leaves } ─────────────────▶ │   what it knows, and the leaves in which it was told anything
//!   │ ◀────────────────── Take { leaves }│   ... as above
//! ```
//!
//! Each question is asked again until it is answered, and each answer says which question it answers, so both may be
//! lost and repeated. A snapshot has a name that its source gives to no other, before or after a restart: what the taker was
//! told of one must not be heard as said of the next.

use super::Ticket;
use super::quorum::Counts;
use bytes::{BufMut, BytesMut};
use causal::codec::{Malformed, Reader, put_varint};
use causal::map::Knowledge;
use causal::{Cell, Context, Early, Entries};

/// How many chunks there are, and leaves in each.
pub const LEAVES_MAX: usize = 64;
/// How many groups the leaves of a chunk lie in, of as many leaves each.
pub const GROUPS: usize = 8;
/// The most leaves of which one question may ask for the cells.
pub const TAKEN_LEAVES_MAX: usize = 256;

/// What the asker of a question holds and has applied, as hashes: who has the same need not send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashes {
    /// Of the dots in the cell.
    pub held: u64,
    /// Of the context.
    pub applied: u64,
}

/// What a replica has applied and holds, in short.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The operations applied.
    pub context: Context,
    /// The sum of the fingerprints of all entries.
    pub digest: u64,
    /// Whether some cell may say more than the context does.
    pub is_ahead: bool,
    /// For which quorums it counts.
    pub counts: Counts,
}

/// One leaf of a snapshot, for a taker that holds something else there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LeafCells {
    /// Which leaf.
    pub leaf: u16,
    /// The fingerprints of all entries of the leaf, ascending, in the first part of it alone.
    pub fingerprints: Option<Vec<u64>>,
    /// The cells with an entry that the taker has not applied, whole.
    pub cells: Vec<(Cell, Entries)>,
}

/// One thing said.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Do we hold the same? The hashes are of the digest and of the context.
    Compare(Hashes),
    /// We do, and this one lacks nothing that it knows of.
    Same,
    /// We do not: this is what I have.
    Differs(Box<State>),
    /// You had applied this when I last asked, and now you have not.
    Forgotten(Context),
    /// Keep a snapshot for me, who have applied this.
    Open(Context),
    /// It is kept.
    Opened {
        /// Which snapshot.
        snapshot: Ticket,
        /// What it knows.
        knowledge: Box<Knowledge>,
        /// The sum of each chunk.
        chunks: Vec<u64>,
        /// For which quorums the source counts.
        counts: Counts,
    },
    /// The sums of leaves?
    Descend {
        /// Of which snapshot.
        snapshot: Ticket,
        /// Of the leaves of these chunks, where they are not these for their groups.
        chunks: Vec<(u8, [u64; GROUPS])>,
    },
    /// They are these.
    Leaves(Vec<ChunkSums>),
    /// The cells of these leaves? Of the first of them the cells from this number on.
    Take {
        /// Of which snapshot.
        snapshot: Ticket,
        /// The leaves, ascending.
        leaves: Vec<u16>,
        /// How many cells of the first leaf have come already.
        skip: u32,
    },
    /// They are these, as far as there was room.
    Cells {
        /// The leaves.
        leaves: Vec<LeafCells>,
        /// How many cells of the last leaf have come by now, where there are more of it.
        more: Option<u32>,
    },
    /// I am done with the snapshot.
    Close,
    /// There is no such snapshot, or none any more.
    Gone,
    /// Not now: ask again.
    Later,
    /// I stand in for you, and hold or have applied this.
    Offer(Context),
    /// I have all that you offer, durably.
    Had,
    /// A snapshot is kept, by one that stands in: it has been told nothing of any other leaf.
    Lent {
        /// Which snapshot.
        snapshot: Ticket,
        /// What it knows.
        knowledge: Box<Knowledge>,
        /// The leaves, ascending.
        leaves: Vec<u16>,
    },
}

/// The sums of leaves of one chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkSums {
    /// The chunk.
    pub chunk: u8,
    /// What the sums of groups add up to that the taker has asked with: who asks again may have others by then.
    pub asked: u64,
    /// The groups whose sums were not those, a bit each.
    pub groups: u8,
    /// The sum of each leaf of those groups, 0 of all others.
    pub sums: Vec<u64>,
}

impl Hashes {
    pub(super) fn encode(&self, out: &mut BytesMut) {
        out.put_u64(self.held);
        out.put_u64(self.applied);
    }

    pub(super) fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        Ok(Self { held: reader.u64()?, applied: reader.u64()? })
    }
}

impl State {
    fn encode(&self, out: &mut BytesMut) {
        self.context.encode(out);
        out.put_u64(self.digest);
        out.put_u8(u8::from(self.is_ahead));
        self.counts.encode(out);
    }

    fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let (context, digest) = (Context::decode(reader)?, reader.u64()?);
        Ok(Self { context, digest, is_ahead: reader.u8()? != 0, counts: Counts::decode(reader)? })
    }
}

impl LeafCells {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u16(self.leaf);
        out.put_u8(u8::from(self.fingerprints.is_some()));
        self.fingerprints.iter().for_each(|sums| put_sums(sums, out));
        put_varint(out, self.cells.len() as u64);
        for (cell, entries) in &self.cells {
            cell.encode(out);
            entries.encode(out);
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let leaf = u16::from_be_bytes([reader.u8()?, reader.u8()?]);
        let fingerprints = if reader.u8()? == 0 { None } else { Some(sums(reader)?) };
        let count = reader.count(Cell::BYTES_MIN + 2)?;
        let cell = |reader: &mut Reader| Ok((Cell::decode(reader)?, Entries::decode(reader)?));
        let cells = (0..count).map(|_| cell(reader)).collect::<Result<_, _>>()?;
        Ok(Self { leaf, fingerprints, cells })
    }
}

impl ChunkSums {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(self.chunk);
        out.put_u64(self.asked);
        out.put_u8(self.groups);
        put_sparse(&self.sums, out);
    }

    fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let (chunk, asked, groups) = (reader.u8()?, reader.u64()?, reader.u8()?);
        Ok(Self { chunk, asked, groups, sums: sparse(reader, LEAVES_MAX)? })
    }
}

impl Step {
    pub(super) fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Compare(hashes) => {
                out.put_u8(1);
                hashes.encode(out);
            }
            Self::Same => out.put_u8(2),
            Self::Differs(state) => {
                out.put_u8(3);
                state.encode(out);
            }
            Self::Forgotten(context) => put_context(4, context, out),
            Self::Open(context) => put_context(5, context, out),
            Self::Opened { snapshot, knowledge, chunks, counts } => {
                out.put_u8(6);
                counts.encode(out);
                out.put_u64(snapshot.0);
                put_knowledge(knowledge, out);
                put_sparse(chunks, out);
            }
            Self::Descend { snapshot, chunks } => {
                put_named(7, *snapshot, out);
                put_varint(out, chunks.len() as u64);
                chunks.iter().for_each(|(chunk, groups)| put_groups(*chunk, groups, out));
            }
            Self::Leaves(chunks) => {
                out.put_u8(8);
                put_varint(out, chunks.len() as u64);
                chunks.iter().for_each(|chunk| chunk.encode(out));
            }
            Self::Take { snapshot, leaves, skip } => {
                put_named(9, *snapshot, out);
                put_leaves(leaves, out);
                put_varint(out, u64::from(*skip));
            }
            Self::Cells { leaves, more } => {
                out.put_slice(&[10, u8::from(more.is_some())]);
                more.iter().for_each(|more| put_varint(out, u64::from(*more)));
                put_varint(out, leaves.len() as u64);
                leaves.iter().for_each(|leaf| leaf.encode(out));
            }
            Self::Close => out.put_u8(11),
            Self::Gone => out.put_u8(12),
            Self::Later => out.put_u8(13),
            Self::Offer(context) => put_context(14, context, out),
            Self::Had => out.put_u8(15),
            Self::Lent { snapshot, knowledge, leaves } => {
                put_named(16, *snapshot, out);
                put_knowledge(knowledge, out);
                put_leaves(leaves, out);
            }
        }
    }

    pub(super) fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        Ok(match reader.u8()? {
            1 => Self::Compare(Hashes::decode(reader)?),
            2 => Self::Same,
            3 => Self::Differs(Box::new(State::decode(reader)?)),
            4 => Self::Forgotten(Context::decode(reader)?),
            5 => Self::Open(Context::decode(reader)?),
            6 => {
                let (counts, snapshot) = (Counts::decode(reader)?, Ticket(reader.u64()?));
                let knowledge = knowledge(reader)?;
                Self::Opened { snapshot, knowledge, chunks: sparse(reader, LEAVES_MAX)?, counts }
            }
            7 => {
                let snapshot = Ticket(reader.u64()?);
                let count = few(reader, 2, LEAVES_MAX)?;
                let chunks = (0..count).map(|_| groups(reader)).collect::<Result<_, _>>()?;
                Self::Descend { snapshot, chunks }
            }
            8 => {
                let count = few(reader, 11, LEAVES_MAX)?;
                Self::Leaves((0..count).map(|_| ChunkSums::decode(reader)).collect::<Result<_, _>>()?)
            }
            9 => {
                let snapshot = Ticket(reader.u64()?);
                let leaves = leaves(reader, TAKEN_LEAVES_MAX)?;
                Self::Take { snapshot, leaves, skip: small(reader)? }
            }
            10 => {
                let more = if reader.u8()? == 0 { None } else { Some(small(reader)?) };
                let count = reader.count(4)?;
                let leaves = (0..count).map(|_| LeafCells::decode(reader)).collect::<Result<_, _>>()?;
                Self::Cells { leaves, more }
            }
            11 => Self::Close,
            12 => Self::Gone,
            13 => Self::Later,
            14 => Self::Offer(Context::decode(reader)?),
            15 => Self::Had,
            16 => {
                let (snapshot, knowledge) = (Ticket(reader.u64()?), knowledge(reader)?);
                Self::Lent { snapshot, knowledge, leaves: leaves(reader, LEAVES_MAX * LEAVES_MAX)? }
            }
            _ => return Err(reader.malformed()),
        })
    }
}

fn put_context(step: u8, context: &Context, out: &mut BytesMut) {
    out.put_u8(step);
    context.encode(out);
}

/// The number of a step, and the snapshot that it is about.
fn put_named(step: u8, snapshot: Ticket, out: &mut BytesMut) {
    out.put_u8(step);
    out.put_u64(snapshot.0);
}

fn put_knowledge(knowledge: &Knowledge, out: &mut BytesMut) {
    knowledge.context.encode(out);
    knowledge.early.encode(out);
}

fn knowledge(reader: &mut Reader) -> Result<Box<Knowledge>, Malformed> {
    Ok(Box::new(Knowledge { context: Context::decode(reader)?, early: Early::decode(reader)? }))
}

fn put_leaves(leaves: &[u16], out: &mut BytesMut) {
    put_varint(out, leaves.len() as u64);
    leaves.iter().for_each(|leaf| out.put_u16(*leaf));
}

fn leaves(reader: &mut Reader, count_max: usize) -> Result<Vec<u16>, Malformed> {
    let count = reader.count(2)?;
    if count > count_max {
        return Err(reader.malformed());
    }
    (0..count).map(|_| Ok(u16::from_be_bytes([reader.u8()?, reader.u8()?]))).collect()
}

fn put_sums(sums: &[u64], out: &mut BytesMut) {
    put_varint(out, sums.len() as u64);
    sums.iter().for_each(|sum| out.put_u64(*sum));
}

fn sums(reader: &mut Reader) -> Result<Vec<u64>, Malformed> {
    let count = reader.count(8)?;
    (0..count).map(|_| reader.u64()).collect()
}

/// A sum for each chunk, leaf or group, whose number both sides know: which of them are not 0, eight in a byte, and then
/// those. Where there are few rows most are.
fn put_sparse(sums: &[u64], out: &mut BytesMut) {
    for eight in sums.chunks(8) {
        out.put_u8(eight.iter().rev().fold(0, |bits, sum| bits << 1 | u8::from(*sum != 0)));
    }
    sums.iter().filter(|sum| **sum != 0).for_each(|sum| out.put_u64(*sum));
}

fn sparse(reader: &mut Reader, count: usize) -> Result<Vec<u64>, Malformed> {
    let bits = (0..count.div_ceil(8)).map(|_| reader.u8()).collect::<Result<Vec<u8>, _>>()?;
    let is_there = |number: usize| bits[number / 8] >> (number % 8) & 1 == 1;
    (0..count).map(|number| if is_there(number) { reader.u64() } else { Ok(0) }).collect()
}

fn put_groups(chunk: u8, groups: &[u64; GROUPS], out: &mut BytesMut) {
    out.put_u8(chunk);
    put_sparse(groups, out);
}

fn groups(reader: &mut Reader) -> Result<(u8, [u64; GROUPS]), Malformed> {
    let (chunk, mut groups) = (reader.u8()?, [0; GROUPS]);
    groups.copy_from_slice(&sparse(reader, GROUPS)?);
    Ok((chunk, groups))
}

fn few(reader: &mut Reader, bytes_min: usize, count_max: usize) -> Result<usize, Malformed> {
    let count = reader.count(bytes_min)?;
    if count <= count_max { Ok(count) } else { Err(reader.malformed()) }
}

fn small(reader: &mut Reader) -> Result<u32, Malformed> {
    let number = reader.varint()?;
    u32::try_from(number).map_err(|_| reader.malformed())
}
