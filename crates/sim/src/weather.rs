//! What one seed does to its cluster: a random subset of faults, each with random strength.
//!
//! A subset and not all of them, because faults mask each other: a cluster that is always cut never gets to the
//! states that only crashes reach. Times are in microseconds of virtual time.

use crate::datacenters::Datacenters;
use crate::rng::Rng;
use placement::Layout;

/// The faults of one seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    /// How many nodes there are.
    pub nodes: u64,
    /// How many owners the cluster wants for each partition; it has no more than nodes.
    pub replicas: u8,
    /// How many partitions.
    pub partitions: u32,
    /// How long clients work.
    pub storm_us: u64,
    /// How many clients work at once.
    pub clients: u64,
    /// How many keys of each sort there are; few, so that clients meet.
    pub keys: u64,
    /// Whether nearly all that clients do is with one key, all of them in the same moments.
    pub is_hot: bool,
    /// Whether clients flush partitions now and then.
    pub flushes: bool,
    /// Messages lost, of a thousand.
    pub loss: u64,
    /// Messages sent twice, of a thousand.
    pub duplication: u64,
    /// Whether messages overtake each other.
    pub reorders: bool,
    /// Messages that take far longer than others, of a thousand: they come when everybody has gone on without them.
    pub late: u64,
    /// The longest that a message takes.
    pub delay_us: u64,
    /// The longest that a sync takes.
    pub sync_us: u64,
    /// The mean time between cuts of links; 0 for none.
    pub cut_every_us: u64,
    /// Whether cuts are of one direction.
    pub one_way: bool,
    /// The mean time between crashes of a node; 0 for none.
    pub crash_every_us: u64,
    /// Crashes right after an answer, of a thousand answers: when what was promised is put to the test.
    pub crash_after_answer: u64,
    /// Whether crashes take all nodes at once.
    pub all_at_once: bool,
    /// How far clocks go wrong, in milliseconds.
    pub skew_ms: u64,
    /// Whether a clock is wrong by hours now and then.
    pub hours: bool,
    /// Whether clocks jump while running.
    pub jumps: bool,
    /// Whether clients use levels other than the default.
    pub levels: bool,
    /// How many rows a node's cache holds, in bytes.
    pub cache_bytes: usize,
}

impl Weather {
    /// The weather of a seed.
    pub(crate) fn of(rng: &mut Rng) -> Self {
        Self {
            loss: rng.some(400, 1, 150),
            duplication: rng.some(400, 1, 150),
            late: rng.some(300, 1, 20),
            cut_every_us: rng.some(500, 200_000, 2_000_000),
            crash_every_us: rng.some(500, 300_000, 3_000_000),
            crash_after_answer: rng.some(400, 1, 20),
            skew_ms: rng.some(500, 1, 2_500),
            reorders: rng.chance(500),
            one_way: rng.chance(500),
            all_at_once: rng.chance(400),
            jumps: rng.chance(200),
            hours: rng.chance(100),
            is_hot: rng.chance(150),
            flushes: rng.chance(400),
            levels: rng.chance(500),
            nodes: rng.pick(&[1, 2, 3, 3, 3, 3, 4, 5, 5, 6]),
            replicas: rng.pick(&[1, 2, 3, 3, 3, 3, 3, 3, 5]),
            partitions: rng.pick(&[1, 2, 4, 8]),
            storm_us: rng.between(2_000_000, 12_000_000),
            clients: rng.between(2, 8),
            keys: rng.between(1, 5),
            delay_us: rng.pick(&[200, 1_000, 5_000, 50_000]),
            sync_us: rng.pick(&[100, 1_000, 20_000, 100_000, 100_000]),
            cache_bytes: rng.pick(&[0, 0, 1_000, 1_000_000]),
        }
    }

    /// The same, of a seed with two datacenters.
    pub(crate) fn in_two(self, datacenters: &mut Datacenters, is_reshaped: bool) -> Self {
        if !datacenters.is_due {
            return self;
        }
        let nodes = if is_reshaped { self.nodes } else { datacenters.machines() };
        Self { nodes, levels: false, ..self }
    }

    /// A cluster of as many nodes.
    pub(crate) fn layout(&self, rng: &mut Rng, datacenters: &mut Datacenters) -> Layout {
        let (copies, first) = (datacenters.copies(self.replicas), datacenters.member(0));
        let mut layout = Layout::found(1, rng.bits(), self.partitions, copies, first, FIRST_DISK)
            .expect("a fixed layout is sound");
        for number in 1..self.nodes {
            layout = layout.with_member(datacenters.member(number)).expect("a fixed member is sound");
        }
        layout
    }
}

/// The name of the disk of the first member.
const FIRST_DISK: u64 = 1;
