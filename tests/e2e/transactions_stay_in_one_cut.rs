//! A cut is full between two transactions, not inside of one: a sink applies cuts that end inside of one by themselves,
//! one after the other, and writes several batches at once of the others only.

use cdc_sdk::cut::CutKind;

use crate::kit::{Options, World};

const TRANSACTIONS: u32 = 600;
const CUT_BYTES: u64 = 64 << 10;

#[tokio::test(flavor = "multi_thread")]
async fn transactions_stay_in_one_cut() {
    let limits = format!("[limits]\ncut_bytes = {CUT_BYTES}\ncut_interval_ms = 1000\n");
    let world = World::with("wholecuts", &Options { source: limits, ..Options::default() }).await;
    world.source_sql("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v CHAR(100))").await;
    world.catch_up();
    // About 3 KiB each, as events: far less than an eighth of a cut.
    let rows = vec!["('of some length')"; 20].join(",");
    let one = format!("INSERT INTO t (v) VALUES {rows}");
    world.source_sql(&vec![one; TRANSACTIONS as usize].join(";\n")).await;
    let before = world.cuts().len();
    world.catch_up();
    let written = world.cuts().split_off(before);
    let written: Vec<(CutKind, u64)> = written.iter().map(|cut| (cut.kind, cut.bytes())).collect();
    let full = written.iter().filter(|(_, bytes)| *bytes >= CUT_BYTES / 2).count();
    assert!(full >= 10, "the backlog is to fill several cuts: {written:?}");
    assert!(written.iter().all(|(kind, _)| *kind == CutKind::Complete), "{written:?}");
    assert!(written.iter().all(|(_, bytes)| *bytes <= CUT_BYTES), "{written:?}");
    world.assert_equal().await;
    world.end().await;
}
