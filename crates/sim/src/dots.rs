//! Every operation that was sent, by its name: no dot is ever made twice.
//!
//! Not what nodes know: it sees what they send, as a bystander on the wire would.

use causal::{Delta, Dot};
use placement::PartitionId;
use std::collections::BTreeMap;

/// The operations seen so far.
#[derive(Debug, Default)]
pub struct Dots(BTreeMap<(PartitionId, Dot), Delta>);

impl Dots {
    /// Sees an operation of a partition. Who sends it again, or passes it on, says the same of it.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn see(&mut self, partition: PartitionId, delta: &Delta) -> Result<(), String> {
        let first = self.0.entry((partition, delta.dot)).or_insert_with(|| delta.clone());
        if first == delta {
            Ok(())
        } else {
            Err(format!("dot {} was made twice: {first:?} and {delta:?}", delta.dot))
        }
    }
}
