//! The limits of a seed's nodes: tiny ones, so that rare paths are common.

use crate::lending::Lending;
use crate::rng::Rng;
use crate::unrest::Unrest;
use node::{Options, Speaker};

/// How the nodes of a seed behave.
pub(crate) fn options(rng: &mut Rng, lending: &Lending, unrest: &Unrest) -> Options {
    let options = Options {
        request_timeout_ms: rng.between(150, 800),
        retry_ms: rng.between(20, 100),
        requests_max: unrest.requests_max,
        compare_every_ms: rng.between(20, 3_000),
        settle_every_ms: unrest.settle_every_ms,
        exchanges_max: 1 + usize::try_from(rng.below(4)).unwrap_or(0),
        exchange_bytes_per_second: 1 << rng.between(12, 24),
        scan_cells_max: unrest.scan_cells_max,
        handoff_bytes_max: lending.bytes_max,
        handoff_drops_rows: lending.drops_rows,
        scrub_chunk_ms: rng.between(20, 500),
        tell_every_ms: u64::MAX,
        shard: (0, 1),
        speaker: Some(Speaker {
            incarnation: 0,
            seed: 0,
            probe_every_ms: rng.between(150, 500),
            suspicion_ms: rng.between(200, 3_000),
        }),
        ..Options::default()
    };
    Options { move_bytes_per_second: options.exchange_bytes_per_second, ..options }
}
