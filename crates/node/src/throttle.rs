//! A throttle: when more may be asked for, by how much has come.

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    /// Until when nothing more may be asked for, in microseconds.
    free_at_us: u64,
}

impl Throttle {
    /// Pays for some bytes, from now on.
    pub(crate) fn pay(&mut self, now_ms: u64, bytes: u64, bytes_per_second: u64) {
        let takes_us = bytes.saturating_mul(1_000_000) / bytes_per_second.max(1);
        self.free_at_us = self.free_at_us.max(now_ms * 1000) + takes_us;
    }

    /// When something may be asked for again, in milliseconds.
    pub(crate) fn free_at(&self) -> u64 {
        self.free_at_us.div_ceil(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::Throttle;

    #[test]
    fn what_has_come_is_paid_for_in_time() {
        let mut throttle = Throttle::default();
        assert_eq!(throttle.free_at(), 0);
        throttle.pay(1_000, 500, 1_000);
        throttle.pay(1_000, 500, 1_000);
        assert_eq!(throttle.free_at(), 2_000, "a thousand bytes at a thousand a second");
        throttle.pay(5_000, 1, 1_000_000);
        assert_eq!(throttle.free_at(), 5_001, "nothing is saved up");
    }
}
