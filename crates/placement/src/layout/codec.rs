//! The bytes of a layout, on disk and between nodes.
//!
//! Numbers are little-endian. A text is a length byte and that many bytes of UTF-8.
//!
//! ```text
//! version 1 | cluster 8 | seed 8 | partitions 4 | replicas wanted 1 | epoch 8 | members 2
//! per member:    id 8 | weight 4 | name | client address | peer address | datacenter | rack
//! per partition: N times the number of a member, 2
//! checksum 8: XXH3-64 of all bytes before it
//! ```
//!
//! Invariants:
//! 1. `decode(encode(x)) == x`, and equal layouts have equal bytes.
//! 2. No bytes make `decode` panic, or allocate more than a small multiple of their number.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::{Layout, LayoutError, effective, stand_in_ring};
use crate::keyspace::Keyspace;
use crate::member::{Member, NodeId, Zone};
use crate::ring::{Ring, xxh3};

const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 8;

impl Layout {
    /// The layout as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend(self.cluster.to_le_bytes());
        out.extend(self.keyspace.seed().to_le_bytes());
        out.extend(self.keyspace.partition_count().to_le_bytes());
        out.push(self.replicas_wanted);
        out.extend(self.epoch.to_le_bytes());
        out.extend(number(self.members.len()));
        for member in &self.members {
            put_member(&mut out, member);
        }
        for owner in &self.owners {
            let at = self.members.binary_search_by_key(owner, |member| member.id);
            out.extend(number(at.expect("every owner is a member")));
        }
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

fn put_member(out: &mut Vec<u8>, member: &Member) {
    out.extend(member.id.0.to_le_bytes());
    out.extend(member.weight.to_le_bytes());
    let Zone { datacenter, rack } = &member.zone;
    for text in [&member.name, &member.client_addr, &member.peer_addr, datacenter, rack] {
        out.push(u8::try_from(text.len()).expect("texts have at most TEXT_BYTES_MAX bytes"));
        out.extend(text.as_bytes());
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
        let [replicas_wanted] = self.array()?;
        let epoch = u64::from_le_bytes(self.array()?);
        let count = u16::from_le_bytes(self.array()?);
        // Each turn takes bytes from the input, so a count that lies ends the loop and not the memory.
        let mut members = Vec::new();
        for _ in 0..count {
            members.push(self.member()?);
        }
        let replicas = effective(replicas_wanted, members.len());
        let mut owners = Vec::new();
        for _ in 0..replicas * keyspace.partition_count() as usize {
            owners.push(self.owner(&members)?);
        }
        let ring = Arc::new(Ring::new(1, xxh3));
        Ok(Layout { cluster, keyspace, replicas_wanted, epoch, members, owners, ring })
    }

    fn member(&mut self) -> Result<Member, LayoutError> {
        Ok(Member {
            id: NodeId(u64::from_le_bytes(self.array()?)),
            weight: u32::from_le_bytes(self.array()?),
            name: self.text()?,
            client_addr: self.text()?,
            peer_addr: self.text()?,
            zone: Zone { datacenter: self.text()?, rack: self.text()? },
        })
    }

    fn owner(&mut self, members: &[Member]) -> Result<NodeId, LayoutError> {
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
