//! How much room there is on the disk of the data directory, looked at now and then.
//!
//! ```text
//!   free bytes    0 ... reserve / 4 ... reserve ... reserve * 9 / 8 ...
//!   falling       Gone              Low         Enough
//!   rising        Gone until reserve / 2, Low until reserve * 9 / 8, then Enough
//! ```
//!
//! Not who looks (`run`), and not what is done about it: that is the node's (`node::Room`). Not a promise either: others fill disks too, and a write
//! that finds no room is an error of the engine, after which the shard opens its store again.
//!
//! 1. Where a write has found no room, there is none until a good deal more is free than then, whatever the reserve.
//! 2. What was gained is not given away at once: between falling and rising marks nothing changes.

use std::path::Path;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use node::Room;
/// One part in so many of the reserve is left when nothing is written any more.
const GONE_PART: u64 = 4;
/// One part in so many of the reserve must be free on top of it before all is taken again.
const ENOUGH_PART: u64 = 8;

/// So much more must be free after a write has found no room, bytes: less is filled again by the next few.
const FULL_STEP_BYTES: u64 = 16 << 20;

/// What was seen last.
#[derive(Debug)]
pub(crate) struct Disk {
    free_bytes: AtomicU64,
    /// Below this there is no room, because a write has found none.
    full_below: AtomicU64,
    room: AtomicU8,
}

impl Default for Disk {
    fn default() -> Self {
        Self { free_bytes: AtomicU64::new(u64::MAX), full_below: AtomicU64::new(0), room: AtomicU8::new(0) }
    }
}

impl Disk {
    /// How much room there is.
    pub(crate) fn room(&self) -> Room {
        match self.room.load(Ordering::Relaxed) {
            0 => Room::Enough,
            1 => Room::Low,
            _ => Room::Gone,
        }
    }

    /// Bytes that may still be written; nothing where the system does not say.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        Some(self.free_bytes.load(Ordering::Relaxed)).filter(|free| *free < u64::MAX)
    }

    /// A write has found no room, which counts from the next look on.
    pub(crate) fn found_full(&self) {
        // What was free when it was looked at last may be long gone.
        self.full_below.store(u64::MAX, Ordering::Relaxed);
    }

    /// Looks at the disk; gives the room if that has changed.
    pub(crate) fn look(&self, dir: &Path, reserve_bytes: u64) -> Option<Room> {
        // A disk that does not say is taken for what it was.
        let seen = rustix::fs::statvfs(dir).ok()?;
        let free_bytes = seen.f_bavail.saturating_mul(seen.f_frsize);
        self.free_bytes.store(free_bytes, Ordering::Relaxed);
        let before = self.room();
        let full_below = match self.full_below.load(Ordering::Relaxed) {
            u64::MAX => free_bytes.saturating_add(FULL_STEP_BYTES),
            found => found,
        };
        self.full_below.store(full_below, Ordering::Relaxed);
        let room = if free_bytes < full_below {
            Room::Gone
        } else {
            self.full_below.store(0, Ordering::Relaxed);
            judged(before, free_bytes, reserve_bytes)
        };
        self.room.store(room as u8, Ordering::Relaxed);
        (room != before).then_some(room)
    }
}

/// In words, for people and programs.
pub(crate) fn word(room: Room) -> &'static str {
    match room {
        Room::Enough => "enough",
        Room::Low => "low",
        Room::Gone => "full",
    }
}

fn judged(before: Room, free_bytes: u64, reserve_bytes: u64) -> Room {
    let gone_bytes = reserve_bytes / GONE_PART;
    let (gone_below, low_below) = match before {
        Room::Enough => (gone_bytes, reserve_bytes),
        Room::Low => (gone_bytes, reserve_bytes + reserve_bytes / ENOUGH_PART),
        Room::Gone => (2 * gone_bytes, reserve_bytes + reserve_bytes / ENOUGH_PART),
    };
    if free_bytes < gone_below {
        Room::Gone
    } else if free_bytes < low_below {
        Room::Low
    } else {
        Room::Enough
    }
}

#[cfg(test)]
mod tests {
    use super::judged;
    use node::Room::{Enough, Gone, Low};

    #[test]
    fn what_is_gained_is_kept_for_a_while() {
        let falling = [2000, 1000, 999, 250, 249].map(|free| judged(Enough, free, 1000));
        assert_eq!(falling, [Enough, Enough, Low, Low, Gone]);
        let rising = [250, 499, 500, 1124, 1125].map(|free| judged(Gone, free, 1000));
        assert_eq!(rising, [Gone, Gone, Low, Low, Enough]);
        assert_eq!([999, 1124, 1125].map(|free| judged(Low, free, 1000)), [Low, Low, Enough]);
        assert_eq!(judged(Enough, 0, 0), Enough, "without a reserve nothing is refused");
    }
}
