//! Every metric, named once, with its help and unit.
//!
//! Names follow Prometheus' conventions: `cdc_<role>_<what>_<unit>`, `_total` for
//! what only grows. The encoder adds unit and `_total`; the names below are
//! written without them.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::memory::Memory;
use super::state::State;
use super::status::SetAside;
use crate::config::Role;

/// A gauge of a fraction.
type Fraction = Gauge<f64, AtomicU64>;

/// A gauge of a count.
type Count = Gauge<u64, AtomicU64>;

/// One label with its value.
type Label = [(&'static str, &'static str); 1];

/// The label of a table.
type OfTable = [(&'static str, String); 1];

/// The metrics of one pipeline.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    pub(super) rows: Counter,
    pub(super) bytes: Counter,
    pub(super) cuts: Counter,
    pub(super) transactions: Counter,
    /// Of a sink: rows that had been changed on both sides.
    pub(super) conflicts: Counter,
    /// How long a cut takes to commit: in Kafka (source), on the destination (sink).
    pub(super) commit_seconds: Histogram,
    pub(super) lag_seconds: Fraction,
    pub(super) buffered_bytes: Count,
    pub(super) snapshot_rows: Counter,
    pub(super) snapshot_rows_estimated: Count,
    pub(super) snapshot_tables: Count,
    pub(super) snapshot_tables_done: Count,
    errors: Family<Label, Counter>,
    state: Family<Label, Gauge>,
    /// Of a sink by key: its partitions.
    pub(super) partitions: Count,
    keys_set_aside: Family<OfTable, Count>,
    dead_letters: Family<OfTable, Count>,
    resident_bytes: Count,
    peak_bytes: Count,
}

/// Names and help of what both roles count, by role.
struct Names {
    rows: (&'static str, &'static str),
    bytes: (&'static str, &'static str),
    cuts: (&'static str, &'static str),
    transactions: (&'static str, &'static str),
    commit: (&'static str, &'static str),
    lag: (&'static str, &'static str),
    buffered: (&'static str, &'static str),
    errors: (&'static str, &'static str),
    state: (&'static str, &'static str),
}

const SOURCE: Names = Names {
    rows: ("cdc_source_rows", "Row changes committed to Kafka, rows of snapshots included"),
    bytes: ("cdc_source", "Bytes of keys and values committed to Kafka, before compression"),
    cuts: ("cdc_source_cuts", "Cuts committed to Kafka, heartbeats included"),
    transactions: ("cdc_source_transactions", "Transactions of the source committed to Kafka"),
    commit: ("cdc_source_commit_duration", "Time to commit a cut to Kafka"),
    lag: ("cdc_source_lag", "Age of the last commit of the source that is in Kafka; 0 when idle"),
    buffered: ("cdc_source_buffered", "Bytes of events that are read and not yet in Kafka"),
    errors: ("cdc_source_errors", "Errors, those included that were mended by trying again"),
    state: ("cdc_source_state", "1 for what the source is doing, 0 for what it is not"),
};

const SINK: Names = Names {
    rows: ("cdc_sink_rows", "Events applied to the destination"),
    bytes: ("cdc_sink", "Bytes of keys and values applied to the destination"),
    cuts: ("cdc_sink_cuts", "Cuts applied to the destination"),
    transactions: ("cdc_sink_transactions", "Transactions of the source applied to the destination"),
    commit: ("cdc_sink_apply_duration", "Time to apply and commit a batch on the destination"),
    lag: ("cdc_sink_lag", "Age of the last commit of the source that is on the destination; 0 when idle"),
    buffered: ("cdc_sink_buffered", "Bytes of events that are fetched and not yet applied"),
    errors: ("cdc_sink_errors", "Errors, those included that were mended by trying again"),
    state: ("cdc_sink_state", "1 for what the sink is doing, 0 for what it is not"),
};

impl Metrics {
    /// All at zero, each with the pipeline's name as a label.
    pub(super) fn new(role: Role, name: &str) -> Self {
        let names = match role {
            Role::Source => &SOURCE,
            Role::Sink => &SINK,
        };
        let mut metrics = Self {
            registry: Registry::with_labels([("name".into(), name.to_owned().into())].into_iter()),
            rows: Counter::default(),
            bytes: Counter::default(),
            cuts: Counter::default(),
            transactions: Counter::default(),
            conflicts: Counter::default(),
            // 1 ms to 32 s, each step twice the one before.
            commit_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
            lag_seconds: Fraction::default(),
            buffered_bytes: Count::default(),
            snapshot_rows: Counter::default(),
            snapshot_rows_estimated: Count::default(),
            snapshot_tables: Count::default(),
            snapshot_tables_done: Count::default(),
            errors: Family::default(),
            state: Family::default(),
            partitions: Count::default(),
            keys_set_aside: Family::default(),
            dead_letters: Family::default(),
            resident_bytes: Count::default(),
            peak_bytes: Count::default(),
        };
        metrics.register_flow(names);
        if Memory::now().is_some() {
            metrics.register_process();
        }
        match role {
            Role::Source => metrics.register_snapshot(),
            Role::Sink => {
                metrics.registry.register(
                    "cdc_sink_conflicts",
                    "Rows that had been changed on both sides",
                    metrics.conflicts.clone(),
                );
                metrics.registry.register(
                    "cdc_sink_partitions",
                    "Partitions that are this sink's where several share the topics (consistency = key)",
                    metrics.partitions.clone(),
                );
                metrics.register_dead_letters();
            }
        }
        metrics
    }

    fn register_flow(&mut self, names: &Names) {
        let r = &mut self.registry;
        r.register(names.rows.0, names.rows.1, self.rows.clone());
        r.register_with_unit(names.bytes.0, names.bytes.1, Unit::Bytes, self.bytes.clone());
        r.register(names.cuts.0, names.cuts.1, self.cuts.clone());
        r.register(names.transactions.0, names.transactions.1, self.transactions.clone());
        r.register_with_unit(names.commit.0, names.commit.1, Unit::Seconds, self.commit_seconds.clone());
        r.register_with_unit(names.lag.0, names.lag.1, Unit::Seconds, self.lag_seconds.clone());
        r.register_with_unit(names.buffered.0, names.buffered.1, Unit::Bytes, self.buffered_bytes.clone());
        r.register(names.errors.0, names.errors.1, self.errors.clone());
        r.register(names.state.0, names.state.1, self.state.clone());
    }

    fn register_snapshot(&mut self) {
        let r = &mut self.registry;
        r.register("cdc_snapshot_rows", "Rows read by the snapshot", self.snapshot_rows.clone());
        r.register(
            "cdc_snapshot_rows_estimated",
            "Rows that the snapshot will read, by the server's estimate",
            self.snapshot_rows_estimated.clone(),
        );
        r.register("cdc_snapshot_tables", "Tables that the snapshot reads", self.snapshot_tables.clone());
        r.register(
            "cdc_snapshot_tables_done",
            "Tables that the snapshot has read",
            self.snapshot_tables_done.clone(),
        );
    }

    fn register_dead_letters(&mut self) {
        let r = &mut self.registry;
        r.register(
            "cdc_sink_quarantined_keys",
            "Keys in quarantine, by table of the source: it is no past state of the source while there are any",
            self.keys_set_aside.clone(),
        );
        r.register(
            "cdc_sink_dead_letters",
            "Dead letters of keys in quarantine, by table of the source",
            self.dead_letters.clone(),
        );
    }

    /// Named as all programs that Prometheus watches name these.
    fn register_process(&mut self) {
        let r = &mut self.registry;
        r.register_with_unit(
            "process_resident_memory",
            "Memory of the process that is resident",
            Unit::Bytes,
            self.resident_bytes.clone(),
        );
        r.register_with_unit(
            "process_peak_resident_memory",
            "The most memory of the process that was ever resident",
            Unit::Bytes,
            self.peak_bytes.clone(),
        );
    }

    /// Counts an error by its code.
    pub(super) fn error(&self, code: &'static str) {
        self.errors.get_or_create(&[("code", code)]).inc();
    }

    /// Sets the keys in quarantine; a table without any has no series.
    pub(super) fn set_aside(&self, tables: &[SetAside]) {
        self.keys_set_aside.clear();
        self.dead_letters.clear();
        for table in tables {
            let label = [("table", table.table.clone())];
            self.keys_set_aside.get_or_create(&label).set(table.keys);
            self.dead_letters.get_or_create(&label).set(table.letters);
        }
    }

    /// Raises the count of rows of the snapshot to this many.
    pub(super) fn snapshot_rows_are(&self, rows: u64) {
        self.snapshot_rows.inner().fetch_max(rows, Ordering::Relaxed);
    }

    /// Sets what only matters when someone looks.
    pub(super) fn set_momentary(&self, state: &State, lag_seconds: Option<f64>, memory: Option<Memory>) {
        for word in State::WORDS {
            self.state.get_or_create(&[("state", word)]).set(i64::from(*word == state.word()));
        }
        self.lag_seconds.set(lag_seconds.unwrap_or(f64::NAN));
        if let Some(memory) = memory {
            self.resident_bytes.set(memory.resident_bytes);
            self.peak_bytes.set(memory.peak_bytes);
        }
    }

    /// OpenMetrics text; nothing if it cannot be written, which a text in memory always can.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(std::fmt::Error) => String::new(),
        }
    }
}
