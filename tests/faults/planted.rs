//! The checkers find what they are for: each test here plants a bug (`cdc_sdk::fail`) in the
//! processes of a plan under which it does harm, and a checker must say so. That a process
//! ends by itself, or that nothing goes on, does not count. Without a bug the other tests of
//! faults run, which are the same but for what makes a bug show soon; and the same plans, in `make soak`.

use std::time::Duration;

use tokio::runtime::Handle;

use super::fault::Fault::{self, Kill, Point, Restart, StopsAt};
use super::instance::Role::{Sink, Source};
use super::plan::Plan;
use super::stage;
use super::workload::Profile;
use crate::kit;

/// Moments are random: so many runs may pass without the one that shows the bug.
const ATTEMPTS: u64 = 6;

/// What a checker says of a destination that is no state of the source, or goes back.
const NO_STATE: &str = "is not what";
const WENT_BACK: &str = "the destination went back";
const LEDGER_WENT_BACK: &str = "the ledger went back";
const LEDGER_STAYED: &str = "while the ledger stayed at cut";
const READ_OTHERWISE: &str = "the snapshot brought it";

/// Small rows and no large transactions: the first snapshot is soon through. Nothing but a checker is in the way of
/// rows that are written twice or in another order: the sink refuses neither for want of a row without a key, nor over
/// a unique key.
const QUICK: Profile = Profile { large_percent: 0, bulk_rows: 1000, ..Profile::BY_KEY };

fn plan(name: &'static str, plant: &'static str, faults: &[Fault], workload: Profile) -> Plan {
    let length = Duration::from_secs(4);
    Plan { length, plant: Some(plant), workload, ..Plan::of(name, faults) }
}

fn ledger_apart() -> Plan {
    let deaths = [Point(Sink, "sink.ledger_written"), Point(Sink, "sink.rows_written")];
    plan("apart", "sink.ledger_apart", &deaths, QUICK)
}

fn no_fencing() -> Plan {
    let plan = plan("nofencing", "sink.no_fencing", &[StopsAt(Sink, "sink.rows_written")], QUICK);
    Plan { sinks: 2, proxied: true, ..plan }
}

fn ordinals_ignored() -> Plan {
    plan("ordinals", "sink.begins_early,sink.ordinals_ignored", &[Restart(Sink), Kill(Sink)], QUICK)
}

/// The source sleeps for a while between a mark and its chunk, so that many transactions come between them.
fn marks_swapped() -> Plan {
    let asleep = StopsAt(Source, "source.chunk_marked");
    let plan = plan("marks", "source.marks_swapped", &[Restart(Sink)], Profile { wait_ms: 3, ..QUICK });
    Plan { early: vec![asleep; 3], ..plan }
}

/// Unique values are let go and taken, each in a transaction of its own: else the server is the one that refuses.
fn upserts_first() -> Plan {
    let workload = Profile { unique: true, swaps: false, ..QUICK };
    plan("upsertsfirst", "sink.upserts_first", &[Restart(Sink)], workload)
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_ledger_apart() {
    is_found(ledger_apart(), &[LEDGER_STAYED]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "one sink takes over from the other several times: `make soak`"]
async fn planted_no_fencing() {
    is_found(no_fencing(), &[NO_STATE, WENT_BACK, LEDGER_WENT_BACK, LEDGER_STAYED]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_ordinals_ignored() {
    is_found(ordinals_ignored(), &[NO_STATE, WENT_BACK]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it ends with a comparison of everything: `make soak`"]
async fn planted_marks_swapped() {
    is_found(marks_swapped(), &[NO_STATE, READ_OTHERWISE]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_upserts_first() {
    is_found(upserts_first(), &[NO_STATE]).await;
}

/// It is the bug that is found: without it each plan passes. And a reader that begins too early is no bug
/// by itself, since there are ordinals.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: `make soak`"]
async fn planted_nothing() {
    for plan in [ledger_apart(), no_fencing(), ordinals_ignored(), marks_swapped(), upserts_first()] {
        stage::run(Plan { plant: None, ..plan }, kit::seed()).await;
    }
    stage::run(Plan { plant: Some("sink.begins_early"), ..ordinals_ignored() }, kit::seed()).await;
}

/// Runs the plan until a checker says one of these.
async fn is_found(plan: Plan, sayings: &[&str]) {
    let name = plan.name;
    let begun = std::time::Instant::now();
    let mut others = Vec::new();
    for attempt in 0..ATTEMPTS {
        let (plan, runtime) = (plan.clone(), Handle::current());
        let seed = kit::seed().wrapping_add(attempt * 2);
        let run = move || runtime.block_on(stage::run(plan, seed));
        let ended = tokio::task::spawn_blocking(run).await;
        let said = ended.map_or_else(|failed| text(failed.into_panic()), |_| "nothing".to_owned());
        if sayings.iter().any(|saying| said.contains(saying)) {
            let seconds = begun.elapsed().as_secs_f32();
            return println!("{name} was found after {seconds:.1} s, in attempt {attempt}: {said}");
        }
        others.push(said);
    }
    panic!("{name}: no checker finds it; what was said is {others:#?}");
}

fn text(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().map_or_else(String::new, |text| (*text).to_owned()),
    }
}
