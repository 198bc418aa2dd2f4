//! What is to be applied; what must hold of it, and what a fault breaks.

use super::destination::{KEYS, Rows, Statement};
use super::{Apply, DONE, ONCE, Plant, SETTLED, TRUE_STATE};
use crate::model::{breaks, ends, holds};

fn of(first: Rows, batches: &[&[Statement]], faults: u8) -> Apply {
    let batches = batches.iter().map(|batch| batch.to_vec()).collect();
    Apply { plant: Plant::None, first, batches, faults }
}

use Statement::{Delete, Put, PutBeside, Truncate};

const EMPTY: Rows = [None; KEYS];
/// A row with unique value 0, of before the first batch.
const ONE_ROW: Rows = [Some((0, u8::MAX)), None, None, None];

/// A unique value is freed by one batch and taken by the next.
fn unique_value_moves(faults: u8) -> Apply {
    of(ONE_ROW, &[&[Delete(0)], &[Put(1, 0)], &[Put(2, 1)]], faults)
}

/// Two batches take the same two locks the other way round.
fn locks_cross(faults: u8) -> Apply {
    let (up, down) = ([PutBeside(0, 0, 0), PutBeside(1, 1, 1)], [PutBeside(2, 2, 1), PutBeside(3, 3, 0)]);
    of(EMPTY, &[&up, &down, &[Delete(0)]], faults)
}

/// A row is made, deleted, and its unique value taken by another.
fn same_key(faults: u8) -> Apply {
    of(EMPTY, &[&[Put(0, 0)], &[Delete(0)], &[Put(1, 0)]], faults)
}

/// TRUNCATE between two batches.
fn truncate(faults: u8) -> Apply {
    of(EMPTY, &[&[Put(0, 0)], &[Truncate], &[Put(0, 1)]], faults)
}

fn check(what: &str, model: Apply) -> usize {
    ends(what, &model);
    holds(what, model)
}

#[test]
fn a_unique_value_moves_between_batches() {
    assert!(check("unique value", unique_value_moves(2)) > 10_000);
}

#[test]
fn locks_are_taken_the_other_way_round() {
    assert!(check("crossed locks", locks_cross(2)) > 10_000);
}

#[test]
fn a_row_is_made_and_deleted() {
    assert!(check("same key", same_key(3)) > 10_000);
}

#[test]
fn a_table_is_truncated_between_batches() {
    assert!(check("truncate", truncate(3)) > 10_000);
}

#[ignore = "minutes: make soak"]
#[test]
fn soak_of_more_faults() {
    for (what, model) in [
        ("unique value", unique_value_moves as fn(u8) -> Apply),
        ("crossed locks", locks_cross),
        ("same key", same_key),
        ("truncate", truncate),
    ] {
        check(what, model(4));
    }
}

/// What must go wrong, and does.
#[test]
fn a_planted_fault_is_found() {
    for (plant, model, property) in [
        (Plant::LedgerApart, same_key as fn(u8) -> Apply, TRUE_STATE),
        (Plant::NoEpoch, same_key, SETTLED),
        (Plant::NoCompare, same_key, ONCE),
        (Plant::NoCompare, same_key, TRUE_STATE),
        (Plant::ReadUnlocked, same_key, SETTLED),
        (Plant::NoKill, truncate, TRUE_STATE),
        (Plant::OutOfOrder, unique_value_moves, TRUE_STATE),
        (Plant::NoTimeOut, locks_cross, DONE),
        (Plant::OverlapAllowed, same_key, TRUE_STATE),
    ] {
        breaks(&format!("{plant:?}"), Apply { plant, ..model(2) }, property);
    }
}
