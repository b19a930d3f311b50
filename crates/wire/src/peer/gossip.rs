//! What members say of how members are: probes, their answers, and the news that rides on both.
//!
//! ```text
//! asker                    target                  a third member
//!    │ Probe ───────────────▶ │
//!    │ ◀──────────── Answer   │
//!    │ ProbeFor { target } ─────────────────────────▶ │   no answer came: ask for me
//!    │                        │ ◀──────────── Probe   │
//!    │                        │ Answer ─────────────▶ │
//!    │ ◀──────────────────────────────────── Answer   │   passed on
//! ```
//!
//! Not what is made of it: that is the node's membership. Not who is a member: the layout says that.
//!
//! 1. A message carries at most [`NEWS_MAX`] news, so that its size does not grow with the cluster.

use bytes::{BufMut, BytesMut};
use causal::codec::{Malformed, Reader, put_varint};
use placement::NodeId;

/// The most news in one message.
pub const NEWS_MAX: usize = 16;

/// Bytes that one piece of news has at least: a member, a health and eight numbers.
const NEWS_BYTES_MIN: usize = 8 + 1 + 9;

/// A probe or an answer, with news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gossip {
    /// What is wanted.
    pub word: Word,
    /// How members are, as the sender knows: itself first.
    pub news: Vec<News>,
}

/// What one member wants of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Are you there? Answer the sender.
    Probe {
        /// The asker's number for this question.
        number: u64,
        /// Who wants to know; the sender passes the answer on where that is somebody else.
        asker: NodeId,
    },
    /// Probe this member for me: it does not answer me.
    ProbeFor {
        /// My number for this question.
        number: u64,
        /// Who is to be probed.
        member: NodeId,
    },
    /// A member is there.
    Answer {
        /// The asker's number for the question.
        number: u64,
        /// Who wanted to know.
        asker: NodeId,
        /// Who has answered.
        member: NodeId,
    },
}

/// How a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News {
    /// Of whom it tells.
    pub member: NodeId,
    /// Which word of that member's own this takes for its newest: only it raises this number.
    pub incarnation: u64,
    /// How it is taken to be.
    pub health: Health,
    /// What it has to do.
    pub load: Load,
}

/// How a member is taken to be. Of two words of one incarnation the worse counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// It answers, or nobody has found otherwise.
    #[default]
    Alive,
    /// It did not answer, and may still say that this is not so.
    Suspect,
    /// It has not said so for long.
    Down,
}

/// What a member has to do, by its own word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Counts the words of one incarnation: of two, the later counts.
    pub beat: u64,
    /// Requests of clients in a second.
    pub operations_per_s: u64,
    /// How long its clients' requests wait for their answers, in the mean and in microseconds.
    pub latency_us: u64,
    /// How much its process computes: thousandths of one core.
    pub cpu_permille: u64,
    /// Bytes that it stores.
    pub stored_bytes: u64,
    /// Bytes that it has room for besides, if it knows.
    pub room_bytes: Option<u64>,
    /// Operations that it knows to have missed.
    pub operations_behind: u64,
    /// Whether some partition is being made whole, and does not count until then.
    pub is_learning: bool,
    /// Whether its disk is full.
    pub is_full: bool,
    /// Whether it says itself that it is not well: that is not to be doubted.
    pub says_error: bool,
}

impl Gossip {
    pub(super) fn encode(&self, out: &mut BytesMut) {
        self.word.encode(out);
        put_varint(out, self.news.len() as u64);
        self.news.iter().for_each(|news| news.encode(out));
    }

    pub(super) fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let word = Word::decode(reader)?;
        let count = reader.count(NEWS_BYTES_MIN)?;
        if count > NEWS_MAX {
            return Err(reader.malformed());
        }
        Ok(Self { word, news: (0..count).map(|_| News::decode(reader)).collect::<Result<_, _>>()? })
    }
}

impl Word {
    fn encode(self, out: &mut BytesMut) {
        let (tag, number, members) = match self {
            Self::Probe { number, asker } => (1, number, [Some(asker), None]),
            Self::ProbeFor { number, member } => (2, number, [Some(member), None]),
            Self::Answer { number, asker, member } => (3, number, [Some(asker), Some(member)]),
        };
        out.put_u8(tag);
        put_varint(out, number);
        members.into_iter().flatten().for_each(|member| out.put_u64(member.0));
    }

    fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let (tag, number) = (reader.u8()?, reader.varint()?);
        let first = NodeId(reader.u64()?);
        match tag {
            1 => Ok(Self::Probe { number, asker: first }),
            2 => Ok(Self::ProbeFor { number, member: first }),
            3 => Ok(Self::Answer { number, asker: first, member: NodeId(reader.u64()?) }),
            _ => Err(reader.malformed()),
        }
    }
}

const LEARNING: u8 = 1;
const FULL: u8 = 2;
const ERROR: u8 = 4;

impl News {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u64(self.member.0);
        put_varint(out, self.incarnation);
        out.put_u8(self.health as u8);
        let Load { beat, operations_per_s, latency_us, cpu_permille, .. } = self.load;
        let Load { stored_bytes, operations_behind, .. } = self.load;
        // One more than it is, and 0 where it is not known.
        let room_bytes = self.load.room_bytes.map_or(0, |bytes| bytes.saturating_add(1));
        let numbers = [beat, operations_per_s, latency_us, cpu_permille, stored_bytes, operations_behind];
        numbers.into_iter().chain([room_bytes]).for_each(|number| put_varint(out, number));
        let Load { is_learning, is_full, says_error, .. } = self.load;
        let flags = [(is_learning, LEARNING), (is_full, FULL), (says_error, ERROR)];
        out.put_u8(flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).sum());
    }

    fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let (member, incarnation) = (NodeId(reader.u64()?), reader.varint()?);
        let health = match reader.u8()? {
            0 => Health::Alive,
            1 => Health::Suspect,
            2 => Health::Down,
            _ => return Err(reader.malformed()),
        };
        let mut number = || reader.varint();
        let (beat, operations_per_s) = (number()?, number()?);
        let (latency_us, cpu_permille) = (number()?, number()?);
        let (stored_bytes, operations_behind) = (number()?, number()?);
        let room_bytes = number()?.checked_sub(1);
        let flags = reader.u8()?;
        if flags > LEARNING | FULL | ERROR {
            return Err(reader.malformed());
        }
        let load = Load {
            beat,
            operations_per_s,
            latency_us,
            cpu_permille,
            stored_bytes,
            room_bytes,
            operations_behind,
            is_learning: flags & LEARNING != 0,
            is_full: flags & FULL != 0,
            says_error: flags & ERROR != 0,
        };
        Ok(Self { member, incarnation, health, load })
    }
}
