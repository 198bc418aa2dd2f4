use cdc_sdk::TableName;
use cdc_sdk::column::Width;

use super::*;

#[test]
fn topics_are_numbered_past_those_that_others_have() {
    let mut versions = Versions::first("p.d.t");
    versions.go_on("p.d.t", None, |_| false);
    assert_eq!((versions.topic.as_str(), versions.number), ("p.d.t.v2", 2));
    versions.go_on("p.d.t", None, |name| name == "p.d.t.v3");
    assert_eq!((versions.topic.as_str(), versions.number), ("p.d.t.v4", 4));
    assert_eq!(Versions::from_json(&versions.to_json().unwrap()), Some(versions.clone()));
    versions.version = 2;
    assert_eq!(Versions::from_json(&versions.to_json().unwrap()), None);
}

#[test]
fn a_topic_tells_whose_version_it_is() {
    for topic in ["p.d.t", "p.d.t.v2", "p.d.t.v10"] {
        assert!(is_of("p.d.t", topic), "{topic}");
    }
    for topic in ["p.d.t.v1", "p.d.t.v", "p.d.t.v02", "p.d.u.v2", "p.d.t.v2.v2", "p.d.t2"] {
        assert!(!is_of("p.d.t", topic), "{topic}");
    }
    let long = "p".repeat(249);
    let second = name(&long, 2);
    assert_eq!(second.len(), 249);
    assert!(is_of(&long, &second));
}

fn table(columns: &[(&str, ColumnType, bool)]) -> Table {
    let column = |(name, ty, nullable): &(&str, ColumnType, bool)| cdc_sdk::Column {
        name: (*name).to_owned(),
        ty: ty.clone(),
        nullable: *nullable,
        charset: None,
        collation: None,
        extra: cdc_sdk::column::Extra::default(),
    };
    let part = cdc_sdk::KeyPart { on: cdc_sdk::table::KeyOn::Column(0), prefix: None, descending: false };
    let key = cdc_sdk::Key::new(cdc_sdk::KeyKind::Primary, "PRIMARY", vec![part]);
    Table {
        version: Table::VERSION,
        chosen_key: None,
        name: TableName::new("d", "t"),
        columns: columns.iter().map(column).collect(),
        keys: vec![key],
        collation: None,
        comment: String::new(),
    }
}

const INT: ColumnType = ColumnType::Integer { width: Width::Int, unsigned: false };
const BIG: ColumnType = ColumnType::Integer { width: Width::Big, unsigned: false };
const TEXT: ColumnType = ColumnType::Varchar { length: 9 };

#[test]
fn columns_are_found_by_name() {
    let old = table(&[("id", INT, false), ("a", INT, true), ("gone", TEXT, true)]);
    let new = table(&[("id", INT, false), ("b", TEXT, false), ("A", BIG, true)]);
    assert_eq!(slots(&new, &old), Some(vec![Some(0), None, Some(1)]));
    let must_be = table(&[("id", INT, false), ("gone", TEXT, false)]);
    assert_eq!(slots(&new, &must_be), None, "a column that is gone and was NOT NULL");
    let other_type = table(&[("id", INT, false), ("b", INT, false)]);
    assert_eq!(slots(&new, &other_type), None, "a text is no number");
    let other_key = table(&[("key", INT, false), ("id", INT, false)]);
    assert_eq!(slots(&new, &other_key), None, "another key");
}

#[test]
fn integers_are_held_as_far_as_they_go() {
    let ty = |width, unsigned| ColumnType::Integer { width, unsigned };
    assert_eq!(held(Value::Int(127), &ty(Width::Tiny, false)), Some(Value::Int(127)));
    assert_eq!(held(Value::Int(128), &ty(Width::Tiny, false)), None);
    assert_eq!(held(Value::Int(-129), &ty(Width::Tiny, false)), None);
    assert_eq!(held(Value::Int(-1), &ty(Width::Big, true)), None);
    assert_eq!(held(Value::UInt(u64::MAX), &ty(Width::Big, true)), Some(Value::UInt(u64::MAX)));
    assert_eq!(held(Value::UInt(u64::MAX), &ty(Width::Big, false)), None);
    assert_eq!(held(Value::UInt(8_388_607), &ty(Width::Medium, false)), Some(Value::Int(8_388_607)));
    assert_eq!(held(Value::Text("x"), &TEXT), Some(Value::Text("x")));
}
