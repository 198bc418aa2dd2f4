//! Source and sink are killed, stopped for a while, restarted, and die at chosen places
//! in the code, under a load that keeps several batches of the sink at work at once.

use cdc::config::GroupProtocol;

use super::fault::Fault::{self, Kill, KillBoth, KillTwice, Pause, Point, Restart};
use super::instance::Role::{Sink, Source};
use super::plan::Plan;
use super::stage;
use super::workload::Profile;
use crate::kit;

/// What may happen to processes.
pub const FAULTS: &[Fault] = &[
    Kill(Source),
    Kill(Sink),
    KillBoth,
    KillTwice(Source),
    KillTwice(Sink),
    Pause(Source),
    Pause(Sink),
    Restart(Source),
    Restart(Sink),
];

/// Where a source may die in the code.
pub const SOURCE_POINTS: &[Fault] = &[
    Point(Source, "source.taken_over"),
    Point(Source, "source.events_sent"),
    Point(Source, "source.cut_sent"),
    Point(Source, "source.cut_committed"),
    Point(Source, "source.inside_transaction"),
];

/// Where they may die during the first snapshot only.
pub const EARLY_POINTS: &[Fault] = &[Point(Source, "source.chunk_sent"), Point(Sink, "sink.table_made")];

/// Where a sink may die.
pub const SINK_POINTS: &[Fault] = &[
    Point(Sink, "sink.predecessors_ended"),
    Point(Sink, "sink.epoch_raised"),
    Point(Sink, "sink.rows_written"),
    Point(Sink, "sink.ledger_written"),
    Point(Sink, "sink.committed"),
    Point(Sink, "sink.inside_transaction"),
    Point(Sink, "sink.beside.rows_written"),
    Point(Sink, "sink.beside.committed"),
];

/// Where both may die inside of a transaction that is larger than a cut.
pub const LARGE_POINTS: &[Fault] =
    &[Point(Source, "source.inside_transaction"), Point(Sink, "sink.inside_transaction")];

/// Where a sink may die while it writes several batches at once.
pub const BESIDE_POINTS: &[Fault] =
    &[Point(Sink, "sink.beside.rows_written"), Point(Sink, "sink.beside.committed")];

/// Where a sink may die between what a table is changed by and the ledger.
pub const TABLE_POINTS: &[Fault] = &[Point(Sink, "sink.table_made"), Point(Sink, "sink.table_emptied")];

/// Where a source may die while it reads what it was asked to.
pub const SNAPSHOT_FAULTS: &[Fault] = &[
    Fault::SnapshotAsked,
    Fault::SnapshotAsked,
    Fault::SnapshotAsked,
    Point(Source, "source.chunk_sent"),
    Point(Source, "source.chunk_marked"),
];

/// Where one of several sinks may die that share the topics.
pub const BY_KEY_POINTS: &[Fault] = &[
    Point(Sink, "by_key.epochs_raised"),
    Point(Sink, "by_key.batch_begins"),
    Point(Sink, "by_key.rows_written"),
    Point(Sink, "by_key.committed"),
];

/// Cuts of whole transactions and batches of few of them, so that several are at work.
pub fn heavy() -> (String, String) {
    let source = "[limits]\ncut_bytes = 4194304\n".to_owned();
    (source, "[limits]\nmemory_bytes = 67108864\nwriters = 4\n".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes() {
    let plan = Plan {
        early: EARLY_POINTS.to_vec(),
        limits: heavy(),
        workload: Profile::LARGE,
        ..Plan::of("crashes", &[FAULTS, SOURCE_POINTS, SINK_POINTS].concat())
    };
    stage::run(plan, kit::seed()).await;
}

/// Tables are changed and emptied all the time.
#[tokio::test(flavor = "multi_thread")]
async fn crashes_between_table_and_ledger() {
    let plan = Plan {
        workload: Profile { column_every: 20, truncate_every: 10, ..Profile::MIXED },
        ..Plan::of("crashes_tables", &[TABLE_POINTS, TABLE_POINTS, &[Kill(Sink), Pause(Sink)]].concat())
    };
    stage::run(plan, kit::seed()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_during_snapshots_asked_for() {
    let plan = Plan {
        early: EARLY_POINTS.to_vec(),
        ..Plan::of("crashes_asked", &[SNAPSHOT_FAULTS, &[Kill(Source), Kill(Sink)]].concat())
    };
    stage::run(plan, kit::seed()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_by_key() {
    shared("crashesbykey", GroupProtocol::Classic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_by_key_kip_848() {
    shared("crashes848", GroupProtocol::Consumer).await;
}

/// Three sinks share the topics.
async fn shared(name: &'static str, protocol: GroupProtocol) {
    let plan = Plan {
        early: EARLY_POINTS.to_vec(),
        sinks: 3,
        by_key: Some(protocol),
        workload: Profile::BY_KEY,
        ..Plan::of(name, &[FAULTS, SOURCE_POINTS, BY_KEY_POINTS].concat())
    };
    stage::run(plan, kit::seed()).await;
}
