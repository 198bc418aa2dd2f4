//! Small tables; what must hold of them, and what a fault breaks.

use super::table::Change;
use super::{Plant, Snapshot, TRUE_STATE};
use crate::model::{breaks, ends, holds};

/// Every change of a table of so many keys.
fn all_changes(keys: u8) -> Vec<Change> {
    let pairs = (0..keys).flat_map(|a| (0..keys).filter(move |b| *b != a).map(move |b| (a, b)));
    let mut all = vec![Change::Truncate];
    all.extend((0..keys).flat_map(|key| [Change::Put(key), Change::Delete(key)]));
    all.extend(pairs.clone().map(|(a, b)| Change::Move(a, b)));
    all.extend(pairs.filter(|(a, b)| a < b).map(|(a, b)| Change::Both(a, b)));
    all
}

fn of(keys: u8, transactions: usize) -> Snapshot {
    Snapshot {
        plant: Plant::None,
        keys,
        changes: all_changes(keys),
        transactions,
        reconnects: 1,
        touched_max: 1,
        again: false,
    }
}

/// No run goes in a circle, though chunks are thrown away and read again.
#[test]
fn every_run_ends() {
    ends("small tables", &of(1, 2));
    ends("small tables", &Snapshot { touched_max: 0, ..of(2, 1) });
}

/// One key, three transactions that insert, update, delete and truncate.
#[test]
fn one_row_under_many_writes() {
    assert!(holds("one row", Snapshot { reconnects: 0, ..of(1, 3) }) > 100_000);
}

/// Two keys and whatever two transactions do to them.
#[test]
fn rows_that_move_between_chunks() {
    assert!(holds("two rows", Snapshot { reconnects: 0, ..of(2, 2) }) > 100_000);
}

/// A table that the consumer has stays equal to the source all the time.
#[test]
fn a_table_read_once_more() {
    let changes =
        vec![Change::Put(0), Change::Delete(0), Change::Delete(1), Change::Move(0, 1), Change::Move(1, 0)];
    assert!(holds("once more", Snapshot { again: true, reconnects: 0, changes, ..of(2, 2) }) > 10_000);
}

#[ignore = "minutes: make soak"]
#[test]
fn soak_of_larger_tables() {
    holds("one row, long", of(1, 4));
    holds("two rows, long", of(2, 2));
    holds("once more, long", Snapshot { again: true, ..of(2, 2) });
    holds("three rows, long", Snapshot { reconnects: 0, ..of(3, 2) });
}

/// What must go wrong, and does.
#[test]
fn a_planted_fault_is_found() {
    for plant in [
        Plant::NoWait,
        Plant::HighIsExecuted,
        Plant::LowIsLogEnd,
        Plant::Swapped,
        Plant::TouchedStay,
        Plant::WatchedLate,
        Plant::HandedOutAtOnce,
        Plant::AlteredStays,
    ] {
        breaks(&format!("{plant:?}"), Snapshot { plant, reconnects: 0, ..of(1, 1) }, TRUE_STATE);
    }
}
