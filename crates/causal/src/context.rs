//! Contexts: sets of dots, kept as intervals per actor.
//!
//! ```text
//! actor a   1───────────17        one interval: everything of a up to 17
//! actor b   1───4   6─9           5 is still on its way
//! ```
//!
//! Operations of an actor nearly always arrive in order, so an actor is nearly always one interval and a
//! context is as small as the number of process starts it has seen.
//!
//! Invariants, kept by [`Context::check`]:
//! 1. Intervals are ascending, not empty, and neither overlap nor touch.
//! 2. Actors ascend, and none is without intervals.
//! 3. Dots count from 1.

use crate::codec::{Malformed, Reader, put_varint};
use crate::dot::{Actor, DOT_N_MAX, Dot};
use bytes::{BufMut, BytesMut};
use xxhash_rust::xxh3::xxh3_64;

/// Ascending runs of numbers, both ends included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intervals(Vec<(u64, u64)>);

impl Intervals {
    /// Whether `n` is in one of the runs.
    pub fn contains(&self, n: u64) -> bool {
        let at = self.0.partition_point(|&(_, last)| last < n);
        self.0.get(at).is_some_and(|&(first, _)| first <= n)
    }

    /// Adds one number, from 1 to [`DOT_N_MAX`].
    pub fn insert(&mut self, n: u64) {
        debug_assert!((1..=DOT_N_MAX).contains(&n), "no operation has the number {n}");
        match self.0.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(n) => *last = n,
            Some((_, last)) if *last >= n => self.insert_run(n, n),
            _ => self.0.push((n, n)),
        }
    }

    /// Adds every number from `first` to `last`, uniting the runs that this joins.
    pub fn insert_run(&mut self, first: u64, last: u64) {
        debug_assert!(1 <= first && first <= last && last <= DOT_N_MAX, "no run from {first} to {last}");
        let from = self.0.partition_point(|&(_, l)| l.saturating_add(1) < first);
        let to = self.0.partition_point(|&(f, _)| f <= last.saturating_add(1));
        let joined = self.0[from..to].iter().fold((first, last), |(f, l), &(a, b)| (f.min(a), l.max(b)));
        self.0.splice(from..to, [joined]);
    }

    /// Adds every number of `other`, in time linear in the runs of both.
    pub fn unite(&mut self, other: &Self) {
        if let [(first, last)] = other.0[..] {
            return self.insert_run(first, last);
        }
        self.0.extend_from_slice(&other.0);
        self.0.sort();
        self.0.dedup_by(|next, kept| {
            let joins = next.0 <= kept.1.saturating_add(1);
            if joins {
                kept.1 = kept.1.max(next.1);
            }
            joins
        });
    }

    /// The greatest number, 0 where there is none.
    pub fn greatest(&self) -> u64 {
        self.0.last().map_or(0, |&(_, last)| last)
    }

    /// How many numbers there are.
    pub fn len(&self) -> u64 {
        self.0.iter().fold(0, |sum, (first, last)| sum.saturating_add(last - first + 1))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The runs, ascending.
    pub fn runs(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// Those that `other` lacks.
    pub fn without(&self, other: &Self) -> Self {
        let mut left = Self::default();
        for &(first, last) in &self.0 {
            let mut next = first;
            let from = other.0.partition_point(|&(_, l)| l < first);
            for &(a, b) in other.0[from..].iter().take_while(|&&(a, _)| a <= last) {
                if a > next {
                    left.0.push((next, a - 1));
                }
                next = next.max(b.saturating_add(1));
            }
            if next <= last {
                left.0.push((next, last));
            }
        }
        left
    }

    /// Appends the runs as distances, which are small.
    pub fn encode(&self, out: &mut BytesMut) {
        put_varint(out, self.0.len() as u64);
        let mut at = 0;
        for &(first, last) in &self.0 {
            put_varint(out, first - at);
            put_varint(out, last - first);
            at = last;
        }
    }

    /// Reads runs and refuses any that are out of order.
    pub fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let count = reader.count(2)?;
        let mut runs = Vec::with_capacity(count);
        let mut at = 0u64;
        for index in 0..count {
            let gap = reader.varint()?;
            let first = at.checked_add(gap).ok_or(reader.malformed())?;
            let last = first.checked_add(reader.varint()?).ok_or(reader.malformed())?;
            if gap == 0 || (index > 0 && gap == 1) || last > DOT_N_MAX {
                return Err(reader.malformed());
            }
            runs.push((first, last));
            at = last;
        }
        Ok(Self(runs))
    }
}

/// The set of dots that a replica has applied: actors, ascending, with their intervals. They are few, looked at by every
/// operation and copied by every report, so they lie side by side. Each start of a process is one more of them, so what is
/// asked of all together with each request, the fingerprint, is kept: the sum of one hash for each actor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    actors: Vec<(Actor, Intervals)>,
    fingerprint: u64,
}

/// What an actor's dots add to the fingerprint.
fn share(actor: Actor, intervals: &Intervals) -> u64 {
    if intervals.is_empty() {
        return 0;
    }
    // One run is what there is nearly always.
    if let [(first, last)] = intervals.0[..] {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&actor.0.to_be_bytes());
        bytes[8..16].copy_from_slice(&first.to_be_bytes());
        bytes[16..].copy_from_slice(&last.to_be_bytes());
        return xxh3_64(&bytes);
    }
    let mut bytes = BytesMut::with_capacity(8 + 16 * intervals.0.len());
    bytes.put_u64(actor.0);
    for (first, last) in &intervals.0 {
        bytes.put_u64(*first);
        bytes.put_u64(*last);
    }
    xxh3_64(&bytes)
}

