//! The register of the layout, as one node knows it: the voter that it is, and what it is to have changed. Data alone; `register` tells
//! what is done with it.
//!
//! What a voter has promised and accepted lies in a row of its store, together with the name of its disk: who has lost the one has lost
//! the other, and comes back as somebody else.

use crate::caspaxos::{self, Acceptor, Proposer};
use crate::event::RequestId;
use crate::rows::{RowError, Storage};
use crate::step_names::votes_row;
use bytes::{BufMut, Bytes, BytesMut};
use causal::Actor;
use causal::codec::{Malformed, Reader, put_bytes};
use placement::layout::Basis;
use placement::{Change, Layout, LayoutError, NodeId, Voters};
use std::collections::VecDeque;
use std::sync::Arc;
use wire::peer::vote::Ballot;
use xxhash_rust::xxh3::xxh3_64;

/// How long whoever proposed something may take until it has others know that it is committed, in milliseconds.
const UNFINISHED_MS: u64 = 1_500;
/// The version of the row of a voter.
const VOTES_VERSION: u8 = 1;

impl caspaxos::Value for Arc<Layout> {
    fn voters(&self) -> &Voters {
        Layout::voters(self)
    }

    fn version(&self) -> u64 {
        self.epoch()
    }
}

/// A change, and of which layout it is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Proposed {
    pub(crate) change: Change,
    pub(crate) of: Basis,
}

/// Why it was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Layout(LayoutError),
    Meanwhile,
}

impl caspaxos::Change<Arc<Layout>> for Proposed {
    type Refusal = Refusal;

    fn make(&self, of: &Arc<Layout>) -> Result<Arc<Layout>, Refusal> {
        let changed = self.of.changed(of, &self.change).ok_or(Refusal::Meanwhile)?;
        changed.map(Arc::new).map_err(Refusal::Layout)
    }
}

/// A change that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// Who waits for it; nobody where it is the steward's.
    pub(crate) id: Option<RequestId>,
    pub(crate) proposed: Proposed,
    pub(crate) deadline: u64,
    /// How often it was tried.
    pub(crate) tries: u64,
    /// Whether it was proposed, so that it may have been made.
    pub(crate) may_be_made: bool,
}

/// An attempt to make it.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) wish: Wish,
    pub(crate) proposer: Proposer<Arc<Layout>, Proposed>,
    pub(crate) ask_at: u64,
}

/// The register, as one node knows it.
#[derive(Debug)]
pub(crate) struct Voting {
    /// The name of the disk with which this node votes.
    pub(crate) disk: u64,
    pub(crate) acceptor: Acceptor<Arc<Layout>>,
    /// When it has accepted something last.
    pub(crate) accepted_at: u64,
    pub(crate) wishes: VecDeque<Wish>,
    pub(crate) attempt: Option<Attempt>,
    /// The greatest ballot that was seen.
    pub(crate) seen: Ballot,
    pub(crate) rests_until: u64,
    /// The newest layout that is known to be committed; it may be on its way to the node still.
    pub(crate) committed: Arc<Layout>,
    /// The ballot of the last attempt here that came to an end: of what was accepted below it nothing comes any more.
    pub(crate) ended: Ballot,
}

impl Voting {
    /// The voter that a store holds, or a new one.
    ///
    /// # Errors
    /// Where its row cannot be read.
    pub(crate) fn open(
        layout: &Arc<Layout>,
        identity: (NodeId, Actor),
        store: &mut Storage,
        is_whole: bool,
    ) -> Result<Self, RowError> {
        let committed = Arc::clone(layout);
        let (found, _) = store.get(&votes_row())?;
        let kept = match found.filter(|_| is_whole) {
            Some(row) => Some(decode(row)?),
            None => None,
        };
        let is_new = kept.is_none();
        // Who was alone, and is founded again at another address, has shown what was accepted to nobody.
        let kept = kept.map(|(disk, acceptor): (u64, Acceptor<Arc<Layout>>)| {
            let accepted = acceptor.accepted().map(|(_, layout)| layout);
            let is_elsewhere = accepted.is_some_and(|accepted| {
                let alone = [&**accepted, &**layout].map(|of| of.members().len() == 1);
                alone == [true, true] && accepted.members()[0].peer_addr != layout.members()[0].peer_addr
            });
            (disk, if is_elsewhere { Acceptor::default() } else { acceptor })
        });
        let (disk, acceptor) =
            kept.unwrap_or_else(|| (fresh_disk(layout, identity, is_whole), Acceptor::default()));
        let (wishes, attempt, seen) = (VecDeque::new(), None, acceptor.promised());
        let (accepted_at, rests_until, ended) = (0, 0, Ballot::default());
        let voting =
            Self { disk, acceptor, accepted_at, wishes, attempt, seen, rests_until, committed, ended };
        if is_new {
            voting.keep(store);
        }
        Ok(voting)
    }

