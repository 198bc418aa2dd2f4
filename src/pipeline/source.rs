//! binlog → envelope → Avro → Kafka. Wiring only: nothing here looks inside a change.

mod beginning;
mod commands;
mod opening;
mod publishing;
mod schema_changes;
mod shore;
mod transactions;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cdc_mysql_source::{self as mysql, Chunk, DdlEvent, Event, Leader, Rows, Source};
use cdc_sdk::change::Origin;
use cdc_sdk::cut::CutKind;
use cdc_sdk::{Error, Kind, Position, Result, RowChange, fail};
use schema_changes::SchemaChanges;
use shore::Shore;
use tokio::task::block_in_place;
use tracing::info;

use super::RunOptions;
use super::control::{Follower, Taken};
use super::cut_writer::{CutWriter, DataTopic};
use super::fitness::Fitness;
use super::kept;
use super::recovery;
use super::retry;
use super::settings;
use super::table_book::{Stored, TableBook};
use crate::avro::{Meta, Scratch, Snapshot};
use crate::config::SourceConfig;
use crate::envelope::Modes;
use crate::kafka::Admin;
use crate::observe::{SnapshotProgress, SourceView, State, Stop, now_us};
use transactions::Transactions;

/// How often MySQL is asked to show that it lives. A line silent for twice as long is given up.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// Without changes, a cut is written this often, so that a sink knows the source lives.
const IDLE_CUT: Duration = Duration::from_secs(10);

/// A commit to Kafka that takes longer than this has many partitions to end. Then cuts become as long as
/// it takes, at most so long, or most of the time would go into commits.
const COMMIT_USUAL: Duration = Duration::from_millis(50);
const CUT_MAX: Duration = Duration::from_secs(1);

/// Of a cut this part is left for a transaction that has begun: one that is smaller is not divided.
const ROOM_PARTS: u64 = 8;

/// A Kafka transaction is ended when it is as old as this part of its time limit: one more table may take a while.
const TIMEOUT_PARTS: u32 = 3;

/// How long what is under way may take to end, once a stop is asked for.
const ENDS_MAX: Duration = Duration::from_secs(10);

/// Runs the source until it is stopped, caught up (by option), or cannot go on.
pub async fn run(config: SourceConfig, options: RunOptions, stop: Stop, view: Arc<SourceView>) -> Result<()> {
    let settings = settings::source(&config);
    let fitness = Fitness::default();
    let shown = Arc::clone(&view);
    retry::watch(&config.kafka.lookout, &stop, move |e| shown.error(e));
    let session = || session(&config, &settings, options, (&stop, &fitness), &view);
    let ended = retry::sessions(&stop, |e| view.error(e), session).await;
    view.state(State::Stopped);
    ended
}

/// One session: from leadership to the first fault, or to the end.
async fn session(
    config: &SourceConfig,
    settings: &mysql::Settings,
    options: RunOptions,
    (stop, fitness): (&Stop, &Fitness),
    view: &Arc<SourceView>,
) -> Result<()> {
    view.state(State::Starting);
    let modes = Modes::from_options(&config.debezium)?;
    let opening = async {
        let admin = Admin::connect(&settings::kafka(&config.kafka))?;
        let fit = async {
            let (found, kept) = tokio::try_join!(mysql::check(settings), kept::source(config, &admin))?;
            fitness.refuse_unfit(&[found, kept].concat())
        };
        let ((), shore) = tokio::try_join!(fit, Shore::reach(config, &modes, admin.clone()))?;
        let standing_by = |why: &str| view.state(State::Standby(why.to_owned()));
        let leader = Leader::acquire(settings, standing_by).await?;
        Road::lay(config, settings, modes, (leader, shore), view).await
    };
    let Some(mut road) = stop.before(opening).await.transpose()? else { return Ok(()) };
    tokio::select! {
        driven = road.drive(options, stop) => driven,
        // It waits for a server that does not answer: what is not committed is read again.
        () = late(stop) => Ok(()),
    }
}

/// Returns when what was under way as the stop was asked for has had its time.
async fn late(stop: &Stop) {
    stop.wait().await;
    tokio::time::sleep(ENDS_MAX).await;
}

