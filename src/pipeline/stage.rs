//! The gathering stage of a sink: opened as soon as there is something to gather, run on a
//! thread of its own beside the applying stage, and ended with it.

use std::time::Duration;

use cdc_sdk::{Error, Kind, Result};
use tokio::task::{JoinHandle, block_in_place, spawn_blocking};
use tokio::time::timeout;

use crate::observe::{SinkView, State, Stop};

/// Batches between the stages: one waits while one is applied.
pub const BATCHES_WAITING: usize = 1;

/// How long the gathering stage may take to notice that it is to end.
const ENDS: Duration = Duration::from_secs(30);

/// How often a sink looks whether its source has written a first cut.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Opens the Kafka side; waits while there are no cuts yet. `None` if stopped meanwhile.
///
/// # Errors
/// Those of `open`; with `until_caught_up` also that there is nothing yet.
pub async fn opened<G>(
    until_caught_up: bool,
    stop: &Stop,
    view: &SinkView,
    open: impl Fn() -> Result<G>,
) -> Result<Option<G>> {
    loop {
        match block_in_place(&open) {
            Err(error) if error.kind() == Kind::NothingYet && !until_caught_up => {
                view.state(State::Waiting(error.what().to_owned()));
                tokio::select! {
                    () = tokio::time::sleep(LOOK_AGAIN) => {}
                    () = stop.wait() => return Ok(None),
                }
            }
            opened => return opened.map(Some),
        }
    }
}

/// The stage at work.
pub struct Gathering {
    stop: Stop,
    task: JoinHandle<Result<()>>,
}

impl Gathering {
    /// Runs it until it ends by itself, or sees that it is to stop.
    pub fn start(run: impl FnOnce(&Stop) -> Result<()> + Send + 'static) -> Self {
        let stop = Stop::default();
        let told = stop.clone();
        Self { stop, task: spawn_blocking(move || run(&told)) }
    }

    /// Tells it to stop, and says how it ended.
    ///
    /// # Errors
    /// Its own; [`Kind::KafkaUnreachable`] where it does not end in time.
    pub async fn end(self) -> Result<()> {
        self.stop.request();
        match timeout(ENDS, self.task).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(panicked)) => {
                Err(Error::new(Kind::Bug, "the gathering stage ended unexpectedly").caused_by(panicked))
            }
            Err(_) => Err(Error::new(Kind::KafkaUnreachable, "the gathering stage did not end in time")),
        }
    }
}
