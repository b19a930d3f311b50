//! How the layout is changed: by compare-and-set, through a majority of the voters that it names (`caspaxos`).
//!
//! ```text
//! ask       a change waits for its turn: one at a time is under way here
//! propose   an attempt at a ballot; its questions go to every voter, and again to those that do not answer
//! outcome   made or refused: the layout that the register holds is adopted, and whoever asked is told
//!           outbid: another node is at it. It is tried again, above that, after a pause that differs between nodes
//! ```
//!
//! One node of a process takes part, that of partition 0, as proposer and as voter; what it keeps of that is told in `voting`.
//!
//! Not what is to be changed: operators say so, and the steward (`steward`). Not what follows from it: that is `moving`.
//!
//! 1. What a voter answers leaves when it is on the disk, whatever the policy.
//! 2. Whoever asked is told once. "Nothing was changed" is said only where the change was never proposed.

use crate::caspaxos::{Acceptor, Answer, Outcome, Proposer, Question};
use crate::event::{Action, ChangeError, RequestId};
use crate::rows::everything;
use crate::state::{Node, Turn};
use crate::steering::SPOKEN_OF;
use crate::voting::{Attempt, Proposed, Refusal, Wish};
use bytes::Bytes;
use placement::layout::Basis;
use placement::{Change, Layout, LayoutError, NodeId, Seat};
use std::collections::VecDeque;
use std::sync::Arc;
use store::Commit;
use wire::peer::Message;
use wire::peer::vote::{Ballot, Vote, Word};
use xxhash_rust::xxh3::xxh3_64;

/// How long a change is tried, in milliseconds.
const CHANGE_MS_MAX: u64 = 5_000;
/// The longest pause of who was outbid, in milliseconds, and the shortest.
const PAUSE_MS: (u64, u64) = (5, 100);
/// By how much ballots rise where one goes on without the others: more than they can have come by without it.
const RECOVERY_ROUNDS: u64 = 1 << 32;
/// How many changes may wait.
const WISHES_MAX: usize = 1_024;

/// Somebody wants the layout changed.
pub(crate) fn ask(node: &mut Node, turn: &mut Turn<'_>, id: RequestId, change: Change, of: Basis) {
    if let Change::Recover(_) = change {
        let outcome = recover(node, turn, &of);
        let after = everything(turn.store);
        return turn.out.push(after, Action::Changed { id, outcome });
    }
    wish(node, turn, Some(id), change, of);
}

/// Goes on as the only voter, as somebody has decided who knows that most of the others are gone for good. What they have agreed to and
/// this node has not heard of is given up; should they be there after all, they go by this layout as soon as they hear of it, for its
/// epoch is above theirs, and so is every ballot from now on.
fn recover(node: &mut Node, turn: &mut Turn<'_>, of: &Basis) -> Result<Arc<Layout>, ChangeError> {
    let me = node.identity.node;
    let (links, told, proposer) = (&node.links, &node.tidings.told, node.identity.actor.0);
    let Some(voting) = &mut node.voting else { return Err(ChangeError::NoQuorum) };
    let epoch = voting.committed.epoch();
    let change = Change::Recover(Seat { node: me, disk: voting.disk });
    let changed = of.changed(&voting.committed, &change).ok_or(ChangeError::Meanwhile(epoch))?;
    // Who is there with another disk than it voted with does not vote.
    let has_disk = |seat: &Seat| {
        let disk = told.get(&seat.node).and_then(|told| told.disk(&voting.committed, seat.node));
        disk.is_none_or(|disk| disk == seat.disk)
    };
    let is_there = |seat: &Seat| match seat.node == me {
        true => seat.disk == voting.disk,
        false => links.contains(&seat.node) && has_disk(seat),
    };
    let can_agree =
        |layout: &Layout| layout.voters().agree(&layout.voters().seats().filter(is_there).collect());
    // What this voter has accepted since may name others: where no majority can be had without it, nobody comes past that without them.
    let is_open =
        |(ballot, layout): &&(Ballot, Arc<Layout>)| layout.epoch() > epoch && *ballot > voting.ended;
    let is_stuck = voting.acceptor.accepted().filter(is_open).is_some_and(|(_, layout)| {
        let voters = voting.committed.voters();
        let others = voters.seats().filter(|seat| seat.node != me && is_there(seat)).collect();
        !can_agree(layout) && !voters.agree(&others)
    });
    if can_agree(&voting.committed) && !is_stuck {
        return Err(LayoutError::Voting.into());
    }
    let layout = Arc::new(changed?);
    // Above whatever was promised, also where this node has not heard of it: epochs of recoveries rise as rounds do.
    let round = voting.seen.round.max(epoch).saturating_add(RECOVERY_ROUNDS);
    let ballot = Ballot { round, proposer };
    voting.acceptor = Acceptor::restored(ballot, Some((ballot, Arc::clone(&layout)))).unwrap_or_default();
    voting.seen = ballot;
    voting.know(&layout);
    voting.keep(turn.store);
    let given_up =
        std::mem::take(&mut voting.wishes).into_iter().chain(voting.attempt.take().map(|at| at.wish));
    given_up.for_each(|wish| tell(turn, &wish, Err(ChangeError::Unknown)));
    turn.out.push(everything(turn.store), Action::Adopt(Arc::clone(&layout)));
    Ok(layout)
}

