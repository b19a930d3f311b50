//! Scrubbing: everything that is stored is read now and then and compared with the sums of its leaves.
//!
//! What a disk has lost or changed is found before it is needed, while other owners have it still. One chunk of one
//! partition is read at a time, and the next not before some time has passed, so it costs little and takes long.
//!
//! Invariant: a partition of which a row cannot be read, or does not say what its sums do, learns from the others again.

use crate::leaf::CHUNKS;
use crate::learning;
use crate::rows::{RowError, Shelf};
use crate::state::{Node, Turn};
use wire::peer::quorum::Counts;

/// Reads the next chunk, if it is time.
pub(crate) fn step(node: &mut Node, turn: &mut Turn<'_>) {
    let now = turn.now.monotonic_ms;
    if now < node.scrub.next_at {
        return;
    }
    node.scrub.next_at = now + node.options.scrub_chunk_ms;
    let Some(partition) = node.mine.get(node.scrub.at).copied() else {
        (node.scrub.at, node.scrub.rounds) = (0, node.scrub.rounds + 1);
        return;
    };
    let chunk = node.scrub.chunk;
    if chunk == *CHUNKS.end() {
        (node.scrub.at, node.scrub.chunk) = (node.scrub.at + 1, 0);
    } else {
        node.scrub.chunk += 1;
    }
    let Some(replica) = node.replicas.get_mut(&partition) else {
        // Nothing was ever stored of it.
        (node.scrub.at, node.scrub.chunk) = (node.scrub.at + usize::from(node.scrub.chunk > 0), 0);
        return;
    };
    let mut shelf = Shelf::new(turn.store, node.layout.keyspace(), partition);
    let is_last = chunk == *CHUNKS.end();
    let mut is_sound = || {
        // A row that is missing in silence is missing in no scan: it is missing in the sum.
        Ok(replica.leaves().verify(chunk, &mut shelf)? && (!is_last || replica.totals(&mut shelf).is_ok()))
    };
    let is_sound: Result<bool, RowError> = is_sound();
    if !matches!(is_sound, Ok(true)) && replica.counts() > Counts::Nowhere {
        node.scrub.damaged += 1;
        learning::quarantine(node, turn, partition);
    }
}
