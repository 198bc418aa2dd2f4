//! Kafka → Avro → fold → apply, partition by partition: `consistency = "key"`. Wiring only.
//!
//! Many processes of one name share the topics through a consumer group. Each reads the partitions that
//! it is given, from where the ledger has them, and applies what comes: the order of a partition is the order of
//! its keys. Cuts are not waited for, so there is no moment at which all tables together are a state of the source.
//!
//! One stage gathers, on a thread of its own, the other applies. What the first asks the second for (to take
//! partitions, to let them go) goes the way of the batches, behind those that came before.

mod compaction;
mod gather;
mod lane;
mod partitions;
mod progress;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cdc_mysql_sink::{self as mysql, Emptying, KeyApplied, KeyBatch, KeySink, Partition, Standing};
use cdc_sdk::Result;
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;
use tracing::info;

use super::RunOptions;
use super::fitness::Fitness;
use super::stage::{self, BATCHES_WAITING, Gathering};
use crate::avro::AvroRow;
use crate::config::SinkConfig;
use crate::observe::{SinkView, State, Stop};
use gather::Gatherer;

/// How often a sink looks whether its partitions are as it left them: an idle one commits nothing, which would tell.
const CONFIRM: Duration = Duration::from_secs(2);

/// What the gathering stage hands to the applying stage.
enum Work {
    /// Apply this.
    Apply(KeyBatch<AvroRow>, Size),
    /// Empty a table.
    Empty(Box<Emptying<AvroRow>>),
    /// Take these partitions and say where they stand.
    Take(Vec<Partition>, oneshot::Sender<Vec<(Partition, Standing)>>),
    /// Let these go, now that what came before is applied.
    Release(Vec<Partition>, oneshot::Sender<()>),
    /// Say where all partitions stand, whoever has them.
    Standings(oneshot::Sender<HashMap<Partition, Standing>>),
    /// All that was published at the start is applied, by this sink and the others.
    CaughtUp,
}

/// How much a batch brings, for the view.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    rows: u64,
    bytes: u64,
}

/// What the applying stage tells the gathering stage.
#[derive(Clone, Default)]
struct Feedback(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    lost: Vec<Lost>,
    applied: HashMap<Partition, i64>,
}

/// A partition for which nothing could be committed.
struct Lost {
    partition: Partition,
    /// Another sink has taken it: Kafka will say so, too, unless it gives it back.
    taken: bool,
}

impl Feedback {
    fn with<T>(&self, look: impl FnOnce(&mut Told) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One session: from joining the group to the first fault, or to the end.
pub(super) async fn session(
    config: &SinkConfig,
    settings: &mysql::Settings,
    options: RunOptions,
    (stop, fitness): (&Stop, &Fitness),
    view: &Arc<SinkView>,
) -> Result<()> {
    view.state(State::Starting);
    let feedback = Feedback::default();
    let opening = async {
        fitness.refuse_unfit(&mysql::check(settings).await?)?;
        KeySink::open(settings.clone()).await
    };
    let Some(sink) = stop.before(opening).await.transpose()? else { return Ok(()) };
    let until_caught_up = options.until_caught_up;
    let open = || Gatherer::open(config, until_caught_up, sink.id(), feedback.clone(), view.clone());
    let Some(mut gatherer) = stage::opened(until_caught_up, stop, view, open).await? else { return Ok(()) };
    let mut applier = Applier { sink, feedback, view };
    let (hand_over, work) = mpsc::channel(BATCHES_WAITING);
    let gathering = Gathering::start(move |stop| gatherer.run(&hand_over, stop));
    let whole = async {
        let applied = applier.apply_all(work, stop).await;
        let gathered = gathering.end().await;
        applier.sink.close().await;
        view.partitions(Vec::new());
        applied?;
        gathered
    };
    stage::unless_silent(whole, stop, settings).await
}

/// The applying stage.
struct Applier<'a> {
    sink: KeySink,
    feedback: Feedback,
    view: &'a SinkView,
}

impl Applier<'_> {
    /// Does what the gathering stage hands over, in its order.
    async fn apply_all(&mut self, mut work: mpsc::Receiver<Work>, stop: &Stop) -> Result<()> {
        let mut confirm = tokio::time::interval(CONFIRM);
        confirm.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let next = tokio::select! {
                biased;
                () = stop.wait() => return Ok(()),
                _ = confirm.tick() => {
                    let lost = self.sink.confirm().await?;
                    self.tell_lost(lost).await?;
                    continue;
                }
                next = work.recv() => next,
            };
            match next {
                None => return Ok(()),
                Some(Work::Apply(batch, size)) => self.apply(batch, size).await?,
                Some(Work::Empty(emptying)) => {
                    info!(table = %emptying.change.table.name, cut = %emptying.cut, "the table is emptied");
                    let done = self.sink.empty(&emptying).await?;
                    let own = (emptying.step.partition.clone(), emptying.step.to);
                    self.done(done, &[own]).await?;
                }
                // Who asks may have gone meanwhile: then the stage ends with what made it go.
                Some(Work::Take(partitions, answer)) => {
                    let _ = answer.send(self.sink.take(&partitions).await?);
                }
                Some(Work::Release(partitions, answer)) => {
                    self.sink.release(&partitions).await?;
                    let _ = answer.send(());
                }
                Some(Work::Standings(answer)) => {
                    let _ = answer.send(self.sink.standings().await?);
                }
                Some(Work::CaughtUp) => {
                    info!("caught up with all that was published at the start");
                    self.view.state(State::CaughtUp);
                }
            }
        }
    }

    async fn apply(&mut self, batch: KeyBatch<AvroRow>, size: Size) -> Result<()> {
        let since = Instant::now();
        let steps: Vec<_> = batch.steps.iter().map(|step| (step.partition.clone(), step.to)).collect();
        let done = self.sink.apply(batch).await?;
        if done.applied.committed {
            self.view.applied(size.rows, since.elapsed());
            self.view.bytes(size.bytes);
        }
        self.done(done, &steps).await
    }

    async fn done(&mut self, done: KeyApplied, steps: &[(Partition, Standing)]) -> Result<()> {
        let applied = || steps.iter().filter(|(partition, _)| !done.lost.contains(partition));
        if done.applied.committed {
            let cut = applied().filter_map(|(_, to)| to.last).map(|(cut, _)| cut).max();
            let committed_us = applied().map(|(_, to)| to.committed_us).max().unwrap_or(0);
            if let Some(cut) = cut {
                self.view.cut(cut, committed_us);
            }
            self.feedback.with(|told| {
                told.applied.extend(applied().map(|(partition, to)| (partition.clone(), to.next_offset)));
            });
        }
        self.tell_lost(done.lost).await
    }

    /// Tells who gathers that partitions must be taken anew, or are another sink's.
    async fn tell_lost(&mut self, lost: Vec<Partition>) -> Result<()> {
        for partition in lost {
            let taken = self.sink.taken_by_others(std::slice::from_ref(&partition)).await?;
            info!(
                topic = partition.0,
                partition = partition.1,
                taken,
                "a partition is not this sink's any more"
            );
            self.feedback.with(|told| told.lost.push(Lost { partition, taken }));
        }
        Ok(())
    }
}
