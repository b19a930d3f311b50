//! The rules of the protocol, each by what it is to break it.

/// A rule that is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lapse {
    /// A replica takes and shows what is said by a layout older than its fence.
    HearsWhatIsFenced,
    /// A replica answers whoever knows a newer layout than it does itself.
    AnswersUnawares,
    /// Who teaches need not refuse yet what is said by the layout before.
    LearnsFromTheUnaware,
    /// Who has come counts at once.
    CountsBeforeItHasLearned,
    /// Who stays counts all along, even where two have gone.
    CountsWhereTwoHaveGone,
    /// Who has come has learned enough from one of each set.
    LearnsFromOne,
    /// Those that stay where one has gone learn nothing.
    StaysWithoutLearning,
    /// Who comes for one that was lost while it settled learns only of the owners before both.
    LearnsOfTheFirstSet,
    /// Who owns nothing any more drops what it holds, though it may have to teach.
    DropsAtOnce,
    /// What was counted by one set of owners is counted for the next.
    GoesOnCounting,
    /// Who has arrived at one step has arrived at the next.
    ArrivesAtAnyStep,
    /// Who lost its disk counts with the new one.
    CountsWithAnotherDisk,
    /// Who lost its disk teaches.
    LearnsFromAnotherDisk,
    /// Who lost its disk goes by any layout that there has been.
    ForgetsItsFence,
}

impl Lapse {
    pub(crate) const ALL: [Self; 14] = [
        Self::HearsWhatIsFenced,
        Self::AnswersUnawares,
        Self::LearnsFromTheUnaware,
        Self::CountsBeforeItHasLearned,
        Self::CountsWhereTwoHaveGone,
        Self::LearnsFromOne,
        Self::StaysWithoutLearning,
        Self::LearnsOfTheFirstSet,
        Self::DropsAtOnce,
        Self::GoesOnCounting,
        Self::ArrivesAtAnyStep,
        Self::CountsWithAnotherDisk,
        Self::LearnsFromAnotherDisk,
        Self::ForgetsItsFence,
    ];
}
