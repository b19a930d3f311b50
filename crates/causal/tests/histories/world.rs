//! One replica of a history: the map under test with rows in memory, and what the test knows of it.
//!
//! 1. Deltas cross the network as bytes, and a restart goes through the bytes of context and early.
//! 2. A process that starts again makes operations under a new actor: the rule that is the caller's to keep.

use bytes::{Bytes, BytesMut};
use causal::codec::Reader;
use causal::map::{Applied, Knowledge, Map, Rows};
use causal::{Actor, Cell, Context, Delta, Dot, Early, Edit, Key, Kind, Payload, Scope, Stamp, Sweep};

use super::truth::Reached;
use crate::memory::MemoryRows;

/// A cell by its number; odd ones are in database 1.
pub(crate) type Place = u8;

/// The database of that cell.
pub(crate) fn database_of(place: Place) -> u8 {
    place % 2
}

/// The cell of that number.
pub(crate) fn cell_at(place: Place) -> Cell {
    Cell { key: Key::new(database_of(place), vec![place]), kind: Kind::String, subkey: Bytes::new() }
}

/// The number of that cell.
pub(crate) fn place_of(cell: &Cell) -> Place {
    cell.key.name[0]
}

/// What a replica holds at one instant.
#[derive(Clone)]
pub(crate) struct Snapshot {
    rows: MemoryRows,
    knowledge: Knowledge,
    ahead: bool,
    reached: Reached,
}

impl Snapshot {
    /// Whether `place` is the same here and there.
    pub(crate) fn agrees(&self, other: &Replica, place: Place) -> bool {
        self.rows.cells.get(&cell_at(place)) == other.rows.cells.get(&cell_at(place))
    }
}

/// A replica and the operations that reached it.
pub(crate) struct Replica {
    name: u32,
    incarnation: u32,
    n: u64,
    clock: u64,
    pub(crate) map: Map,
    pub(crate) rows: MemoryRows,
    pub(crate) reached: Reached,
    waiting: Vec<usize>,
}

impl Replica {
    /// An empty replica.
    pub(crate) fn new(name: u32) -> Self {
        let (map, rows, reached) = (Map::default(), MemoryRows::default(), Reached::default());
        Self { name, incarnation: 0, n: 0, clock: 100, map, rows, reached, waiting: Vec::new() }
    }

    fn name_operation(&mut self, skew: i64) -> (Dot, Stamp) {
        self.n += 1;
        self.clock += 1;
        let actor = Actor(u64::from(self.name) << 32 | u64::from(self.incarnation));
        let physical_ms = self.clock.saturating_add_signed(skew);
        (Dot::new(actor, self.n), Stamp { physical_ms, logical: 0, actor })
    }

    /// Writes or deletes cells, removing all that is there.
    pub(crate) fn operate(&mut self, write: bool, places: &[usize], skew: i64) -> Delta {
        let (dot, stamp) = self.name_operation(skew);
        let edit = |place: &usize| {
            let cell = cell_at(Place::try_from(*place).expect("few cells"));
            let removes =
                self.rows.cells.get(&cell).map_or_else(Vec::new, |entries| entries.dots().collect());
            Edit { cell, add: write.then(|| Payload::Plain(Bytes::from(dot.to_string()))), removes }
        };
        Delta { dot, stamp, edits: places.iter().map(edit).collect(), sweep: None }
    }

    /// Sweeps everything there is in `scope`.
    pub(crate) fn sweep(&mut self, scope: Scope) -> Delta {
        let sweep: Sweep = self.map.sweep_of(scope, &mut self.rows).expect("memory");
        let (dot, stamp) = self.name_operation(0);
        Delta { dot, stamp, edits: Vec::new(), sweep: Some(sweep) }
    }

    /// Applies a delta that has the number `at` in the history.
    pub(crate) fn apply(&mut self, delta: &Delta, at: usize) -> Applied {
        let applied = self.map.apply(delta, &mut self.rows).expect("memory");
        match applied {
            Applied::Fresh => {
                self.reached.insert(at);
                self.clock = self.clock.max(delta.stamp.physical_ms);
            }
            Applied::Deferred => self.waiting.push(at),
            Applied::Known => {}
        }
        applied
    }

    /// What is here now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            rows: self.rows.clone(),
            knowledge: self.map.knowledge().clone(),
            ahead: self.map.is_ahead(),
            reached: self.reached.clone(),
        }
    }

    /// Opens a state exchange.
    pub(crate) fn begin(&mut self, snapshot: &Snapshot) {
        self.map.begin(&snapshot.knowledge, &mut self.rows).expect("memory");
        if snapshot.ahead {
            self.map.mark_ahead();
        }
    }

    /// Takes one cell of the open exchange.
    pub(crate) fn take(&mut self, place: Place, snapshot: &Snapshot) {
        let cell = cell_at(place);
        let theirs = snapshot.rows.cells.get(&cell).cloned().unwrap_or_default();
        self.map.take(&cell, &theirs, &snapshot.knowledge, &mut self.rows).expect("memory");
    }

    /// Takes one cell outside of any exchange, with what is known of that cell, as a read repair does.
    pub(crate) fn mend(&mut self, place: Place, snapshot: &Snapshot, is_brought: bool) {
        let cell = cell_at(place);
        let theirs = snapshot.rows.cells.get(&cell).cloned().unwrap_or_default();
        let Knowledge { context, early } = &snapshot.knowledge;
        let of_cell = Knowledge { context: context.clone(), early: early.of(&cell) };
        self.map.mend(&cell, &theirs, &of_cell, is_brought, &mut self.rows).expect("memory");
    }

    /// Ends the open exchange.
    pub(crate) fn finish(&mut self, snapshot: &Snapshot) {
        self.map.finish(&snapshot.knowledge, &mut self.rows).expect("memory");
        self.reached.unite(&snapshot.reached);
        self.waiting.drain(..).for_each(|at| self.reached.insert(at));
    }

    /// Gives the open exchange up; what waited is applied.
    pub(crate) fn abandon(&mut self) {
        self.map.abandon(&mut self.rows).expect("memory");
        self.waiting.drain(..).for_each(|at| self.reached.insert(at));
    }

    /// The process dies and starts again on what is stored. Tells which operations waited and are lost with it.
    pub(crate) fn restart(&mut self) -> Vec<usize> {
        self.incarnation += 1;
        self.n = 0;
        let Knowledge { context, early } = self.map.knowledge();
        let mut out = BytesMut::new();
        context.encode(&mut out);
        early.encode(&mut out);
        let mut reader = Reader::new(out.freeze(), "stored knowledge");
        let context = Context::decode(&mut reader).expect("just encoded");
        let early = Early::decode(&mut reader).expect("just encoded");
        self.map = Map::restore(Knowledge { context, early }, self.map.digest(), self.map.is_ahead());
        std::mem::take(&mut self.waiting)
    }

    /// Every cell and what it holds, asked of the rows themselves.
    pub(crate) fn is_empty_in(&mut self, scope: Scope) -> bool {
        self.rows.cells(scope).expect("memory").is_empty()
    }
}
