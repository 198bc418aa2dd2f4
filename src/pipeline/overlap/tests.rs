use cdc_sdk::column::{Column, ColumnType, Extra, Width};
use cdc_sdk::cut::CutKind;
use cdc_sdk::{CutId, GtidSet, Key, KeyKind, Position, TableName};

use super::*;

const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

fn gtids(numbers: &str) -> GtidSet {
    format!("{UUID}:{numbers}").parse().unwrap()
}

fn table(keyed: bool) -> Table {
    let on = cdc_sdk::table::KeyOn::Column(0);
    let part = cdc_sdk::table::KeyPart { on, prefix: None, descending: false };
    let key = Key::new(KeyKind::Primary, "PRIMARY", vec![part]);
    let column = Column {
        name: "a".into(),
        ty: ColumnType::Integer { width: Width::Int, unsigned: false },
        nullable: false,
        charset: None,
        collation: None,
        extra: Extra::default(),
    };
    Table {
        version: Table::VERSION,
        chosen_key: None,
        name: TableName::new("d", "t"),
        columns: vec![column],
        keys: if keyed { vec![key] } else { vec![] },
        collation: None,
        comment: String::new(),
    }
}

fn cut(sequence: u64, numbers: &str, snapshot_complete: bool) -> Cut {
    Cut {
        id: CutId { incarnation: 1, sequence },
        kind: CutKind::Complete,
        alone: false,
        snapshot_complete,
        position: Position { gtids: Some(gtids(numbers)), ..Position::default() },
        committed_us: 0,
        written_us: 0,
        transactions: 1,
        touched: vec![],
        previous_ends: vec![],
        map_slice: vec![],
    }
}

fn overlap() -> Overlap {
    Overlap::new(Some(Backup { gtids: gtids("1-5:7"), until: CutId { incarnation: 1, sequence: 4 } }))
}

fn gtid(number: u64) -> String {
    format!("{UUID}:{number}")
}

#[test]
fn changes_without_a_key_are_told_apart_by_their_transaction() {
    let mut overlap = overlap();
    overlap.begin(&cut(3, "1-7", true));
    for (number, wanted) in [(5, true), (6, false), (7, true)] {
        for op in [Op::Create, Op::Delete, Op::Truncate] {
            assert_eq!(
                overlap.has(&table(false), op, || Ok(Some(gtid(number)))).unwrap(),
                wanted,
                "{number}"
            );
        }
        assert!(
            !overlap.has(&table(true), Op::Create, || Ok(Some(gtid(number)))).unwrap(),
            "keys are written again"
        );
    }
    assert!(overlap.has(&table(false), Op::Create, || Ok(Some("?".to_owned()))).is_err(), "never guessed at");
}

#[test]
fn past_the_backup_nothing_is_left_out() {
    let mut overlap = overlap();
    overlap.begin(&cut(4, "1-8", true));
    assert!(overlap.has(&table(false), Op::Create, || Ok(Some(gtid(7)))).unwrap());
    overlap.begin(&cut(5, "1-9", true));
    assert!(!overlap.has(&table(false), Op::Read, || Ok(None)).unwrap());
}

#[test]
fn what_a_snapshot_read_is_in_the_backup_or_nobody_knows() {
    let mut overlap = overlap();
    overlap.begin(&cut(2, "1-5", false));
    assert!(overlap.has(&table(false), Op::Read, || Ok(None)).unwrap());
    for sequence in [4, 5] {
        overlap.begin(&cut(sequence, "1-9", false));
        let unknown = overlap.has(&table(false), Op::Read, || Ok(Some(gtid(7)))).unwrap_err();
        assert_eq!(unknown.kind(), Kind::Divergence);
        assert!(!overlap.has(&table(true), Op::Read, || Ok(None)).unwrap());
    }
}
