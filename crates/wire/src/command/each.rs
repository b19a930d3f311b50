//! A command on several keys as one command a key, and the answers put together again.
//!
//! Not a transaction. Each key is read or written on its own, wherever it lives, and another client can see some keys of
//! an `MSET` written and others not yet. `MSETNX` looks at all keys first and then writes them: two of them at the same
//! moment can both find all keys absent, and both write.
//!
//! 1. The parts of a write never hold one key twice, so they may be done in any order.
//! 2. A write of which some parts are done and some are not is [`Fault::Partial`], never a refusal.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::fault::Fault;
use crate::reply::Reply;

/// How a command of several keys falls into parts.
#[derive(Debug, Clone, Copy)]
pub struct Each {
    /// The single-key command that each part is.
    pub part: &'static str,
    /// Arguments a part: the key, or the key and its value.
    pub stride: usize,
    /// Whether nothing is to be done unless every key is absent.
    pub absent: bool,
    /// Whether the parts write.
    pub writes: bool,
    /// How the answers become one.
    pub fold: Fold,
}

/// How the answers of the parts become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// The answers in order; a key of the wrong type counts as absent.
    List,
    /// The sum of the answers.
    Sum,
    /// `OK` if every part is done.
    Ok,
    /// 1 if every part is done.
    One,
}

impl Each {
    /// The parts, as whole argument vectors. A write that names a key twice keeps its last mention, as if the mentions had
    /// been carried out in order.
    pub fn parts(&self, args: &[Bytes]) -> Vec<Vec<Bytes>> {
        let chunks = args[1..].chunks_exact(self.stride);
        let part = |chunk: &[Bytes]| [&[Bytes::from_static(self.part.as_bytes())], chunk].concat();
        if !self.writes {
            return chunks.map(part).collect();
        }
        let mut seen = BTreeSet::new();
        let mut parts: Vec<_> = chunks.rev().filter(|chunk| seen.insert(&chunk[0])).map(part).collect();
        parts.reverse();
        parts
    }

    /// What to ask before the parts are begun: whether each key exists. Nothing for most commands.
    pub fn checks(&self, args: &[Bytes]) -> Vec<Vec<Bytes>> {
        if !self.absent {
            return Vec::new();
        }
        let keys = args[1..].chunks_exact(self.stride).map(|chunk| chunk[0].clone()).collect::<BTreeSet<_>>();
        keys.into_iter().map(|key| vec![Bytes::from_static(b"exists"), key]).collect()
    }

    /// The answer if the checks forbid the parts; nothing if they may be begun.
    pub fn refusal(&self, checks: &[Reply]) -> Option<Reply> {
        if let Some(error) = checks.iter().find(|reply| reply.fault().is_some()) {
            return Some(error.clone());
        }
        checks.iter().any(|reply| *reply != Reply::Integer(0)).then_some(Reply::Integer(0))
    }

    /// The one answer, from the answers of the parts in their order.
    pub fn fold(&self, answers: Vec<Reply>) -> Reply {
        if let Some(fault) = self.fault(&answers) {
            return Reply::Error(fault);
        }
        match self.fold {
            Fold::List => Reply::Array(answers.into_iter().map(absent_if_wrong_type).collect()),
            Fold::Sum => Reply::Integer(answers.iter().map(number).sum()),
            Fold::Ok => Reply::ok(),
            Fold::One => Reply::Integer(1),
        }
    }

    fn fault(&self, answers: &[Reply]) -> Option<Fault> {
        let faults = || answers.iter().filter_map(Reply::fault).filter(|fault| !self.forgives(fault));
        let first = faults().next()?.clone();
        let done = answers.len() - faults().count();
        let refused = done == 0 && faults().all(|fault| !fault.is_unknown());
        if refused || !self.writes {
            return Some(first);
        }
        Some(Fault::Partial { done: count(done), keys: count(answers.len()) })
    }

    fn forgives(&self, fault: &Fault) -> bool {
        self.fold == Fold::List && *fault == Fault::WrongType
    }
}

fn absent_if_wrong_type(answer: Reply) -> Reply {
    if matches!(answer, Reply::Error(Fault::WrongType)) { Reply::Nil } else { answer }
}

fn number(answer: &Reply) -> i64 {
    if let Reply::Integer(number) = answer { *number } else { 0 }
}

fn count(parts: usize) -> u32 {
    u32::try_from(parts).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Each, Fold};
    use crate::fault::Fault;
    use crate::reply::Reply;

    const UNKNOWN: Fault = Fault::Unknown { held: 1, needed: 2 };

    fn folded(writes: bool, fold: Fold, answers: &[Result<i64, Fault>]) -> Reply {
        let each = Each { part: "", stride: 1, absent: false, writes, fold };
        each.fold(answers.iter().cloned().map(|answer| answer.map(Reply::Integer).into()).collect())
    }

    #[test]
    fn a_read_shows_its_first_fault_and_a_list_forgives_wrong_types() {
        assert_eq!(folded(false, Fold::Sum, &[Ok(1), Err(Fault::Busy), Err(UNKNOWN)]), Fault::Busy.into());
        let list = vec![Reply::Integer(1), Reply::Nil];
        assert_eq!(folded(false, Fold::List, &[Ok(1), Err(Fault::WrongType)]), Reply::Array(list));
        assert_eq!(folded(false, Fold::List, &[Err(Fault::WrongType), Err(Fault::Busy)]), Fault::Busy.into());
    }

    #[test]
    fn a_write_is_refused_only_if_every_part_is() {
        let partial = |done, keys| Reply::Error(Fault::Partial { done, keys });
        assert_eq!(folded(true, Fold::Ok, &[Err(Fault::Busy), Err(Fault::Storage)]), Fault::Busy.into());
        assert_eq!(folded(true, Fold::Ok, &[Ok(1), Err(Fault::Busy)]), partial(1, 2));
        assert_eq!(folded(true, Fold::Sum, &[Err(Fault::Busy), Err(UNKNOWN)]), partial(0, 2));
        assert_eq!(folded(true, Fold::Sum, &[Ok(1), Ok(0), Ok(1)]), Reply::Integer(2));
    }

    #[test]
    fn a_failed_check_forbids_the_parts() {
        let each = Each { part: "set", stride: 2, absent: true, writes: true, fold: Fold::One };
        assert_eq!(each.refusal(&[Reply::Integer(0), Fault::Busy.into()]), Some(Fault::Busy.into()));
        assert_eq!(each.refusal(&[Reply::Integer(0), Reply::Integer(1)]), Some(Reply::Integer(0)));
        assert_eq!(each.refusal(&[Reply::Integer(0), Reply::Integer(0)]), None);
    }
}
