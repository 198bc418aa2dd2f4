//! What stands in the way of a row, or does not fit, is told with table and key; nothing is changed.

use cdc_mysql_sink::SchemaMode;
use cdc_sdk::Kind;

use crate::world::*;

#[test]
fn an_upsert_that_would_hit_another_row_is_a_divergence() {
    in_world(|world| async move {
        let people = world.people();
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&people, vec![n(1), t("a"), n(1)])]).await.unwrap();
        world.sql("INSERT INTO DB.people VALUES (9999, 'taken', 0)").await;
        let rows = (2..200).map(|id| create(&people, vec![n(id), t(&format!("p{id}")), n(0)]));
        let mut changes: Vec<_> = rows.collect();
        changes.push(create(&people, vec![n(1000), t("Taken"), n(0)]));
        changes.push(create(&people, vec![n(1001), t("free"), n(0)]));
        let error = world.apply(&mut sink, changes).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Divergence, "{error}");
        assert!(error.what().contains("row 1000 of"), "{error}");
        assert!(error.what().contains("people"), "{error}");
        let found = world.texts("SELECT CONCAT_WS(' ', id, name, v) FROM DB.people ORDER BY id").await;
        assert_eq!(found, ["1 a 1", "9999 taken 0"]);
        assert_eq!(world.ledger_sequence().await, Some(1));
        // The sink goes on once the way is free.
        world.sql("DELETE FROM DB.people WHERE id = 9999").await;
        world.apply(&mut sink, vec![create(&people, vec![n(1000), t("Taken"), n(0)])]).await.unwrap();
    });
}

#[test]
fn a_value_that_does_not_fit_is_refused_by_key() {
    in_world(|mut world| async move {
        world.create_database().await;
        world.settings.schema = SchemaMode::None;
        world.sql("CREATE TABLE DB.people (id INT PRIMARY KEY, name VARCHAR(3) UNIQUE, v INT)").await;
        let people = world.people();
        let mut sink = world.open().await;
        let changes = vec![
            create(&people, vec![n(1), t("abc"), n(0)]),
            create(&people, vec![n(2), t("abcd"), n(0)]),
            create(&people, vec![n(3), t("abd"), n(0)]),
        ];
        let error = world.apply(&mut sink, changes).await.unwrap_err();
        assert_eq!(error.kind(), Kind::RowRefused, "{error}");
        assert!(error.what().contains("row 2 of"), "{error}");
        assert!(world.texts("SELECT name FROM DB.people").await.is_empty());
    });
}

#[test]
fn digits_that_strict_mode_only_notes_are_refused_too() {
    in_world(|mut world| async move {
        world.create_database().await;
        world.settings.schema = SchemaMode::None;
        world.sql("CREATE TABLE DB.prices (id INT PRIMARY KEY, p DECIMAL(10,1))").await;
        let ty = cdc_sdk::ColumnType::Decimal { precision: 10, scale: 3, unsigned: false };
        let prices = world.table("prices", vec![int("id"), column("p", ty)], vec![primary(&[0])]);
        let price = |id, text: &str| {
            let value = cdc_sdk::Decimal::parse(text).unwrap();
            create(&prices, vec![n(id), cdc_sdk::OwnedValue::Plain(cdc_sdk::Value::Decimal(value))])
        };
        let mut sink = world.open().await;
        let error = world.apply(&mut sink, vec![price(1, "1.500"), price(2, "1.125")]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::RowRefused, "{error}");
        assert!(error.what().contains("row 2 of"), "{error}");
        assert!(world.texts("SELECT p FROM DB.prices").await.is_empty());
    });
}
