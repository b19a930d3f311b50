//! Which file each event goes to. Nothing is decided here but that; what an epoch that differs means is told in `epochs`.

use crate::epochs::{self, Hearing};
use crate::event::{Action, Event, Now, Outbox};
use crate::rows::Storage;
use crate::state::{Node, Turn};
use crate::work::{Origin, Purpose, Work, Write};
use crate::{
    compare, forward, handoff, learning, moving, queue, read, register, request, serve, source, steering,
    steward, taker, write,
};
use placement::{Layout, NodeId, PartitionId};
use std::sync::Arc;
use store::Commit;
use wire::peer::exchange::Step;
use wire::peer::quorum::Quorum;
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
            Event::Layout(layout) => moving::adopt(self, &mut turn, layout),
            Event::Change { id, change, of } => register::ask(self, &mut turn, id, change, of),
            Event::Tick => self.tick(&mut turn),
        }
        // Each that goes elsewhere lets the next of its key come.
        loop {
            let gone = queue::run_ready(self, &mut turn);
            if gone.is_empty() {
                break;
            }
            gone.into_iter().for_each(|(task, words)| moving::elsewhere(self, &mut turn, task, words));
        }
        learning::heed(self, &mut turn);
    }

    /// A peer says something, or has said it before this layout was here.
    pub(crate) fn hear(&mut self, turn: &mut Turn<'_>, from: NodeId, envelope: Envelope) {
        // Whatever layout the other goes by.
        steering::heard(self, turn, from, &envelope.message);
        let Hearing::Now(envelope) = epochs::hearing(self, turn, from, envelope) else { return };
        let Envelope { epoch, partition, message } = envelope;
        // Of another datacenter's owners this one is none.
        let meant = |quorum| if self.nearby.has(from) { quorum } else { Quorum::Global };
        match message {
            Message::Apply { ticket, deltas, asker, passes_on, quorum } => {
                let about = (ticket, meant(quorum));
                if passes_on {
                    serve::pass_on(self, turn, partition, &deltas);
                }
                serve::apply(self, turn, from, partition, about, deltas, asker);
            }
            Message::Mend { ticket, cell, found, deltas, asker, quorum } => {
                let about = (ticket, meant(quorum));
                serve::mend(self, turn, from, partition, about, (&cell, &found), (deltas, asker));
            }
            Message::Fetch { ticket, cell, asker, ranks, quorum } => {
                let about = (ticket, meant(quorum));
                serve::fetch(self, turn, from, partition, about, (cell.as_ref(), ranks), asker);
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
            Message::Layout { layout } => self.offered(turn, &layout),
            Message::LayoutWanted => epochs::give(self, turn, from),
            Message::Vote(vote) => register::hear(self, turn, from, vote),
            Message::Progress(progress) => steward::hear(self, turn, (from, epoch), progress),
            Message::Alive | Message::Gossip(_) => {}
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
        // To take is for those who are to hold the partition, and to give for those who own it, stand in for owners, or have owned it.
        let (me, place) = (self.identity.node, self.layout.place(partition));
        let (keeps, teaches) = (place.keeps(me), place.teaches(me));
        let (they_keep, they_teach) = (place.keeps(from), place.teaches(from));
        match step {
            Step::Compare(hashes) if (keeps || teaches) && they_keep => {
                compare::asked(self, turn, from, partition, ticket, hashes);
            }
            Step::Same if keeps && they_teach => compare::same(self, turn, from, partition, ticket),
            Step::Differs(state) if keeps && they_teach => {
                compare::differs(self, turn, from, partition, ticket, *state);
            }
            Step::Forgotten(context) if (keeps || teaches) && they_keep => {
                compare::forgotten(self, turn, partition, &context);
            }
            Step::Open(_) | Step::Descend { .. } | Step::Take { .. } if they_keep => {
                source::asked(self, turn, from, partition, ticket, step);
            }
            Step::Close if they_keep => {
                source::asked(self, turn, from, partition, ticket, step);
                handoff::taken(self, turn, partition);
            }
            Step::Opened { .. } | Step::Leaves(_) | Step::Cells { .. } | Step::Gone | Step::Later
                if keeps =>
            {
                taker::answered(self, turn, from, partition, ticket, step);
            }
            Step::Lent { .. } if keeps => taker::answered(self, turn, from, partition, ticket, step),
            Step::Offer(kept) if keeps => handoff::offered(self, turn, from, partition, ticket, &kept),
            Step::Had if they_keep => handoff::had(self, turn, from, partition, ticket),
            _ => {}
        }
    }

    /// Has W owners of a plain write agree on its cell, and then see how it ranks.
    fn settle(&mut self, turn: &mut Turn<'_>, unsettled: Option<Box<Write>>) {
        let Some(write) = unsettled else { return };
        if self.layout.owners(write.task.partition).contains(&self.identity.node) {
            return read::begin(self, turn, write.task.clone(), Purpose::Settle(write));
        }
        // It has gone from here meanwhile, and only an owner can have others agree.
        write::give_up(self, turn, *write);
    }

    fn link(&mut self, turn: &mut Turn<'_>, peer: NodeId, up: bool) {
        if up {
            self.links.insert(peer);
            compare::linked(self, turn.now.monotonic_ms);
            handoff::linked(self, turn.now.monotonic_ms, peer);
            return;
        }
        self.links.remove(&peer);
        taker::leave(self, turn, peer);
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
        register::tick(self, turn);
        steward::tick(self, turn);
    }

    fn offered(&mut self, turn: &mut Turn<'_>, layout: &[u8]) {
        let Ok(layout) = Layout::decode(layout) else { return };
        if layout.is_kin(&self.layout) && layout.epoch() > self.layout.epoch() {
            turn.out.push(Commit::default(), Action::Adopt(Arc::new(layout)));
        }
    }
}