/// Everything between the binlog and Kafka.
struct Road<'a> {
    view: &'a Arc<SourceView>,
    config: &'a SourceConfig,
    leader: Leader,
    source: Source,
    book: TableBook,
    writer: CutWriter,
    scratch: Scratch,
    commands: Follower,
    /// What was taken of the control topic.
    taken: Taken,
    /// The transaction being read.
    transaction: Option<Origin>,
    /// What is to be stored of tables just met, with their first event.
    met: Vec<Stored>,
    /// What is told of transactions, if the user asked for that.
    told: Option<Transactions>,
    /// What is told of statements, unless the user wants none of it.
    schema_changes: Option<SchemaChanges>,
    /// The next cut must be a batch by itself.
    alone: bool,
    last_cut: Instant,
    /// The age that a cut must have, and the most that it may have.
    cut_age: Duration,
    age_max: Duration,
}

impl<'a> Road<'a> {
    /// Opens every part, in the order that makes a zombie harmless: first the
    /// producer takes over, which fences it; then what it left is read.
    async fn lay(
        config: &'a SourceConfig,
        settings: &mysql::Settings,
        modes: Modes,
        (leader, shore): (Leader, Shore),
        view: &'a Arc<SourceView>,
    ) -> Result<Self> {
        let Shore { kafka, topics, admin, registry, ids, heir, control, schema_changes } = shore;
        let (publisher, mut recovered) =
            block_in_place(|| heir.take_over(&kafka, &config.topic_prefix, &topics))?;
        fail::point("source.taken_over");
        opening::refuse_what_was_lost(&admin, config, &recovered).await?;
        let start = opening::start_from(&recovered);
        let settings = mysql::Settings { mark_json: modes.carry_table, ..settings.clone() };
        let mut source = Source::open(settings, start).await?;
        source.pause(recovered.taken.paused);
        let commands =
            block_in_place(|| Follower::start(control, &topics.control, recovered.taken.next_offset))?;
        for loss in modes.losses() {
            tracing::warn!("{loss}");
        }
        let (replication, counts) = (config.topics.replication_factor, recovered.counts.take());
        let told = match modes.provide_transaction_metadata {
            true => {
                Some(Transactions::open(&admin, &registry, &topics.transaction, replication, counts).await?)
            }
            false => None,
        };
        let book = TableBook::new(
            admin,
            registry,
            modes,
            config.topic_prefix.clone(),
            config.topics.clone(),
            &mut recovered,
        );
        let writer = CutWriter::new(publisher, topics, ids, recovered.continuation);
        let mut road = Self {
            view,
            config,
            leader,
            source,
            book,
            writer,
            scratch: Scratch::default(),
            commands,
            taken: recovered.taken,
            transaction: None,
            met: Vec::new(),
            told,
            schema_changes,
            alone: false,
            last_cut: Instant::now(),
            cut_age: Duration::ZERO,
            age_max: kafka.transaction_timeout() / TIMEOUT_PARTS,
        };
        road.begin(&recovered.snapshot, recovered.last.map(|l| l.kind)).await?;
        Ok(road)
    }

    async fn drive(&mut self, options: RunOptions, stop: &Stop) -> Result<()> {
        let target = if options.until_caught_up { Some(self.source.end().await?) } else { None };
        let initial_only = matches!(self.config.capture.snapshot, crate::config::SnapshotMode::InitialOnly);
        loop {
            let between = self.transaction.is_none() && self.source.position().partial.is_none();
            if between && !self.taken.sinks.is_empty() {
                self.end_private_snapshots().await?;
            }
            let may_end = between && !self.writer.is_open();
            if may_end && initial_only && self.writer.snapshot_complete() {
                return Ok(());
            }
            if may_end && target.as_ref().is_some_and(|t| self.source.reached(t)) {
                info!("caught up with all that was committed at the start");
                return Ok(());
            }
            if between && target.is_some() && self.source.is_held_up() {
                return Err(held_up());
            }
            if between && stop.requested() {
                return self.end(between);
            }
            if let Some(event) = self.source.at_hand()? {
                self.take(event).await?;
                continue;
            }
            let wait =
                self.writer.may_wait(self.cut_interval()).max(self.cut_age.saturating_sub(self.writer.age()));
            tokio::select! {
                biased;
                received = self.commands.next(), if between => self.command(received?).await?,
                event = self.source.next() => self.take(event?).await?,
                // Nothing more at once: what was committed goes out, what the snapshot read may wait.
                () = pause(wait), if between && self.writer.is_open() => self.cut(CutKind::Complete)?,
                // The rest of a transaction may be long: what is not committed is read again.
                () = stop.wait() => return self.end(between),
                () = tokio::time::sleep_until((self.last_cut + IDLE_CUT).into()), if between => self.idle_cut().await?,
            }
        }
    }

