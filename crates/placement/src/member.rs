//! Who is in the cluster: a node's identity, its addresses, its weight and its zone.
//!
//! It does not say who is alive, and it is not an actor: a node keeps its identity over restarts, an actor
//! never does.
//!
//! Invariants:
//! 1. A node's id depends on its name alone, so that it survives a change of address.
//! 2. What `Zone` displays, it parses back to an equal zone.

use std::fmt;
use std::str::FromStr;

use xxhash_rust::xxh3::xxh3_64;

/// The weight of a member that does not say otherwise.
pub const WEIGHT_DEFAULT: u32 = 1;

/// The greatest weight. Weights only count against each other, so more is never needed.
pub const WEIGHT_MAX: u32 = 65_535;

/// The most bytes of a name, an address, a datacenter or a rack.
pub const TEXT_BYTES_MAX: usize = 255;

/// The identity of a node: a hash of its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

impl NodeId {
    /// The id of the node with this name: its XXH3-64.
    #[must_use]
    pub fn of_name(name: &str) -> NodeId {
        NodeId(xxh3_64(name.as_bytes()))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What fails together: a rack in a datacenter. Written `datacenter/rack`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Zone {
    /// The datacenter. Neither part is empty or has a `/` in it.
    pub datacenter: String,
    /// The rack in that datacenter; racks of one name in two datacenters are two zones.
    pub rack: String,
}

/// A zone that is not written `datacenter/rack`.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is not a zone: write it as datacenter/rack, each of 1 to {TEXT_BYTES_MAX} bytes")]
pub struct ZoneError(String);

impl Zone {
    /// Whether both parts are such that the zone can be displayed and parsed back.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        [&self.datacenter, &self.rack]
            .iter()
            .all(|part| (1..=TEXT_BYTES_MAX).contains(&part.len()) && !part.contains('/'))
    }
}

impl Default for Zone {
    fn default() -> Zone {
        Zone { datacenter: "dc1".into(), rack: "rack1".into() }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.datacenter, self.rack)
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(text: &str) -> Result<Zone, ZoneError> {
        let (datacenter, rack) = text.split_once('/').ok_or_else(|| ZoneError(text.into()))?;
        let zone = Zone { datacenter: datacenter.into(), rack: rack.into() };
        if zone.is_valid() { Ok(zone) } else { Err(ZoneError(text.into())) }
    }
}

/// What a member is there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Duty {
    /// It owns its share.
    #[default]
    Store,
    /// It owns nothing, and passes requests on.
    Route,
    /// It gives everything away, and is forgotten then.
    Leave,
    /// It is gone for good.
    Lost,
}

impl Duty {
    /// Its name, as commands and answers have it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Route => "route",
            Self::Leave => "leave",
            Self::Lost => "lost",
        }
    }
}

/// One node of a cluster, as the layout knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Its identity: [`NodeId::of_name`] of its name.
    pub id: NodeId,
    /// Its name, unique in the cluster.
    pub name: String,
    /// Where clients reach it, `host:port`.
    pub client_addr: String,
    /// Where other nodes reach it, `host:port`.
    pub peer_addr: String,
    /// How much it holds relative to others: 1 to [`WEIGHT_MAX`].
    pub weight: u32,
    /// What it fails together with.
    pub zone: Zone,
    /// What it is there for.
    pub duty: Duty,
}

#[cfg(test)]
mod tests {
    use super::{NodeId, Zone};

    #[test]
    fn an_id_is_sixteen_hex_digits() {
        assert_eq!(NodeId(0xab).to_string(), "00000000000000ab");
        assert_eq!(format!("{:?}", NodeId(0xab)), "00000000000000ab");
        assert_eq!(NodeId::of_name("server1"), NodeId::of_name("server1"));
        assert_ne!(NodeId::of_name("server1"), NodeId::of_name("server2"));
        // The frozen XXH3-64 of no bytes.
        assert_eq!(NodeId::of_name(""), NodeId(0x2d06_8005_38d3_94c2));
    }

    #[test]
    fn zones_parse_what_they_display() {
        let zone: Zone = "eu-west/r7".parse().unwrap();
        assert_eq!((zone.datacenter.as_str(), zone.rack.as_str()), ("eu-west", "r7"));
        assert_eq!(zone.to_string(), "eu-west/r7");
        assert_eq!(Zone::default().to_string(), "dc1/rack1");
    }

    #[test]
    fn other_texts_are_no_zones() {
        let long = format!("a/{}", "b".repeat(256));
        for text in ["", "dc1", "/", "dc1/", "/rack1", "a/b/c", &long] {
            let error = text.parse::<Zone>().unwrap_err().to_string();
            assert!(error.contains("datacenter/rack"), "{error}");
        }
    }
}
