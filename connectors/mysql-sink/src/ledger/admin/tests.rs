use super::*;

const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

fn cut(sequence: u64) -> CutId {
    CutId { incarnation: 1, sequence }
}

fn mark(sequence: u64) -> Mark {
    Mark { cut: Some(cut(sequence)), cuts_offset: 9, snapshot_complete: true, ..Mark::default() }
}

fn gtids(numbers: &str) -> GtidSet {
    format!("{UUID}:{numbers}").parse().unwrap()
}

fn ledger() -> Ledger {
    Ledger { database: "cdc".into(), name: "crm".into() }
}

#[test]
fn a_beginning_converges_until_the_first_cut_that_has_all_of_the_backup() {
    let backup = Backup { gtids: gtids("1-7"), until: cut(5) };
    let fresh = Progress::default();
    let begun = Target::of(&ledger(), &fresh, &Move::Begin(mark(3), backup.clone())).unwrap();
    assert_eq!((begun.mark, begun.high_water, begun.backup), (mark(3), Some(cut(5)), Some(backup.clone())));
    let exact = Backup { until: cut(3), ..backup };
    let begun = Target::of(&ledger(), &fresh, &Move::Begin(mark(3), exact.clone())).unwrap();
    assert_eq!((begun.high_water, begun.backup), (Some(cut(3)), None));
    // While the snapshot goes on, it is still needed.
    let early = Mark { snapshot_complete: false, ..mark(3) };
    let begun = Target::of(&ledger(), &fresh, &Move::Begin(early, exact.clone())).unwrap();
    assert_eq!(begun.backup, Some(exact));
}

#[test]
fn a_ledger_with_a_position_begins_at_no_backup() {
    let backup = Backup { gtids: gtids("1-7"), until: cut(5) };
    for progress in [
        Progress { cut: Some(cut(1)), ..Progress::default() },
        Progress { high_water: Some(cut(1)), ..Progress::default() },
    ] {
        let refused = Target::of(&ledger(), &progress, &Move::Begin(mark(3), backup.clone()));
        assert_eq!(refused.err().unwrap().kind(), Kind::LedgerMismatch);
    }
}

#[test]
fn a_replay_over_a_backup_leaves_out_what_was_applied_over_it_too() {
    let backup = Backup { gtids: gtids("1-7:9"), until: cut(5) };
    let from = Progress {
        cut: Some(cut(4)),
        high_water: Some(cut(5)),
        position: format!("{UUID}:1-8"),
        backup: Some(backup.clone()),
        ..Progress::default()
    };
    let back = Target::of(&ledger(), &from, &Move::To(mark(2))).unwrap();
    assert_eq!(back.backup, Some(Backup { gtids: gtids("1-9"), ..backup }));
    assert_eq!(back.high_water, Some(cut(5)));
    let past = Target::of(&ledger(), &from, &Move::To(mark(5))).unwrap();
    assert_eq!(past.backup, None);
    let unreadable = Progress { position: "binlog.000001:4".into(), ..from };
    assert!(Target::of(&ledger(), &unreadable, &Move::To(mark(2))).is_err(), "never guessed at");
}

#[test]
fn a_ledger_that_forgets_is_as_if_the_sink_had_never_run() {
    let from = Progress { cut: Some(cut(4)), high_water: Some(cut(9)), ..Progress::default() };
    let target = Target::of(&ledger(), &from, &Move::Forget).unwrap();
    let sql = statements(&ledger(), &from, &target, "it's a test");
    assert!(
        sql[0].contains("epoch = epoch + 1, incarnation = NULL, sequence = NULL, high_incarnation = NULL"),
        "{}",
        sql[0]
    );
    assert!(sql.last().unwrap().contains("'1.4', 'before the first', '', 'it''s a test'"), "{sql:?}");
    assert!(sql.iter().any(|s| s.starts_with("DELETE FROM `cdc`.`ledger_backup`")), "{sql:?}");
}
