//! The bytes of an envelope: a version, the epoch, the partition, a tag and the message's fields.
//!
//! 1. A tag and the order of its fields never change; what must change gets a new tag.
//! 2. Nothing is allocated that the bytes received do not pay for.

use super::exchange::{Hashes, Step};
use super::gossip::Gossip;
use super::quorum::{Quorum, Quorums};
use super::vote::{Progress, Vote};
use super::{Envelope, Found, Message, Report, Shown, Ticket, Verdict};
use crate::request::{Job, Request};
use crate::resp::{self, Protocol, ReplyDecoder};
use crate::{Level, Reply};
use bytes::{BufMut, Bytes, BytesMut};
use causal::codec::{Malformed, Reader, put_bytes, put_varint};
use causal::map::Knowledge;
use causal::{Cell, Context, Delta, Dot, Early, Entries, Key, Scope};
use placement::NodeId;
use placement::{PartitionId, Position};

/// The version of envelopes.
const ENVELOPE_VERSION: u8 = 2;
/// The most words that a passed-on command may have.
const WORDS_MAX: usize = 1024 * 1024;

impl Envelope {
    /// Appends the envelope, without a frame around it.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u8(ENVELOPE_VERSION);
        put_varint(out, self.epoch);
        out.put_u16(self.partition.0);
        self.message.encode(out);
    }

    /// Reads an envelope.
    ///
    /// # Errors
    /// Where the bytes are not one whole envelope of a known version.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "peer message");
        reader.version(ENVELOPE_VERSION)?;
        let epoch = reader.varint()?;
        let partition = PartitionId(u16::from_be_bytes([reader.u8()?, reader.u8()?]));
        let message = Message::decode(&mut reader)?;
        reader.end()?;
        Ok(Self { epoch, partition, message })
    }
}

