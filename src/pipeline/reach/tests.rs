use cdc_sdk::{Cut, Position};

use super::*;

const SERVER: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

fn gtids(intervals: &str) -> GtidSet {
    format!("{SERVER}:{intervals}").parse().unwrap()
}

fn id(sequence: u64) -> CutId {
    CutId { incarnation: 0, sequence }
}

/// A cut as it is stored, with the whole set or with what is new.
fn stored(sequence: u64, full: Option<&str>, delta: Option<&str>) -> (i64, StoredCut) {
    let cut = Cut {
        id: id(sequence),
        kind: CutKind::Complete,
        alone: false,
        snapshot_complete: true,
        position: Position {
            file: "binlog.000001".into(),
            pos: 100 + sequence,
            gtids: full.map(gtids),
            ..Position::default()
        },
        committed_us: 0,
        written_us: 0,
        transactions: 1,
        touched: vec![],
        previous_ends: vec![],
        map_slice: vec![],
    };
    (i64::try_from(2 * sequence).unwrap(), StoredCut { cut, gtid_delta: delta.map(gtids) })
}

fn ledger(sequence: u64, position: &str) -> Progress {
    Progress { cut: Some(id(sequence)), position: position.into(), ..Progress::default() }
}

#[test]
fn the_ledgers_cut_is_known_by_number_and_position() {
    let there = [stored(1, Some("1-5"), None), stored(2, None, Some("6")), stored(3, None, Some("7-8"))];
    let found = |progress: Progress| another_cut(&progress, progress.cut.unwrap(), &there);
    assert_eq!(found(ledger(3, &gtids("1-8").to_string())), None);
    assert_eq!(found(ledger(9, &gtids("1-8").to_string())).unwrap(), "cut 0.3 at offset 6");
    let same_number = found(ledger(3, &gtids("1-7").to_string())).unwrap();
    assert!(same_number.starts_with("another cut 0.3 at offset 6"), "{same_number}");
    assert_eq!(another_cut(&ledger(3, ""), id(3), &[]).unwrap(), "none");
}

#[test]
fn positions_that_cannot_be_compared_do_not_count() {
    let progress = ledger(3, &gtids("1-8").to_string());
    let far_from_a_whole_set = [stored(2, None, Some("20")), stored(3, None, Some("21"))];
    assert_eq!(another_cut(&progress, id(3), &far_from_a_whole_set), None);
    let by_file = [stored(3, None, None)];
    assert_eq!(another_cut(&progress, id(3), &by_file), None);
    assert_eq!(another_cut(&ledger(3, "binlog.000001:103"), id(3), &by_file), None);
    assert!(another_cut(&ledger(3, "binlog.000001:104"), id(3), &by_file).is_some());
}
