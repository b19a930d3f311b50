//! How the values of settings are written.
//!
//! Not which settings there are. A type that reads itself (`Fsync`, `Zone`) is not here.
//!
//! 1. An error says how the value is written.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use placement::keyspace::PARTITIONS_MAX;
use server::autoscale::Band;
use tracing_subscriber::EnvFilter;
use wire::Level;

/// Most threads that serve.
const SHARDS_MAX: usize = 1024;
/// Most replicas that a level can ask for.
const REPLICAS_MAX: u8 = 7;

/// Units of size, longest first, so that `MiB` is not taken for `B`.
const UNITS: [(&str, usize); 7] = [
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("b", 1),
];

/// `HOST:PORT` as an address; of several that a name stands for, IPv4 first.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    host_and_port(text)?;
    let found: Vec<SocketAddr> =
        text.to_socket_addrs().map_err(|error| format!("no such address: {error}"))?.collect();
    let first = found.iter().find(|address| address.is_ipv4()).or_else(|| found.first());
    first.copied().ok_or_else(|| "the name stands for no address".to_owned())
}

/// `HOST:PORT`, the name kept as it is: it may come to stand for another address.
pub(super) fn host_and_port(text: &str) -> Result<String, String> {
    let port =
        text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(port)) if port > 0 => Ok(text.to_owned()),
        _ => Err("write it as HOST:PORT, with a port from 1 to 65535".to_owned()),
    }
}

/// `quorum`, `R,W`, `R W`.
pub(super) fn level(text: &str) -> Result<Level, String> {
    let words: Vec<&[u8]> =
        text.split([',', ' ']).filter(|word| !word.is_empty()).map(str::as_bytes).collect();
    Level::parse(&words, REPLICAS_MAX).ok_or_else(|| {
        format!("write one, quorum, local_quorum, each_quorum, all, sloppy, or two numbers from 1 to {REPLICAS_MAX} as R,W")
    })
}

/// Threads that serve.
pub(super) fn shards(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=SHARDS_MAX).contains(count));
    count.ok_or_else(|| format!("write a number from 1 to {SHARDS_MAX}"))
}

/// Partitions of a ring.
pub(super) fn partitions(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count: &u32| count.is_power_of_two() && *count <= PARTITIONS_MAX);
    count.ok_or_else(|| format!("write a power of two from 1 to {PARTITIONS_MAX}"))
}

/// A time, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// So long.
    Of(Duration),
    /// Never.
    Never,
}

impl Time {
    /// How long it is, if it ever ends.
    pub(super) fn length(self) -> Option<Duration> {
        match self {
            Self::Of(length) => Some(length),
            Self::Never => None,
        }
    }
}

/// `30s`, `30m`, `2h`, `never`.
pub(super) fn time(text: &str) -> Result<Time, String> {
    let wrong = || "write a time as 500ms, 30s, 30m or 2h, or never".to_owned();
    if text == "never" {
        return Ok(Time::Never);
    }
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    let ms = number.checked_mul(unit_ms).filter(|ms| *ms > 0).ok_or_else(wrong)?;
    Ok(Time::Of(Duration::from_millis(ms)))
}

/// `yes` or `no`.
pub(super) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err("write yes or no".to_owned()),
    }
}

/// Bytes, or a number with a unit: `kB MB GB` are thousands, `KiB MiB GiB` are 1024.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let lower = text.trim().to_ascii_lowercase();
    let unit = UNITS.iter().find_map(|(unit, bytes)| Some((lower.strip_suffix(unit)?, *bytes)));
    let (digits, bytes) = unit.unwrap_or((&lower, 1));
    let size = digits.trim_end().parse::<usize>().ok().and_then(|count| count.checked_mul(bytes));
    size.ok_or_else(|| "write a number of bytes, or a number with B, kB, MB, GB, KiB, MiB or GiB".to_owned())
}

/// Two sizes, `LOW..HIGH`, each with its unit.
pub(super) fn band_of_sizes(text: &str) -> Result<Band, String> {
    let sizes = text.split_once("..").map(|(low, high)| (size(low), size(high)));
    let (low, high) = sizes.ok_or_else(|| "write two sizes as LOW..HIGH".to_owned())?;
    Band::new(low? as u64, high? as u64).map_err(|error| error.to_string())
}

/// A filter of log lines.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Time, address, band_of_sizes, host_and_port, level, partitions, size, time};
    use std::time::Duration;
    use wire::Level;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("12B", 12),
            ("1kB", 1_000),
            ("1 KiB", 1_024),
            ("3MB", 3_000_000),
            ("256MiB", 256 << 20),
            ("2gb", 2_000_000_000),
            ("1GiB", 1 << 30),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MB", "1.5GB", "-1", "1TBx", "99999999999GiB", "0x10"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_have_units() {
        for (text, ms) in [("500ms", 500), ("30s", 30_000), ("30m", 1_800_000), ("2h", 7_200_000)] {
            assert_eq!(time(text), Ok(Time::Of(Duration::from_millis(ms))), "{text}");
        }
        assert_eq!(time("never"), Ok(Time::Never));
        for text in ["", "30", "s", "0s", "1d", "-1s", "1.5h", "99999999999999999999h", "99999999999999999h"]
        {
            assert!(time(text).unwrap_err().contains("30m"), "{text}");
        }
    }

    #[test]
    fn bands_of_sizes_have_units() {
        let band = band_of_sizes("1MiB..2GB").unwrap();
        assert_eq!((band.low(), band.high()), (1 << 20, 2_000_000_000));
        for text in ["1MiB", "2MiB..1MiB", "..", "1..x"] {
            assert!(band_of_sizes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_have_a_host_and_a_port() {
        assert_eq!(address("127.0.0.1:7001").unwrap().to_string(), "127.0.0.1:7001");
        assert_eq!(address("[::1]:7001").unwrap().to_string(), "[::1]:7001");
        assert!(address("localhost:7001").unwrap().ip().is_loopback());
        assert_eq!(host_and_port("node-b.example:7001").unwrap(), "node-b.example:7001");
        for text in ["", "7001", ":7001", "host", "host:", "host:0", "host:70000", "host:x"] {
            assert!(address(text).unwrap_err().starts_with("write it as HOST:PORT"), "{text}");
        }
    }

    #[test]
    fn levels_and_partitions() {
        assert_eq!(level("quorum"), Ok(Level::Quorum));
        assert_eq!(level("2,1"), Ok(Level::Exact { read: 2, write: 1 }));
        assert_eq!(level("2 1"), level("2, 1"));
        for text in ["", "most", "0,1", "8,1", "1", "1,2,3"] {
            assert!(level(text).is_err(), "{text}");
        }
        assert_eq!(partitions("16384"), Ok(16384));
        for text in ["0", "1000", "32768", "x"] {
            assert!(partitions(text).is_err(), "{text}");
        }
    }
}
