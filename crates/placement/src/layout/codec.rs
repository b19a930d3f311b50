//! The bytes of a layout, on disk and between nodes.
//!
//! Numbers are little-endian. A text is a length byte and that many bytes of UTF-8.
//!
//! ```text
//! version 4 | cluster 8 | seed 8 | partitions 4 | copies | epoch 8 | members 2
//! copies:        0 and a number 1, or how many datacenters 1, and of each its name and a number 1
//! per member:    id 8 | joined at 8 | weight 4 | duty 1 | name | client address | peer address | datacenter | rack
//! voters:        twice a set: how many 1, and of each the number of a member 2 and a disk 8
//! kept: a list
//! per partition: N times who is wanted 2
//! per partition: owners, a list | since 8 | step 1
//!                1, copying:  newcomer 2 | began 8
//!                2, settling: to come, a list | how many sets 1 | lists
//! list: how many 1, and of each the number of a member 2
//! checksum 8: XXH3-64 of all bytes before it
//! ```
//!
//! Invariants:
//! 1. `decode(encode(x)) == x`, and equal layouts have equal bytes.
//! 2. No bytes make `decode` panic, or allocate more than a small multiple of their number.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::place::{Place, Step};
use super::{Layout, LayoutError, stand_in_ring};
use crate::copies::Copies;
use crate::keyspace::Keyspace;
use crate::member::{Duty, Member, NodeId, Zone};
use crate::ring::{Ring, xxh3};
use crate::voters::{Seat, Voters};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const VERSION: u8 = 4;
const CHECKSUM_BYTES: usize = 8;
const RESTING: u8 = 0;
const COPYING: u8 = 1;
const SETTLING: u8 = 2;

impl Layout {
    /// The layout as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend(self.cluster.to_le_bytes());
        out.extend(self.keyspace.seed().to_le_bytes());
        out.extend(self.keyspace.partition_count().to_le_bytes());
        put_copies(&mut out, &self.copies);
        out.extend(self.epoch.to_le_bytes());
        out.extend(number(self.members.len()));
        for (member, joined) in self.members.iter().zip(&self.joined) {
            put_member(&mut out, member, *joined);
        }
        let mut put = Output { out: &mut out, members: &self.members };
        for seats in [&self.voters.now, &self.voters.next] {
            put.count(seats.len());
            for seat in seats {
                put.member(seat.node);
                put.out.extend(seat.disk.to_le_bytes());
            }
        }
        put.count(self.kept.len());
        self.kept.iter().for_each(|id| put.member(*id));
        self.wanted.iter().for_each(|id| put.member(*id));
        self.places.iter().for_each(|place| put.place(place));
        out.extend(xxh3_64(&out).to_le_bytes());
        out
    }

    /// The layout that was encoded.
    ///
    /// # Errors
    /// If the bytes are of another version, are not what was encoded, or make a layout whose parts contradict
    /// each other.
    pub fn decode(bytes: &[u8]) -> Result<Layout, LayoutError> {
        match bytes.first() {
            Some(&VERSION) => {}
            Some(&other) => return Err(LayoutError::Version(other)),
            None => return Err(LayoutError::Broken("it has no bytes")),
        }
        let (body, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(SHORT)?;
        if u64::from_le_bytes(*checksum) != xxh3_64(body) {
            return Err(LayoutError::Broken("its checksum does not match"));
        }
        let mut input = Input(body);
        let layout = input.layout()?;
        if !input.0.is_empty() {
            return Err(LayoutError::Broken("bytes follow after its end"));
        }
        layout.check()?;
        let ring = stand_in_ring(&layout.members);
        Ok(Layout { ring, ..layout })
    }
}

const SHORT: LayoutError = LayoutError::Broken("it ends too early");

fn number(count: usize) -> [u8; 2] {
    u16::try_from(count).expect("there are at most MEMBERS_MAX members").to_le_bytes()
}

fn put_member(out: &mut Vec<u8>, member: &Member, joined: u64) {
    out.extend(member.id.0.to_le_bytes());
    out.extend(joined.to_le_bytes());
    out.extend(member.weight.to_le_bytes());
    out.push(match member.duty {
        Duty::Store => 0,
        Duty::Route => 1,
        Duty::Leave => 2,
        Duty::Lost => 3,
    });
    let Zone { datacenter, rack } = &member.zone;
    for text in [&member.name, &member.client_addr, &member.peer_addr, datacenter, rack] {
        put_text(out, text);
    }
}

fn put_copies(out: &mut Vec<u8>, copies: &Copies) {
    match copies {
        Copies::Anywhere(number) => out.extend([0, *number]),
        Copies::In(each) => {
            out.push(u8::try_from(each.len()).expect("there are at most COPIES_MAX copies"));
            for (datacenter, number) in each {
                put_text(out, datacenter);
                out.push(*number);
            }
        }
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.push(u8::try_from(text.len()).expect("texts have at most TEXT_BYTES_MAX bytes"));
    out.extend(text.as_bytes());
}

/// What names members by their numbers.
struct Output<'a> {
    out: &'a mut Vec<u8>,
    members: &'a [Member],
}

