//! Asking a run to stop.
//!
//! The first SIGTERM or SIGINT asks: the pipeline ends its batch, commits and
//! returns. The second one ends the process at once with code 130; that costs
//! nothing but time at the next start, since progress is only ever kept together
//! with the data.

use std::sync::Arc;

use cdc_sdk::{Error, Kind, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Exit code after a second signal: 128 + SIGINT, as shells count.
const EXIT_INTERRUPTED: i32 = 130;

/// A handle that all parts of a run share.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: Arc<watch::Sender<bool>>,
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

impl Stop {
    /// Nothing asked yet; only [`Stop::request`] asks.
    pub fn new() -> Self {
        Self { asked: Arc::new(watch::Sender::new(false)) }
    }

    /// A handle that SIGTERM and SIGINT trigger. Needs a runtime.
    ///
    /// # Errors
    /// [`Kind::Bug`]: the system refuses the handlers.
    pub fn on_signals() -> Result<Self> {
        let stop = Self::new();
        let handler =
            |kind| signal(kind).map_err(|e| Error::new(Kind::Bug, "signals cannot be handled").caused_by(e));
        let (terminate, interrupt) = (handler(SignalKind::terminate())?, handler(SignalKind::interrupt())?);
        tokio::spawn(listen(stop.clone(), terminate, interrupt));
        Ok(stop)
    }

    /// Asks the run to stop.
    pub fn request(&self) {
        self.asked.send_replace(true);
    }

    /// Whether it was asked.
    pub fn requested(&self) -> bool {
        *self.asked.borrow()
    }

    /// What some work comes to; `None` where the stop is asked for before, and the work is dropped.
    pub async fn before<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.wait() => None,
            done = work => Some(done),
        }
    }

    /// Returns once it is asked; at once if it was.
    pub async fn wait(&self) {
        // The sender lives in `self`, so the channel cannot close here.
        let _ = self.asked.subscribe().wait_for(|asked| *asked).await;
    }
}

async fn listen(stop: Stop, mut terminate: Signal, mut interrupt: Signal) {
    for first in [true, false] {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if !first {
            std::process::exit(EXIT_INTERRUPTED);
        }
        tracing::info!("stopping: the batch under way is finished first; a second signal ends it at once");
        stop.request();
    }
}

#[cfg(test)]
mod tests;
