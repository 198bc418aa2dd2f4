use cdc_sdk::ColumnType;

use super::*;
use crate::avro::TableCodec;
use crate::avro::sample::{column, int, orders, table, with_default};

const KEY: &str = include_str!("../../../tests/golden/wire/key.avsc");
const VALUE: &str = include_str!("../../../tests/golden/wire/value.avsc");

#[test]
fn debezium_profile_gives_debeziums_text() {
    let codec = TableCodec::new(&orders(), &Modes::debezium(), "dbserver1.inventory.orders").unwrap();
    assert_eq!(codec.key_schema(), Some(KEY.trim()));
    assert_eq!(codec.value_schema(), VALUE.trim());
}

#[test]
fn ours_carries_the_table_and_the_source_types() {
    let table = orders();
    let codec = TableCodec::new(&table, &Modes::default(), "dbserver1.inventory.orders").unwrap();
    let json: serde_json::Value = serde_json::from_str(codec.value_schema()).unwrap();
    let row = &json["fields"][0]["type"][1];
    let carried: Table = serde_json::from_value(row[TABLE_PROPERTY].clone()).unwrap();
    assert_eq!(carried, *table);
    let amount = &row["fields"][2]["type"][1]["connect.parameters"];
    assert_eq!(amount["__debezium.source.column.type"], "DECIMAL");
    assert_eq!(amount["__debezium.source.column.length"], "10");
    assert_eq!(amount["__debezium.source.column.scale"], "2");
    assert_eq!(amount["__debezium.source.column.name"], "amount");
    assert_eq!(row["fields"][3]["type"]["connect.name"], "io.debezium.time.IsoTimestamp");
}

#[test]
fn every_schema_of_ours_is_one_to_apache_avro() {
    let spatial = |kind| ColumnType::Geometry { kind };
    let unsigned = ColumnType::Integer { width: cdc_sdk::column::Width::Big, unsigned: true };
    let columns = vec![
        with_default(column("id-1", unsigned.clone(), false), "18446744073709551615"),
        with_default(column("id_1", unsigned, true), "'7'"),
        column("g1", spatial(cdc_sdk::column::GeometryKind::Polygon), false),
        column("g2", spatial(cdc_sdk::column::GeometryKind::Geometry), true),
        column("p1", spatial(cdc_sdk::column::GeometryKind::Point), true),
        column("p2", spatial(cdc_sdk::column::GeometryKind::Point), true),
        column("v", ColumnType::Vector { dimension: 3 }, true),
        with_default(column("b", ColumnType::Bit { bits: 10 }, true), "b'1000000001'"),
        with_default(column("é", ColumnType::Varbinary { length: 9 }, false), "0xff00"),
        with_default(column("d", ColumnType::Date, false), "'0000-00-00'"),
    ];
    let table = table("2nd db", "t$", columns, &[1, 0]);
    for modes in [Modes::default(), Modes::debezium()] {
        let codec = TableCodec::new(&table, &modes, "shop.2nd_db.t_").unwrap();
        apache_avro::Schema::parse_str(codec.value_schema()).unwrap();
        apache_avro::Schema::parse_str(codec.key_schema().unwrap()).unwrap();
        let json: serde_json::Value = serde_json::from_str(codec.value_schema()).unwrap();
        assert_eq!(json["namespace"], "shop._2nd_db.t_");
        let names: Vec<_> = json["fields"][0]["type"][1]["fields"].as_array().unwrap().iter().collect();
        assert_eq!(names[0]["name"], "_id_u002d1");
        assert_eq!(names[1]["name"], "id_1");
    }
}

#[test]
fn keys_are_in_key_order() {
    let columns = vec![column("a", int(), false), column("b", int(), false)];
    let codec = TableCodec::new(&table("d", "t", columns, &[1, 0]), &Modes::debezium(), "p.d.t").unwrap();
    let json: serde_json::Value = serde_json::from_str(codec.key_schema().unwrap()).unwrap();
    assert_eq!(json["fields"][0]["name"], "b");
    assert_eq!(json["fields"][1]["name"], "a");
}
