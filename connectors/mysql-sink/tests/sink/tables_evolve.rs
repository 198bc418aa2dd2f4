//! The destination's table follows the source's, never gets narrower, and is refused where it cannot follow.

use std::sync::Arc;

use cdc_mysql_sink::SchemaMode;
use cdc_sdk::column::{ColumnType as T, Width};
use cdc_sdk::{Kind, Table};

use crate::world::*;

fn wider(people: &Arc<Table>) -> Arc<Table> {
    let mut table = Table::clone(people);
    table.columns[1].ty = T::Varchar { length: 40 };
    table.columns.insert(2, nullable(varchar("mail", 30)));
    table.columns[3].ty = T::Integer { width: Width::Big, unsigned: false };
    table.keys.push(unique("mail", &[2]));
    Arc::new(table)
}

#[test]
fn new_columns_types_and_keys_in_place_and_old_rows_again() {
    in_world(|world| async move {
        let people = world.people();
        let wide = wider(&people);
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&people, vec![n(1), t("a"), n(1)])]).await.unwrap();
        let long = "x".repeat(40);
        let row = vec![n(2), t(&long), t("m"), n(1 << 40)];
        world.apply(&mut sink, vec![create(&wide, row)]).await.unwrap();
        let columns = "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE_NAME \
                       AND TABLE_NAME = 'people' ORDER BY ORDINAL_POSITION";
        let columns = columns.replace("DATABASE_NAME", &format!("'{}'", world.database));
        assert_eq!(world.texts(&columns).await, ["id", "name", "mail", "v"]);
        // The old schema again, as a replay brings it: the table stays as wide as it is.
        world
            .apply(&mut sink, vec![update(&people, vec![n(1), t("a"), n(1)], vec![n(1), t("b"), n(2)])])
            .await
            .unwrap();
        let found =
            world.texts("SELECT CONCAT_WS(' ', id, LENGTH(name), v) FROM DB.people ORDER BY id").await;
        assert_eq!(found, ["1 1 2", "2 40 1099511627776"]);
        // A unique key that came later counts for rows of the old schema too.
        let taken = vec![create(&wide, vec![n(3), t("c"), t("M"), n(1)])];
        assert_eq!(world.apply(&mut sink, taken).await.unwrap_err().kind(), Kind::Divergence);
    });
}

#[test]
fn two_schemas_of_a_table_in_one_batch() {
    in_world(|world| async move {
        let people = world.people();
        let wide = wider(&people);
        let mut sink = world.open().await;
        let changes = vec![
            create(&people, vec![n(1), t("a"), n(1)]),
            create(&people, vec![n(2), t("b"), n(1)]),
            update(&wide, vec![n(1), t("a"), NULL, n(1)], vec![n(1), t("c"), t("m"), n(5)]),
            create(&wide, vec![n(3), t("a"), NULL, n(1)]),
        ];
        world.apply(&mut sink, changes).await.unwrap();
        let found = world.texts("SELECT CONCAT_WS(' ', id, name, mail, v) FROM DB.people ORDER BY id").await;
        assert_eq!(found, ["1 c m 5", "2 b 1", "3 a 1"]);
    });
}

#[test]
fn a_column_that_the_source_dropped_needs_no_value_any_more() {
    in_world(|world| async move {
        let people = world.people();
        let mut narrow = Table::clone(&people);
        narrow.columns.truncate(2);
        narrow.columns.push(int("must"));
        let (with, without) = (Arc::new(narrow.clone()), {
            narrow.columns.truncate(2);
            Arc::new(narrow)
        });
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&with, vec![n(1), t("a"), n(1)])]).await.unwrap();
        world.apply(&mut sink, vec![create(&without, vec![n(2), t("b")])]).await.unwrap();
        let found = world.texts("SELECT CONCAT_WS(' ', id, name, must) FROM DB.people ORDER BY id").await;
        assert_eq!(found, ["1 a 1", "2 b 0"]);
    });
}

#[test]
fn checked_only() {
    in_world(|mut world| async move {
        world.create_database().await;
        world.settings.schema = SchemaMode::Check;
        world.sql("CREATE TABLE DB.people (id BIGINT PRIMARY KEY, name VARCHAR(200) CHARACTER SET utf8mb4, v INT)").await;
        let people = world.people();
        let mut sink = world.open().await;
        // Wider is good enough, and a secondary key is the destination's own affair.
        world.apply(&mut sink, vec![create(&people, vec![n(1), t("a"), n(1)])]).await.unwrap();
        let error =
            world.apply(&mut sink, vec![create(&wider(&people), vec![n(1), t("a"), NULL, n(1)])]).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), Kind::TableMismatch, "{error}");
        let hint = error.hint_text().unwrap().to_owned();
        assert!(
            hint.contains("ADD COLUMN `mail` varchar(30)") && hint.contains("MODIFY COLUMN `v` bigint"),
            "{hint}"
        );
        // The statement shown mends it.
        world.sql(hint.trim_end_matches(';')).await;
        world.apply(&mut sink, vec![create(&wider(&people), vec![n(2), t("a"), NULL, n(1)])]).await.unwrap();
    });
}

#[test]
fn without_transactions_or_without_the_key_it_is_refused() {
    in_world(|mut world| async move {
        world.create_database().await;
        world.sql("CREATE TABLE DB.people (id INT PRIMARY KEY, name VARCHAR(20), v INT) ENGINE=MyISAM").await;
        let people = world.people();
        let mut sink = world.open().await;
        let row = || vec![create(&people, vec![n(1), t("a"), n(1)])];
        let error = world.apply(&mut sink, row()).await.unwrap_err();
        assert!(error.kind() == Kind::TableMismatch && error.what().contains("MyISAM"), "{error}");
        sink.close().await;
        world.sql("DROP TABLE DB.people").await;
        world.sql("CREATE TABLE DB.people (id INT, name VARCHAR(20), v INT)").await;
        world.settings.schema = SchemaMode::None;
        let mut sink = world.open().await;
        let error = world.apply(&mut sink, row()).await.unwrap_err();
        assert!(error.kind() == Kind::TableMismatch && error.what().contains("PRIMARY"), "{error}");
    });
}
