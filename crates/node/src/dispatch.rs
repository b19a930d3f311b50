//! Which file each event goes to. Nothing is decided here but that, and what an epoch that differs means: the
//! newer layout travels, and what was said under the older one is not heard.

use crate::event::{Action, Event, Now, Outbox};
use crate::rows::Storage;
use crate::state::{self, Node, Turn};
use crate::work::{Origin, Purpose, Work, Write};
use crate::{
    compare, forward, handoff, learning, queue, read, request, serve, source, steering, taker, write,
};
use bytes::Bytes;
use placement::{Layout, NodeId, PartitionId};
use std::sync::Arc;
use store::Commit;
use wire::peer::exchange::Step;
use wire::peer::{Envelope, Message, Ticket, Verdict};

impl Node {
    /// Takes one event in and puts what is to be done into `out`.
    pub fn handle(&mut self, now: Now, event: Event, store: &mut Storage, out: &mut Outbox) {
        let mut turn = Turn { now, store, out };
        match event {
            Event::Request { id, partition, request } => {
                request::accept(self, &mut turn, Origin::Client(id), partition, request);
            }
            Event::Message { from, envelope } => self.hear(&mut turn, from, envelope),
            Event::Link { peer, up } => {
                self.link(&mut turn, peer, up);
                steering::linked(self, &mut turn, peer, up);
            }
            Event::Health { peer, is_trusted } => steering::trust(self, &mut turn, peer, is_trusted),
            Event::Layout(layout) => self.adopt(layout),
            Event::Tick => self.tick(&mut turn),
        }
        queue::run_ready(self, &mut turn);
        learning::heed(self, &mut turn);
    }

    fn hear(&mut self, turn: &mut Turn<'_>, from: NodeId, envelope: Envelope) {
        let Envelope { epoch, partition, message } = envelope;
        // Whatever layout the other goes by.
        steering::heard(self, turn, from, &message);
        match message {
            Message::Layout { layout } => return self.offered(turn, &layout),
            Message::LayoutWanted => {
                let layout = Bytes::from(self.layout.encode());
                return turn.send(self, from, partition, Message::Layout { layout });
            }
            _ if epoch < self.layout.epoch() => {
                let layout = Bytes::from(self.layout.encode());
                return turn.send(self, from, partition, Message::Layout { layout });
            }
            _ if epoch > self.layout.epoch() => {
                return turn.send(self, from, partition, Message::LayoutWanted);
            }
            // Of the same epoch nobody speaks of a partition that does not exist, unless the bytes are not from us.
            _ if u32::from(partition.0) >= self.layout.keyspace().partition_count() => return,
            _ => {}
        }
        match message {
            Message::Apply { ticket, deltas, asker } => {
                serve::apply(self, turn, from, partition, ticket, deltas, asker);
            }
            Message::Mend { ticket, cell, found, deltas, asker } => {
                serve::mend(self, turn, from, partition, ticket, (&cell, &found), (deltas, asker));
            }
            Message::Fetch { ticket, cell, asker, ranks } => {
                serve::fetch(self, turn, from, partition, ticket, (cell.as_ref(), ranks), asker);
            }
            Message::Applied { ticket, verdict } => self.applied(turn, from, ticket, &verdict),
            Message::Fetched { ticket, report, shown } => {
                read::fetched(self, turn, from, ticket, report, shown);
            }
            Message::Unreadable { ticket } => read::unreadable(self, turn, from, ticket),
            Message::Ask { ticket, request } => {
                request::accept(self, turn, Origin::Peer(from, ticket), partition, request);
            }
            Message::Answer { ticket, reply } => {
                if let Some(placing) = forward::answered(self, turn, ticket, reply) {
                    request::place(self, turn, placing);
                }
            }
            Message::Exchange { ticket, step } => self.exchange(turn, from, partition, ticket, step),
            Message::Layout { .. } | Message::LayoutWanted | Message::Alive | Message::Gossip(_) => {}
        }
    }

    fn applied(&mut self, turn: &mut Turn<'_>, from: NodeId, ticket: Ticket, verdict: &Verdict) {
        match self.pending.take(ticket) {
            Some(Work::Write(write)) => {
                let unsettled = write::applied(self, turn, ticket, write, from, verdict);
                self.settle(turn, unsettled);
            }
            Some(Work::Read(read)) => read::repaired(self, turn, ticket, read, from, verdict),
            Some(other @ Work::Passed(_)) => self.pending.put_back(ticket, other),
            None => {}
        }
    }

