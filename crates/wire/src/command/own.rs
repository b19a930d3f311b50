//! Words about one key that Redis does not have.
//!
//! Not what they find: the node knows owners, dots and contexts; here are their arguments.
//!
//! 1. A context token is opaque: whoever made it checks it.

use bytes::Bytes;

use crate::fault::Fault;

/// A request about one key, beyond its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Own {
    /// `ARMILLA.EXPLAIN`: position, partition, owners, and who holds which dots.
    Explain {
        /// The key.
        key: Bytes,
    },
    /// `ARMILLA.SIBLINGS`: all values of the key and a context token that names them.
    Siblings {
        /// The key.
        key: Bytes,
    },
    /// `ARMILLA.RESOLVE`: a write that replaces exactly the values that a token names.
    Resolve {
        /// The key.
        key: Bytes,
        /// What `ARMILLA.SIBLINGS` gave with the values.
        token: Bytes,
        /// The value in their place.
        value: Bytes,
    },
}

/// `ARMILLA.EXPLAIN key`
pub(super) fn explain(args: &[Bytes]) -> Result<Own, Fault> {
    Ok(Own::Explain { key: args[1].clone() })
}

/// `ARMILLA.SIBLINGS key`
pub(super) fn siblings(args: &[Bytes]) -> Result<Own, Fault> {
    Ok(Own::Siblings { key: args[1].clone() })
}

/// `ARMILLA.RESOLVE key token value`
pub(super) fn resolve(args: &[Bytes]) -> Result<Own, Fault> {
    Ok(Own::Resolve { key: args[1].clone(), token: args[2].clone(), value: args[3].clone() })
}
