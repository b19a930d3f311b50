//! What it makes of answers that come when the time of a request is over: who gave them may have lost since what they say.

use crate::one::{One, PARTITION, cluster};
use bytes::Bytes;
use causal::Key;
use node::{Action, Event, Options, RequestId, Trust};
use wire::peer::{Message, Shown, Verdict};
use wire::request::{Job, Request};
use wire::{Fault, Level, Reply};

/// What comes of a request where the answers of others take so long, in milliseconds.
fn asked(words: &[&'static str], answered_after_ms: u64, answer: fn(&Message) -> Option<Message>) -> Reply {
    let mut one = One::open("a", &cluster(3, &["a", "b", "c"].map(|name| (name, "x/1"))), Trust::Whole);
    one.link(&["b", "c"]);
    let words = words.iter().map(|word| Bytes::from_static(word.as_bytes())).collect();
    let job = Job::Command { key: Key::new(0, "key"), words };
    let request = Request { level: Level::Quorum, job };
    let said = one.take(Event::Request { id: RequestId(1), partition: PARTITION, request });
    let answers: Vec<Message> = said
        .iter()
        .filter_map(|action| match action {
            Action::Send { envelope, .. } => answer(&envelope.message),
            _ => None,
        })
        .collect();
    one.now_ms += answered_after_ms;
    let [answer, ..] = answers.as_slice() else { panic!("nobody is asked: {said:?}") };
    let reply = one.told("b", answer.clone()).into_iter().find_map(|action| match action {
        Action::Answer { reply, .. } => Some(reply),
        _ => None,
    });
    reply.expect("one more is enough of three")
}

#[test]
fn who_acknowledges_a_write_when_its_time_is_over_is_not_counted() {
    let held = |message: &Message| {
        let Message::Apply { ticket, .. } = message else { return None };
        Some(Message::Applied { ticket: *ticket, verdict: Verdict::Held { report: None } })
    };
    let patience_ms = Options::default().request_timeout_ms;
    assert_eq!(asked(&["SET", "key", "value"], patience_ms - 1, held), Reply::ok());
    let late = asked(&["SET", "key", "value"], patience_ms, held);
    assert!(matches!(late, Reply::Error(Fault::Unknown { .. })), "{late:?}");
}

#[test]
fn who_agrees_with_a_read_when_its_time_is_over_is_not_counted() {
    let same = |message: &Message| {
        let Message::Fetch { ticket, .. } = message else { return None };
        Some(Message::Fetched { ticket: *ticket, report: None, shown: Shown::default() })
    };
    let patience_ms = Options::default().request_timeout_ms;
    assert_eq!(asked(&["GET", "key"], patience_ms - 1, same), Reply::Nil);
    let late = asked(&["GET", "key"], patience_ms, same);
    assert!(matches!(late, Reply::Error(_)), "{late:?}");
}