    /// Ends the session: commits what is whole.
    fn end(&mut self, between: bool) -> Result<()> {
        if between && self.writer.is_open() { self.cut(CutKind::Complete) } else { Ok(()) }
    }

    async fn take(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Begin(begin) => {
                if let Some(told) = &mut self.told {
                    told.begin(&begin.origin);
                }
                self.transaction = Some(begin.origin);
            }
            Event::Rows(rows) => self.rows(rows).await?,
            Event::Ddl(ddl) => self.ddl(&ddl).await?,
            Event::Commit(commit) => {
                self.transaction = None;
                if let Some(told) = &mut self.told {
                    told.end(commit.committed_us, &mut self.writer)?;
                }
                self.writer.transaction_ended(commit.committed_us);
                let is_old = self.writer.age() >= self.cut_interval().max(self.cut_age);
                if self.alone || is_old || self.is_nearly_full() {
                    self.cut(CutKind::Complete)?;
                }
            }
            Event::Progress(progress) => {
                self.writer.state(&recovery::snapshot_key(&progress), &progress.to_json())?;
            }
            Event::Chunk(chunk) => self.chunk(&chunk).await?,
            Event::SnapshotComplete => {
                self.writer.mark_snapshot_complete();
                info!("all captured tables have been read");
                self.cut(CutKind::Complete)?;
            }
            Event::Idle => {}
        }
        Ok(())
    }

    async fn rows(&mut self, mut rows: Box<Rows>) -> Result<()> {
        let road = self.road(rows.shape, &rows.table).await?;
        self.store_met()?;
        let origin = self.transaction.clone().ok_or_else(|| {
            Error::new(Kind::BinlogCorrupt, format!("rows of {} outside of a transaction", rows.table.name))
        })?;
        let origin = Origin { pos: rows.pos, ..origin };
        if let Some(told) = &mut self.told {
            told.rows_follow(origin.ts_us, &mut self.writer)?;
        }
        block_in_place(|| {
            let mut index = 0;
            while let Some(change) = rows.next_row()? {
                self.publish_to(&road.topic, &road, &change, (&origin, index, Snapshot::False))?;
                index += 1;
                if self.is_full() {
                    self.cut_inside(&rows, &origin)?;
                }
            }
            // Tables that are met ask brokers and registry, and one transaction may meet any number.
            if self.is_old() {
                self.cut_inside(&rows, &origin)?;
            }
            self.view.rows(u64::from(index));
            Ok(())
        })
    }

    /// A cut behind the rows taken so far, inside a transaction.
    fn cut_inside(&mut self, rows: &Rows, origin: &Origin) -> Result<()> {
        let position = Position { partial: Some(rows.partial()?), ..self.source.position().clone() };
        self.note_inside(origin)?;
        self.cut_at(CutKind::Continues, &position)?;
        fail::point("source.inside_transaction");
        Ok(())
    }

    /// Stores which transaction the open cut ends inside of.
    fn note_inside(&mut self, origin: &Origin) -> Result<()> {
        let Some(gtid) = &origin.gtid else { return Ok(()) };
        let counts = self.told.as_ref().map(Transactions::counts).unwrap_or_default();
        let (key, json) = recovery::Inside::record(gtid, counts)?;
        self.writer.state(key, &json)
    }

    /// A chunk of the snapshot: its rows, and how far the table is, in one cut.
    async fn chunk(&mut self, chunk: &Chunk) -> Result<()> {
        let road = self.road(chunk.shape, &chunk.table).await?;
        self.store_met()?;
        let private = self.private(chunk.addressee.as_deref()).await?;
        let topic = private.as_ref().unwrap_or(&road.topic);
        block_in_place(|| {
            for (index, row) in (0..).zip(chunk.rows()) {
                let change = RowChange { op: cdc_sdk::Op::Read, before: None, after: Some(row) };
                self.publish_to(topic, &road, &change, (&chunk.origin, index, Snapshot::True))?;
            }
            self.writer.state(&recovery::snapshot_key(&chunk.progress), &chunk.progress.to_json())
        })?;
        fail::point("source.chunk_sent");
        self.view.rows(chunk.len() as u64);
        let must_end = private.is_some() || self.is_full() || self.is_old();
        if must_end { self.cut(CutKind::Complete) } else { Ok(()) }
    }

    /// The topic of one sink, with the cut before it ended: what is for one is in cuts of its own.
    async fn private(&mut self, addressee: Option<&str>) -> Result<Option<DataTopic>> {
        let Some(sink) = addressee else { return Ok(None) };
        if self.writer.is_open() {
            self.cut(CutKind::Complete)?;
        }
        self.book.private(sink).await.map(Some)
    }

    /// What a statement did to captured tables, in a cut by itself.
    async fn ddl(&mut self, ddl: &DdlEvent) -> Result<()> {
        if self.writer.is_open() {
            self.cut(CutKind::Complete)?;
        }
        let private = self.private(ddl.addressee.as_deref()).await?;
        // As at the start: first all that asks a server. A statement may concern any number of tables.
        let roads = self.roads_to_empty(ddl, private.as_ref()).await?;
        let told = match &self.schema_changes {
            Some(schema_changes) => schema_changes.stated(ddl, &self.source).await?,
            None => Vec::new(),
        };
        self.alone = true;
        self.store_met()?;
        for road in &roads {
            self.truncate(road, ddl, private.as_ref()).await?;
        }
        self.tell(&told)?;
        if let Some(why) = &ddl.given_up {
            self.given_up(ddl, why).await?;
        }
        for progress in &ddl.progress {
            self.writer.state(&recovery::snapshot_key(progress), &progress.to_json())?;
        }
        for (table, noted) in &ddl.noted {
            let (key, json) = recovery::Columns::record(table, noted)?;
            self.writer.state(&key, &json)?;
        }
        Ok(())
    }

    async fn idle_cut(&mut self) -> Result<()> {
        self.leader.confirm().await?;
        self.source.confirm().await?;
        // Without transactions, too, the position goes on to files that follow.
        self.cut(CutKind::Complete)
    }

    fn cut_interval(&self) -> Duration {
        Duration::from_millis(self.config.limits.cut_interval_ms)
    }

    fn is_full(&self) -> bool {
        self.writer.bytes() >= self.config.limits.cut_bytes
    }

    /// Whether the next transaction might not fit. A cut that ends inside of one is of a run, which a sink applies by itself,
    /// one cut after the other; so there is to be room for any of usual size.
    fn is_nearly_full(&self) -> bool {
        let limit = self.config.limits.cut_bytes;
        self.writer.bytes() >= limit - limit / ROOM_PARTS
    }

    /// Whether the Kafka transaction nears its time limit, after which it is lost.
    fn is_old(&self) -> bool {
        self.writer.age() >= self.age_max
    }

    fn cut(&mut self, kind: CutKind) -> Result<()> {
        let position = self.source.position().clone();
        self.cut_at(kind, &position)
    }

    fn cut_at(&mut self, kind: CutKind, position: &Position) -> Result<()> {
        let begun = Instant::now();
        let kind = match position.partial {
            Some(_) if fail::planted("source.cut_inside_transaction") => CutKind::Complete,
            // A chunk may come while the rest of a resumed transaction is still to be read.
            Some(_) => CutKind::Continues,
            None => kind,
        };
        let alone = std::mem::take(&mut self.alone);
        let cut = block_in_place(|| self.writer.commit(kind, position, alone))?;
        self.last_cut = Instant::now();
        let took = begun.elapsed();
        self.cut_age = if took > COMMIT_USUAL { took.min(CUT_MAX) } else { Duration::ZERO };
        self.view.cut(&cut, took);
        self.view.snapshot(&shown(&self.source.progress()));
        let reading = self.source.progress();
        let read = self.writer.snapshot_complete() && reading.tables_done == reading.tables_total;
        self.view.state(if read { State::Streaming } else { State::Snapshot });
        Ok(())
    }
}

/// Not a moment where that is nothing: a timer takes up to 1 ms.
async fn pause(wait: Duration) {
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
}

fn shown(progress: &mysql::SnapshotProgress) -> SnapshotProgress {
    SnapshotProgress {
        tables_done: progress.tables_done,
        tables_total: progress.tables_total,
        rows: progress.rows,
        rows_estimated: progress.rows_estimated,
        paused: progress.paused,
    }
}

fn meta<'m>(server_name: &'m str, origin: &'m Origin, row: u32, snapshot: Snapshot) -> Meta<'m> {
    Meta { origin, row, snapshot, now_us: now_us(), server_name, transaction: None }
}

/// To wait for a person's word would be to wait for ever.
fn held_up() -> Error {
    Error::new(Kind::Snapshot, "the snapshot is paused, so it is not caught up with")
        .hint("let it go on while a source runs: cdc snapshot resume -c source.toml")
}
