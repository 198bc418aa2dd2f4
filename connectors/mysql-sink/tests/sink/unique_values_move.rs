//! Unique values move between rows of a batch, whatever the order of the rows.

use crate::world::*;

#[test]
fn two_rows_swap_their_unique_values() {
    in_world(|world| async move {
        let people = world.people();
        let mut sink = world.open().await;
        let (a, b) = (vec![n(1), t("a"), n(10)], vec![n(2), t("b"), n(20)]);
        world.apply(&mut sink, vec![create(&people, a.clone()), create(&people, b.clone())]).await.unwrap();
        let swapped = vec![
            update(&people, a.clone(), vec![n(1), t("x"), n(10)]),
            update(&people, b, vec![n(2), t("a"), n(20)]),
            update(&people, vec![n(1), t("x"), n(10)], vec![n(1), t("b"), n(10)]),
        ];
        world.apply(&mut sink, swapped).await.unwrap();
        let found = world.texts("SELECT CONCAT_WS(' ', id, name, v) FROM DB.people ORDER BY id").await;
        assert_eq!(found, ["1 b 10", "2 a 20"]);
    });
}

#[test]
fn a_value_that_a_deleted_row_held_is_taken_by_a_new_one() {
    in_world(|world| async move {
        let people = world.people();
        let mut sink = world.open().await;
        let old = vec![n(1), t("a"), n(10)];
        world.apply(&mut sink, vec![create(&people, old.clone())]).await.unwrap();
        let changes = vec![delete(&people, old), create(&people, vec![n(2), t("A"), NULL])];
        world.apply(&mut sink, changes).await.unwrap();
        let found = world.texts("SELECT CONCAT_WS(' ', id, name) FROM DB.people ORDER BY id").await;
        assert_eq!(found, ["2 A"]);
    });
}

/// Nothing that the source writes takes a value there, or frees one.
#[test]
fn unique_columns_that_only_the_destination_has_keep_their_values() {
    in_world(|world| async move {
        let people = world.people();
        let mut sink = world.open().await;
        let row = |id, name: &str| vec![n(id), t(name), n(0)];
        world
            .apply(&mut sink, vec![create(&people, row(1, "a")), create(&people, row(2, "b"))])
            .await
            .unwrap();
        sink.close().await;
        world.sql("ALTER TABLE DB.people ADD COLUMN number BIGINT NOT NULL AUTO_INCREMENT UNIQUE").await;
        world.sql("ALTER TABLE DB.people ADD COLUMN elsewhere INT NULL UNIQUE").await;
        world.sql("UPDATE DB.people SET number = id + 70, elsewhere = id + 90").await;
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![update(&people, row(1, "a"), row(1, "c"))]).await.unwrap();
        world.apply(&mut sink, vec![update(&people, row(2, "b"), row(2, "a"))]).await.unwrap();
        let found = world
            .texts("SELECT CONCAT_WS(' ', id, name, number, elsewhere) FROM DB.people ORDER BY id")
            .await;
        assert_eq!(found, ["1 c 71 91", "2 a 72 92"]);
    });
}

#[test]
fn a_column_that_only_the_destination_has_keeps_its_value() {
    in_world(|world| async move {
        let people = world.people();
        let mut sink = world.open().await;
        let row = |name: &str, v| vec![n(1), t(name), n(v)];
        world.apply(&mut sink, vec![create(&people, row("a", 1))]).await.unwrap();
        sink.close().await;
        world.sql("ALTER TABLE DB.people ADD COLUMN note VARCHAR(10) NULL").await;
        world.sql("UPDATE DB.people SET note = 'mine'").await;
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![update(&people, row("a", 1), row("b", 2))]).await.unwrap();
        let found = world.texts("SELECT CONCAT_WS(' ', id, name, v, note) FROM DB.people").await;
        assert_eq!(found, ["1 b 2 mine"]);
    });
}

/// The destination keeps the column, with the key: there the row still holds the value that it had given up.
#[test]
fn a_row_whose_unique_column_was_dropped_gives_its_value_up() {
    in_world(|world| async move {
        let people = world.people();
        let mut sink = world.open().await;
        let row = |id, name: &str| vec![n(id), t(name), n(0)];
        world.apply(&mut sink, vec![create(&people, row(1, "a"))]).await.unwrap();
        let dropped = world.table("people", vec![int("id"), nullable(int("v"))], vec![primary(&[0])]);
        let changes = vec![
            update(&people, row(1, "a"), row(1, "b")),
            create(&people, row(2, "a")),
            update(&dropped, vec![n(1), n(0)], vec![n(1), n(5)]),
        ];
        world.apply(&mut sink, changes).await.unwrap();
        let found = world.texts("SELECT CONCAT_WS(' ', id, name, v) FROM DB.people ORDER BY id").await;
        assert_eq!(found, ["1 5", "2 a 0"]);
    });
}
