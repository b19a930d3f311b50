//! Random histories: operations, a network that loses, repeats and reorders, restarts, and state exchanges that are
//! cut short at any point. After every step each replica must hold what its operations say.
//!
//! The generator is that of `spec/causal_map.py`, with sweeps, single cells mended and exchanges given up besides.

use bytes::{Bytes, BytesMut};
use causal::codec::Reader;
use causal::map::Applied;
use causal::{Delta, Scope};

use super::rng::Rng;
use super::truth::Truth;
use super::world::{Place, Replica, Snapshot};

const REPLICAS: usize = 3;

/// What a history is made of.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// How many steps there are.
    pub(crate) steps: usize,
    /// How many cells there are.
    pub(crate) cells: Place,
    /// Of a hundred operations, how many are sweeps.
    pub(crate) sweeps: usize,
    /// Of a hundred steps, how many mend a cell.
    pub(crate) mends: usize,
}

struct Exchange {
    at: usize,
    snapshot: Snapshot,
    todo: Vec<usize>,
}

struct Play {
    plan: Plan,
    rng: Rng,
    nodes: Vec<Replica>,
    truth: Truth,
    deltas: Vec<Bytes>,
    network: Vec<(usize, usize)>,
    exchange: Option<Exchange>,
    interrupted: bool,
}

/// Plays the history of `seed`; tells what went wrong, if anything.
pub(crate) fn play(seed: u64, plan: Plan) -> Result<(), String> {
    let nodes = (0..).take(REPLICAS).map(Replica::new).collect();
    let mut play = Play {
        plan,
        rng: Rng::new(seed),
        nodes,
        truth: Truth::default(),
        deltas: Vec::new(),
        network: Vec::new(),
        exchange: None,
        interrupted: false,
    };
    for step in 0..plan.steps {
        let touched = play.step();
        play.judge(touched).map_err(|wrong| format!("seed {seed} step {step} replica {touched}: {wrong}"))?;
    }
    play.settle().map_err(|wrong| format!("seed {seed}, at the end: {wrong}"))
}

impl Play {
    /// One random step; tells whom it touched.
    fn step(&mut self) -> usize {
        let x = self.rng.below(100);
        match (x, self.exchange.is_some()) {
            (0..35, _) => self.operate(),
            (35..70, _) if !self.network.is_empty() => {
                let at = self.rng.below(self.network.len());
                let (to, number) = self.network.swap_remove(at);
                self.deliver(to, number)
            }
            (70..74, _) => self.restart(),
            (74, true) => self.abandon(),
            (_, _) if x >= 100 - self.plan.mends => self.mend(),
            (0..85, false) => self.begin(),
            (_, true) => self.take_or_finish(),
            (_, false) => 0,
        }
    }

    fn operate(&mut self) -> usize {
        let at = self.rng.below(REPLICAS);
        let number = if self.rng.below(100) < self.plan.sweeps {
            let scope = self.rng.pick(&[Scope::All, Scope::Database(0), Scope::Database(1)]);
            let delta = self.nodes[at].sweep(scope);
            let number = self.make(at, &delta);
            assert!(self.nodes[at].is_empty_in(scope), "a sweep left something of {scope:?}");
            number
        } else {
            let write = self.rng.below(3) > 0;
            let count = self.rng.pick(&[1, 1, 2]);
            let places = self.rng.sample(usize::from(self.plan.cells), count);
            let skew = self.rng.pick(&[0, 0, 50, -50]);
            let delta = self.nodes[at].operate(write, &places, skew);
            self.make(at, &delta)
        };
        for other in (0..REPLICAS).filter(|other| *other != at) {
            let copies = self.rng.pick(&[0, 0, 1, 1, 1, 1, 1, 1, 1, 2]);
            self.network.extend(std::iter::repeat_n((other, number), copies));
        }
        at
    }

    fn make(&mut self, at: usize, delta: &Delta) -> usize {
        let number = self.truth.note(delta);
        let mut out = BytesMut::new();
        delta.encode(&mut out);
        self.deltas.push(out.freeze());
        let applied = self.nodes[at].apply(delta, number);
        assert_eq!(applied, Applied::Fresh, "an operation of one's own is always new");
        number
    }

