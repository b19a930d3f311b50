//! What a node replaces after it was started again is below what it makes, wherever its clock is by then.

use crate::one::{One, PARTITION, cluster};
use bytes::Bytes;
use causal::{Key, Stamp};
use node::{Action, Event, RequestId, Trust};
use wire::Level;
use wire::peer::Message;
use wire::request::{Job, Request};

impl One {
    /// The stamp of a `SET` of one key.
    fn sets(&mut self) -> Stamp {
        let words = ["SET", "key", "value"].map(|word| Bytes::from_static(word.as_bytes())).into();
        let request = Request { level: Level::Quorum, job: Job::Command { key: Key::new(0, "key"), words } };
        let said = self.take(Event::Request { id: RequestId(1), partition: PARTITION, request });
        let stamp = said.into_iter().find_map(|action| match action {
            Action::Send { envelope, .. } => match envelope.message {
                Message::Apply { deltas, .. } => deltas.first().map(|delta| delta.stamp),
                _ => None,
            },
            _ => None,
        });
        stamp.expect("the others are told")
    }
}

#[test]
fn what_was_made_before_is_older_though_the_clock_has_gone_back() {
    let mut one = One::open("a", &cluster(3, &["a", "b", "c"].map(|name| (name, "x/1"))), Trust::Whole);
    one.link(&["b", "c"]);
    one.now_ms += 500;
    let before = one.sets();
    let mut again = one.again("a");
    again.link(&["b", "c"]);
    assert!(again.now_ms < before.physical_ms, "its clock has gone back");
    assert!(again.sets() > before);
}
