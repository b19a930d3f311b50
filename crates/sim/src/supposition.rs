//! How often it is asked what would be, had something happened: asked of a copy, beside the run that goes on.
//!
//! Not what is asked (`power_cut`). Drawn from a stream of its own.

use crate::rng::Rng;

/// How often it is asked, of a thousand answers.
#[derive(Debug, Default)]
pub(crate) struct Supposition {
    pub(crate) rng: Rng,
    pub(crate) per_mille: u64,
}

impl Supposition {
    /// That of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x0073_7570_706f_7365);
        let per_mille = rng.some(300, 1, 100);
        Self { rng, per_mille }
    }
}
