//! Clients that write at the level `sloppy`, and how much nodes keep for others that are down.
//!
//! Drawn from a stream of its own, so that a seed without such clients asks for the same things as if there were none.

use crate::client::Wish;
use crate::history::Ask;
use crate::rng::Rng;
use bytes::Bytes;
use wire::Level;

/// What one seed has of it.
#[derive(Debug, Default)]
pub(crate) struct Lending {
    rng: Rng,
    /// How many of a thousand wishes are sloppy ones.
    sloppy: u64,
    /// How many bytes each node may keep for others.
    pub(crate) bytes_max: u64,
    /// How many rows of it are dropped at a time.
    pub(crate) drops_rows: usize,
}

impl Lending {
    /// The lending of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x6c65_6e64_696e);
        let sloppy = if rng.chance(400) { rng.between(50, 500) } else { 0 };
        let bytes_max = rng.pick(&[0, 500, 20_000, 1 << 20, 1 << 20]);
        let drops_rows = rng.pick(&[1, 2, 1024]);
        Self { rng, sloppy, bytes_max, drops_rows }
    }

    /// Nobody wants anything at that level.
    pub(crate) fn asks_nobody(&mut self) {
        self.sloppy = 0;
    }

    /// A sloppy wish in the place of another, now and then, with a value that is written nowhere else.
    pub(crate) fn wish(&mut self, unique: u64) -> Option<Wish> {
        if self.sloppy == 0 || !self.rng.chance(self.sloppy) {
            return None;
        }
        let number = self.rng.below(3);
        let by = i64::try_from(self.rng.between(1, 9)).unwrap_or(1);
        let (key, ask) = match self.rng.below(100) {
            0..40 => (format!("lent-{number}"), Ask::Put(Bytes::from(format!("value-{unique}")))),
            40..50 => (format!("lent-{unique}-once"), Ask::Put(Bytes::from(format!("value-{unique}")))),
            50..80 => (format!("owed-{number}"), Ask::Add(by)),
            80..90 => (format!("lent-{number}"), Ask::Get),
            _ => (format!("owed-{number}"), Ask::Get),
        };
        Some(Wish::new(key, ask, Level::Sloppy))
    }
}
