//! The word to stop: Ctrl-C, SIGTERM, or the end of the terminal.
//!
//! Not what stopping means.
//!
//! 1. Each signal is one word in the channel; none ends the process by itself.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::Context;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A channel that gets a word for each signal to stop, from now on.
///
/// # Errors
/// The system refuses to hand signals over.
pub(super) fn stops() -> anyhow::Result<Receiver<()>> {
    let cannot = "cannot listen for signals";
    let runtime = runtime::Builder::new_current_thread().enable_io().build().context(cannot)?;
    let (sender, receiver) = channel();
    let guard = runtime.enter();
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [interrupt, terminate, hangup] = kinds.map(signal);
    let signals = [interrupt.context(cannot)?, terminate.context(cannot)?, hangup.context(cannot)?];
    drop(guard);
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(pass_on(signals, sender)))?;
    Ok(receiver)
}

async fn pass_on([mut interrupt, mut terminate, mut hangup]: [Signal; 3], stop: Sender<()>) {
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        if stop.send(()).is_err() {
            return;
        }
    }
}
