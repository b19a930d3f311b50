//! Hash functions that ship with the ring. Any function from bytes to 64 bits fits as well.
//!
//! Invariants:
//! 1. Their answers never change: rings on two nodes, or of two releases, must agree.

use md5::{Digest, Md5};
use xxhash_rust::xxh3::xxh3_64;

use crate::keyspace::Position;

/// The first eight bytes of the MD5 of `bytes`, the first byte the most significant.
///
/// For rings that must agree with those of other programs. It keeps no secret and is slower than [`xxh3`].
#[must_use]
pub fn md5(bytes: &[u8]) -> u64 {
    let digest = Md5::digest(bytes);
    digest.iter().take(8).fold(0, |hash, &byte| hash << 8 | u64::from(byte))
}

/// The XXH3-64 of `bytes`. The one to choose.
#[must_use]
pub fn xxh3(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// The Redis Cluster slot of `bytes` in the top 14 bits, their XXH3-64 below.
///
/// Keys of one slot or one hash tag lie side by side. Note that a server whose name has a `{tag}` has all its
/// tokens in one slot.
#[must_use]
pub fn redis_slot(bytes: &[u8]) -> u64 {
    Position::new(crate::slot::slot(bytes), xxh3_64(bytes)).0
}

#[cfg(test)]
mod tests {
    use super::{md5, redis_slot, xxh3};

    #[test]
    fn answers_are_the_published_ones() {
        // RFC 1321, appendix A.5; XXH3 of no bytes; CLUSTER KEYSLOT foo.
        assert_eq!(md5(b"abc"), 0x9001_5098_3cd2_4fb0);
        assert_eq!(xxh3(b""), 0x2d06_8005_38d3_94c2);
        assert_eq!(redis_slot(b"foo") >> 50, 12182);
    }
}
