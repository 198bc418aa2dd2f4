use std::collections::BTreeMap;

use cdc_sdk::Column;
use cdc_sdk::column::{ColumnType, Width};
use cdc_sdk::table::{Key, KeyKind, KeyOn, KeyPart};

use super::*;

fn modes(keys: &str) -> Modes {
    let options = BTreeMap::from([("message.key.columns".to_owned(), keys.to_owned())]);
    Modes::from_options(&options).unwrap()
}

fn keys_of(keys: &str, stored: &HashMap<String, ChosenKey>) -> RecordKeys {
    let modes = if keys.is_empty() { Modes::default() } else { modes(keys) };
    RecordKeys::new(&modes, CleanupPolicy::Delete, stored.clone())
}

/// Columns id, customer, status, with the key (id, customer), or another.
fn orders(key: &[usize]) -> Arc<Table> {
    let ty = ColumnType::Integer { width: Width::Int, unsigned: false };
    let column = |name: &str| Column {
        name: name.to_owned(),
        ty: ty.clone(),
        nullable: false,
        charset: None,
        collation: None,
        extra: Default::default(),
    };
    let part = |column: &usize| KeyPart { on: KeyOn::Column(*column), prefix: None, descending: false };
    let parts = key.iter().map(part).collect();
    let primary = Key::new(KeyKind::Primary, "PRIMARY", parts);
    Arc::new(Table {
        version: Table::VERSION,
        name: TableName::new("d", "orders"),
        columns: ["id", "customer", "status"].map(column).to_vec(),
        keys: if key.is_empty() { Vec::new() } else { vec![primary] },
        collation: None,
        comment: String::new(),
        chosen_key: None,
    })
}

#[test]
fn a_table_carries_the_key_that_is_not_its_own() {
    let of = |keys: &str| keys_of(keys, &HashMap::new()).of(&orders(&[0, 1])).unwrap();
    let chosen = of("d.orders:customer");
    assert_eq!((chosen.version, chosen.chosen_key.as_deref()), (Table::VERSION_CHOSEN_KEY, Some(&[1][..])));
    for own in ["d.orders:id,customer", "d.other:status"] {
        let plain = of(own);
        assert_eq!((plain.version, plain.chosen_key.as_deref()), (Table::VERSION, None), "{own}");
    }
    // As it was stored with a choice that is no more.
    assert_eq!(keys_of("d.other:id", &HashMap::new()).of(&chosen).unwrap(), orders(&[0, 1]));
}

#[test]
fn what_has_no_order_is_refused_with_both_keys() {
    let error = keys_of("d.orders:status", &HashMap::new()).of(&orders(&[0, 1])).unwrap_err();
    assert_eq!(error.kind(), Kind::RecordKey);
    let text = error.to_string();
    assert!(text.contains("d.orders: (status)") && text.contains("(id, customer)"), "{text}");
}

#[test]
fn shared_keys_need_the_table_in_the_schema_and_no_compaction() {
    for (shared, table) in [("d.orders:id", orders(&[0, 1])), ("d.orders:status", orders(&[]))] {
        let debezium = Modes { carry_table: false, ..modes(shared) };
        let untold =
            RecordKeys::new(&debezium, CleanupPolicy::Delete, HashMap::new()).of(&table).unwrap_err();
        assert!(untold.what().contains("no sink could know"), "{untold}");
        let compact =
            RecordKeys::new(&modes(shared), CleanupPolicy::Compact, HashMap::new()).of(&table).unwrap_err();
        assert!(compact.what().contains("compaction"), "{compact}");
        assert!(keys_of(shared, &HashMap::new()).of(&table).is_ok());
    }
    let whole = Modes { carry_table: false, ..modes("d.orders:status,id,customer") };
    assert!(RecordKeys::new(&whole, CleanupPolicy::Compact, HashMap::new()).of(&orders(&[0, 1])).is_ok());
}

#[test]
fn a_topic_keeps_the_key_of_its_records() {
    let table = orders(&[0, 1]);
    let pin = |keys: &str, stored: &HashMap<String, ChosenKey>, is_new| {
        keys_of(keys, stored).pin("p.d.orders", &table, is_new)
    };
    let none = HashMap::new();
    let stored = pin("d.orders:CUSTOMER", &none, true).unwrap().unwrap();
    assert_eq!(stored.key, "record-key/p.d.orders");
    let then = HashMap::from([("p.d.orders".to_owned(), ChosenKey::from_json(&stored.json).unwrap())]);
    assert!(pin(r"d\.orders:customer", &then, false).unwrap().is_none());
    for (keys, stored) in
        [("d.orders:id", &then), ("", &then), ("d.orders:customer", &none), ("d.orders:customer,id", &none)]
    {
        let error = pin(keys, stored, false).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), Kind::TopicChanged, "{keys}");
    }
    // Its own key, said or not, is the same: but what is said holds should another become its own.
    let said = pin("d.orders:id,customer", &none, false).unwrap().unwrap();
    let said = HashMap::from([("p.d.orders".to_owned(), ChosenKey::from_json(&said.json).unwrap())]);
    assert!(pin("", &said, false).unwrap().is_some());
    let error = keys_of("", &said).pin("p.d.orders", &orders(&[0]), false).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), Kind::TopicChanged);
}

#[test]
fn another_version_of_what_is_stored_is_not_read() {
    assert_eq!(ChosenKey::from_json(r#"{"version":2,"columns":[]}"#), None);
}
