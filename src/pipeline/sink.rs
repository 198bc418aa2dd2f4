//! Kafka → Avro → order → fold → apply, together with the ledger. Wiring only:
//! nothing here looks inside a change.
//!
//! Two stages work side by side: one gathers the events of the next batch, the
//! other applies the batches before it, several at once where they do not touch
//! the same rows. Between them waits one batch at most.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cdc_mysql_sink::{self as mysql, Held, Parallel, Quarantine, Sink};
use cdc_sdk::{Error, Kind, Result, TableName};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tracing::info;

use super::RunOptions;
use super::by_key;
use super::cut_writer::OwnTopics;
use super::dead_letter::{self, Office};
use super::fitness::Fitness;
use super::gather::{Gatherer, Size, Work};
use super::holes;
use super::in_flight::Room;
use super::kept;
use super::stage::{self, BATCHES_WAITING, Gathering};
use super::streams::Streams;
use super::{reach, retry, settings};
use crate::avro::AvroRow;
use crate::config::{Consistency, SinkConfig};
use crate::observe::{SetAside, SinkView, State, Stop, rfc3339};

/// How long batches at work may take to end.
const WORK_ENDS: Duration = Duration::from_secs(30);

/// How often a sink looks whether it still leads and its ledger is as it left it: an idle one commits nothing,
/// which would tell.
const CONFIRM: Duration = Duration::from_secs(2);

/// How often a sink with keys in quarantine looks whether somebody asks to release some.
const REQUESTS: Duration = Duration::from_secs(1);

/// Runs the sink until it is stopped, caught up (by option), or cannot go on.
pub async fn run(config: SinkConfig, options: RunOptions, stop: Stop, view: Arc<SinkView>) -> Result<()> {
    let settings = settings::sink(&config);
    let fitness = Fitness::default();
    let report = |e: &Error| view.error(e);
    let shown = Arc::clone(&view);
    retry::watch(&config.kafka.lookout, &stop, move |e| shown.error(e));
    let ended = match config.apply.consistency {
        Consistency::Transaction => {
            let session = || session(&config, &settings, options, (&stop, &fitness), &view);
            retry::sessions(&stop, report, session).await
        }
        Consistency::Key => {
            view.by_key();
            retry::sessions(&stop, report, || {
                by_key::session(&config, &settings, options, (&stop, &fitness), &view)
            })
            .await
        }
    };
    view.state(State::Stopped);
    ended
}

/// One session: from leadership to the first fault, or to the end.
async fn session(
    config: &SinkConfig,
    settings: &mysql::Settings,
    options: RunOptions,
    (stop, fitness): (&Stop, &Fitness),
    view: &Arc<SinkView>,
) -> Result<()> {
    view.state(State::Starting);
    let opening = async {
        let (found, kept) = tokio::try_join!(mysql::check(settings), kept::sink(config))?;
        fitness.refuse_unfit(&[found, kept].concat())?;
        Sink::open(settings.clone(), |why| view.state(State::Standby(why.to_owned()))).await
    };
    let Some(mut sink) = stop.before(opening).await.transpose()? else { return Ok(()) };
    tell_where(sink.progress());
    let streams = Streams::default();
    sink.send_dead_letters_to(Arc::new(Office::new(config, &streams)?));
    view.set_aside(set_aside(sink.quarantine()));
    let opened = open_gatherer(config, &sink, &streams, options, stop, view).await?;
    let Some(mut gatherer) = opened else { return Ok(()) };
    let lost_lead = sink.lost_lead();
    let writers = usize::from(config.limits.writers);
    // Now, not with the first batch: where nothing changes none comes.
    view.state(standing(config, sink.progress()));
    let opening = Parallel::new(sink, writers);
    let Some(sink) = stop.before(opening).await.transpose()? else { return Ok(()) };
    let mut applier = Applier { config, sink, handed: VecDeque::new(), view };
    let (hand_over, work) = mpsc::channel(BATCHES_WAITING);
    let gathering = Gathering::start(move |stop| gatherer.run(&hand_over, stop));
    let whole = async {
        let applied = tokio::select! {
            applied = applier.apply_all(work, stop) => Ok(applied),
            lost = lost_lead => Err(lost),
        };
        let gathered = gathering.end().await;
        // Without the lead nothing is said over these connections any more: the next session ends them.
        let applied = applied?;
        let ended = applier.close().await;
        applied.and(ended)?;
        gathered
    };
    stage::unless_silent(whole, stop, settings).await
}

/// What a sink does whose ledger stands so.
fn standing(config: &SinkConfig, progress: &mysql::Progress) -> State {
    let cuts = OwnTopics::of(&config.topic_prefix).cuts;
    match progress.snapshot_complete {
        _ if progress.converging() => State::Converging,
        true => State::Streaming,
        false if holes::are_open_at(&cuts, &progress.places) => State::Converging,
        false => State::Snapshot,
    }
}

/// Says where the ledger stands: after a replay that is not where this sink was before.
fn tell_where(progress: &mysql::Progress) {
    let shown = |cut: Option<cdc_sdk::CutId>| cut.map_or_else(|| "none".to_owned(), |c| c.to_string());
    let converges_until = progress.converging().then(|| shown(progress.high_water));
    info!(after_cut = shown(progress.cut), converges_until, "the sink goes on");
}