/// The steward does.
pub(crate) fn wish(node: &mut Node, turn: &mut Turn<'_>, id: Option<RequestId>, change: Change, of: Basis) {
    let deadline = turn.now.monotonic_ms + CHANGE_MS_MAX;
    let wish = Wish { id, proposed: Proposed { change, of }, deadline, tries: 0, may_be_made: false };
    match &mut node.voting {
        Some(voting) if voting.wishes.len() < WISHES_MAX => voting.wishes.push_back(wish),
        _ => return tell(turn, &wish, Err(ChangeError::NoQuorum)),
    }
    propose(node, turn);
}

/// Begins with the next change, if none is under way.
fn propose(node: &mut Node, turn: &mut Turn<'_>) {
    let (now, proposer) = (turn.now.monotonic_ms, node.identity.actor.0);
    let Some(voting) = &mut node.voting else { return };
    if voting.attempt.is_some() || now < voting.rests_until {
        return;
    }
    let Some(mut wish) = voting.wishes.pop_front() else { return };
    wish.tries += 1;
    voting.seen = voting.seen.above(proposer);
    let proposer = Proposer::new(Arc::clone(&voting.committed), voting.seen, wish.proposed.clone());
    voting.attempt = Some(Attempt { wish, proposer, ask_at: now });
    ask_voters(node, turn);
}

/// Asks those that have not answered.
fn ask_voters(node: &mut Node, turn: &mut Turn<'_>) {
    let retry_ms = node.options.retry_ms;
    let Some(attempt) = node.voting.as_mut().and_then(|voting| voting.attempt.as_mut()) else { return };
    attempt.ask_at = turn.now.monotonic_ms + retry_ms;
    let (seats, question) = attempt.proposer.questions();
    let word = match question {
        Question::Prepare => Word::Prepare,
        Question::Accept(layout) => Word::Accept(Bytes::from(layout.encode())),
    };
    let ballot = attempt.proposer.ballot();
    for Seat { node: to, disk } in seats {
        let vote = Vote { ballot, disk, word: word.clone() };
        turn.send(node, to, SPOKEN_OF, Message::Vote(vote));
    }
}

/// Somebody asks this voter, or a voter answers.
pub(crate) fn hear(node: &mut Node, turn: &mut Turn<'_>, from: NodeId, vote: Vote) {
    let Vote { ballot, disk, word } = vote;
    let answer = match word {
        Word::Prepare => return answer(node, turn, from, (ballot, disk), Question::Prepare),
        Word::Accept(layout) => {
            let Some(layout) = readable(node, &layout) else { return };
            return answer(node, turn, from, (ballot, disk), Question::Accept(layout));
        }
        Word::Promised(None) => Answer::Promised(None),
        Word::Promised(Some((at, layout))) => {
            let Some(layout) = readable(node, &layout) else { return };
            Answer::Promised(Some((at, layout)))
        }
        Word::Accepted => Answer::Accepted,
        Word::Outbid(by) => Answer::Outbid(by),
    };
    answered(node, turn, Seat { node: from, disk }, ballot, answer);
}

fn readable(node: &Node, layout: &[u8]) -> Option<Arc<Layout>> {
    let layout = Layout::decode(layout).ok()?;
    layout.is_kin(&node.layout).then(|| Arc::new(layout))
}

/// Answers as the voter that this is.
fn answer(
    node: &mut Node,
    turn: &mut Turn<'_>,
    from: NodeId,
    (ballot, disk): (Ballot, u64),
    question: Question<Arc<Layout>>,
) {
    let Some(voting) = node.voting.as_mut().filter(|voting| voting.disk == disk) else { return };
    if let Question::Accept(layout) = &question
        && layout.epoch() < voting.committed.epoch()
    {
        // It is of those that were gone when somebody went on without them, and does not know yet.
        return;
    }
    let before = (voting.acceptor.promised(), voting.acceptor.accepted().map(|(ballot, _)| *ballot));
    let answer = voting.acceptor.answer(ballot, question);
    voting.seen = voting.seen.max(voting.acceptor.promised());
    let after = (voting.acceptor.promised(), voting.acceptor.accepted().map(|(ballot, _)| *ballot));
    if before != after {
        voting.accepted_at = turn.now.monotonic_ms;
        voting.keep(turn.store);
    }
    let encoded = |accepted: Option<(Ballot, Arc<Layout>)>| {
        accepted.map(|(at, layout)| (at, Bytes::from(layout.encode())))
    };
    let word = match answer {
        Answer::Promised(accepted) => Word::Promised(encoded(accepted)),
        Answer::Accepted => Word::Accepted,
        Answer::Outbid(by) => Word::Outbid(by),
    };
    let message = Message::Vote(Vote { ballot, disk, word });
    turn.send_after(everything(turn.store), node, from, SPOKEN_OF, message);
}

