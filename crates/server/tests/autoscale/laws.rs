//! What holds whatever happens to a cluster.

use placement::Duty;
use proptest::prelude::*;
use server::autoscale::{Autoscaler, Band, Deed, Metric, Policy, Sample, Seen};
use wire::peer::gossip::Load;

const HOLD_MS: u64 = 3_000;
const COOL_DOWN_MS: u64 = 5_000;
const STEP_MS: u64 = 500;

/// A cluster that does what the autoscaler wants, and whose load is shared out evenly.
struct World {
    autoscaler: Autoscaler,
    sample: Sample,
    now_ms: u64,
    /// A deed that nobody has answered yet.
    open: Option<Deed>,
    /// When the ring moved last.
    moved_ms: Option<u64>,
}

fn seen(name: &str) -> Seen {
    let (name, zone) = (name.to_owned(), "dc1/rack1".to_owned());
    Seen { name, zone, duty: Duty::Store, is_up: true, load: Load::default() }
}

impl World {
    fn new(persons: usize, own: usize, (min, max): (usize, usize), band: Band) -> Self {
        let policy = Policy {
            min,
            max,
            marks: vec![(Metric::Operations, band)],
            hold_ms: HOLD_MS,
            cool_down_ms: COOL_DOWN_MS,
            stem: "auto".to_owned(),
            first: 1,
        };
        let persons = (1..=persons).map(|number| seen(&format!("server{number}")));
        let own = (1..=own).map(|number| seen(&format!("auto{number}")));
        let members = persons.chain(own).collect();
        let sample = Sample { epoch: 1, replicas: 3, is_settled: true, members };
        let autoscaler = Autoscaler::new(policy, false);
        Self { autoscaler, sample, now_ms: 0, open: None, moved_ms: None }
    }

    fn storing(&self) -> usize {
        self.sample.members.iter().filter(|member| member.duty == Duty::Store).count()
    }

    /// Time passes under this load of all together; gives what is to be done.
    fn look(&mut self, total: u64) -> Option<Deed> {
        self.now_ms += STEP_MS;
        let each = total / self.storing() as u64;
        for member in &mut self.sample.members {
            member.load.operations_per_s = if member.duty == Duty::Store { each } else { 0 };
        }
        if !self.sample.is_settled {
            self.moved_ms = Some(self.now_ms);
        }
        let deed = self.autoscaler.look(self.now_ms, &self.sample, true, &|_| Ok(()));
        if let Some(deed) = &deed {
            self.check(deed);
            self.open = Some(deed.clone());
        }
        deed
    }

    /// The rules that no deed may break.
    fn check(&self, deed: &Deed) {
        assert_eq!(self.open, None, "one at a time");
        let policy = self.autoscaler.policy();
        let rested = self.moved_ms.is_none_or(|at| self.now_ms >= at + COOL_DOWN_MS);
        match deed {
            Deed::Start(name) => {
                assert!(self.sample.is_settled && rested && self.storing() < policy.max, "{deed:?}");
                assert!(self.sample.members.iter().all(|member| member.name != *name), "{deed:?}");
            }
            Deed::Drain(name, epoch) => {
                assert!(self.sample.is_settled && rested && *epoch == self.sample.epoch, "{deed:?}");
                assert!(self.storing() > policy.min.max(self.sample.replicas), "{deed:?}");
                let is_fit = |member: &Seen| member.is_up && !member.load.is_learning;
                assert!(self.sample.members.iter().all(is_fit) && name.starts_with("auto"), "{deed:?}");
            }
            Deed::Retire(name) => assert!(self.sample.members.iter().all(|member| member.name != *name)),
        }
    }

    /// What was to be done is done, or is not.
    fn answer(&mut self, is_done: bool) {
        let Some(deed) = self.open.take() else { return };
        let answer = if is_done { Ok(String::new()) } else { Err("no".to_owned()) };
        self.autoscaler.answered(self.now_ms, answer);
        self.sample.epoch += 1;
        match deed {
            Deed::Start(name) if is_done => self.sample.members.push(seen(&name)),
            Deed::Drain(name, _) if is_done => {
                let leaver = self.sample.members.iter_mut().find(|member| member.name == name);
                leaver.expect("it is a member").duty = Duty::Leave;
            }
            _ => return,
        }
        self.sample.is_settled = false;
    }

    /// What moves has come to where it is wanted.
    fn settle(&mut self) {
        self.sample.members.retain(|member| member.duty != Duty::Leave);
        self.sample.epoch += 1;
        self.sample.is_settled = true;
    }
}

/// Something that happens.
#[derive(Clone, Debug)]
enum Happening {
    Load(u64),
    Pass(u8),
    Answer(bool),
    Settle,
    /// Which member has trouble, or is rid of it.
    Trouble(usize, bool, bool),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        2 => (0_u64..20_000).prop_map(Happening::Load),
        5 => (1_u8..20).prop_map(Happening::Pass),
        4 => any::<bool>().prop_map(Happening::Answer),
        4 => Just(Happening::Settle),
        1 => (0_usize..8, any::<bool>(), any::<bool>()).prop_map(|(of, up, learning)| Happening::Trouble(of, up, learning)),
    ]
}

fn band() -> impl Strategy<Value = Band> {
    (0_u64..2_000, 1_u64..2_000)
        .prop_map(|(low, more)| Band::new(low, low + more).expect("the low one is lower"))
}

proptest! {
    /// A load that stays as it is calls for nodes or lets them go, and never both; and it ends.
    #[test]
    fn a_steady_load_does_not_swing(total in 0_u64..20_000, band in band(), own in 0_usize..8) {
        let mut world = World::new(3, own, (3, 12), band);
        let (mut starts, mut drains, mut last_ms) = (0, 0, 0);
        for _ in 0..1_000 {
            match world.look(total) {
                Some(Deed::Start(_)) => starts += 1,
                Some(Deed::Drain(..)) => drains += 1,
                Some(Deed::Retire(_)) | None => continue,
            }
            last_ms = world.now_ms;
            world.answer(true);
            world.look(total);
            world.settle();
            if matches!(world.look(total), Some(Deed::Retire(_))) {
                world.answer(true);
                world.settle();
            }
        }
        prop_assert!(starts == 0 || drains == 0, "{starts} started, {drains} drained");
        prop_assert!(last_ms < 250_000, "it goes on at {last_ms} ms");
    }

    /// Whatever happens, no deed breaks a rule.
    #[test]
    fn no_deed_breaks_a_rule(
        happenings in prop::collection::vec(happening(), 1..80),
        band in band(),
        own in 0_usize..4,
    ) {
        let mut world = World::new(3, own, (3, 6), band);
        let mut total = 0;
        for happening in happenings {
            match happening {
                Happening::Load(load) => total = load,
                Happening::Pass(steps) => (0..steps).for_each(|_| drop(world.look(total))),
                Happening::Answer(is_done) => world.answer(is_done),
                Happening::Settle => world.settle(),
                Happening::Trouble(of, is_up, is_learning) => {
                    let count = world.sample.members.len();
                    let member = &mut world.sample.members[of % count];
                    (member.is_up, member.load.is_learning) = (is_up, is_learning);
                }
            }
            prop_assert!(world.storing() >= 3);
        }
    }
}