/// Opens the Kafka side. `None` if stopped before there was a cut.
async fn open_gatherer(
    config: &SinkConfig,
    sink: &Sink,
    streams: &Streams,
    options: RunOptions,
    stop: &Stop,
    view: &Arc<SinkView>,
) -> Result<Option<Gatherer>> {
    let open = || Gatherer::open(config, sink.progress(), streams, options.until_caught_up);
    let opened = stage::opened(options.until_caught_up, stop, view, open).await?;
    if opened.is_some() && sink.progress().is_fresh() {
        reach::check_new_sink(config).await?;
    }
    Ok(opened)
}

/// The keys in quarantine, by table.
fn set_aside(quarantine: &Quarantine) -> Vec<SetAside> {
    let of_table = |(table, keys): (&TableName, Vec<&Held>)| {
        let first = keys.first()?;
        Some(SetAside {
            table: table.to_string(),
            keys: keys.len() as u64,
            letters: keys.iter().map(|held| held.letters).sum(),
            since: rfc3339(first.since_us),
            code: first.why.code.clone(),
            error: first.why.text.clone(),
        })
    };
    quarantine.by_table().into_iter().filter_map(of_table).collect()
}

/// The applying stage.
struct Applier<'a> {
    config: &'a SinkConfig,
    sink: Parallel<AvroRow>,
    /// What was handed over and is not applied yet, in order.
    handed: VecDeque<Handed>,
    view: &'a SinkView,
}

/// A batch on its way, for the view.
struct Handed {
    rows: u64,
    size: Size,
    since: Instant,
    over_holes: bool,
    _room: Room,
}

impl Applier<'_> {
    /// Applies what the gathering stage hands over, in its order.
    async fn apply_all(&mut self, mut work: mpsc::Receiver<Work>, stop: &Stop) -> Result<()> {
        let mut in_run = false;
        let mut requests = tokio::time::interval(REQUESTS);
        requests.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // An interval, since cuts that bring nothing pass more often than that.
        let mut confirm = tokio::time::interval(CONFIRM);
        confirm.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let quarantine = !self.sink.quarantine().is_empty();
            let next = tokio::select! {
                biased;
                () = stop.wait(), if !in_run => return Ok(()),
                _ = requests.tick(), if quarantine && !in_run => {
                    self.serve().await?;
                    continue;
                }
                () = self.sink.wait() => {
                    self.show_done().await?;
                    continue;
                }
                _ = confirm.tick(), if !in_run => {
                    self.sink.confirm().await?;
                    continue;
                }
                next = work.recv() => next,
            };
            match next {
                None => return self.settle().await,
                Some(Work::Passed { cut, committed_us }) => {
                    self.settle().await?;
                    self.view.passed(cut, committed_us);
                }
                Some(Work::CaughtUp) => {
                    self.settle().await?;
                    info!("caught up with all that was published at the start");
                    self.view.state(State::CaughtUp);
                }
                Some(Work::Abandoned) => self.sink.roll_back().await?,
                Some(Work::Apply { batch, size, room }) => {
                    in_run = matches!(batch.end, mysql::End::More);
                    self.handed.push_back(Handed {
                        rows: batch.changes.len() as u64,
                        size,
                        since: Instant::now(),
                        over_holes: batch.over_holes,
                        _room: room,
                    });
                    self.sink.apply(batch).await?;
                    self.show_done().await?;
                }
            }
        }
    }

    async fn settle(&mut self) -> Result<()> {
        self.sink.settle().await?;
        self.show_done().await
    }

    /// Releases the keys that somebody asks for, between two batches.
    async fn serve(&mut self) -> Result<()> {
        self.settle().await?;
        let sink = self.sink.settled().await?;
        let served = dead_letter::serve(self.config, sink).await;
        self.view.set_aside(set_aside(sink.quarantine()));
        served
    }

    async fn show_done(&mut self) -> Result<()> {
        let view = self.view;
        let done = self.sink.done().await?;
        if view.is_set_aside() || !self.sink.quarantine().is_empty() {
            view.set_aside(set_aside(self.sink.quarantine()));
        }
        for done in done {
            let mut over_holes = false;
            if let Some(Handed { rows, size, since, over_holes: over, .. }) = self.handed.pop_front() {
                over_holes = over;
                view.applied(rows, since.elapsed());
                view.bytes(size.bytes);
                view.transactions(size.transactions);
            }
            view.conflicts(done.applied.conflicts);
            if let Some(advance) = done.advance {
                view.state(match advance.snapshot_complete {
                    _ if self.sink.is_converging() => State::Converging,
                    true => State::Streaming,
                    false if over_holes => State::Converging,
                    false => State::Snapshot,
                });
                view.cut(advance.cut, advance.committed_us);
                view.position(advance.position);
            }
        }
        Ok(())
    }

    /// Ends in good order: what is at work is committed first.
    async fn close(mut self) -> Result<()> {
        let ended = match tokio::time::timeout(WORK_ENDS, self.settle()).await {
            Ok(ended) => ended,
            Err(_) => Err(Error::new(Kind::MysqlUnreachable, "batches at work did not end in time")),
        };
        self.sink.close().await;
        ended
    }
}
