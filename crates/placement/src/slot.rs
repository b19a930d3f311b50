//! The Redis Cluster slot of a key.
//!
//! Slots are what cluster-aware Redis clients compute for themselves, so ours must be theirs to the bit: CRC16
//! (XMODEM: polynomial 0x1021, start 0) of the key, or of its hash tag, modulo 16384. Source: the Redis Cluster
//! specification, "Key distribution model".
//!
//! It is not a hash to spread keys by: anyone can make keys that share a slot. The low bits of a position do
//! that.
//!
//! Invariants:
//! 1. `slot(key) < SLOTS`.
//! 2. Keys with equal, non-empty hash tags have equal slots.

/// How many slots there are; fixed by Redis Cluster.
pub const SLOTS: u16 = 16384;

/// The slot of a key: 0 to 16383.
///
/// If the key has a `{` and a later `}` with at least one byte between the first `{` and the first `}` after
/// it, only those bytes count.
#[must_use]
pub fn slot(key: &[u8]) -> u16 {
    crc16(hash_tag(key).unwrap_or(key)) % SLOTS
}

fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let open = key.iter().position(|&byte| byte == b'{')?;
    let rest = &key[open + 1..];
    let close = rest.iter().position(|&byte| byte == b'}')?;
    (close > 0).then(|| &rest[..close])
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| (crc << 8) ^ TABLE[usize::from((crc >> 8) ^ u16::from(byte))])
}

const TABLE: [u16; 256] = table();

const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte: u16 = 0;
    while byte < 256 {
        let mut crc = byte << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        table[byte as usize] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{SLOTS, crc16, slot};

    #[test]
    fn the_checksum_is_xmodem() {
        // The check value of the Redis Cluster specification, appendix A.
        assert_eq!(crc16(b"123456789"), 0x31c3);
    }

    #[test]
    fn slots_are_those_of_redis() {
        // What CLUSTER KEYSLOT of Redis 7 answers.
        assert_eq!(slot(b"foo"), 12182);
        assert_eq!(slot(b"somekey"), 11058);
        assert_eq!(slot(b"foo{hash_tag}"), 2515);
        assert_eq!(slot(b""), 0);
        assert!(slot(b"\xff\xff\xff") < SLOTS);
    }

    #[test]
    fn only_the_first_filled_tag_counts() {
        assert_eq!(slot(b"{user1000}.following"), slot(b"{user1000}.followers"));
        assert_eq!(slot(b"foo{bar}{zap}"), slot(b"bar"));
        assert_eq!(slot(b"foo{{bar}}zap"), slot(b"{bar"));
        let whole = [&b"foo{}{bar}"[..], b"foo{bar", b"foo}bar{"];
        for key in whole {
            assert_eq!(slot(key), crc16(key) % SLOTS, "an empty or open tag is no tag");
        }
    }
}
