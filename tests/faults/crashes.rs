//! Source and sink are killed, stopped for a while, restarted, and die at chosen places
//! in the code, under a load that keeps several batches of the sink at work at once.

use std::time::Duration;

use super::fault::Fault::{self, Kill, KillBoth, KillTwice, Pause, Point, Restart};
use super::instance::Role::{Sink, Source};
use super::looks;
use super::stage::{self, Plan};
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

/// Where they may die in the code.
pub const POINTS: &[Fault] = &[
    Point(Source, "source.taken_over"),
    Point(Source, "source.chunk_sent"),
    Point(Source, "source.events_sent"),
    Point(Source, "source.cut_sent"),
    Point(Source, "source.cut_committed"),
    Point(Source, "source.inside_transaction"),
    Point(Sink, "sink.predecessors_ended"),
    Point(Sink, "sink.epoch_raised"),
    Point(Sink, "sink.table_made"),
    Point(Sink, "sink.rows_written"),
    Point(Sink, "sink.ledger_written"),
    Point(Sink, "sink.committed"),
    Point(Sink, "sink.inside_transaction"),
    Point(Sink, "sink.beside.rows_written"),
    Point(Sink, "sink.beside.committed"),
];

/// Cuts of whole transactions and batches of few of them, so that several are at work.
pub fn heavy() -> (String, String) {
    let source = "[limits]\ncut_bytes = 4194304\n".to_owned();
    (source, "[limits]\nmemory_bytes = 67108864\nwriters = 4\n".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes() {
    let plan = Plan {
        name: "crashes",
        faults: [FAULTS, POINTS].concat(),
        length: Duration::from_secs(10),
        pause_max: Duration::from_millis(1500),
        look_every: looks::PAUSE,
        instances: 1,
        proxied: false,
        own: Vec::new(),
        clocks: false,
        disks: Vec::new(),
        limits: heavy(),
        workload: Profile::LARGE,
    };
    stage::run(plan, kit::seed()).await;
}
