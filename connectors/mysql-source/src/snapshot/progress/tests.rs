use super::*;
use cdc_sdk::{OwnedValue, Value};

fn progress(state: TableState) -> TableProgress {
    TableProgress::of(TableName::new("a.b", "ü\"`"), state)
}

#[test]
fn every_state_survives_its_json() {
    let after = KeyBound {
        columns: vec!["id".into(), "name".into()],
        values: vec![OwnedValue::Plain(Value::UInt(u64::MAX)), OwnedValue::Text("ä".into())],
        orders: vec!["bigint unsigned DESC".into(), "varchar(9) latin1 latin1_bin".into()],
    };
    for state in [
        TableState::Pending,
        TableState::Reading { after: None, rows: 7 },
        TableState::Reading { after: Some(after), rows: 10_000 },
        TableState::Done { rows: u64::MAX },
    ] {
        let progress = progress(state);
        assert_eq!(TableProgress::from_json(&progress.to_json()).ok(), Some(progress.clone()));
        let again =
            Again { condition: Some("id > 'ü'".into()), empty_first: true, addressee: Some("crm".into()) };
        for again in [again, Again::default()] {
            let progress = TableProgress { again: Some(again), ..progress.clone() };
            assert_eq!(TableProgress::from_json(&progress.to_json()).ok(), Some(progress));
        }
    }
}

#[test]
fn an_older_program_refuses_what_was_asked_for() {
    let plain = progress(TableState::Pending);
    assert!(plain.to_json().contains("\"version\":1"));
    let asked = TableProgress { again: Some(Again::default()), ..plain };
    assert!(asked.to_json().contains("\"version\":2"));
}

/// As a program wrote it that did not know of orders.
#[test]
fn a_key_without_its_order_is_read_and_an_older_program_refuses_one_with_it() {
    let older =
        r#"{"version":1,"database":"a","table":"t","state":"reading","after":[["id",{"int":5}]],"rows":9}"#;
    let read = TableProgress::from_json(older).map(|progress| progress.state);
    let (columns, values) = (vec!["id".into()], vec![OwnedValue::Plain(Value::Int(5))]);
    let after = KeyBound { columns, values, orders: Vec::new() };
    assert_eq!(read.ok(), Some(TableState::Reading { after: Some(after.clone()), rows: 9 }));
    let newer = KeyBound { orders: vec!["int".into()], ..after };
    let newer = progress(TableState::Reading { after: Some(newer), rows: 9 });
    assert!(newer.to_json().contains("\"version\":3"));
}

#[test]
fn another_version_is_named() {
    let text = progress(TableState::Pending).to_json().replace("\"version\":1", "\"version\":4");
    assert_eq!(TableProgress::from_json(&text).err().map(|e| e.kind()), Some(Kind::UnknownVersion));
}

#[test]
fn torn_texts_are_errors() {
    let text = progress(TableState::Done { rows: 1 }).to_json();
    for end in 0..text.len() {
        if let Some(torn) = text.get(..end) {
            assert!(TableProgress::from_json(torn).is_err(), "{torn}");
        }
    }
}
