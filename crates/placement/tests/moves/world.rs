//! The nodes, what is between them, and what happens next.
//!
//! Messages are late, lost and out of order, and layouts spread by chance. What goes wrong with nodes is in `trouble`, what is changed in
//! `operators`.
//!
//! Invariant: what a read misses that was acknowledged before it began is noted in `World::missed`.

use crate::dice::Dice;
use crate::lapse::Lapse;
use crate::mood::Mood;
use crate::node::{Answer, Health, Lesson, Node, Writes};
use crate::request::{Request, Task};
use crate::tally::Tally;
use placement::layout::Advance;
use placement::{Duty, Layout, Member, NodeId, PartitionId, Place, Zone};
use std::sync::Arc;

/// How many nodes there may be.
pub(crate) const NODES: usize = 7;

/// What is under way from one node to another, by where they are among the nodes.
#[derive(Clone, Copy)]
pub(crate) struct Mail {
    from: usize,
    to: usize,
    message: Message,
}

#[derive(Clone, Copy, Debug)]
enum Message {
    Ask {
        number: u64,
        epoch: u64,
        brings: Writes,
    },
    Answer {
        number: u64,
        answer: Answer,
    },
    Learn {
        disk: u64,
    },
    Lesson(Lesson),
    /// What one who owned the partition kept for those who do.
    Hints(Writes),
}

impl Mail {
    pub(crate) fn is_answer_of(&self, at: usize) -> bool {
        self.from == at && matches!(self.message, Message::Answer { .. })
    }
}

/// One history.
pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) lapse: Option<Lapse>,
    pub(crate) nodes: Vec<Node>,
    /// What the register holds, and all that it held.
    pub(crate) layouts: Vec<Arc<Layout>>,
    pub(crate) mail: Vec<Mail>,
    pub(crate) requests: Vec<Request>,
    pub(crate) reports: Vec<Advance>,
    numbers: u64,
    writes_begun: u32,
    pub(crate) acknowledged: Writes,
    pub(crate) missed: bool,
    pub(crate) tally: Tally,
    pub(crate) mood: Mood,
}

pub(crate) fn id(at: usize) -> NodeId {
    NodeId::of_name(&format!("n{at}"))
}

pub(crate) fn member(at: usize, weight: u32) -> Member {
    Member {
        id: id(at),
        name: format!("n{at}"),
        client_addr: format!("n{at}:1"),
        peer_addr: format!("n{at}:2"),
        weight,
        zone: Zone::default(),
        duty: Duty::Store,
    }
}

/// Clusters of three to six members, most of which want three replicas.
pub(crate) fn starts() -> Vec<Arc<Layout>> {
    let grown = |replicas: u8, members: usize| {
        let first = Layout::found(1, 2, 1, replicas, member(0, 1), 0).expect("it is valid");
        let joined = |layout: Layout, at| layout.with_member(member(at, 1)).expect("it is new");
        Arc::new((1..members).fold(first, joined))
    };
    let sizes = [(1, 3), (2, 4), (3, 4), (3, 4), (3, 5), (3, 6), (4, 6), (5, 6)];
    sizes.map(|(replicas, members)| grown(replicas, members)).into()
}

impl World {
    pub(crate) fn new(seed: u64, lapse: Option<Lapse>, starts: &[Arc<Layout>]) -> Self {
        let mut dice = Dice(seed);
        let layout = dice.pick(&starts.iter().collect::<Vec<_>>()).expect("there are some").clone();
        let mood = Mood::of(&mut dice);
        Self {
            dice,
            lapse,
            nodes: (0..NODES).map(|at| Node::new(id(at), layout.clone(), lapse)).collect(),
            layouts: vec![layout],
            mail: Vec::new(),
            requests: Vec::new(),
            reports: Vec::new(),
            numbers: 0,
            writes_begun: 0,
            acknowledged: 0,
            missed: false,
            tally: Tally::default(),
            mood,
        }
    }

    pub(crate) fn newest(&self) -> &Arc<Layout> {
        self.layouts.last().expect("there is always one")
    }

    /// Where the partition is by the newest layout.
    pub(crate) fn place(&self) -> &Place {
        self.newest().place(PartitionId(0))
    }

    pub(crate) fn at(&self, node: NodeId) -> usize {
        self.nodes.iter().position(|other| other.id == node).expect("it is one of them")
    }

    /// One thing happens.
    pub(crate) fn step(&mut self) {
        let at = self.dice.below(NODES);
        match self.dice.below(100) {
            0..4 => self.write(at),
            4..7 => self.read(at),
            7..9 => self.ask_again(),
            9..18 => self.tend_somebody(at),
            18 => self.trouble(at),
            19..21 => self.recover(at),
            21..34 => self.steward(at),
            34..38 => self.operate(at),
            38 if self.dice.chance(30) => self.give_hints(at),
            39..48 if self.dice.chance(self.mood.gossips) => self.gossip(at),
            48..56 => self.glance(at),
            _ => self.carry(),
        }
    }

    /// Most often somebody who has something to do.
    fn tend_somebody(&mut self, at: usize) {
        let (busy, is_busy) = (self.busy(), self.dice.chance(70));
        self.tend(busy.filter(|_| is_busy).unwrap_or(at));
    }

