//! The window into a running pipeline.
//!
//! The pipeline writes here what it did, in a few atomic operations a batch. Lag
//! and rates are worked out when someone looks.
//!
//! Lag is the age that the last commit had when it came through, and grows from
//! then on only if nothing at all comes through for longer than the heartbeats of
//! an idle source take. A heartbeat says that there is nothing behind it: lag 0.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cdc_sdk::{Cut, CutId, Error, Position};

use super::clock::{now_us, rfc3339};
use super::memory::Memory;
use super::metric::Metrics;
use super::rate::Rate;
use super::state::State;
use super::status::{LastError, SetAside, SnapshotStatus, Status};
use crate::config::Role;

/// An idle source writes a cut every 10 s; a silence longer than this is lag.
const SILENCE: Duration = Duration::from_secs(15);

/// What both roles show.
#[derive(Debug)]
pub struct View {
    role: Role,
    name: String,
    started_us: i64,
    pub(super) metrics: Metrics,
    latest: Mutex<Latest>,
}

/// What changes a few times a second at most.
#[derive(Debug, Default)]
struct Latest {
    state: State,
    cut: Option<Passed>,
    committed_us: Option<i64>,
    position: Option<String>,
    snapshot: Option<SnapshotStatus>,
    error: Option<LastError>,
    set_aside: Vec<SetAside>,
    consistency: Option<&'static str>,
    partitions: Vec<String>,
    rows: Rate,
    snapshot_rows: Rate,
}

/// A cut that came through.
#[derive(Clone, Copy, Debug)]
struct Passed {
    id: CutId,
    at: Instant,
    lag: Duration,
}

impl View {
    fn new(role: Role, name: &str) -> Arc<Self> {
        Arc::new(Self {
            role,
            name: name.to_owned(),
            started_us: now_us(),
            metrics: Metrics::new(role, name),
            latest: Mutex::default(),
        })
    }

    /// Which role it shows.
    pub fn role(&self) -> Role {
        self.role
    }

    /// What the pipeline is doing.
    pub fn current_state(&self) -> State {
        self.latest().state.clone()
    }

    /// Everything at this moment.
    pub fn status(&self) -> Status {
        let latest = self.latest();
        Status {
            role: match self.role {
                Role::Source => "source".to_owned(),
                Role::Sink => "sink".to_owned(),
            },
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: latest.state.word().to_owned(),
            reason: latest.state.reason().map(str::to_owned),
            started_at: rfc3339(self.started_us),
            cut: latest.cut.map(|c| c.id.to_string()),
            position: latest.position.clone(),
            committed_at: latest.committed_us.map(rfc3339),
            lag_seconds: latest.lag().map(|l| l.as_secs_f64()),
            rows: self.metrics.rows.get(),
            bytes: self.metrics.bytes.get(),
            cuts: self.metrics.cuts.get(),
            conflicts: self.metrics.conflicts.get(),
            rows_per_second: latest.rows.per_second(),
            buffered_bytes: self.metrics.buffered_bytes.get(),
            snapshot: latest.snapshot_status(),
            memory: Memory::now(),
            last_error: latest.error.clone(),
            set_aside: latest.set_aside.clone(),
            consistency: latest.consistency.map(str::to_owned),
            partitions: latest.partitions.clone(),
        }
    }

    /// All metrics in OpenMetrics text.
    pub fn metrics_text(&self) -> String {
        let (state, lag) = {
            let latest = self.latest();
            (latest.state.clone(), latest.lag())
        };
        self.metrics.set_momentary(&state, lag.map(|l| l.as_secs_f64()), Memory::now());
        self.metrics.text()
    }

    /// Takes a sample for the rates; called once a second.
    pub(super) fn tick(&self) {
        let now = Instant::now();
        let mut latest = self.latest();
        latest.rows.sample(now, self.metrics.rows.get());
        let read = latest.snapshot.as_ref().map(|s| s.rows);
        if let Some(read) = read {
            latest.snapshot_rows.sample(now, read);
        }
    }

    fn cut(&self, id: CutId, committed_us: i64) {
        self.metrics.cuts.inc();
        let idle = committed_us <= 0;
        let behind_us = if idle { 0 } else { now_us().saturating_sub(committed_us) };
        let lag = Duration::from_micros(u64::try_from(behind_us).unwrap_or(0));
        let mut latest = self.latest();
        latest.cut = Some(Passed { id, at: Instant::now(), lag });
        if !idle {
            latest.committed_us = Some(committed_us);
        }
    }

    fn state(&self, state: State) {
        let mut latest = self.latest();
        if latest.state != state {
            tracing::info!(name = self.name, "{state}");
            latest.state = state;
        }
    }

    fn error(&self, error: &Error) {
        let code = error.kind().code();
        self.metrics.error(code);
        let seen = LastError { at: rfc3339(now_us()), code: code.to_owned(), text: error.to_string() };
        self.latest().error = Some(seen);
    }

    fn snapshot(&self, progress: &SnapshotProgress) {
        let &SnapshotProgress { tables_done, tables_total, rows, rows_estimated, paused } = progress;
        self.metrics.snapshot_rows_are(rows);
        self.metrics.snapshot_rows_estimated.set(rows_estimated);
        self.metrics.snapshot_tables.set(tables_total);
        self.metrics.snapshot_tables_done.set(tables_done);
        let eta_seconds = None;
        let snapshot =
            SnapshotStatus { tables_done, tables_total, rows, rows_estimated, paused, eta_seconds };
        self.latest().snapshot = Some(snapshot);
    }

