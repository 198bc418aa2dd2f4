//! The gathering stage of a sink: opened as soon as there is something to gather, run on a
//! thread of its own beside the applying stage, and ended with it. And what ends both.

use std::time::Duration;

use cdc_mysql_sink as mysql;
use cdc_sdk::{Error, Kind, Result};
use tokio::task::{JoinHandle, block_in_place, spawn_blocking};
use tokio::time::timeout;

use crate::observe::{SinkView, State, Stop};

/// Batches between the stages: one waits while one is applied.
pub const BATCHES_WAITING: usize = 1;

/// How long the gathering stage may take to notice that it is to end.
const ENDS: Duration = Duration::from_secs(30);

/// How soon the destination answers somebody else, where it can be waited for at all.
const ANSWERS: Duration = Duration::from_secs(3);

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
    pub async fn end(mut self) -> Result<()> {
        self.stop.request();
        match timeout(ENDS, &mut self.task).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(panicked)) => {
                Err(Error::new(Kind::Bug, "the gathering stage ended unexpectedly").caused_by(panicked))
            }
            Err(_) => Err(Error::new(Kind::KafkaUnreachable, "the gathering stage did not end in time")),
        }
    }
}

/// Nobody waits for a stage that is dropped, but it ends.
impl Drop for Gathering {
    fn drop(&mut self) {
        self.stop.request();
    }
}

/// What a session comes to; once a stop is asked for it is dropped where the destination does not answer. What was at work
/// is rolled back then, as by any death.
///
/// # Errors
/// The session's.
pub async fn unless_silent(
    session: impl Future<Output = Result<()>>,
    stop: &Stop,
    settings: &mysql::Settings,
) -> Result<()> {
    let silent = async {
        stop.wait().await;
        while let Ok(Ok(_)) = timeout(ANSWERS, mysql::check(settings)).await {
            tokio::time::sleep(ANSWERS).await;
        }
    };
    tokio::select! {
        biased;
        ended = session => ended,
        () = silent => {
            tracing::warn!("the destination does not answer: stopping without it");
            Ok(())
        }
    }
}
