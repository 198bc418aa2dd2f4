use cdc_sdk::{ColumnType, Kind};

use super::draw;
use crate::binlog::event::metadata::{Charsets, Metadata};
use crate::binlog::event::table_map::{TableMap, WireColumn, WireType};
use crate::binlog::{Collation, Collations};

fn map(kinds: &[WireType], metadata: Metadata) -> TableMap {
    let columns = kinds.iter().map(|kind| WireColumn { kind: *kind, nullable: false }).collect();
    TableMap { name: cdc_sdk::TableName::new("shop", "orders"), columns, metadata }
}

fn collations() -> Collations {
    let collation =
        |name: &str, charset: &str, maxlen| Collation { name: name.into(), charset: charset.into(), maxlen };
    [(255, collation("utf8mb4_0900_ai_ci", "utf8mb4", 4)), (9999, collation("x", "klingon", 1))]
        .into_iter()
        .collect()
}

fn named(names: &[&str]) -> Metadata {
    Metadata { names: names.iter().map(|n| (*n).to_owned()).collect(), ..Metadata::default() }
}

#[test]
fn columns_without_names_are_refused_with_the_statement_that_mends_it() {
    let error = draw(&map(&[WireType::Date], Metadata::default()), &collations(), true).err().unwrap();
    assert_eq!(error.kind(), Kind::RowMismatch);
    assert!(error.hint_text().unwrap().contains("SET GLOBAL binlog_row_metadata = FULL"));
}

#[test]
fn what_cannot_be_read_is_named() {
    let vector = map(
        &[WireType::Varchar { bytes: 9 }],
        Metadata { charsets: Charsets::Each(vec![9999]), ..named(&["c"]) },
    );
    let error = draw(&vector, &collations(), true).err().unwrap();
    assert_eq!(error.kind(), Kind::TypeUnsupported);
    assert!(error.what().contains("column c of shop.orders") && error.what().contains("klingon"), "{error}");
    let old = map(&[WireType::OldTemporal { bytes: 8 }], named(&["c"]));
    assert_eq!(draw(&old, &collations(), true).err().unwrap().kind(), Kind::TypeUnsupported);
    let no_charset = map(&[WireType::Varchar { bytes: 9 }], named(&["c"]));
    assert_eq!(draw(&no_charset, &collations(), true).err().unwrap().kind(), Kind::BinlogCorrupt);
    let no_members = map(
        &[WireType::Enum { width: 1 }],
        Metadata { member_charsets: Charsets::Each(vec![255]), ..named(&["c"]) },
    );
    assert_eq!(draw(&no_members, &collations(), true).err().unwrap().kind(), Kind::BinlogCorrupt);
    let key = map(&[WireType::Date], Metadata { primary: vec![(1, 0)], ..named(&["c"]) });
    assert_eq!(draw(&key, &collations(), true).err().unwrap().kind(), Kind::BinlogCorrupt);
}

#[test]
fn a_vector_counts_as_text_for_the_character_sets() {
    let kinds = [WireType::Vector { prefix: 4 }, WireType::Char { bytes: 40 }, WireType::Char { bytes: 3 }];
    let metadata = Metadata {
        charsets: Charsets::Each(vec![63, 255, 63]),
        dimensions: vec![5],
        ..named(&["v", "c", "b"])
    };
    let drawn = draw(&map(&kinds, metadata), &collations(), true).ok().unwrap();
    let types: Vec<_> = drawn.table.columns.iter().map(|c| c.ty.clone()).collect();
    assert_eq!(
        types,
        [
            ColumnType::Vector { dimension: 5 },
            ColumnType::Char { length: 10 },
            ColumnType::Binary { length: 3 }
        ]
    );
}