    /// Stores the voter, to be on the disk whatever the policy.
    pub(crate) fn keep(&self, store: &mut Storage) {
        store.put(votes_row(), encode(self.disk, &self.acceptor));
        store.urge();
    }

    /// Whether something was accepted here a while ago of which nobody has said since that it is committed: who proposed it may be gone.
    pub(crate) fn is_unfinished(&self, now: u64) -> bool {
        let is_open = |(ballot, layout): &(Ballot, Arc<Layout>)| {
            layout.epoch() > self.committed.epoch() && *ballot > self.ended
        };
        self.acceptor.accepted().is_some_and(is_open) && now >= self.accepted_at + UNFINISHED_MS
    }

    /// When there is something to do next.
    pub(crate) fn due(&self) -> u64 {
        match &self.attempt {
            Some(attempt) => attempt.ask_at.min(attempt.wish.deadline),
            None if self.wishes.is_empty() => u64::MAX,
            None => self.rests_until,
        }
    }

    /// Whether a change of the steward's is under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.attempt.iter().map(|attempt| &attempt.wish).chain(&self.wishes).any(|wish| wish.id.is_none())
    }

    /// A layout is known to be committed.
    pub(crate) fn know(&mut self, layout: &Arc<Layout>) {
        if layout.epoch() > self.committed.epoch() {
            self.committed = Arc::clone(layout);
        }
    }
}

/// The name of a disk that has none. Who votes alone and has lost nothing has not voted yet: its layout was kept before its store. And
/// nobody can have agreed to anything with a node that is the only member.
fn fresh_disk(layout: &Layout, (me, actor): (NodeId, Actor), is_whole: bool) -> u64 {
    let voters = layout.voters();
    let alone = voters.now.first().filter(|seat| voters.now.len() == 1 && seat.node == me);
    match alone {
        Some(seat) if is_whole || layout.members().len() == 1 => seat.disk,
        _ => disk_of(actor),
    }
}

/// The name of the disk of a node that is started for the first time.
fn disk_of(actor: Actor) -> u64 {
    xxh3_64(&actor.0.to_be_bytes())
}

fn encode(disk: u64, acceptor: &Acceptor<Arc<Layout>>) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(VOTES_VERSION);
    out.put_u64(disk);
    acceptor.promised().encode(&mut out);
    out.put_u8(u8::from(acceptor.accepted().is_some()));
    if let Some((ballot, layout)) = acceptor.accepted() {
        ballot.encode(&mut out);
        put_bytes(&mut out, &layout.encode());
    }
    out.freeze()
}

fn decode(row: Bytes) -> Result<(u64, Acceptor<Arc<Layout>>), Malformed> {
    let mut reader = Reader::new(row, "row of a voter");
    reader.version(VOTES_VERSION)?;
    let (disk, promised) = (reader.u64()?, Ballot::decode(&mut reader)?);
    let accepted = if reader.u8()? == 0 {
        None
    } else {
        let ballot = Ballot::decode(&mut reader)?;
        let layout = Layout::decode(&reader.bytes()?).map_err(|_| reader.malformed())?;
        Some((ballot, Arc::new(layout)))
    };
    reader.end()?;
    let acceptor = Acceptor::restored(promised, accepted).ok_or_else(|| reader.malformed())?;
    Ok((disk, acceptor))
}
