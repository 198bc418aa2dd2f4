//! What columns are worked out from, what counts, what is unique and what is the key changes with the source.

use std::sync::Arc;

use cdc_mysql_sink::SchemaMode;
use cdc_sdk::column::{ColumnType as T, Generated, GeometryKind};
use cdc_sdk::pattern::{Pattern, Route};
use cdc_sdk::{Column, Key, Kind, OwnedValue, Table, TableName};

use crate::world::*;

fn worked_out(name: &str, expression: &str, stored: bool) -> Column {
    let mut column = nullable(int(name));
    column.extra.generated = Some(Generated { expression: expression.into(), stored });
    column
}

fn counted(name: &str) -> Column {
    let mut column = int(name);
    column.extra.auto_increment = true;
    column
}

fn table(world: &World, columns: Vec<Column>, keys: Vec<Key>) -> Arc<Table> {
    world.table("t", columns, keys)
}

async fn columns_of(world: &World) -> Vec<String> {
    let sql = "SELECT CONCAT_WS(' ', COLUMN_NAME, COLUMN_KEY, EXTRA, GENERATION_EXPRESSION) \
               FROM information_schema.COLUMNS WHERE TABLE_NAME = 't' AND TABLE_SCHEMA";
    world.texts(&format!("{sql} = '{}' ORDER BY ORDINAL_POSITION", world.database)).await
}

#[test]
fn generated_columns() {
    in_world(|world| async move {
        let of = |columns: Vec<Column>| {
            table(&world, [vec![int("id"), int("x")], columns].concat(), vec![primary(&[0])])
        };
        let mut sink = world.open().await;
        let first = of(vec![worked_out("g", "(`x` + 1)", true), worked_out("h", "(`x` + 1)", false)]);
        world.apply(&mut sink, vec![create(&first, vec![n(1), n(1), n(2), n(2)])]).await.unwrap();
        // Another expression, for rows that are there, too; the server's spelling is no difference.
        let second = of(vec![worked_out("g", "(`x`+100)", true), worked_out("h", "`x` + 100", false)]);
        world.apply(&mut sink, vec![create(&second, vec![n(2), n(2), n(102), n(102)])]).await.unwrap();
        let rows = "SELECT id, g, h FROM DB.t ORDER BY id";
        assert_eq!(world.rows::<(i64, i64, i64)>(rows).await, [(1, 101, 101), (2, 102, 102)]);
        // What was stored stays, as at the source. What was not was dropped there, and came anew.
        let third = of(vec![nullable(int("g")), int("h")]);
        world.apply(&mut sink, vec![create(&third, vec![n(3), n(3), n(7), n(8)])]).await.unwrap();
        assert_eq!(world.rows::<(i64, i64, i64)>(rows).await, [(1, 101, 0), (2, 102, 0), (3, 7, 8)]);
    });
}

#[test]
fn the_column_that_a_unique_one_is_worked_out_from_is_renamed() {
    in_world(|world| async move {
        let of = |base: &str| {
            let columns = vec![int("id"), int(base), worked_out("y", &format!("(`{base}` * 2)"), true)];
            table(&world, columns, vec![primary(&[0]), unique("y", &[2])])
        };
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&of("x"), vec![n(1), n(1), n(2)])]).await.unwrap();
        let renamed = of("q");
        world.apply(&mut sink, vec![truncate(&renamed)]).await.unwrap();
        let rows = [1, 2].map(|id| create(&renamed, vec![n(id), n(id), n(id * 2)]));
        world.apply(&mut sink, rows.to_vec()).await.unwrap();
        let found = world.rows::<(i64, i64, i64)>("SELECT id, q, y FROM DB.t ORDER BY id").await;
        assert_eq!(found, [(1, 1, 2), (2, 2, 4)]);
        // An older shape again, as a replay brings it, and the newer once more.
        world.apply(&mut sink, vec![truncate(&of("x"))]).await.unwrap();
        world.apply(&mut sink, vec![create(&of("x"), vec![n(3), n(3), n(6)])]).await.unwrap();
        world.apply(&mut sink, vec![truncate(&renamed)]).await.unwrap();
        world.apply(&mut sink, vec![create(&renamed, vec![n(4), n(4), n(8)])]).await.unwrap();
        assert_eq!(world.rows::<(i64, i64)>("SELECT id, y FROM DB.t").await, [(4, 8)]);
    });
}

