//! A whole cluster in one thread, under virtual time, from one seed.
//!
//! ```text
//! agenda   what happens next, by virtual time and then by the order in which it was put there
//! step     take the first thing; let it happen; what follows from it goes onto the agenda
//! ```
//!
//! The nodes are the ones that serve; every message goes through its bytes. Nothing here looks at a real clock,
//! and every choice comes from the seed, so a run can be repeated to the letter.
//!
//! A run is a storm, in which clients work and things break, and then a calm, in which everything is mended and
//! every key is read from all owners.

use crate::client::Tokens;
use crate::datacenters::Datacenters;
use crate::disks::{Disks, Trouble};
use crate::dots::Dots;
use crate::history::Operation;
use crate::lending::Lending;
use crate::limits;
use crate::lookout::Lookout;
use crate::machine::Machine;
use crate::network::Network;
use crate::peace;
use crate::reshaping::Reshaping;
use crate::rng::Rng;
use crate::supposition::Supposition;
use crate::tally::Faults;
use crate::trace::{Keeps, Trace};
use crate::unrest::{Fate, Turmoil, Unrest};
use crate::watch::Watch;
use crate::weather::Weather;
use bytes::{Bytes, BytesMut};
use node::{Action, Event, Options, RequestId, Speaker};
use placement::{Layout, NodeId, PartitionId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::StoreError;
use wire::peer::{Envelope, Message, Ticket};

/// When clients begin to ask in a storm, in microseconds.
const FIRST_WISH_US: u64 = 1_000;

/// What can happen.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    Arrive {
        from: usize,
        to: usize,
        starts: u64,
        bytes: Bytes,
    },
    Tick {
        machine: usize,
        starts: u64,
    },
    Synced {
        machine: usize,
        starts: u64,
    },
    Link {
        at: usize,
        peer: usize,
        up: bool,
    },
    Wish {
        client: usize,
    },
    Cut,
    Mend {
        a: usize,
        b: usize,
    },
    Crash,
    CrashAfterAnswer {
        machine: usize,
        key: String,
    },
    Look {
        key: String,
    },
    Start {
        machine: usize,
    },
    Jump,
    Disk(Trouble),
    Unrest(Turmoil),
    /// Somebody wants the ring changed.
    Reshape,
    /// A datacenter is cut off.
    CutOff,
    /// Somebody writes at a machine that goes by a layout of before.
    Provoke {
        machine: usize,
        key: String,
    },
    /// What waited for a machine that stood still.
    Deliver {
        machine: usize,
        starts: u64,
        event: Box<Event>,
    },
    /// A client waits no longer for an answer.
    Impatience {
        id: RequestId,
    },
}

/// The cluster and everything around it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) rng: Rng,
    pub(crate) weather: Weather,
    pub(crate) options: Options,
    pub(crate) layout: Arc<Layout>,
    pub(crate) machines: Vec<Machine>,
    pub(crate) network: Network,
    pub(crate) history: Vec<Operation>,
    pub(crate) trace: Trace,
    pub(crate) faults: Faults,
    pub(crate) wrongs: Vec<String>,
    pub(crate) lookout: Lookout,
    pub(crate) watch: Watch,
    pub(crate) storming: bool,
    pub(crate) disks: Disks,
    pub(crate) lending: Lending,
    pub(crate) unrest: Unrest,
    pub(crate) supposition: Supposition,
    pub(crate) is_peace: bool,
    pub(crate) reshaping: Reshaping,
    pub(crate) datacenters: Datacenters,
    /// Of how many owners a quorum is counted: of as many as there are to be.
    pub(crate) owners: usize,
    /// Machines that stand still, and until when.
    pub(crate) asleep: BTreeMap<usize, u64>,
    /// Requests that were passed on, and arrived.
    pub(crate) asked: BTreeSet<(usize, Ticket)>,
    /// Machines that are left as they are while others are healed.
    pub(crate) outside: BTreeMap<usize, Fate>,
    pub(crate) agenda: BTreeMap<(u64, u64), Happening>,
    pub(crate) planned: u64,
    /// The operation that a request stands for, the client that waits for it, and the machine that it was sent to.
    pub(crate) open: BTreeMap<RequestId, (usize, Option<usize>, usize)>,
    /// The requests that are being answered in this event.
    pub(crate) telling: BTreeSet<RequestId>,
    pub(crate) dots: Dots,
    pub(crate) tokens: Tokens,
}

