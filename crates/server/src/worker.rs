//! A shard's thread: a runtime of its own, the shard's turns, and a task for each client and each peer.
//!
//! Not what a turn does (`shard`) nor what the tasks do (`session`, `peers`).
//!
//! 1. Everything of a shard but its committer runs on this thread.
//! 2. A turn runs when somebody has rung, after the tasks that were ready have had theirs: so their requests share it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::oneshot;
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::error::StartError;
use crate::host::Host;
use crate::letter::Letter;
use crate::opened::Opened;
use crate::peers;
use crate::session;
use crate::shard::{Arrival, Shard};
use crate::stores::{self, Found};

/// How often the node's deadlines are looked at; they are long against it.
const TICK: Duration = Duration::from_millis(20);
/// Ticks between two publications of figures.
const TICKS_A_FIGURE: u32 = 10;
/// Turns that a shard still runs for answers that are on their way when it ends, one a tick.
const ENDING_TURNS: u32 = 10;

/// Runs shard `index` until it is told to stop; says on `opened` how its opening went.
pub(crate) fn run(
    host: &Arc<Host>,
    index: usize,
    found: Found,
    opened: oneshot::Sender<Result<(), StartError>>,
) {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = opened.send(Err(StartError::System { what: "a runtime", error }));
            return;
        }
    };
    let shard =
        Opened::find(host, index, found, &|| true).map_err(|error| stores::refused(host, index, error));
    let shard = match shard.and_then(|opened| Shard::open(Arc::clone(host), index, opened)) {
        Ok(shard) => Rc::new(shard),
        Err(error) => {
            let _ = opened.send(Err(error));
            return;
        }
    };
    // The layout that it was opened with is told once more, which has the members dialed.
    host.mailboxes[index].post(Letter::Layout(shard.layout()));
    let _ = opened.send(Ok(()));
    runtime.block_on(serve(Rc::clone(&shard)));
    shard.finish();
}

async fn serve(shard: Rc<Shard>) {
    spawn_local(tick(Rc::clone(&shard)));
    spawn_local(peers::watch(Rc::clone(&shard)));
    let bell = &shard.host.mailboxes[shard.index].bell;
    loop {
        bell.notified().await;
        for arrival in shard.turn() {
            match arrival {
                Arrival::Client(stream, addr) => spawn_local(session::serve(Rc::clone(&shard), stream, addr)),
                Arrival::Caller(caller) => spawn_local(peers::listen(Rc::clone(&shard), caller)),
                Arrival::Link(link) => spawn_local(peers::dial(Rc::clone(&shard), link)),
            };
        }
        if shard.is_ending() {
            break;
        }
    }
    for _ in 0..ENDING_TURNS {
        sleep(TICK).await;
        shard.turn();
    }
}

async fn tick(shard: Rc<Shard>) {
    let mut ticks: u32 = 0;
    loop {
        sleep(TICK).await;
        shard.tick();
        if ticks.is_multiple_of(TICKS_A_FIGURE) {
            shard.publish();
        }
        ticks = ticks.wrapping_add(1);
    }
}