#[test]
fn a_generated_column_is_not_filled_in_silence() {
    in_world(|mut world| async move {
        world.create_database().await;
        world.sql("CREATE TABLE DB.t (id INT PRIMARY KEY, x INT NOT NULL, g INT AS (x + 1) STORED)").await;
        let plain = table(&world, vec![int("id"), int("x"), nullable(int("g"))], vec![primary(&[0])]);
        let other =
            table(&world, vec![int("id"), int("x"), worked_out("g", "`x` + 2", true)], vec![primary(&[0])]);
        let cases = [
            (SchemaMode::Check, &plain, true),
            (SchemaMode::Check, &other, true),
            (SchemaMode::None, &plain, true),
            // The two may be spelled otherwise and mean the same.
            (SchemaMode::None, &other, false),
        ];
        for (mode, table, refused) in cases {
            world.settings.schema = mode;
            let mut sink = world.open().await;
            let applied = world.apply(&mut sink, vec![create(table, vec![n(1), n(1), n(9)])]).await;
            assert_eq!(applied.is_err(), refused, "{mode:?}");
            if let Err(error) = applied {
                assert!(error.what().contains("column g is int AS ((`x` + 1)) STORED"), "{error}");
            }
            sink.close().await;
        }
    });
}

#[test]
fn the_column_that_counts() {
    in_world(|world| async move {
        let of = |name: &str| table(&world, vec![counted(name), int("v")], vec![primary(&[0])]);
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&of("id"), vec![n(1), n(1)])]).await.unwrap();
        world.apply(&mut sink, vec![truncate(&of("order_id"))]).await.unwrap();
        let rows = [1, 2].map(|id| create(&of("order_id"), vec![n(id), n(id)]));
        world.apply(&mut sink, rows.to_vec()).await.unwrap();
        assert_eq!(columns_of(&world).await, ["order_id PRI auto_increment ", "id   ", "v   "]);
        // Not any more, and the key is another.
        let plain = table(&world, vec![int("order_id"), int("v")], vec![primary(&[1])]);
        world.apply(&mut sink, vec![truncate(&plain)]).await.unwrap();
        world.apply(&mut sink, vec![create(&plain, vec![n(1), n(1)])]).await.unwrap();
        assert_eq!(columns_of(&world).await, ["order_id   ", "id   ", "v PRI  "]);
    });
}

#[test]
fn the_primary_key_goes() {
    for counts in [false, true] {
        in_world(move |world| async move {
            let id = || if counts { counted("id") } else { int("id") };
            let keyed = table(&world, vec![id(), int("v")], vec![primary(&[0])]);
            let mut sink = world.open().await;
            world.apply(&mut sink, vec![create(&keyed, vec![n(1), n(1)])]).await.unwrap();
            // Its column stays, and is not unique any more.
            let without = table(&world, vec![int("id"), int("v")], vec![]);
            let same = || create(&without, vec![n(1), n(1)]);
            world.apply(&mut sink, vec![same(), same()]).await.unwrap();
            assert_eq!(world.rows::<i64>("SELECT id FROM DB.t").await, [1, 1, 1]);
            // Its column goes, too.
            world.apply(&mut sink, vec![truncate(&without)]).await.unwrap();
            world.apply(&mut sink, vec![create(&keyed, vec![n(1), n(1)])]).await.unwrap();
            let bare = table(&world, vec![int("v")], vec![]);
            let same = || create(&bare, vec![n(5)]);
            world.apply(&mut sink, vec![same(), same()]).await.unwrap();
            world.apply(&mut sink, vec![delete(&bare, vec![n(5)])]).await.unwrap();
            assert_eq!(world.rows::<i64>("SELECT v FROM DB.t ORDER BY v").await, [1, 5]);
        });
    }
}

