use cdc_sdk::Column;
use cdc_sdk::column::{ColumnType, Width};
use cdc_sdk::table::{Key, KeyKind, KeyOn, KeyPart};

use super::*;

/// Columns id and mail, with the primary key id; the records' key is what was chosen.
fn people(chosen_key: &[usize]) -> Table {
    let column = |name: &str| Column {
        name: name.to_owned(),
        ty: ColumnType::Integer { width: Width::Int, unsigned: false },
        nullable: false,
        charset: None,
        collation: None,
        extra: Default::default(),
    };
    let parts = vec![KeyPart { on: KeyOn::Column(0), prefix: None, descending: false }];
    Table {
        version: Table::VERSION_CHOSEN_KEY,
        name: TableName::new("shop", "people"),
        columns: ["id", "mail"].map(column).to_vec(),
        keys: vec![Key::new(KeyKind::Primary, "PRIMARY", parts)],
        collation: None,
        comment: String::new(),
        chosen_key: Some(chosen_key.to_vec()),
    }
}

#[test]
fn a_row_that_goes_from_partition_to_partition_is_not_for_every_sink() {
    let endpoint = Endpoint {
        host: "h".into(),
        port: 1,
        user: "u".into(),
        password: Default::default(),
        tls: cdc_sdk::endpoint::Tls::default(),
    };
    let plain = Settings::new("s", "p", endpoint);
    let by_key = Settings { by_key: true, ..plain.clone() };
    let two_way = Settings { two_way: Some(TwoWay::Stop), ..plain.clone() };
    let letters = Settings { dead_letters: vec![Pattern::parse("shop.*").unwrap()], ..plain.clone() };
    assert!(plain.check_record_key(&people(&[1, 0])).is_ok());
    for (settings, kind, said) in [
        (by_key, Kind::NotByKey, "consistency"),
        (two_way, Kind::RecordKey, "[two_way]"),
        (letters, Kind::RecordKey, "[dead_letter]"),
    ] {
        let refused = settings.check_record_key(&people(&[1, 0])).unwrap_err();
        assert!(refused.kind() == kind && refused.what().contains(said), "{refused}");
        assert!(settings.check_record_key(&people(&[0])).is_ok(), "{said}");
    }
}

#[test]
fn routes_that_may_lead_several_tables_into_one() {
    let route = |from: &str, to: &str| {
        let pattern = |text: &str| cdc_sdk::pattern::Pattern::parse(text).unwrap();
        cdc_sdk::pattern::Route::new(pattern(from), pattern(to)).unwrap()
    };
    for (from, to) in [("x.*", "x.all"), ("*.t", "x.t"), ("x.a?_*", "x.*")] {
        assert!(route(from, to).merges(), "{from} {to}");
    }
    for (from, to) in [("x.*", "y.*"), ("x.a", "y.b"), ("*.t?", "*.u?")] {
        assert!(!route(from, to).merges(), "{from} {to}");
    }
}
