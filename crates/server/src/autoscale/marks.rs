//! What is measured of a load, and between which marks it is to be.
//!
//! Not how it is measured: that is `shard::speaking`, and gossip brings it here.
//!
//! 1. The low mark is below the high one.
//! 2. `Band` reads back what it displays.

use std::fmt;
use std::str::FromStr;

use wire::peer::gossip::Load;

/// What a node has to do, in one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Requests of its clients in a second.
    Operations,
    /// How much its process computes, in percent of one core.
    Cpu,
    /// Bytes that it stores.
    Bytes,
    /// How long its clients' requests wait for their answers, in the mean and in microseconds.
    Latency,
}

impl Metric {
    /// The figure of a load.
    pub(super) fn of(self, load: &Load) -> u64 {
        match self {
            Self::Operations => load.operations_per_s,
            Self::Cpu => load.cpu_permille / 10,
            Self::Bytes => load.stored_bytes,
            Self::Latency => load.latency_us,
        }
    }

    /// A mean, for people.
    pub(super) fn told(self, mean: u64) -> String {
        match self {
            Self::Operations => format!("{mean} operations/s a node"),
            Self::Cpu => format!("{mean} % of a core a node"),
            Self::Bytes => format!("{mean} B stored a node"),
            Self::Latency => format!("{mean} us a request"),
        }
    }
}

/// Two marks: above the high one there are too few nodes, below the low one too many. Written `LOW..HIGH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    low: u64,
    high: u64,
}

/// A text that is no pair of marks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write two marks as LOW..HIGH, the low one below the high one")]
pub struct BandError;

impl Band {
    /// Two marks.
    ///
    /// # Errors
    /// Where the low one is not below the high one.
    pub fn new(low: u64, high: u64) -> Result<Self, BandError> {
        if low < high { Ok(Self { low, high }) } else { Err(BandError) }
    }

    /// Below this there may be too many nodes.
    pub fn low(self) -> u64 {
        self.low
    }

    /// Above this there are too few nodes.
    pub fn high(self) -> u64 {
        self.high
    }
}

impl FromStr for Band {
    type Err = BandError;

    fn from_str(text: &str) -> Result<Self, BandError> {
        let (low, high) = text.split_once("..").ok_or(BandError)?;
        match (low.parse(), high.parse()) {
            (Ok(low), Ok(high)) => Self::new(low, high),
            _ => Err(BandError),
        }
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.low, self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::Band;

    #[test]
    fn bands_read_back_what_they_display() {
        let band: Band = "100..5000".parse().unwrap();
        assert_eq!((band.low(), band.high(), band.to_string().as_str()), (100, 5000, "100..5000"));
        for bad in ["", "5", "5..", "..5", "5..5", "6..5", "-1..5", "1...5", "1..2..3"] {
            assert!(bad.parse::<Band>().unwrap_err().to_string().contains("LOW..HIGH"), "{bad}");
        }
    }
}