#[test]
fn a_unique_key_goes_or_becomes_another() {
    in_world(|world| async move {
        let of = |uniques: &[&[usize]]| {
            let keys = uniques.iter().map(|columns| unique("u", columns));
            let keys = std::iter::once(primary(&[0])).chain(keys).collect();
            table(&world, vec![int("id"), int("a"), int("b")], keys)
        };
        let row = |id, a, b| vec![n(id), n(a), n(b)];
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&of(&[&[1]]), row(1, 1, 1))]).await.unwrap();
        world.apply(&mut sink, vec![create(&of(&[&[1, 2]]), row(2, 1, 2))]).await.unwrap();
        world.apply(&mut sink, vec![create(&of(&[]), row(3, 1, 2))]).await.unwrap();
        assert_eq!(world.rows::<i64>("SELECT id FROM DB.t ORDER BY id").await, [1, 2, 3]);
        // One of which this run has not seen that it was the source's may be the destination's own.
        world.sql("CREATE TABLE DB.mine LIKE DB.t").await;
        world.sql("ALTER TABLE DB.mine ADD UNIQUE KEY own (a)").await;
        let mine =
            Arc::new(Table { name: TableName::new(&world.database, "mine"), ..Table::clone(&of(&[])) });
        world.apply(&mut sink, vec![create(&mine, row(1, 1, 1))]).await.unwrap();
        let error = world.apply(&mut sink, vec![create(&mine, row(2, 1, 1))]).await.unwrap_err();
        let drop = format!("ALTER TABLE `{}`.`mine` DROP INDEX `own`", world.database);
        assert!(error.kind() == Kind::Divergence && error.hint_text().unwrap().contains(&drop), "{error}");
    });
}

/// The unique key of a column that comes later cannot stand while older rows have the same value there.
#[test]
fn a_unique_column_comes_and_older_rows_follow() {
    in_world(|world| async move {
        let old = table(&world, vec![int("id")], vec![primary(&[0])]);
        let new = table(&world, vec![int("id"), int("c")], vec![primary(&[0]), unique("c", &[1])]);
        let mut sink = world.open().await;
        for restart in [false, true] {
            world.apply(&mut sink, vec![truncate(&new)]).await.unwrap();
            if restart {
                sink.close().await;
                sink = world.open().await;
                world.sql("ALTER TABLE DB.t ALTER COLUMN c DROP DEFAULT").await;
            }
            let older = [1, 2].map(|id| create(&old, vec![n(id)]));
            world.apply(&mut sink, older.to_vec()).await.unwrap();
            let newer = [1, 2].map(|id| update(&new, vec![n(id), n(0)], vec![n(id), n(id)]));
            // What the source had when it made the key.
            world.sql("UPDATE DB.t SET c = id").await;
            world.apply(&mut sink, newer.to_vec()).await.unwrap();
            assert_eq!(columns_of(&world).await, ["id PRI  ", "c UNI  "]);
        }
    });
}

#[test]
fn places_and_names() {
    in_world(|world| async move {
        let of = |name: &str, srid: u32| {
            let mut place = column("p", T::Geometry { kind: GeometryKind::Point });
            place.extra.srid = Some(srid);
            let spatial = serde_json::json!({"kind": "spatial", "name": "sp", "parts": [{"column": 1}]});
            let keys = vec![primary(&[0]), serde_json::from_value(spatial).unwrap()];
            table(&world, vec![int(name), place], keys)
        };
        let point: Vec<u8> = [&[1u8, 1, 0, 0, 0][..], &[0; 16]].concat();
        let row = |id, srid| vec![n(id), OwnedValue::Geometry(srid, point.clone())];
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&of("Ä", 4326), row(1, 4326))]).await.unwrap();
        world.apply(&mut sink, vec![truncate(&of("ä", 0))]).await.unwrap();
        world.apply(&mut sink, vec![create(&of("ä", 0), row(2, 0))]).await.unwrap();
        assert_eq!(world.rows::<(i64, u32)>("SELECT ä, ST_SRID(p) FROM DB.t").await, [(2, 0)]);
        assert_eq!(columns_of(&world).await, ["Ä PRI  ", "p MUL  "]);
    });
}

#[test]
fn two_tables_do_not_go_into_one() {
    in_world(|mut world| async move {
        let pattern = |text: &str| Pattern::parse(text).unwrap();
        let to = pattern(&format!("{}.t", world.database));
        world.settings.routes = vec![Route::new(pattern("shop.*"), to).unwrap()];
        let of = |name: &str| {
            let table = table(&world, vec![int("id")], vec![primary(&[0])]);
            Arc::new(Table { name: TableName::new("shop", name), ..Table::clone(&table) })
        };
        let (a, b) = (of("a"), of("b"));
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&a, vec![n(1)])]).await.unwrap();
        for change in [create(&b, vec![n(2)]), truncate(&b)] {
            let error = world.apply(&mut sink, vec![change]).await.unwrap_err();
            assert!(error.kind() == Kind::Settings && error.what().contains("shop.b"), "{error}");
        }
        assert_eq!(world.rows::<i64>("SELECT id FROM DB.t").await, [1]);
    });
}