impl Context {
    /// Whether `dot` is in it.
    pub fn contains(&self, dot: Dot) -> bool {
        self.of(dot.actor).is_some_and(|intervals| intervals.contains(dot.n))
    }

    /// Adds `dot`.
    pub fn insert(&mut self, dot: Dot) {
        self.change(dot.actor, |intervals| intervals.insert(dot.n));
    }

    /// Adds all of `actor`'s dots in `intervals`.
    pub fn insert_all(&mut self, actor: Actor, intervals: &Intervals) {
        if !intervals.is_empty() {
            self.change(actor, |mine| mine.unite(intervals));
        }
    }

    fn place(&self, actor: Actor) -> Result<usize, usize> {
        self.actors.binary_search_by_key(&actor, |(actor, _)| *actor)
    }

    fn change(&mut self, actor: Actor, change: impl FnOnce(&mut Intervals)) {
        let at = self.place(actor).unwrap_or_else(|at| {
            self.actors.insert(at, (actor, Intervals::default()));
            at
        });
        self.change_at(at, change);
    }

    fn change_at(&mut self, at: usize, change: impl FnOnce(&mut Intervals)) {
        let (actor, intervals) = &mut self.actors[at];
        let before = share(*actor, intervals);
        change(intervals);
        self.fingerprint = self.fingerprint.wrapping_sub(before).wrapping_add(share(*actor, intervals));
    }

    /// The context of these actors, ascending.
    fn of_actors(actors: Vec<(Actor, Intervals)>) -> Self {
        let add =
            |sum: u64, (actor, intervals): &(Actor, Intervals)| sum.wrapping_add(share(*actor, intervals));
        let fingerprint = actors.iter().fold(0, add);
        Self { actors, fingerprint }
    }

    /// Adds everything that `other` holds.
    pub fn unite(&mut self, other: &Self) {
        let known = self.actors.len();
        for (actor, intervals) in &other.actors {
            match self.actors[..known].binary_search_by_key(actor, |(actor, _)| *actor) {
                Ok(at) => self.change_at(at, |mine| mine.unite(intervals)),
                Err(_) => {
                    self.fingerprint = self.fingerprint.wrapping_add(share(*actor, intervals));
                    self.actors.push((*actor, intervals.clone()));
                }
            }
        }
        // Both parts ascend, so this is one merge.
        self.actors.sort_by_key(|(actor, _)| *actor);
    }

    /// Those dots that `other` lacks.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let left = self.actors.iter().map(|(actor, mine)| match other.of(*actor) {
            Some(theirs) => (*actor, mine.without(theirs)),
            None => (*actor, mine.clone()),
        });
        Self::of_actors(left.filter(|(_, intervals)| !intervals.is_empty()).collect())
    }

    /// A hash of the whole set, by which two replicas find out that they have applied the same.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// What is known of one actor.
    pub fn of(&self, actor: Actor) -> Option<&Intervals> {
        self.place(actor).ok().map(|at| &self.actors[at].1)
    }

    /// Every actor with its intervals, in the order of actors.
    pub fn actors(&self) -> impl Iterator<Item = (Actor, &Intervals)> {
        self.actors.iter().map(|(actor, intervals)| (*actor, intervals))
    }

    /// How many dots there are: the number of operations applied.
    pub fn len(&self) -> u64 {
        self.actors.iter().fold(0, |sum, (_, intervals)| sum.saturating_add(intervals.len()))
    }

    /// Whether no operation was ever applied.
    pub fn is_empty(&self) -> bool {
        self.actors.is_empty()
    }

    /// Appends the context.
    pub fn encode(&self, out: &mut BytesMut) {
        put_varint(out, self.actors.len() as u64);
        for (actor, intervals) in &self.actors {
            out.put_u64(actor.0);
            intervals.encode(out);
        }
    }

    /// Reads a context and refuses one whose actors are out of order.
    pub fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let mut actors: Vec<(Actor, Intervals)> = Vec::new();
        for _ in 0..reader.count(11)? {
            let actor = Actor(reader.u64()?);
            let intervals = Intervals::decode(reader)?;
            if intervals.is_empty() || actors.last().is_some_and(|(last, _)| *last >= actor) {
                return Err(reader.malformed());
            }
            actors.push((actor, intervals));
        }
        Ok(Self::of_actors(actors))
    }

    /// The invariants at the head of this file.
    pub fn check(&self) {
        assert_eq!(
            Self::of_actors(self.actors.clone()).fingerprint,
            self.fingerprint,
            "the fingerprint is of another set"
        );
        assert!(self.actors.windows(2).all(|pair| pair[0].0 < pair[1].0), "actors are out of order");
        for (actor, Intervals(runs)) in &self.actors {
            assert!(!runs.is_empty(), "{actor} is there without intervals");
            assert!(runs.iter().all(|&(first, last)| 1 <= first && first <= last), "{actor}: {runs:?}");
            assert!(runs.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "{actor}: {runs:?}");
        }
    }
}

impl FromIterator<Dot> for Context {
    fn from_iter<T: IntoIterator<Item = Dot>>(dots: T) -> Self {
        let mut context = Self::default();
        dots.into_iter().for_each(|dot| context.insert(dot));
        context
    }
}