impl Message {
    fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Apply { ticket, deltas, asker, passes_on, quorum } => {
                head(out, 1, *ticket);
                quorum.encode(out);
                encode_asker(asker.as_ref(), out);
                out.put_u8(u8::from(*passes_on));
                encode_deltas(deltas, out);
            }
            Self::Mend { ticket, cell, found, deltas, asker, quorum } => {
                head(out, 2, *ticket);
                quorum.encode(out);
                encode_asker(asker.as_ref(), out);
                cell.encode(out);
                found.encode(out);
                encode_deltas(deltas, out);
            }
            Self::Applied { ticket, verdict } => {
                head(out, 3, *ticket);
                verdict.encode(out);
            }
            Self::Fetch { ticket, cell, asker, ranks, quorum } => {
                head(out, 4, *ticket);
                quorum.encode(out);
                asker.encode(out);
                out.put_u8(u8::from(ranks.is_some()));
                ranks.iter().for_each(|dot| dot.encode(out));
                out.put_u8(u8::from(cell.is_some()));
                cell.iter().for_each(|cell| cell.encode(out));
            }
            Self::Fetched { ticket, report, shown } => {
                head(out, if report.is_some() { 6 } else { 5 }, *ticket);
                shown.encode(out);
                report.iter().for_each(|report| report.encode(out));
            }
            Self::Unreadable { ticket } => head(out, 7, *ticket),
            Self::Ask { ticket, request } => {
                head(out, 8, *ticket);
                request.encode(out);
            }
            Self::Answer { ticket, reply } => {
                head(out, 9, *ticket);
                resp::encode(reply, Protocol::Resp3, out);
            }
            Self::Layout { .. } | Self::LayoutWanted | Self::Alive => self.encode_of_layout(out),
            Self::Exchange { ticket, step } => {
                head(out, 30, *ticket);
                step.encode(out);
            }
            Self::Gossip(_) | Self::Vote(_) | Self::Progress(_) => self.encode_of_members(out),
        }
    }

    /// A message about which layout there is.
    fn encode_of_layout(&self, out: &mut BytesMut) {
        match self {
            Self::Layout { layout } => {
                out.put_u8(10);
                put_bytes(out, layout);
            }
            Self::LayoutWanted => out.put_u8(11),
            _ => out.put_u8(12),
        }
    }

    /// A message about members, which is no part of a request.
    fn encode_of_members(&self, out: &mut BytesMut) {
        match self {
            Self::Gossip(gossip) => {
                out.put_u8(40);
                gossip.encode(out);
            }
            Self::Vote(vote) => {
                out.put_u8(50);
                vote.encode(out);
            }
            Self::Progress(progress) => {
                out.put_u8(51);
                progress.encode(out);
            }
            _ => debug_assert!(false, "it is encoded elsewhere"),
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let tag = reader.u8()?;
        match tag {
            10 => return Ok(Self::Layout { layout: reader.bytes()? }),
            11 => return Ok(Self::LayoutWanted),
            12 => return Ok(Self::Alive),
            40 => return Gossip::decode(reader).map(Self::Gossip),
            50 => return Vote::decode(reader).map(Self::Vote),
            51 => return Progress::decode(reader).map(Self::Progress),
            _ => {}
        }
        let ticket = Ticket(reader.u64()?);
        Ok(match tag {
            1 => {
                let (quorum, asker) = (Quorum::decode(reader)?, decode_asker(reader)?);
                let passes_on = reader.u8()? != 0;
                Self::Apply { ticket, deltas: decode_deltas(reader)?, asker, passes_on, quorum }
            }
            2 => {
                let (quorum, asker) = (Quorum::decode(reader)?, decode_asker(reader)?);
                let (cell, found) = (Cell::decode(reader)?, Box::new(Found::decode(reader)?));
                Self::Mend { ticket, cell, found, deltas: decode_deltas(reader)?, asker, quorum }
            }
            3 => Self::Applied { ticket, verdict: Verdict::decode(reader)? },
            4 => {
                let quorum = Quorum::decode(reader)?;
                let (asker, is_ranking) = (Hashes::decode(reader)?, reader.u8()? != 0);
                let ranks = if is_ranking { Some(Dot::decode(reader)?) } else { None };
                let has_cell = reader.u8()? != 0;
                let cell = if has_cell { Some(Cell::decode(reader)?) } else { None };
                Self::Fetch { ticket, cell, asker, ranks, quorum }
            }
            5 => Self::Fetched { ticket, shown: Shown::decode(reader)?, report: None },
            6 => {
                let shown = Shown::decode(reader)?;
                Self::Fetched { ticket, shown, report: Some(Box::new(Report::decode(reader)?)) }
            }
            7 => Self::Unreadable { ticket },
            8 => Self::Ask { ticket, request: Request::decode(reader)? },
            9 => Self::Answer { ticket, reply: decode_reply(reader)? },
            30 => Self::Exchange { ticket, step: Step::decode(reader)? },
            _ => return Err(reader.malformed()),
        })
    }
}

fn encode_asker(asker: Option<&Hashes>, out: &mut BytesMut) {
    out.put_u8(u8::from(asker.is_some()));
    asker.into_iter().for_each(|asker| asker.encode(out));
}

fn decode_asker(reader: &mut Reader) -> Result<Option<Hashes>, Malformed> {
    if reader.u8()? == 0 { Ok(None) } else { Hashes::decode(reader).map(Some) }
}

fn encode_deltas(deltas: &[Delta], out: &mut BytesMut) {
    put_varint(out, deltas.len() as u64);
    deltas.iter().for_each(|delta| delta.encode(out));
}

fn decode_deltas(reader: &mut Reader) -> Result<Vec<Delta>, Malformed> {
    let count = reader.count(Dot::BYTES_MIN)?;
    (0..count).map(|_| Delta::decode(reader)).collect()
}

fn head(out: &mut BytesMut, tag: u8, ticket: Ticket) {
    out.put_u8(tag);
    out.put_u64(ticket.0);
}

fn decode_reply(reader: &mut Reader) -> Result<Reply, Malformed> {
    let mut bytes = BytesMut::from(reader.rest().as_ref());
    match ReplyDecoder::default().decode(&mut bytes) {
        Ok(Some(reply)) if bytes.is_empty() => Ok(reply),
        _ => Err(reader.malformed()),
    }
}

impl Found {
    fn encode(&self, out: &mut BytesMut) {
        self.entries.encode(out);
        self.knowledge.context.encode(out);
        self.knowledge.early.encode(out);
    }

    fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let entries = Entries::decode(reader)?;
        let knowledge = Knowledge { context: Context::decode(reader)?, early: Early::decode(reader)? };
        Ok(Self { entries, knowledge })
    }
}

impl Shown {
    fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::No { told } => {
                out.put_u8(0);
                put_varint(out, told.len() as u64);
                told.iter().for_each(|node| out.put_u64(node.0));
            }
            Self::Forgotten => out.put_u8(1),
            Self::Yes(Quorums { all, local }) => {
                out.put_slice(&[2, u8::from(*all), u8::from(*local)]);
            }
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        match reader.u8()? {
            0 => {
                let count = reader.count(8)?;
                let told = (0..count).map(|_| reader.u64().map(NodeId)).collect::<Result<_, _>>()?;
                Ok(Self::No { told })
            }
            1 => Ok(Self::Forgotten),
            2 => Ok(Self::Yes(Quorums { all: reader.u8()? != 0, local: reader.u8()? != 0 })),
            _ => Err(reader.malformed()),
        }
    }
}

impl Report {
    fn encode(&self, out: &mut BytesMut) {
        self.found.encode(out);
        self.idle.encode(out);
    }

    fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        Ok(Self { found: Found::decode(reader)?, idle: Context::decode(reader)? })
    }
}

impl Verdict {
    fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Held { report } => {
                out.put_slice(&[0, u8::from(report.is_some())]);
                report.iter().for_each(|report| report.encode(out));
            }
            Self::StampAhead { ahead_ms } => {
                out.put_u8(1);
                put_varint(out, *ahead_ms);
            }
            Self::Refused => out.put_u8(2),
            Self::Learning => out.put_u8(3),
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        match reader.u8()? {
            0 => {
                let report = if reader.u8()? == 0 { None } else { Some(Box::new(Report::decode(reader)?)) };
                Ok(Self::Held { report })
            }
            1 => Ok(Self::StampAhead { ahead_ms: reader.varint()? }),
            2 => Ok(Self::Refused),
            3 => Ok(Self::Learning),
            _ => Err(reader.malformed()),
        }
    }
}

impl Request {
    fn encode(&self, out: &mut BytesMut) {
        self.level.encode(out);
        self.job.encode(out);
    }

    fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        Ok(Self { level: Level::decode(reader)?, job: Job::decode(reader)? })
    }
}

impl Job {
    fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Command { key, words } => {
                out.put_u8(1);
                key.encode(out);
                put_varint(out, words.len() as u64);
                words.iter().for_each(|word| put_bytes(out, word));
            }
            Self::Siblings { key } => {
                out.put_u8(2);
                key.encode(out);
            }
            Self::Resolve { key, token, value } => {
                out.put_u8(3);
                key.encode(out);
                put_bytes(out, token);
                put_bytes(out, value);
            }
            Self::Explain { key } => {
                out.put_u8(4);
                key.encode(out);
            }
            Self::Count { database } => out.put_slice(&[5, *database]),
            Self::List { database, from, limit } => {
                out.put_slice(&[6, *database]);
                out.put_u64(from.0);
                put_varint(out, u64::from(*limit));
            }
            Self::Flush { scope } => {
                out.put_u8(7);
                scope.encode(out);
            }
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        Ok(match reader.u8()? {
            1 => {
                let key = Key::decode(reader)?;
                let count = reader.count(1)?;
                if count == 0 || count > WORDS_MAX {
                    return Err(reader.malformed());
                }
                let words = (0..count).map(|_| reader.bytes()).collect::<Result<_, _>>()?;
                Self::Command { key, words }
            }
            2 => Self::Siblings { key: Key::decode(reader)? },
            3 => Self::Resolve { key: Key::decode(reader)?, token: reader.bytes()?, value: reader.bytes()? },
            4 => Self::Explain { key: Key::decode(reader)? },
            5 => Self::Count { database: reader.u8()? },
            6 => {
                let (database, from) = (reader.u8()?, Position(reader.u64()?));
                let limit = u32::try_from(reader.varint()?).map_err(|_| reader.malformed())?;
                Self::List { database, from, limit }
            }
            7 => Self::Flush { scope: Scope::decode(reader)? },
            _ => return Err(reader.malformed()),
        })
    }
}
