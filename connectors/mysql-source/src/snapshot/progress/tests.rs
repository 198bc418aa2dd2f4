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

#[test]
fn another_version_is_named() {
    let text = progress(TableState::Pending).to_json().replace("\"version\":1", "\"version\":3");
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
