//! Tables that nobody has made fit: what MySQL would bend without a word is refused, and members are found by name.

use std::sync::Arc;

use cdc_mysql_sink::SchemaMode;
use cdc_sdk::column::ColumnType as T;
use cdc_sdk::temporal::{Date, DateTime};
use cdc_sdk::value::Value;
use cdc_sdk::{Column, Decimal, Kind, OwnedRow, OwnedValue, Table};

use crate::world::*;

fn members(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn chosen(number: u16) -> OwnedValue {
    OwnedValue::Plain(Value::Enum(number))
}

fn several(bits: u64) -> OwnedValue {
    OwnedValue::Plain(Value::Set(bits))
}

fn one_column(world: &World, ty: T) -> Arc<Table> {
    world.table("t", vec![int("id"), nullable(column("c", ty))], vec![primary(&[0])])
}

#[test]
fn members_keep_their_names() {
    in_world(|mut world| async move {
        world.settings.schema = SchemaMode::None;
        world.create_database().await;
        world
            .sql(
                "CREATE TABLE DB.t (e ENUM('c','a') NOT NULL, f VARCHAR(9) NOT NULL, s SET('z','y','x') NOT NULL, \
                 w VARCHAR(9) NOT NULL, PRIMARY KEY (e, f))",
            )
            .await;
        let letters = || members(&["a", "b", "c"]);
        let sets = || members(&["x", "y", "z"]);
        let columns: Vec<Column> = vec![
            column("e", T::Enum { members: letters() }),
            column("f", T::Enum { members: letters() }),
            column("s", T::Set { members: sets() }),
            column("w", T::Set { members: sets() }),
        ];
        let table = world.table("t", columns, vec![primary(&[0, 1])]);
        let row = |e, bits| -> OwnedRow { vec![chosen(e), chosen(e), several(bits), several(bits)] };
        let mut sink = world.open().await;
        let rows = vec![create(&table, row(1, 0b001)), create(&table, row(3, 0b110))];
        world.apply(&mut sink, rows).await.unwrap();
        let all = "SELECT CONCAT_WS(' ', e, f, s, w) FROM DB.t ORDER BY f";
        assert_eq!(world.texts(all).await, ["a a x x", "c c z,y y,z"]);
        // As keys, too; then as rows without one.
        world.apply(&mut sink, vec![delete(&table, row(1, 0b001))]).await.unwrap();
        assert_eq!(world.texts(all).await, ["c c z,y y,z"]);
        let refused = world.apply(&mut sink, vec![create(&table, row(2, 0))]).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::RowRefused, "{refused}");
        assert!(refused.what().contains("column e") && refused.what().contains("'b' is none"), "{refused}");
        sink.close().await;
        world.sql("ALTER TABLE DB.t DROP PRIMARY KEY").await;
        let keyless = world.table("t", table.columns.clone(), vec![]);
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![delete(&keyless, row(3, 0b110))]).await.unwrap();
        assert_eq!(world.texts(all).await, [] as [&str; 0]);
    });
}

#[test]
fn what_would_be_rounded_is_refused() {
    in_world(|mut world| async move {
        world.settings.schema = SchemaMode::None;
        world.create_database().await;
        let decimal = |text| OwnedValue::Plain(Value::Decimal(Decimal::parse(text).unwrap()));
        let at = |micros| {
            let date = Date { year: 2026, month: 1, day: 2 };
            OwnedValue::Plain(Value::DateTime(DateTime { date, micros, ..DateTime::default() }))
        };
        let number = |value| OwnedValue::Plain(Value::Double(value));
        let wide = T::Decimal { precision: 20, scale: 10, unsigned: false };
        let cases = [
            ("DECIMAL(9,2)", wide.clone(), decimal("1.2500000000"), decimal("1.2550000000"), "1.25"),
            ("INT", wide.clone(), decimal("2.0000000000"), decimal("2.5000000000"), "2"),
            ("DOUBLE", wide, decimal("0.1"), decimal("1234567890.1234567"), "0.1"),
            ("FLOAT", T::Double { unsigned: false }, number(0.5), number(0.1), "0.5"),
            ("DATETIME", T::Datetime { fsp: 6 }, at(0), at(600_000), "2026-01-02 00:00:00"),
            ("DATE", T::Datetime { fsp: 6 }, at(0), at(1), "2026-01-02"),
            ("CHAR(4)", T::Varchar { length: 4 }, t("a"), t("a "), "a"),
            ("VARCHAR(2)", T::Varchar { length: 4 }, t("a "), t("a  "), "a "),
            (
                "BINARY(2)",
                T::Varbinary { length: 2 },
                OwnedValue::Bytes(b"ab".to_vec()),
                OwnedValue::Bytes(b"a".to_vec()),
                "ab",
            ),
        ];
        for (here, there, kept, bent, shown) in cases {
            world.sql(&format!("CREATE TABLE DB.t (id INT PRIMARY KEY, c {here})")).await;
            let table = one_column(&world, there);
            let mut sink = world.open().await;
            world.apply(&mut sink, vec![create(&table, vec![n(1), kept])]).await.unwrap();
            let refused = world.apply(&mut sink, vec![create(&table, vec![n(2), bent])]).await.unwrap_err();
            assert_eq!(refused.kind(), Kind::RowRefused, "{here}: {refused}");
            assert!(refused.what().contains("column c: "), "{here}: {refused}");
            assert_eq!(world.texts("SELECT CONCAT(c) FROM DB.t").await, [shown], "{here}");
            sink.close().await;
            world.sql("DROP TABLE DB.t").await;
        }
    });
}

/// Topics that do not tell types tell members.
#[test]
fn members_that_the_source_adds_are_added() {
    in_world(|mut world| async move {
        world.settings.schema = SchemaMode::Extend;
        let of = |names: &[&str]| one_column(&world, T::Enum { members: members(names) });
        let (first, second) = (of(&["a", "b"]), of(&["new", "b", "a"]));
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&first, vec![n(1), chosen(2)])]).await.unwrap();
        let rows = vec![create(&second, vec![n(2), chosen(1)]), create(&second, vec![n(3), chosen(2)])];
        world.apply(&mut sink, rows).await.unwrap();
        world.apply(&mut sink, vec![create(&first, vec![n(4), chosen(1)])]).await.unwrap();
        assert_eq!(world.texts("SELECT c FROM DB.t ORDER BY id").await, ["b", "new", "b", "a"]);
    });
}