fn answered(node: &mut Node, turn: &mut Turn<'_>, seat: Seat, ballot: Ballot, answer: Answer<Arc<Layout>>) {
    let Some(voting) = &mut node.voting else { return };
    let Some(attempt) = voting.attempt.as_mut().filter(|attempt| attempt.proposer.ballot() == ballot) else {
        return;
    };
    let (asked, had_proposed) = (attempt.proposer.questions().0, attempt.proposer.has_proposed());
    let outcome = attempt.proposer.hear(seat, answer);
    attempt.wish.may_be_made |= attempt.proposer.has_proposed_change();
    let (asks, has_proposed) = (attempt.proposer.questions().0, attempt.proposer.has_proposed());
    match outcome {
        Some(outcome) => ended(node, turn, outcome),
        None if has_proposed != had_proposed || !asks.is_subset(&asked) => ask_voters(node, turn),
        None => {}
    }
}

/// An attempt is over.
fn ended(node: &mut Node, turn: &mut Turn<'_>, outcome: Outcome<Arc<Layout>, Refusal>) {
    let now = turn.now.monotonic_ms;
    let Some(voting) = &mut node.voting else { return };
    let Some(Attempt { wish, proposer, .. }) = voting.attempt.take() else { return };
    let (layout, told) = match outcome {
        Outcome::Made(layout) => (layout.clone(), Some(Ok(layout))),
        // As it is, it was wanted.
        Outcome::Refused(layout, Refusal::Layout(LayoutError::Same)) => (layout.clone(), Some(Ok(layout))),
        Outcome::Refused(layout, refusal) => {
            let error = match refusal {
                // Made or not, somebody else has changed it since.
                Refusal::Meanwhile if matches!(wish.proposed.of, Basis::Like(_)) => {
                    ChangeError::Meanwhile(layout.epoch())
                }
                _ if wish.may_be_made => ChangeError::Unknown,
                Refusal::Layout(error) => ChangeError::Refused(error),
                Refusal::Meanwhile => ChangeError::Meanwhile(layout.epoch()),
            };
            (layout, Some(Err(error)))
        }
        Outcome::Found(layout) => (layout, None),
        Outcome::Outbid(by) => {
            voting.seen = voting.seen.max(by);
            let (least, most) = PAUSE_MS;
            let bits = xxh3_64(&(node.identity.actor.0 ^ wish.tries).to_be_bytes());
            voting.rests_until = now + least + bits % most.saturating_mul(wish.tries).max(1);
            voting.wishes.push_front(wish);
            return;
        }
    };
    voting.ended = proposer.ballot();
    voting.know(&layout);
    if layout.epoch() > node.layout.epoch() {
        turn.out.push(Commit::default(), Action::Adopt(Arc::clone(&layout)));
    }
    match told {
        Some(told) => tell(turn, &wish, told),
        None => voting.wishes.push_front(wish),
    }
    propose(node, turn);
}

fn tell(turn: &mut Turn<'_>, wish: &Wish, outcome: Result<Arc<Layout>, ChangeError>) {
    if let Some(id) = wish.id {
        turn.out.push(Commit::default(), Action::Changed { id, outcome });
    }
}

/// Asks again, goes on after a pause, and gives up what has taken too long.
pub(crate) fn tick(node: &mut Node, turn: &mut Turn<'_>) {
    let now = turn.now.monotonic_ms;
    let Some(voting) = &mut node.voting else { return };
    let is_late = |wish: &Wish| now >= wish.deadline;
    let (late, wishes) = std::mem::take(&mut voting.wishes).into_iter().partition(is_late);
    let mut late: VecDeque<Wish> = late;
    voting.wishes = wishes;
    late.extend(voting.attempt.take_if(|attempt| is_late(&attempt.wish)).map(|attempt| attempt.wish));
    for wish in late {
        let error = if wish.may_be_made { ChangeError::Unknown } else { ChangeError::NoQuorum };
        tell(turn, &wish, Err(error));
    }
    if node.voting.as_ref().and_then(|voting| voting.attempt.as_ref()).is_some_and(|a| a.ask_at <= now) {
        ask_voters(node, turn);
    }
    propose(node, turn);
}

/// The node goes by a newer layout.
pub(crate) fn adopted(node: &mut Node) {
    if let Some(voting) = &mut node.voting {
        voting.know(&node.layout);
    }
}
