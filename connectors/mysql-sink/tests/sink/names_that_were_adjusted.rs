//! Topics that do not carry their tables call columns by names that Avro takes; tables made by hand have the true ones.

use cdc_mysql_sink::SchemaMode;
use cdc_sdk::Kind;
use mysql_async::prelude::Queryable;

use crate::world::*;

#[test]
fn rows_go_to_the_columns_that_are_meant() {
    in_world(|mut world| async move {
        world.settings.schema = SchemaMode::Extend;
        world.create_database().await;
        let made = [
            "CREATE TABLE DB.o (id INT PRIMARY KEY, `my-col` INT, `2nd` INT NOT NULL)",
            "CREATE TABLE DB.p (`my-id` INT PRIMARY KEY, v INT)",
            "CREATE TABLE DB.q (`a-b` INT, `a.b` INT, id INT PRIMARY KEY)",
        ];
        for sql in made {
            world.sql(sql).await;
        }
        let columns = |names: &[&str]| names.iter().map(|name| int(name)).collect::<Vec<_>>();
        let o = world.table("o", columns(&["id", "my_col", "_2nd"]), vec![primary(&[0])]);
        let p = world.table("p", columns(&["my_id", "v"]), vec![primary(&[0])]);
        let q = world.table("q", columns(&["a_b", "id"]), vec![primary(&[1])]);
        let mut sink = world.open().await;
        let rows = vec![create(&o, vec![n(1), n(2), n(3)]), create(&p, vec![n(4), n(5)])];
        world.apply(&mut sink, rows).await.unwrap();
        assert_eq!(world.texts("SELECT CONCAT_WS(' ', id, `my-col`, `2nd`) FROM DB.o").await, ["1 2 3"]);
        assert_eq!(world.texts("SELECT CONCAT_WS(' ', `my-id`, v) FROM DB.p").await, ["4 5"]);
        let made = world.texts("SELECT CONCAT(COUNT(*)) FROM DB.o WHERE `my-col` = 2 AND `2nd` = 3").await;
        assert_eq!(made, ["1"]);
        for added in ["SELECT CONCAT(my_col) FROM DB.o", "SELECT CONCAT(my_id) FROM DB.p"] {
            let found =
                world.admin().await.query_drop(added.replace("DB.", &format!("`{}`.", world.database))).await;
            assert!(found.is_err(), "no column was added: {added}");
        }
        // Where two may be meant, neither is.
        world.apply(&mut sink, vec![create(&q, vec![n(6), n(7)])]).await.unwrap();
        assert_eq!(
            world.texts("SELECT CONCAT(a_b) FROM DB.q WHERE `a-b` IS NULL AND `a.b` IS NULL").await,
            ["6"]
        );
        sink.close().await;
    });
}

#[test]
fn a_primary_key_stays_on_columns_that_no_event_has() {
    in_world(|mut world| async move {
        world.settings.schema = SchemaMode::Extend;
        let before = world.table("t", vec![int("id"), nullable(int("v"))], vec![primary(&[0])]);
        let renamed = world.table("t", vec![int("pk"), nullable(int("v"))], vec![primary(&[0])]);
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&before, vec![n(1), n(10)])]).await.unwrap();
        let refused =
            world.apply(&mut sink, vec![update(&renamed, vec![n(1), n(10)], vec![n(1), n(11)])]).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), Kind::TableMismatch, "{refused}");
        assert!(refused.what().contains("is on id"), "{refused}");
        sink.close().await;
        // What the hint says.
        world.sql("ALTER TABLE DB.t RENAME COLUMN id TO pk").await;
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![update(&renamed, vec![n(1), n(10)], vec![n(1), n(11)])]).await.unwrap();
        assert_eq!(world.texts("SELECT CONCAT_WS(' ', pk, v) FROM DB.t").await, ["1 11"]);
        sink.close().await;
    });
}
