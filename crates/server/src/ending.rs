//! The word to end: a signal to the process, or a program that has embedded the server.
//!
//! Not what ending means.
//!
//! 1. From the start on every word is heard, whatever the server is waiting for.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::error::StartError;

/// Where the word to end comes from.
#[derive(Debug)]
pub(crate) struct Ending {
    interrupt: Signal,
    terminate: Signal,
    stopped: watch::Receiver<bool>,
}

impl Ending {
    /// Listens for signals, and to whoever holds the other end of `stopped`.
    ///
    /// # Errors
    /// Where the system does not hand signals over.
    pub(crate) fn listen(stopped: watch::Receiver<bool>) -> Result<Self, StartError> {
        let listen = |kind| signal(kind).map_err(|error| StartError::System { what: "signals", error });
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            stopped,
        })
    }

    /// Waits for the word.
    pub(crate) async fn come(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.stopped.wait_for(|stopped| *stopped) => {}
        }
    }
}
