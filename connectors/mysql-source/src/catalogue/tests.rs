use std::sync::Arc;

use cdc_sdk::column::{Extra, Width};
use cdc_sdk::table::{Key, KeyKind, KeyOn, KeyPart};
use cdc_sdk::{Column, ColumnType, Table, TableName};

use super::merge::{merged, younger_keys};
use super::read::default_sql;
use crate::binlog::Met;

fn column(name: &str) -> Column {
    Column {
        name: name.into(),
        ty: ColumnType::Integer { width: Width::Int, unsigned: false },
        nullable: false,
        charset: None,
        collation: None,
        extra: Extra::default(),
    }
}

fn key(kind: KeyKind, name: &str, columns: &[usize]) -> Key {
    let parts = columns.iter().map(|&c| KeyPart { on: KeyOn::Column(c), prefix: None, descending: false });
    Key::new(kind, name, parts.collect())
}

fn table(columns: &[&str], keys: Vec<Key>) -> Table {
    Table {
        version: Table::VERSION,
        chosen_key: None,
        name: TableName::new("shop", "orders"),
        columns: columns.iter().map(|c| column(c)).collect(),
        keys,
        collation: None,
        comment: String::new(),
    }
}

#[test]
fn where_both_agree_the_catalogue_is_taken_whole() {
    let map = table(&["a", "b"], vec![key(KeyKind::Primary, "PRIMARY", &[0])]);
    let mut known = map.clone();
    known.keys.push(key(KeyKind::Unique, "uq", &[1]));
    known.columns[1].extra.default = Some("5".into());
    known.comment = "all orders".into();
    assert_eq!(merged(map, known.clone()), known);
}

#[test]
fn where_they_differ_the_columns_of_the_binlog_stand() {
    let map = table(&["a", "b"], vec![key(KeyKind::Primary, "PRIMARY", &[0])]);
    let mut known = table(
        &["new", "b", "a"],
        vec![
            key(KeyKind::Primary, "PRIMARY", &[2]),
            key(KeyKind::Unique, "uq", &[1]),
            key(KeyKind::Index, "k", &[0]),
        ],
    );
    known.columns[2].extra.comment = "its number".into();
    let both = merged(map.clone(), known);
    assert_eq!(both.columns[0].extra.comment, "its number");
    assert_eq!(both.columns[1], map.columns[1]);
    assert_eq!(both.keys, [map.keys[0].clone(), key(KeyKind::Unique, "uq", &[1])]);
}

#[test]
fn a_primary_key_that_moved_since_is_not_taken_over() {
    let map = table(&["a", "b"], vec![key(KeyKind::Primary, "PRIMARY", &[0])]);
    let known = table(&["a", "b"], vec![key(KeyKind::Primary, "PRIMARY", &[1])]);
    assert_eq!(merged(map.clone(), known), map);
}

#[test]
fn defaults_become_sql() {
    let int = ColumnType::Integer { width: Width::Int, unsigned: false };
    let text = ColumnType::Varchar { length: 10 };
    assert_eq!(default_sql(&int, "5", ""), "5");
    assert_eq!(default_sql(&text, "it's \\ x", ""), "'it''s \\\\ x'");
    assert_eq!(default_sql(&text, "concat(\\'a\\\\\\'b\\')", "DEFAULT_GENERATED"), "(concat('a\\'b'))");
    assert_eq!(default_sql(&ColumnType::Bit { bits: 5 }, "b'101'", ""), "b'101'");
    assert_eq!(default_sql(&ColumnType::Binary { length: 3 }, "0x61", ""), "0x61");
    let stamp = ColumnType::Timestamp { fsp: 3 };
    assert_eq!(default_sql(&stamp, "CURRENT_TIMESTAMP(3)", "DEFAULT_GENERATED"), "CURRENT_TIMESTAMP(3)");
    assert_eq!(default_sql(&ColumnType::Date, "2020-01-01", ""), "'2020-01-01'");
}

#[test]
fn a_unique_key_that_the_engine_takes_for_the_primary_stays_a_unique_key() {
    // So the binlog names it where a table has no primary key.
    let map = table(&["a", "b"], vec![key(KeyKind::Primary, "PRIMARY", &[1])]);
    let unique = vec![key(KeyKind::Unique, "own", &[1])];
    assert_eq!(merged(map.clone(), table(&["a", "b"], unique.clone())).keys, unique);
    let altered = merged(map, table(&["a", "b", "later"], unique.clone()));
    assert_eq!((altered.columns.len(), altered.keys), (2, unique));
}

#[test]
fn rows_that_no_key_told_apart_get_none_from_later() {
    let map = table(&["a", "b"], vec![]);
    let unique = key(KeyKind::Unique, "own", &[1]);
    assert_eq!(merged(map.clone(), table(&["a", "b"], vec![unique.clone()])), map);
    assert_eq!(merged(map.clone(), table(&["a", "b", "later"], vec![unique.clone()])).keys, []);
    // One that may have stood there then.
    let mut known = table(&["a", "b"], vec![unique.clone()]);
    known.columns[1].nullable = true;
    let mut map = map;
    map.columns[1].nullable = true;
    assert_eq!(merged(map, known).keys, [unique]);
}

#[test]
fn a_unique_key_that_nothing_told_before_may_be_younger_than_the_rows() {
    let keys = || {
        vec![
            key(KeyKind::Primary, "PRIMARY", &[0]),
            key(KeyKind::Unique, "u", &[1]),
            key(KeyKind::Index, "i", &[1]),
        ]
    };
    let shown = table(&["id", "a"], keys());
    let logged = table(&["id", "a"], vec![key(KeyKind::Primary, "PRIMARY", &[0])]);
    let met = |before: Option<Table>| Met { before: before.map(Arc::new), ..Met::default() };
    assert_eq!(younger_keys(&shown, &logged, &met(None)), ["u"]);
    assert_eq!(younger_keys(&shown, &logged, &met(Some(logged.clone()))), ["u"]);
    // It had it, maybe at another place and by another name.
    let before = table(&["a", "id"], vec![key(KeyKind::Unique, "v", &[0])]);
    assert!(younger_keys(&shown, &logged, &met(Some(before))).is_empty());
    // Of a table without a primary key the log tells the unique key that the engine takes.
    let logged = table(&["id", "a"], vec![key(KeyKind::Primary, "PRIMARY", &[1])]);
    assert!(younger_keys(&shown, &logged, &met(None)).is_empty());
}

#[test]
fn what_the_binlog_does_not_tell_of_the_primary_key_is_kept() {
    let map = table(&["a", "b"], vec![key(KeyKind::Primary, "PRIMARY", &[1])]);
    let mut known = table(&["a", "later", "b"], vec![key(KeyKind::Primary, "PRIMARY", &[2])]);
    known.keys[0].parts[0].descending = true;
    let primary = &merged(map, known).keys[0];
    assert!(primary.parts[0].descending);
    assert_eq!(primary.columns(), Some(vec![1]));
}

#[test]
fn members_that_the_catalogue_cannot_show_are_the_binlogs() {
    let of = |member: &str| {
        let mut table = table(&["a"], vec![]);
        table.columns[0].ty = ColumnType::Enum { members: vec![member.into()] };
        table
    };
    assert_eq!(merged(of("x\u{1d538}"), of("x?")), of("x\u{1d538}"));
}
