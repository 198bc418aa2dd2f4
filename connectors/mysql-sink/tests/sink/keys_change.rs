//! A row's key changes: a delete and a create, of which both arrive.

use cdc_sdk::column::ColumnType;
use cdc_sdk::{OwnedValue, Value};

use crate::world::*;

#[test]
fn a_key_changes_and_keys_are_swapped() {
    in_world(|world| async move {
        let people = world.people();
        let mut sink = world.open().await;
        let row = |id, name: &str| vec![n(id), t(name), n(id)];
        world
            .apply(&mut sink, vec![create(&people, row(1, "a")), create(&people, row(2, "b"))])
            .await
            .unwrap();
        // UPDATE people SET id = id + 1 ORDER BY id DESC
        let changes = vec![
            delete(&people, row(2, "b")),
            create(&people, row(3, "b")),
            delete(&people, row(1, "a")),
            create(&people, row(2, "a")),
        ];
        world.apply(&mut sink, changes).await.unwrap();
        let found = world.texts("SELECT CONCAT_WS(' ', id, name) FROM DB.people ORDER BY id").await;
        assert_eq!(found, ["2 a", "3 b"]);
    });
}

#[test]
fn a_key_that_the_collation_calls_equal_is_stored_as_it_is_spelled() {
    in_world(|world| async move {
        let columns = vec![varchar("code", 10), int("part"), int("v")];
        let codes = world.table("codes", columns, vec![primary(&[0, 1])]);
        let mut sink = world.open().await;
        let row = |code: &str, v| vec![t(code), n(1), n(v)];
        world.apply(&mut sink, vec![create(&codes, row("A", 1))]).await.unwrap();
        world.apply(&mut sink, vec![delete(&codes, row("A", 1)), create(&codes, row("a", 2))]).await.unwrap();
        let sql = "SELECT CONCAT_WS(' ', code, v) FROM DB.codes";
        assert_eq!(world.texts(sql).await, ["a 2"]);
        // As a snapshot or a replay brings it: without the delete.
        world.apply(&mut sink, vec![read(&codes, row("A", 3))]).await.unwrap();
        assert_eq!(world.texts(sql).await, ["A 3"]);
    });
}

#[test]
fn every_kind_of_key_finds_its_row() {
    in_world(|world| async move {
        let plain = |v| OwnedValue::Plain(v);
        let date = cdc_sdk::temporal::Date { year: 2020, month: 0, day: 31 };
        let moment = cdc_sdk::temporal::DateTime { date, hour: 1, minute: 2, second: 3, micros: 400_000 };
        let members = || vec!["x".to_owned(), "0".to_owned()];
        let kinds: Vec<(&str, ColumnType, OwnedValue)> = vec![
            ("k_enum0", ColumnType::Enum { members: members() }, plain(Value::Enum(0))),
            ("k_enum2", ColumnType::Enum { members: members() }, plain(Value::Enum(2))),
            (
                "k_set64",
                ColumnType::Set { members: (0..64).map(|i| format!("m{i}")).collect() },
                plain(Value::Set(u64::MAX)),
            ),
            ("k_set", ColumnType::Set { members: members() }, plain(Value::Set(3))),
            ("k_year", ColumnType::Year, plain(Value::Year(0))),
            ("k_bit", ColumnType::Bit { bits: 64 }, plain(Value::Bit(u64::MAX))),
            ("k_float", ColumnType::Float { unsigned: false }, plain(Value::Float(0.1))),
            ("k_double", ColumnType::Double { unsigned: false }, plain(Value::Double(-5e-324))),
            ("k_date", ColumnType::Date, plain(Value::Date(date))),
            ("k_datetime", ColumnType::Datetime { fsp: 1 }, plain(Value::DateTime(moment))),
            (
                "k_time",
                ColumnType::Time { fsp: 6 },
                plain(Value::Time(cdc_sdk::temporal::Time { micros: -1 })),
            ),
            ("k_binary", ColumnType::Binary { length: 3 }, OwnedValue::Bytes(vec![0, b'\'', 0])),
            ("k_char", ColumnType::Char { length: 3 }, t("ä\\'")),
        ];
        let mut sink = world.open().await;
        for (name, ty, value) in kinds {
            let table = world.table(name, vec![column("k", ty), int("v")], vec![primary(&[0])]);
            let row = vec![value, n(1)];
            world.apply(&mut sink, vec![create(&table, row.clone())]).await.unwrap();
            let mut changed = row.clone();
            changed[1] = n(2);
            world.apply(&mut sink, vec![update(&table, row, changed.clone())]).await.unwrap();
            let sql = format!("SELECT v FROM DB.{name}");
            assert_eq!(world.rows::<i64>(&sql).await, [2], "{name}");
            world.apply(&mut sink, vec![delete(&table, changed)]).await.unwrap();
            assert_eq!(world.rows::<i64>(&sql).await, [] as [i64; 0], "{name}");
        }
    });
}