    fn exchange(
        &mut self,
        turn: &mut Turn<'_>,
        from: NodeId,
        partition: PartitionId,
        ticket: Ticket,
        step: Step,
    ) {
        // Between two owners, or an owner and whoever stands in for one: to take is an owner's alone.
        let owners = self.layout.owners(partition);
        let (owns, others_own) = (owners.contains(&self.identity.node), owners.contains(&from));
        match step {
            Step::Compare(hashes) if owns && others_own => {
                compare::asked(self, turn, from, partition, ticket, hashes);
            }
            Step::Same if owns && others_own => compare::same(self, turn, from, partition, ticket),
            Step::Differs(state) if owns && others_own => {
                compare::differs(self, turn, from, partition, ticket, *state);
            }
            Step::Forgotten(context) if owns && others_own => {
                compare::forgotten(self, turn, partition, &context);
            }
            Step::Open(_) | Step::Descend { .. } | Step::Take { .. } if others_own => {
                source::asked(self, turn, from, partition, ticket, step);
            }
            Step::Close if others_own => {
                source::asked(self, turn, from, partition, ticket, step);
                handoff::taken(self, turn, partition);
            }
            Step::Opened { .. } | Step::Leaves(_) | Step::Cells { .. } | Step::Gone | Step::Later if owns => {
                taker::answered(self, turn, from, partition, ticket, step);
            }
            Step::Lent { .. } if owns => taker::answered(self, turn, from, partition, ticket, step),
            Step::Offer(kept) if owns => handoff::offered(self, turn, from, partition, ticket, &kept),
            Step::Had if others_own => handoff::had(self, turn, from, partition, ticket),
            _ => {}
        }
    }

    /// Has W owners of a plain write agree on its cell, and then see how it ranks.
    fn settle(&mut self, turn: &mut Turn<'_>, unsettled: Option<Box<Write>>) {
        if let Some(write) = unsettled {
            read::begin(self, turn, write.task.clone(), Purpose::Settle(write));
        }
    }

    fn link(&mut self, turn: &mut Turn<'_>, peer: NodeId, up: bool) {
        if up {
            self.links.insert(peer);
            compare::linked(self, turn.now.monotonic_ms);
            handoff::linked(self, turn.now.monotonic_ms, peer);
            return;
        }
        self.links.remove(&peer);
        taker::link_down(self, turn, peer);
        for ticket in self.pending.tickets() {
            match self.pending.take(ticket) {
                Some(Work::Read(read)) => read::link_down(self, turn, ticket, read, peer),
                Some(Work::Passed(passed)) => {
                    if let Some(placing) = forward::link_down(self, turn, ticket, passed, peer) {
                        request::place(self, turn, placing);
                    }
                }
                Some(other @ Work::Write(_)) => self.pending.put_back(ticket, other),
                None => {}
            }
        }
    }

    fn tick(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.monotonic_ms;
        compare::tick(self, turn);
        handoff::tick(self, turn);
        while let Some(ticket) = self.pending.due(now) {
            match self.pending.take(ticket) {
                Some(Work::Write(write)) => {
                    let unsettled = write::visit(self, turn, ticket, write);
                    self.settle(turn, unsettled);
                }
                Some(Work::Read(read)) => read::visit(self, turn, ticket, read),
                Some(Work::Passed(passed)) => forward::visit(self, turn, ticket, passed),
                None => {}
            }
        }
        steering::tick(self, turn);
    }

    fn offered(&mut self, turn: &mut Turn<'_>, layout: &[u8]) {
        let Ok(layout) = Layout::decode(layout) else { return };
        if layout.cluster() == self.layout.cluster() && layout.epoch() > self.layout.epoch() {
            turn.out.push(Commit::default(), Action::Adopt(Arc::new(layout)));
        }
    }

    fn adopt(&mut self, layout: Arc<Layout>) {
        if layout.epoch() > self.layout.epoch() {
            self.layout = layout;
            self.mine = state::mine(&self.layout, self.identity.node, &self.options);
            self.held_until = 0;
            if let Some(membership) = &mut self.membership {
                membership.adopt(&self.layout);
            }
        }
    }
}
