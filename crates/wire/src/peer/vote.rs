//! What is said about the register that holds the layout: questions to voters, their answers, and what members tell its steward.
//!
//! ```text
//! who changes it           voter
//!    │ Vote Prepare ─────────▶ │      and Vote Accept
//!    │ ◀───────── Promised ... │      Accepted, or Outbid
//! a member                 the steward
//!    │ Progress ─────────────▶ │      which disk it votes with, and what has come of the moves that it takes part in
//! ```
//!
//! Not what is made of it: `node::caspaxos` says who may believe whom, and `node::steward` what comes next. Layouts are bytes here.
//!
//! 1. A question names the seat that it is asked of: another disk of the same node does not answer it.

use bytes::{BufMut, Bytes, BytesMut};
use causal::codec::{Malformed, Reader, put_bytes, put_varint};
use placement::layout::{Advance, Move};
use placement::{NodeId, PartitionId};

/// Bytes that a move has at least: a partition, a tag, a member and an epoch.
const MOVE_BYTES_MIN: usize = 2 + 1 + 8 + 1;

/// Which attempt it is. The greater counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ballot {
    /// Above what the proposer has seen.
    pub round: u64,
    /// Tells two proposers of one round apart: random bits of one start of a process, so that a ballot that was used before a
    /// restart is not used again.
    pub proposer: u64,
}

impl Ballot {
    /// The next attempt of a proposer that has seen this one.
    #[must_use]
    pub fn above(self, proposer: u64) -> Self {
        Self { round: self.round.saturating_add(1), proposer }
    }

    /// Appends it.
    pub fn encode(&self, out: &mut BytesMut) {
        put_varint(out, self.round);
        out.put_u64(self.proposer);
    }

    /// Reads it.
    ///
    /// # Errors
    /// Where the bytes end too early.
    pub fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        Ok(Self { round: reader.varint()?, proposer: reader.u64()? })
    }
}

/// A question to a voter, or its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// At which attempt.
    pub ballot: Ballot,
    /// The disk of the seat that is asked, or has answered.
    pub disk: u64,
    /// What is said.
    pub word: Word,
}

/// What is said about the register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// What did you accept last? And answer nobody below this ballot any more.
    Prepare,
    /// Accept this layout.
    Accept(Bytes),
    /// Nobody below the ballot is answered any more, and this was accepted last.
    Promised(Option<(Ballot, Bytes)>),
    /// The layout was accepted.
    Accepted,
    /// A greater ballot was promised, this one.
    Outbid(Ballot),
}

/// What a shard of a member tells the steward.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Which shard of the member it is, and how many there are.
    pub shard: (u16, u16),
    /// With which disk the member votes, where this is the shard that does.
    pub disk: Option<u64>,
    /// Of how many partitions it still has something that others own.
    pub kept: u64,
    /// What has come of the moves that it takes part in.
    pub moves: Vec<Move>,
}

impl Vote {
    pub(super) fn encode(&self, out: &mut BytesMut) {
        self.ballot.encode(out);
        out.put_u64(self.disk);
        match &self.word {
            Word::Prepare => out.put_u8(0),
            Word::Accept(layout) => {
                out.put_u8(1);
                put_bytes(out, layout);
            }
            Word::Promised(None) => out.put_u8(2),
            Word::Promised(Some((ballot, layout))) => {
                out.put_u8(3);
                ballot.encode(out);
                put_bytes(out, layout);
            }
            Word::Accepted => out.put_u8(4),
            Word::Outbid(ballot) => {
                out.put_u8(5);
                ballot.encode(out);
            }
        }
    }

    pub(super) fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let (ballot, disk) = (Ballot::decode(reader)?, reader.u64()?);
        let word = match reader.u8()? {
            0 => Word::Prepare,
            1 => Word::Accept(reader.bytes()?),
            2 => Word::Promised(None),
            3 => Word::Promised(Some((Ballot::decode(reader)?, reader.bytes()?))),
            4 => Word::Accepted,
            5 => Word::Outbid(Ballot::decode(reader)?),
            _ => return Err(reader.malformed()),
        };
        Ok(Self { ballot, disk, word })
    }
}

impl Progress {
    pub(super) fn encode(&self, out: &mut BytesMut) {
        out.put_u16(self.shard.0);
        out.put_u16(self.shard.1);
        out.put_u8(u8::from(self.disk.is_some()));
        self.disk.into_iter().for_each(|disk| out.put_u64(disk));
        put_varint(out, self.kept);
        put_varint(out, self.moves.len() as u64);
        for Move { partition, advance } in &self.moves {
            out.put_u16(partition.0);
            let (tag, member, epoch) = match advance {
                Advance::Begin => (0, NodeId(0), 0),
                Advance::Copied { newcomer, began } => (1, *newcomer, *began),
                Advance::Arrived { owner, since } => (2, *owner, *since),
            };
            out.put_u8(tag);
            out.put_u64(member.0);
            put_varint(out, epoch);
        }
    }

    pub(super) fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let shard = (two(reader)?, two(reader)?);
        let disk = if reader.u8()? == 0 { None } else { Some(reader.u64()?) };
        let kept = reader.varint()?;
        let count = reader.count(MOVE_BYTES_MIN)?;
        let mut moves = Vec::new();
        for _ in 0..count {
            let partition = PartitionId(two(reader)?);
            let (tag, member, epoch) = (reader.u8()?, NodeId(reader.u64()?), reader.varint()?);
            let advance = match tag {
                0 => Advance::Begin,
                1 => Advance::Copied { newcomer: member, began: epoch },
                2 => Advance::Arrived { owner: member, since: epoch },
                _ => return Err(reader.malformed()),
            };
            moves.push(Move { partition, advance });
        }
        Ok(Self { shard, disk, kept, moves })
    }
}

fn two(reader: &mut Reader) -> Result<u16, Malformed> {
    Ok(u16::from_be_bytes([reader.u8()?, reader.u8()?]))
}