    fn deliver(&mut self, to: usize, number: usize) -> usize {
        let mut reader = Reader::new(self.deltas[number].clone(), "delta");
        let delta = Delta::decode(&mut reader).expect("just encoded");
        self.nodes[to].apply(&delta, number);
        to
    }

    fn restart(&mut self) -> usize {
        let at = self.rng.below(REPLICAS);
        if self.exchange.as_ref().is_some_and(|exchange| exchange.at == at) {
            self.exchange = None;
            self.interrupted = true;
        }
        let lost = self.nodes[at].restart();
        self.network.extend(lost.into_iter().map(|number| (at, number)));
        at
    }

    fn abandon(&mut self) -> usize {
        let Some(exchange) = self.exchange.take() else { return 0 };
        self.interrupted = true;
        self.nodes[exchange.at].abandon();
        exchange.at
    }

    fn mend(&mut self) -> usize {
        let pair = self.rng.sample(REPLICAS, 2);
        let place = Place::try_from(self.rng.below(usize::from(self.plan.cells))).expect("few cells");
        let snapshot = self.nodes[pair[1]].snapshot();
        let open = self.exchange.as_ref().filter(|exchange| exchange.at == pair[0]);
        let is_brought = open.is_some_and(|exchange| !exchange.todo.contains(&usize::from(place)));
        self.nodes[pair[0]].mend(place, &snapshot, is_brought);
        pair[0]
    }

    fn begin(&mut self) -> usize {
        let pair = self.rng.sample(REPLICAS, 2);
        let cells = usize::from(self.plan.cells);
        let snapshot = self.nodes[pair[1]].snapshot();
        let todo = self.rng.sample(cells, cells);
        self.nodes[pair[0]].begin(&snapshot);
        self.exchange = Some(Exchange { at: pair[0], snapshot, todo });
        pair[0]
    }

    fn take_or_finish(&mut self) -> usize {
        let Some(mut exchange) = self.exchange.take() else { return 0 };
        let node = &mut self.nodes[exchange.at];
        let at = exchange.at;
        match exchange.todo.pop() {
            Some(place) => {
                let place = Place::try_from(place).expect("few cells");
                if !exchange.snapshot.agrees(node, place) {
                    node.take(place, &exchange.snapshot);
                }
                self.exchange = Some(exchange);
            }
            None => node.finish(&exchange.snapshot),
        }
        at
    }

    fn judge(&self, at: usize) -> Result<(), String> {
        let Replica { map, rows, reached, .. } = &self.nodes[at];
        let calm = self.exchange.is_none() && !self.interrupted && self.plan.mends == 0;
        if calm && map.is_ahead() {
            return Err("runs ahead of its context for no reason".into());
        }
        self.truth.judge(map, rows, reached)
    }

    /// Ends what is open, exchanges everything with everyone, and delivers what is still under way.
    fn settle(&mut self) -> Result<(), String> {
        while self.exchange.is_some() {
            self.take_or_finish();
        }
        for _ in 0..2 {
            for pair in (0..REPLICAS * REPLICAS).map(|n| (n / REPLICAS, n % REPLICAS)).filter(|(a, b)| a != b)
            {
                let snapshot = self.nodes[pair.1].snapshot();
                let node = &mut self.nodes[pair.0];
                node.begin(&snapshot);
                (0..self.plan.cells).for_each(|place| node.take(place, &snapshot));
                node.finish(&snapshot);
            }
        }
        self.agree()?;
        for (to, number) in std::mem::take(&mut self.network) {
            self.deliver(to, number);
        }
        self.agree().map_err(|wrong| format!("after late deltas, {wrong}"))
    }

    fn agree(&self) -> Result<(), String> {
        let due = self.truth.rows(&self.truth.everything());
        for (at, node) in self.nodes.iter().enumerate() {
            self.judge(at)?;
            let held: usize = node.rows.cells.values().map(causal::Entries::len).sum();
            if node.map.context().len() != self.deltas.len() as u64 || held != due.len() {
                return Err(format!("replica {at} holds {held} entries of {}", due.len()));
            }
            if node.map.context() != self.nodes[0].map.context() || node.rows != self.nodes[0].rows {
                return Err(format!("replicas 0 and {at} differ"));
            }
            if node.map.digest() != self.nodes[0].map.digest() || !node.map.knowledge().early.is_empty() {
                return Err(format!("replicas 0 and {at} agree, but for digest or early"));
            }
        }
        Ok(())
    }
}
