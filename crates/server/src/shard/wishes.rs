//! Who waits for what comes of a change of the layout.
//!
//! 1. Each is told once, or hears that nobody will.

use std::collections::BTreeMap;
use std::sync::Arc;

use node::{ChangeError, Event, RequestId};
use placement::Layout;
use tokio::sync::oneshot;

use crate::letter::Wish;

type Told = oneshot::Sender<Result<Arc<Layout>, ChangeError>>;

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    last: u64,
    waiting: BTreeMap<RequestId, Told>,
}

impl Wishes {
    /// Notes who waits; gives what the node is to be told.
    pub(super) fn enter(&mut self, Wish { change, of, told }: Wish) -> Event {
        self.last += 1;
        let id = RequestId(self.last);
        self.waiting.insert(id, told);
        Event::Change { id, change, of }
    }

    /// Something has come of it.
    pub(super) fn tell(&mut self, id: RequestId, outcome: Result<Arc<Layout>, ChangeError>) {
        if let Some(told) = self.waiting.remove(&id) {
            // Who waits no longer has gone.
            let _ = told.send(outcome);
        }
    }
}