impl World {
    /// The world of a seed, all nodes started and linked.
    pub(crate) fn new(seed: u64, keeps: Keeps) -> Self {
        let mut rng = Rng::new(seed);
        let mut weather = Weather::of(&mut rng);
        let disks = Disks::of(seed, &mut weather);
        let lending = Lending::of(seed);
        let unrest = Unrest::of(seed, &weather);
        let is_peace = peace::is_due(seed);
        let mut reshaping = if is_peace { Reshaping::default() } else { Reshaping::of(seed) };
        let mut datacenters = if is_peace { Datacenters::default() } else { Datacenters::of(seed) };
        weather = reshaping.weather(weather).in_two(&mut datacenters, reshaping.is_due);
        let layout = Arc::new(weather.layout(&mut rng, &mut datacenters));
        let options = reshaping.options(limits::options(&mut rng, &lending, &unrest));
        let (trace, supposition) = (Trace::new(keeps), Supposition::of(seed));
        let mut world = if is_peace {
            Self::calm(rng, peace::weather(weather), layout, peace::options(options))
        } else {
            Self { disks, lending, unrest, ..Self::calm(rng, weather, layout, options) }
        };
        world = Self { is_peace, reshaping, datacenters, trace, supposition, storming: true, ..world };
        if world.reshaping.is_due || world.datacenters.is_due {
            world.calm_others();
        }
        world.trace.line(0, format_args!("{weather:?}, {:?}, {:?}", world.disks, world.unrest));
        for machine in 0..world.machines.len() {
            world.skew(machine);
            world.start(machine);
        }
        for client in 0..usize::try_from(world.weather.clients).unwrap_or(1) {
            world.plan(if is_peace { peace::GREETED_US } else { FIRST_WISH_US }, Happening::Wish { client });
        }
        world.plan_faults();
        world.plan_disks();
        world.plan_reshaping();
        world.plan_cut_off();
        world
    }

    /// A world with empty disks in which nothing is planned.
    pub(crate) fn calm(rng: Rng, weather: Weather, layout: Arc<Layout>, options: Options) -> Self {
        let machines = layout.members().iter().map(|member| Machine::new(member.id, Arc::clone(&layout)));
        Self {
            now: 0,
            rng,
            weather,
            options,
            machines: machines.collect(),
            owners: layout.replicas(),
            layout,
            network: Network::default(),
            history: Vec::new(),
            trace: Trace::new(Keeps::Nothing),
            faults: Faults::default(),
            wrongs: Vec::new(),
            lookout: Lookout::default(),
            watch: Watch::default(),
            storming: false,
            disks: Disks::default(),
            lending: Lending::default(),
            unrest: Unrest::default(),
            supposition: Supposition::default(),
            is_peace: false,
            datacenters: Datacenters::default(),
            reshaping: Reshaping::default(),
            asleep: BTreeMap::new(),
            asked: BTreeSet::new(),
            outside: BTreeMap::new(),
            agenda: BTreeMap::new(),
            planned: 0,
            open: BTreeMap::new(),
            telling: BTreeSet::new(),
            dots: Dots::default(),
            tokens: Tokens::default(),
        }
    }

    /// Puts something onto the agenda, `after_us` from now.
    pub(crate) fn plan(&mut self, after_us: u64, happening: Happening) {
        self.planned += 1;
        self.agenda.insert((self.now + after_us, self.planned), happening);
    }

