//! Kafka → Avro → order → fold → apply, together with the ledger. Wiring only:
//! nothing here looks inside a change.
//!
//! Two stages work side by side: one gathers the events of the next batch, the
//! other applies the batch before it. Between them waits one batch at most.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cdc_mysql_sink::{self as mysql, Sink};
use cdc_sdk::{Error, Kind, Result};
use tokio::sync::mpsc;
use tracing::info;

use super::RunOptions;
use super::gather::{Gatherer, Size, Work};
use super::source::refuse_unfit;
use super::{retry, settings};
use crate::avro::AvroRow;
use crate::config::{Consistency, SinkConfig};
use crate::observe::{SinkView, State, Stop};

/// Batches between the stages: one waits while one is applied.
const BATCHES_WAITING: usize = 1;

/// How long the gathering stage may take to notice that it is to end.
const GATHERER_ENDS: Duration = Duration::from_secs(30);

/// How often a sink looks whether it still leads and its ledger is as it left it: an idle one commits nothing,
/// which would tell.
const CONFIRM: Duration = Duration::from_secs(2);

/// How often a sink looks whether its source has written a first cut.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Runs the sink until it is stopped, caught up (by option), or cannot go on.
pub async fn run(config: SinkConfig, options: RunOptions, stop: Stop, view: Arc<SinkView>) -> Result<()> {
    if config.apply.consistency == Consistency::Key {
        return Err(Error::new(Kind::Settings, "consistency = \"key\" is not built yet")
            .hint("use consistency = \"transaction\", the default"));
    }
    let settings = settings::sink(&config);
    let ended =
        retry::sessions(&stop, |e| view.error(e), || session(&config, &settings, options, &stop, &view))
            .await;
    view.state(State::Stopped);
    ended
}

/// One session: from leadership to the first fault, or to the end.
async fn session(
    config: &SinkConfig,
    settings: &mysql::Settings,
    options: RunOptions,
    stop: &Stop,
    view: &Arc<SinkView>,
) -> Result<()> {
    view.state(State::Starting);
    refuse_unfit(&mysql::check(settings).await?)?;
    let mut sink = tokio::select! {
        sink = Sink::open(settings.clone(), |why| view.state(State::Standby(why.to_owned()))) => sink?,
        () = stop.wait() => return Ok(()),
    };
    tell_where(sink.progress());
    let Some(mut gatherer) = open_gatherer(config, &sink, options, stop, view).await? else { return Ok(()) };
    let (hand_over, work) = mpsc::channel(BATCHES_WAITING);
    let gathering_stop = Stop::default();
    let thread_stop = gathering_stop.clone();
    let gathering = tokio::task::spawn_blocking(move || gatherer.run(&hand_over, &thread_stop));
    let applied = apply_all(&mut sink, work, stop, view).await;
    gathering_stop.request();
    let gathered = tokio::time::timeout(GATHERER_ENDS, gathering).await;
    sink.close().await;
    applied?;
    match gathered {
        Ok(Ok(ended)) => ended,
        Ok(Err(panicked)) => {
            Err(Error::new(Kind::Bug, "the gathering stage ended unexpectedly").caused_by(panicked))
        }
        Err(_) => Err(Error::new(Kind::KafkaUnreachable, "the gathering stage did not end in time")),
    }
}

/// Says where the ledger stands: after a replay that is not where this sink was before.
fn tell_where(progress: &mysql::Progress) {
    let shown = |cut: Option<cdc_sdk::CutId>| cut.map_or_else(|| "none".to_owned(), |c| c.to_string());
    let converges_until = progress.converging().then(|| shown(progress.high_water));
    info!(after_cut = shown(progress.cut), converges_until, "the sink goes on");
}

/// Opens the Kafka side; waits while there are no cuts yet. `None` if stopped meanwhile.
async fn open_gatherer(
    config: &SinkConfig,
    sink: &Sink,
    options: RunOptions,
    stop: &Stop,
    view: &Arc<SinkView>,
) -> Result<Option<Gatherer>> {
    loop {
        let opened =
            tokio::task::block_in_place(|| Gatherer::open(config, sink.progress(), options.until_caught_up));
        match opened {
            Err(error) if error.kind() == Kind::NothingYet && !options.until_caught_up => {
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

/// Applies what the gathering stage hands over, in its order.
async fn apply_all(
    sink: &mut Sink,
    mut work: mpsc::Receiver<Work>,
    stop: &Stop,
    view: &Arc<SinkView>,
) -> Result<()> {
    let mut in_run = false;
    // An interval, since cuts that bring nothing pass more often than that.
    let mut confirm = tokio::time::interval(CONFIRM);
    confirm.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let next = tokio::select! {
            biased;
            () = stop.wait(), if !in_run => return Ok(()),
            _ = confirm.tick(), if !in_run => {
                sink.confirm().await?;
                continue;
            }
            next = work.recv() => next,
        };
        match next {
            None => return Ok(()),
            Some(Work::Passed { cut, committed_us }) => view.passed(cut, committed_us),
            Some(Work::CaughtUp) => {
                info!("caught up with all that was published at the start");
                view.state(State::CaughtUp);
            }
            Some(Work::Abandoned) => sink.roll_back().await?,
            Some(Work::Apply { batch, size }) => {
                in_run = matches!(batch.end, mysql::End::More);
                apply(sink, batch, size, view).await?;
            }
        }
    }
}

/// Applies one batch, and shows it.
async fn apply(sink: &mut Sink, batch: mysql::Batch<AvroRow>, size: Size, view: &SinkView) -> Result<()> {
    let begun = Instant::now();
    let rows = batch.changes.len() as u64;
    let committed = match &batch.end {
        mysql::End::More => None,
        mysql::End::Commit(advance) => Some(advance.clone()),
    };
    sink.apply(batch).await?;
    view.applied(rows, begun.elapsed());
    view.bytes(size.bytes);
    view.transactions(size.transactions);
    if let Some(advance) = committed {
        view.state(if advance.snapshot_complete { State::Streaming } else { State::Snapshot });
        view.cut(advance.cut, advance.committed_us);
        view.position(advance.position);
    }
    Ok(())
}