impl Output<'_> {
    fn place(&mut self, place: &Place) {
        self.list(&place.owners);
        self.out.extend(place.since.to_le_bytes());
        match &place.step {
            Step::Resting => self.out.push(RESTING),
            Step::Copying { newcomer, began } => {
                self.out.push(COPYING);
                self.member(*newcomer);
                self.out.extend(began.to_le_bytes());
            }
            Step::Settling { to_come, before } => {
                self.out.push(SETTLING);
                self.list(to_come);
                self.count(before.len());
                before.iter().for_each(|set| self.list(set));
            }
        }
    }

    fn list(&mut self, ids: &[NodeId]) {
        self.count(ids.len());
        ids.iter().for_each(|id| self.member(*id));
    }

    fn member(&mut self, id: NodeId) {
        let at = self.members.binary_search_by_key(&id, |member| member.id);
        self.out.extend(number(at.expect("everybody named is a member")));
    }

    fn count(&mut self, count: usize) {
        self.out.push(u8::try_from(count).expect("owners, sets and voters are few"));
    }
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    /// Everything but the ring, not yet checked.
    fn layout(&mut self) -> Result<Layout, LayoutError> {
        let [_version] = self.array()?;
        let cluster = u64::from_le_bytes(self.array()?);
        let seed = u64::from_le_bytes(self.array()?);
        let keyspace = Keyspace::new(seed, u32::from_le_bytes(self.array()?))?;
        let copies = self.copies()?;
        let epoch = u64::from_le_bytes(self.array()?);
        let count = u16::from_le_bytes(self.array()?);
        // Each turn takes bytes from the input, so a count that lies ends the loop and not the memory.
        let (mut members, mut joined) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (member, since) = self.member()?;
            members.push(member);
            joined.push(since);
        }
        let voters = Voters { now: self.seats(&members)?, next: self.seats(&members)? };
        let kept = self.list(&members)?;
        if !kept.is_sorted_by(|one, other| one < other) {
            return Err(LayoutError::Broken("who is waited for is not in order"));
        }
        let kept = kept.into_iter().collect();
        let mut wanted = Vec::new();
        for _ in 0..copies.among(&members) * keyspace.partition_count() as usize {
            wanted.push(self.named(&members)?);
        }
        let mut places = Vec::new();
        for _ in keyspace.partitions() {
            places.push(self.place(&members)?);
        }
        let ring = Arc::new(Ring::new(1, xxh3));
        Ok(Layout { cluster, keyspace, copies, epoch, members, joined, voters, kept, wanted, places, ring })
    }

    fn copies(&mut self) -> Result<Copies, LayoutError> {
        let [count] = self.array()?;
        if count == 0 {
            let [number] = self.array()?;
            return Ok(Copies::Anywhere(number));
        }
        let mut each = BTreeMap::new();
        for _ in 0..count {
            let (datacenter, [number]) = (self.text()?, self.array()?);
            if each.last_key_value().is_some_and(|(last, _)| *last >= datacenter) {
                return Err(LayoutError::Broken("its datacenters are not in order"));
            }
            each.insert(datacenter, number);
        }
        Ok(Copies::In(each))
    }

    fn seats(&mut self, members: &[Member]) -> Result<BTreeSet<Seat>, LayoutError> {
        let [count] = self.array()?;
        let mut seats = BTreeSet::new();
        for _ in 0..count {
            let seat = Seat { node: self.named(members)?, disk: u64::from_le_bytes(self.array()?) };
            if seats.last().is_some_and(|last| *last >= seat) {
                return Err(LayoutError::Broken("its voters are not in order"));
            }
            seats.insert(seat);
        }
        Ok(seats)
    }

    fn place(&mut self, members: &[Member]) -> Result<Place, LayoutError> {
        let owners = self.list(members)?;
        let since = u64::from_le_bytes(self.array()?);
        let step = match self.array()? {
            [RESTING] => Step::Resting,
            [COPYING] => {
                Step::Copying { newcomer: self.named(members)?, began: u64::from_le_bytes(self.array()?) }
            }
            [SETTLING] => {
                let to_come = self.list(members)?;
                let [sets] = self.array()?;
                let mut before = Vec::new();
                for _ in 0..sets {
                    before.push(self.list(members)?);
                }
                Step::Settling { to_come, before }
            }
            _ => return Err(LayoutError::Broken("a step is none that there is")),
        };
        Ok(Place { owners, since, step })
    }

    fn list(&mut self, members: &[Member]) -> Result<Vec<NodeId>, LayoutError> {
        let [count] = self.array()?;
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(self.named(members)?);
        }
        Ok(ids)
    }

    /// A member, and the epoch since which it is one.
    fn member(&mut self) -> Result<(Member, u64), LayoutError> {
        let (id, joined) = (NodeId(u64::from_le_bytes(self.array()?)), u64::from_le_bytes(self.array()?));
        let member = Member {
            id,
            weight: u32::from_le_bytes(self.array()?),
            duty: self.duty()?,
            name: self.text()?,
            client_addr: self.text()?,
            peer_addr: self.text()?,
            zone: Zone { datacenter: self.text()?, rack: self.text()? },
        };
        Ok((member, joined))
    }

    fn duty(&mut self) -> Result<Duty, LayoutError> {
        match self.array()? {
            [0] => Ok(Duty::Store),
            [1] => Ok(Duty::Route),
            [2] => Ok(Duty::Leave),
            [3] => Ok(Duty::Lost),
            _ => Err(LayoutError::Broken("a duty is none that there is")),
        }
    }

    fn named(&mut self, members: &[Member]) -> Result<NodeId, LayoutError> {
        let number = u16::from_le_bytes(self.array()?);
        let owner = members.get(usize::from(number));
        owner.map(|member| member.id).ok_or(LayoutError::Broken("an owner is no member"))
    }

    fn text(&mut self) -> Result<String, LayoutError> {
        let [length] = self.array()?;
        let (text, rest) = self.0.split_at_checked(usize::from(length)).ok_or(SHORT)?;
        self.0 = rest;
        let text = str::from_utf8(text).map_err(|_| LayoutError::Broken("a text is not UTF-8"))?;
        Ok(text.to_owned())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], LayoutError> {
        let (array, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*array)
    }
}
