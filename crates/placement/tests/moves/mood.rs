//! How things are in one history: some rules matter only where much is lost, others where hardly anything is.

use crate::dice::Dice;

/// How often something happens where it may, in percent.
#[derive(Clone, Copy)]
pub(crate) struct Mood {
    /// A message is lost on its way.
    pub(crate) loses: usize,
    /// An owner is not even asked.
    pub(crate) skips: usize,
    /// Somebody comes to know another layout.
    pub(crate) gossips: usize,
    /// A message tells the layout of its sender.
    pub(crate) tells: usize,
    /// A node that has trouble loses its disk.
    pub(crate) loses_disks: usize,
    /// The steward hears a report.
    pub(crate) reports: usize,
    /// Operators give somebody up, and ask for nothing else.
    pub(crate) gives_up: usize,
}

impl Mood {
    pub(crate) fn of(dice: &mut Dice) -> Self {
        Self {
            loses: dice.below(30),
            skips: 10 + dice.below(50),
            gossips: 5 + dice.below(95),
            tells: dice.below(50),
            loses_disks: dice.below(100).saturating_sub(30),
            reports: 5 + dice.below(95),
            gives_up: dice.below(60),
        }
    }
}
