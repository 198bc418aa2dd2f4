//! Sessions that end with a passing fault are begun again, within bounds.

use std::future::Future;
use std::time::{Duration, Instant};

use cdc_sdk::{Error, Fate, Kind, Result};
use tracing::warn;

use crate::kafka::Lookout;
use crate::observe::Stop;

/// Faults in a row, with no session between them that lasted, before giving up.
const FAULTS_MAX: u32 = 30;

/// A session that lasted this long has worked: the count begins anew.
const SESSION_WORKED: Duration = Duration::from_secs(60);

/// The pause after the first fault; each further one doubles it, up to the last.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_LAST: Duration = Duration::from_secs(10);

/// For all clients of Kafka in this run: a stop ends their waits, and trouble is told while they wait.
pub fn watch(lookout: &Lookout, stop: &Stop, report: impl Fn(&Error) + Send + Sync + 'static) {
    lookout.tell(move |error| {
        warn!(error = %error, "waiting for Kafka");
        report(error);
    });
    let (lookout, stop) = (lookout.clone(), stop.clone());
    tokio::spawn(async move {
        stop.wait().await;
        lookout.end();
    });
}

/// Runs sessions until one ends well, one meets a fault that no restart mends,
/// too many faults follow each other, or a stop is asked for.
pub async fn sessions<F>(stop: &Stop, report: impl Fn(&Error), mut session: impl FnMut() -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let mut faults = 0;
    let mut pause = PAUSE_FIRST;
    loop {
        let begun = Instant::now();
        let Err(error) = session().await else { return Ok(()) };
        report(&error);
        if error.fate() != Fate::Retry || error.kind() == Kind::NothingYet || stop.requested() {
            return if stop.requested() && error.fate() == Fate::Retry { Ok(()) } else { Err(error) };
        }
        if begun.elapsed() >= SESSION_WORKED {
            (faults, pause) = (0, PAUSE_FIRST);
        }
        faults += 1;
        if faults >= FAULTS_MAX {
            return Err(error.detail(format!("gave up after {faults} faults in a row")));
        }
        warn!(error = %error, again_in_ms = pause.as_millis() as u64, "a passing fault: trying again");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.wait() => return Ok(()),
        }
        pause = (pause * 2).min(PAUSE_LAST);
    }
}