    /// A thread that panicked while it held the lock left plain values behind: they are used.
    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Latest {
    fn lag(&self) -> Option<Duration> {
        let cut = self.cut?;
        Some(cut.lag + cut.at.elapsed().saturating_sub(SILENCE))
    }

    fn snapshot_status(&self) -> Option<SnapshotStatus> {
        let mut snapshot = self.snapshot.clone()?;
        let rate = self.snapshot_rows.per_second();
        if snapshot.tables_done < snapshot.tables_total && rate > 0.0 {
            let left = snapshot.rows_estimated.saturating_sub(snapshot.rows);
            snapshot.eta_seconds = Some((left as f64 / rate).ceil() as u64);
        }
        Some(snapshot)
    }
}

macro_rules! common_reports {
    ($view:ident, $role:expr) => {
        impl $view {
            /// A view of a pipeline that has just started.
            pub fn new(name: &str) -> Arc<Self> {
                Arc::new(Self { view: View::new($role, name) })
            }

            /// What is shown.
            pub fn view(&self) -> &Arc<View> {
                &self.view
            }

            /// This many more row changes are through.
            pub fn rows(&self, count: u64) {
                self.view.metrics.rows.inc_by(count);
            }

            /// This many bytes of events are under way now.
            pub fn buffered(&self, bytes: u64) {
                self.view.metrics.buffered_bytes.set(bytes);
            }

            /// What the pipeline does from now on; a change is logged.
            pub fn state(&self, state: State) {
                self.view.state(state);
            }

            /// An error was met, whether or not it is mended by trying again.
            pub fn error(&self, error: &Error) {
                self.view.error(error);
            }
        }
    };
}

/// How far a snapshot is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotProgress {
    /// Tables read.
    pub tables_done: u64,
    /// Tables to read.
    pub tables_total: u64,
    /// Rows read.
    pub rows: u64,
    /// Rows to read, by the server's estimate.
    pub rows_estimated: u64,
    /// It was told to pause, and something is left to read.
    pub paused: bool,
}

/// A position as a person reads it.
fn position_text(position: &Position) -> String {
    match &position.gtids {
        Some(set) if set.is_empty() => "before the first transaction".to_owned(),
        Some(set) => set.to_string(),
        None => format!("{}:{}", position.file, position.pos),
    }
}

/// What a source reports.
#[derive(Debug)]
pub struct SourceView {
    view: Arc<View>,
}

/// What a sink reports.
#[derive(Debug)]
pub struct SinkView {
    view: Arc<View>,
}

common_reports!(SourceView, Role::Source);
common_reports!(SinkView, Role::Sink);

impl SourceView {
    /// A cut is in Kafka; committing it took this long.
    pub fn cut(&self, cut: &Cut, took: Duration) {
        let metrics = &self.view.metrics;
        metrics.bytes.inc_by(cut.bytes());
        metrics.transactions.inc_by(cut.transactions);
        metrics.commit_seconds.observe(took.as_secs_f64());
        self.view.cut(cut.id, cut.committed_us);
        self.view.latest().position = Some(position_text(&cut.position));
    }

    /// How far the snapshot is.
    pub fn snapshot(&self, progress: &SnapshotProgress) {
        self.view.snapshot(progress);
    }
}

impl SinkView {
    /// A batch of this many events is applied; that took this long.
    pub fn applied(&self, rows: u64, took: Duration) {
        self.rows(rows);
        self.view.metrics.commit_seconds.observe(took.as_secs_f64());
    }

    /// This many more rows had been changed on both sides.
    pub fn conflicts(&self, count: u64) {
        self.view.metrics.conflicts.inc_by(count);
    }

    /// This many more bytes of keys and values are applied.
    pub fn bytes(&self, count: u64) {
        self.view.metrics.bytes.inc_by(count);
    }

    /// This many more transactions of the source are applied.
    pub fn transactions(&self, count: u64) {
        self.view.metrics.transactions.inc_by(count);
    }

    /// The ledger stands at this cut; `committed_us` is when its last transaction was
    /// committed on the source, µs since 1970, or 0 where it has none.
    pub fn cut(&self, id: CutId, committed_us: i64) {
        self.view.cut(id, committed_us);
    }

    /// This cut brought nothing to apply, and the ledger need not move for it: a heartbeat.
    pub fn passed(&self, id: CutId, committed_us: i64) {
        self.view.cut(id, committed_us);
    }

    /// The keys in quarantine, by table.
    pub fn set_aside(&self, tables: Vec<SetAside>) {
        self.view.metrics.set_aside(&tables);
        self.view.latest().set_aside = tables;
    }

    /// Whether keys in quarantine are shown.
    pub fn is_set_aside(&self) -> bool {
        !self.view.latest().set_aside.is_empty()
    }

    /// This sink shares its topics with others of its name: `consistency = "key"`.
    pub fn by_key(&self) {
        self.view.latest().consistency = Some("key");
    }

    /// The partitions that are this sink's.
    pub fn partitions(&self, partitions: Vec<String>) {
        self.view.metrics.partitions.set(partitions.len() as u64);
        self.view.latest().partitions = partitions;
    }

    /// The source's position after the last cut applied, as a person reads it.
    pub fn position(&self, text: impl Into<String>) {
        self.view.latest().position = Some(text.into());
    }
}

#[cfg(test)]
mod tests;