    /// Lets everything happen until a virtual time.
    pub(crate) fn run_until(&mut self, until: u64) {
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= until) {
            let ((at, _), happening) = entry.remove_entry();
            self.now = at;
            self.step(happening);
        }
        self.now = until;
    }

    fn step(&mut self, happening: Happening) {
        if let Some(until) = self.waits_until(&happening) {
            if self.is_heard(&happening) {
                return;
            }
            return self.plan(until - self.now, happening);
        }
        match happening {
            Happening::Arrive { from, to, starts, bytes } => self.arrive(from, to, starts, bytes),
            Happening::Tick { machine, starts } if self.machines[machine].starts == starts => {
                self.handle(machine, Event::Tick);
            }
            Happening::Synced { machine, starts } if self.machines[machine].starts == starts => {
                let actions = self.machines[machine].end_writing();
                self.perform(machine, actions);
            }
            Happening::Deliver { machine, starts, event } if self.machines[machine].starts == starts => {
                self.handle(machine, *event);
            }
            Happening::Tick { .. } | Happening::Synced { .. } | Happening::Deliver { .. } => {}
            Happening::Link { at, peer, up } => self.link(at, peer, up),
            Happening::Wish { client } => self.wish(client),
            Happening::Cut | Happening::Crash | Happening::CrashAfterAnswer { .. } | Happening::Jump
                if !self.storming => {}
            Happening::Cut => self.cut_some(),
            Happening::Crash => {
                self.crash_some();
                self.plan_another(self.weather.crash_every_us, Happening::Crash);
            }
            Happening::CrashAfterAnswer { machine, key } => self.crash_after_answer(machine, &key),
            Happening::Look { key } => self.look(key),
            Happening::Jump => self.jump_some(),
            Happening::Disk(trouble) => self.trouble(trouble),
            Happening::Unrest(turmoil) => self.turmoil(turmoil),
            Happening::Reshape => self.reshape(),
            Happening::CutOff => self.cut_off(),
            Happening::Provoke { machine, key } => self.write_at_stale(machine, key),
            Happening::Impatience { id } => {
                let client = self.open.get_mut(&id).and_then(|(_, client, _)| client.take());
                self.wish_again(client);
            }
            Happening::Mend { a, b } => self.mend(a, b),
            Happening::Start { machine } => self.start(machine),
        }
    }

    /// Hands a node an event and performs what it decides.
    pub(crate) fn handle(&mut self, machine: usize, event: Event) {
        let actions = self.machines[machine].handle(self.now, event);
        self.perform(machine, Ok(actions));
    }

    fn perform(&mut self, machine: usize, actions: Result<Vec<Action>, StoreError>) {
        match actions {
            Ok(actions) => {
                // Whoever is told something by the same event is told before the store is put aside.
                let (last, first): (Vec<_>, Vec<_>) =
                    actions.into_iter().partition(|action| matches!(action, Action::Renew));
                let told = first.iter().filter_map(|action| match action {
                    Action::Answer { id, .. } => Some(*id),
                    _ => None,
                });
                // One of them may be followed by another event, in which the disk fails.
                self.telling.extend(told);
                first.into_iter().chain(last).for_each(|action| self.act(machine, action));
            }
            Err(error) => return self.disk_failed(machine, &error),
        }
        let starts = self.machines[machine].starts;
        match self.machines[machine].begin_writing() {
            Ok(true) => {
                let longest = if self.storming { self.weather.sync_us } else { 100 };
                let takes = self.rng.between(10, longest);
                self.plan(takes, Happening::Synced { machine, starts });
            }
            Ok(false) => {}
            Err(error) => return self.disk_failed(machine, &error),
        }
        if let Some(at) = self.machines[machine].next_tick(self.now) {
            self.plan(at - self.now, Happening::Tick { machine, starts });
        }
    }

    pub(crate) fn act(&mut self, machine: usize, action: Action) {
        match action {
            Action::Answer { id, reply } => {
                self.telling.remove(&id);
                self.answered(id, &reply);
            }
            Action::Send { to, envelope } => self.send(machine, to, &envelope),
            Action::Renew => self.renew(machine),
            Action::Adopt(layout) => self.adopt(machine, layout),
            Action::Changed { id, outcome } => self.changed(id, &outcome),
            Action::Health(sighting) => {
                self.sighted(machine, &sighting);
                let (peer, is_trusted) = (sighting.member, sighting.is_trusted());
                self.handle(machine, Event::Health { peer, is_trusted });
            }
        }
    }

    fn send(&mut self, from: usize, to: NodeId, envelope: &Envelope) {
        let Some(to) = self.machines.iter().position(|machine| machine.id == to) else {
            return self.wrongs.push(format!("node {from} sends to {to}, which is no member"));
        };
        self.watch_dots(envelope);
        self.watch.sent(self.now, (from, to), envelope);
        self.provoke(from, to);
        if let Message::Ask { .. } = envelope.message {
            self.watch_passing(from, to, envelope.partition);
        }
        let mut bytes = BytesMut::new();
        envelope.encode(&mut bytes);
        let bytes = bytes.freeze();
        let arrivals = self.network.arrivals(from, to, self.now, &self.weather, &mut self.rng);
        match arrivals.len() {
            0 => self.faults.lost += 1,
            1 => {}
            _ => self.faults.duplicated += 1,
        }
        for at in arrivals {
            let starts = self.machines[to].starts;
            self.plan(at - self.now, Happening::Arrive { from, to, starts, bytes: bytes.clone() });
        }
    }

    fn watch_dots(&mut self, envelope: &Envelope) {
        let (Message::Apply { deltas, .. } | Message::Mend { deltas, .. }) = &envelope.message else {
            return;
        };
        let dots = &mut self.dots;
        self.wrongs.extend(deltas.iter().filter_map(|delta| dots.see(envelope.partition, delta).err()));
    }

    /// A request is passed on: whom it goes round, and why its sender does not carry it out.
    fn watch_passing(&mut self, from: usize, to: usize, partition: PartitionId) {
        let home = self.layout.owners(partition).first();
        let home = self.machines.iter().position(|machine| Some(&machine.id) == home);
        let round = home.filter(|home| *home != to && *home != from);
        let learns = |machine: &Machine| {
            machine.running.as_ref().is_some_and(|running| running.node.sync().learning > 0)
        };
        self.watch.passed_on(from, round, home == Some(from) && learns(&self.machines[from]));
    }

    /// Operations may come however late. A request that is passed on dies with the connection, when the process that it
    /// was sent to stops: one that comes twice is told apart by whoever has heard it, and it forgets what it has heard.
    fn arrive(&mut self, from: usize, to: usize, starts: u64, bytes: Bytes) {
        if !self.network.reaches(from, to) {
            self.faults.lost += 1;
            return;
        }
        let sender = self.machines[from].id;
        self.lookout.heard(self.now, to, from);
        match Envelope::decode(bytes) {
            Ok(Envelope { message: Message::Ask { .. }, .. }) if self.machines[to].starts != starts => {
                self.faults.lost += 1;
            }
            Ok(envelope) => {
                match &envelope.message {
                    // There is much of it, and its news are seen when somebody makes something of them.
                    Message::Gossip(gossip) => {
                        self.trace.line(self.now, format_args!("{from} -> {to} {:?}", gossip.word));
                        self.look_at_news(to, gossip);
                    }
                    message => self.trace.line(self.now, format_args!("{from} -> {to} {message:?}")),
                }
                if let Message::Ask { ticket, .. } = envelope.message {
                    self.asked.insert((to, ticket));
                }
                self.watch.arrived(from, &envelope.message);
                let (partition, before) = (envelope.partition, self.machines[to].waiting(envelope.partition));
                let is_mend = matches!(envelope.message, Message::Mend { .. });
                let kept = self.kept(to, &envelope);
                self.handle(to, Event::Message { from: sender, envelope });
                self.check_dropped(to, partition, &kept);
                self.watch.waits(is_mend, before, self.machines[to].waiting(partition));
            }
            Err(error) => self.wrongs.push(format!("{error} from node {from}")),
        }
    }

    fn link(&mut self, at: usize, peer: usize, up: bool) {
        let reachable = self.machines[peer].running.is_some() && self.network.reaches(at, peer);
        if up == reachable {
            if up {
                // Whoever greets is there, as far as the other can tell.
                self.lookout.heard(self.now, at, peer);
            }
            let event = Event::Link { peer: self.machines[peer].id, up };
            self.handle(at, event);
            if up {
                self.provoke_stale(at);
            }
        } else if self.machines[at].is_unclocked() {
            // Nothing comes to it that would have its clock looked at.
            self.handle(at, Event::Tick);
        }
    }

    /// Starts a node and has the links to and from it come up.
    pub(crate) fn start(&mut self, machine: usize) {
        let is_left_down = self.outside.get(&machine) == Some(&Fate::Down);
        if self.machines[machine].running.is_some() || is_left_down {
            return;
        }
        let cache = self.weather.cache_bytes;
        let incarnation = self.machines[machine].now(self.now).wall_ms;
        let seed = self.rng.bits();
        let speaker = self.options.speaker.map(|speaker| Speaker { incarnation, seed, ..speaker });
        let options = Options { speaker, ..self.options };
        if let Err(error) = self.machines[machine].start(options, cache, &mut self.rng) {
            self.wrongs.push(format!("node {machine} does not start: {error}"));
        }
        self.trace.line(self.now, format_args!("node {machine} starts"));
        self.check_start(machine);
        self.look_out();
        for peer in (0..self.machines.len()).filter(|peer| *peer != machine) {
            let (there, back) = (self.rng.between(10, 5_000), self.rng.between(10, 5_000));
            self.plan(there, Happening::Link { at: machine, peer, up: true });
            self.plan(back, Happening::Link { at: peer, peer: machine, up: true });
        }
    }
}
