//! Whether what a node kept for others is with them when it is dropped: on their disks, as a power cut would leave those.
//!
//! It looks at what the one that kept it had, and at the disks of the owners; and at nothing that they have said.
//!
//! Not where disks have lost something: an owner had it then, and lost it.

use crate::rng::Rng;
use crate::world::World;
use causal::{Cell, Entries};
use placement::{NodeId, PartitionId};
use wire::peer::exchange::Step;
use wire::peer::{Envelope, Message};

impl World {
    /// What a node keeps for others of a partition, where a message may have it dropped.
    pub(crate) fn kept(&mut self, machine: usize, envelope: &Envelope) -> Vec<(Cell, Entries)> {
        let may_drop = matches!(envelope.message, Message::Exchange { step: Step::Had | Step::Close, .. });
        let owns = |owners: Vec<NodeId>| owners.contains(&self.machines[machine].id);
        if !may_drop || owns(self.owners_at(machine, envelope.partition)) || self.faults.disks_lost > 0 {
            return Vec::new();
        }
        self.rows_of(machine, envelope.partition)
    }

    /// The owners by the layout that a node goes by: it is stored before it is gone by.
    fn owners_at(&self, machine: usize, partition: PartitionId) -> Vec<NodeId> {
        let running = self.machines[machine].running.as_ref();
        running.map_or_else(Vec::new, |running| running.node.layout().owners(partition).to_vec())
    }

    fn rows_of(&mut self, machine: usize, partition: PartitionId) -> Vec<(Cell, Entries)> {
        let Some(running) = &mut self.machines[machine].running else { return Vec::new() };
        running.node.rows(partition, &mut running.store).unwrap_or_default()
    }

    /// The message has been heard. Where all that was kept goes now, all owners have it.
    pub(crate) fn check_dropped(&mut self, machine: usize, partition: PartitionId, kept: &[(Cell, Entries)]) {
        if kept.is_empty() || self.rows_of(machine, partition).len() == kept.len() {
            return;
        }
        let (now, mut rng) = (self.now, Rng::new(self.now));
        let owners = self.owners_at(machine, partition);
        // Who owns it no more by a layout that has not come here yet has given it to who does.
        let newest = std::sync::Arc::clone(&self.layout);
        let owns_still = |owner: &&NodeId| newest.owners(partition).contains(owner);
        for owner in owners.iter().filter(owns_still) {
            let owner = self.machines.iter().find(|machine| machine.id == *owner);
            let found = owner.and_then(|owner| owner.durable(self.options, partition, &mut rng));
            // Whose disk cannot be read has nothing.
            let (rows, knowledge) = found.unwrap_or_default();
            let has = |cell: &Cell, dot| {
                let row = rows.iter().find(|(at, _)| at == cell);
                row.is_some_and(|(_, entries)| entries.get(dot).is_some()) || knowledge.covers(cell, dot)
            };
            let lacks = kept.iter().find(|(cell, entries)| entries.dots().any(|dot| !has(cell, dot)));
            self.wrongs.extend(lacks.map(|(cell, entries)| {
                let owner = owner.map(|owner| owner.id);
                format!(
                    "{now}: {machine} drops what it kept of {partition}, and {owner:?} lacks {cell:?} {entries:?}"
                )
            }));
        }
    }
}