    /// Somebody who is to learn.
    fn busy(&mut self) -> Option<usize> {
        let place = self.place();
        let busy: Vec<_> = place.to_come().iter().copied().chain(place.newcomer()).collect();
        let busy = self.dice.pick(&busy)?;
        Some(self.at(busy))
    }

    fn write(&mut self, at: usize) {
        if self.writes_begun < Writes::BITS {
            self.writes_begun += 1;
            self.begin(at, Task::Write(1 << (self.writes_begun - 1)));
        }
    }

    pub(crate) fn read(&mut self, at: usize) {
        let acknowledged = self.acknowledged;
        self.begin(at, Task::Read { acknowledged, seen: 0 });
    }

    fn begin(&mut self, at: usize, task: Task) {
        if self.nodes[at].is_up() {
            self.numbers += 1;
            self.requests.push(Request::new(self.numbers, at, &self.nodes[at], task));
            self.ask(self.requests.len() - 1);
        }
    }

    fn ask_again(&mut self) {
        if !self.requests.is_empty() {
            let which = self.dice.below(self.requests.len());
            self.ask(which);
        }
    }

    /// Sends a request to the owners that have not answered.
    fn ask(&mut self, which: usize) {
        let Request { number, at, task, .. } = self.requests[which];
        let epoch = self.nodes[at].layout.epoch();
        let message = Message::Ask { number, epoch, brings: task.brings() };
        let silent: Vec<_> = self.requests[which].silent().collect();
        for owner in silent {
            if !self.dice.chance(self.mood.skips) {
                self.send(at, self.at(owner), message);
            }
        }
    }

    fn send(&mut self, from: usize, to: usize, message: Message) {
        self.mail.push(Mail { from, to, message });
    }

    /// A node goes on with what it is to learn, and reports what has come of it.
    pub(crate) fn tend(&mut self, at: usize) {
        if !self.nodes[at].is_up() {
            return;
        }
        let disk = self.nodes[at].disk;
        let teachers = self.nodes[at].teachers();
        if let Some(teacher) = self.dice.pick(&teachers) {
            self.send(at, self.at(teacher), Message::Learn { disk });
        }
        self.reports.extend(self.nodes[at].report());
    }

    fn give_hints(&mut self, at: usize) {
        let to = self.dice.below(NODES);
        if self.nodes[at].is_up() && !self.nodes[at].place().keeps(self.nodes[at].id) {
            self.send(at, to, Message::Hints(self.nodes[at].writes));
        }
    }

    /// Somebody learns of some layout.
    fn gossip(&mut self, at: usize) {
        let known = self.nodes[self.dice.below(NODES)].layout.clone();
        let layout = if self.dice.chance(50) { self.newest().clone() } else { known };
        let (busy, is_busy) = (self.busy(), self.dice.chance(50));
        let at = busy.filter(|_| is_busy).unwrap_or(at);
        if self.nodes[at].is_up() {
            self.adopt(at, &layout);
        }
    }

    pub(crate) fn adopt(&mut self, at: usize, layout: &Arc<Layout>) {
        if !self.nodes[at].adopt(layout) {
            return;
        }
        let (mine, others) =
            std::mem::take(&mut self.requests).into_iter().partition(|request| request.at == at);
        self.requests = others;
        for request in mine {
            self.numbers += 1;
            self.requests.push(Request::anew(request, self.numbers, &self.nodes[at], self.lapse));
            self.ask(self.requests.len() - 1);
        }
    }

    /// A message arrives, or is lost on its way.
    fn carry(&mut self) {
        if !self.mail.is_empty() {
            let which = self.dice.below(self.mail.len());
            let mail = self.mail.swap_remove(which);
            if !self.dice.chance(self.mood.loses) {
                self.deliver(mail);
            }
        }
    }

    pub(crate) fn deliver(&mut self, mail: Mail) {
        let Mail { from, to, message } = mail;
        if !self.nodes[to].is_up() || self.nodes[from].health == Health::Cut {
            return;
        }
        if self.dice.chance(self.mood.tells) {
            let layout = self.nodes[from].layout.clone();
            self.adopt(to, &layout);
        }
        let node = &mut self.nodes[to];
        match message {
            Message::Ask { epoch, .. } if !node.can_hear(epoch) => self.mail.push(mail),
            Message::Ask { number, epoch, brings } => {
                if let Some(answer) = node.answer(epoch, brings) {
                    self.send(to, from, Message::Answer { number, answer });
                }
            }
            Message::Answer { number, answer } => self.hear(number, &answer),
            Message::Learn { disk } => {
                let lesson = Message::Lesson(node.lesson(disk));
                self.send(to, from, lesson);
            }
            Message::Lesson(lesson) => node.hear(&lesson),
            Message::Hints(writes) => node.take(writes),
        }
    }

    fn hear(&mut self, number: u64, answer: &Answer) {
        let Some(which) = self.requests.iter().position(|request| request.number == number) else { return };
        if !self.requests[which].hear(answer, self.lapse) {
            return;
        }
        match self.requests.swap_remove(which).task {
            Task::Write(write) => self.acknowledged |= write,
            Task::Read { acknowledged, seen } => {
                self.tally.reads += 1;
                self.missed |= acknowledged & !seen != 0;
            }
        }
    }
}
