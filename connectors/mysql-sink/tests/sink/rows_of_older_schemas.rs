//! Rows that come from before a column was added get what the source gave them: no NULL, and no error.

use std::sync::Arc;

use cdc_mysql_sink::{Change, KeyBatch, KeySink, Origin, Standing, Step};
use cdc_sdk::column::{BlobSize, ColumnType as T, GeometryKind};
use cdc_sdk::value::OwnedRow;
use cdc_sdk::{Column, CutId, Kind, Table};

use crate::world::*;

/// One column of each type that has a value of its own for rows from before it.
fn added() -> Vec<Column> {
    let of = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let types = [
        T::Decimal { precision: 5, scale: 2, unsigned: false },
        T::Float { unsigned: false },
        T::Bit { bits: 12 },
        T::Char { length: 3 },
        T::Varchar { length: 3 },
        T::Binary { length: 3 },
        T::Varbinary { length: 3 },
        T::Text { size: BlobSize::Normal },
        T::Blob { size: BlobSize::Normal },
        T::Enum { members: of(&["it's", "\\"]) },
        T::Set { members: of(&["x", "y"]) },
        T::Date,
        T::Time { fsp: 1 },
        T::Datetime { fsp: 3 },
        T::Timestamp { fsp: 2 },
        T::Year,
        T::Json,
    ];
    types.into_iter().enumerate().map(|(at, ty)| column(&format!("c{at}"), ty)).collect()
}

fn with(table: &Arc<Table>, columns: Vec<Column>) -> Arc<Table> {
    let mut table = Table::clone(table);
    table.columns.extend(columns);
    Arc::new(table)
}

fn plain(world: &World) -> Arc<Table> {
    world.table("t", vec![int("id"), nullable(int("v"))], vec![primary(&[0])])
}

/// What MySQL itself makes of the rows: the measure for all of this.
async fn as_mysql_does(world: &World) -> Vec<String> {
    world.create_database().await;
    world.sql("CREATE TABLE DB.measure (id INT PRIMARY KEY, v INT)").await;
    world.sql("INSERT INTO DB.measure VALUES (1, 1), (2, 2), (3, 3)").await;
    let add = |c: &Column| format!("ADD COLUMN {} {} NOT NULL", c.name, c.ty.sql());
    let clauses: Vec<String> = added().iter().map(add).collect();
    world.sql(&format!("ALTER TABLE DB.measure {}", clauses.join(", "))).await;
    shown(world, "measure").await
}

async fn shown(world: &World, table: &str) -> Vec<String> {
    let columns = added().iter().map(|c| format!("IFNULL(HEX({}), 'NULL')", c.name)).collect::<Vec<_>>();
    world
        .texts(&format!("SELECT CONCAT_WS(' ', id, v, {}) FROM DB.{table} ORDER BY id", columns.join(", ")))
        .await
}

#[test]
fn they_get_the_value_that_mysql_gives() {
    in_world(|world| async move {
        let measure = as_mysql_does(&world).await;
        let old = plain(&world);
        let new = with(&old, added());
        let mut sink = world.open().await;
        // The table is emptied in its newest shape, as a source does that was down meanwhile; older rows follow.
        world.apply(&mut sink, vec![create(&old, vec![n(9), n(9)])]).await.unwrap();
        world.apply(&mut sink, vec![truncate(&new)]).await.unwrap();
        world.apply(&mut sink, vec![create(&old, vec![n(1), n(1)])]).await.unwrap();
        sink.close().await;
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&old, vec![n(2), n(2)])]).await.unwrap();
        // The same table, made in its newest shape: none of the defaults is there.
        world.sql("CREATE TABLE DB.kept SELECT * FROM DB.t").await;
        world.sql("DROP TABLE DB.t").await;
        sink.close().await;
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![truncate(&new)]).await.unwrap();
        assert!(world.texts("SELECT v FROM DB.t").await.is_empty());
        world.sql("INSERT INTO DB.t SELECT * FROM DB.kept").await;
        world.apply(&mut sink, vec![create(&old, vec![n(3), n(3)])]).await.unwrap();
        assert_eq!(shown(&world, "t").await, measure);
        // Nothing is left to be changed for either shape.
        let made = world.rows::<(String, String)>("SHOW CREATE TABLE DB.t").await;
        sink.close().await;
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![truncate(&new)]).await.unwrap();
        world.apply(&mut sink, vec![create(&old, vec![n(3), n(3)])]).await.unwrap();
        assert_eq!(world.rows::<(String, String)>("SHOW CREATE TABLE DB.t").await, made);
    });
}

/// The first plan is of a table that the second shape changes: with it the row would take the place of the other.
#[test]
fn both_shapes_in_one_batch_know_of_the_newer_ones_key() {
    in_world(|world| async move {
        let old = plain(&world);
        let mut new = Table::clone(&with(&old, vec![int("c")]));
        new.keys.push(unique("u", &[1]));
        let new = Arc::new(new);
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&old, vec![n(1), n(1)])]).await.unwrap();
        let both = vec![create(&old, vec![n(2), n(1)]), create(&new, vec![n(3), n(3), n(3)])];
        let error = world.apply(&mut sink, both).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Divergence, "{error}");
        assert_eq!(world.rows::<(i64, i64, i64)>("SELECT id, v, c FROM DB.t").await, [(1, 1, 0)]);
        let both = vec![create(&old, vec![n(2), n(2)]), create(&new, vec![n(3), n(3), n(3)])];
        world.apply(&mut sink, both).await.unwrap();
        let rows = world.rows::<(i64, i64, i64)>("SELECT id, v, c FROM DB.t ORDER BY id").await;
        assert_eq!(rows, [(1, 1, 0), (2, 2, 0), (3, 3, 3)]);
    });
}

#[test]
fn a_table_that_somebody_changes_meanwhile_is_looked_at_again() {
    in_world(|world| async move {
        let table = plain(&world);
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&table, vec![n(1), n(1)])]).await.unwrap();
        world.sql("ALTER TABLE DB.t ADD COLUMN c INT NOT NULL").await;
        world.apply(&mut sink, vec![create(&table, vec![n(2), n(2)])]).await.unwrap();
        world.sql("ALTER TABLE DB.t DROP COLUMN v").await;
        world.apply(&mut sink, vec![create(&table, vec![n(3), n(3)])]).await.unwrap();
        let rows = world.rows::<(i64, Option<i64>, i64)>("SELECT id, v, c FROM DB.t ORDER BY id").await;
        assert_eq!(rows, [(1, None, 0), (2, None, 0), (3, Some(3), 0)]);
        // One that is gone is not made anew: its rows would be missing.
        world.sql("DROP TABLE DB.t").await;
        let error = world.apply(&mut sink, vec![create(&table, vec![n(4), n(4)])]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::TableMismatch, "{error}");
    });
}

async fn by_key(sink: &mut KeySink, stream: i32, from: i64, change: Change<OwnedRow>) -> cdc_sdk::Result<()> {
    let cut = CutId { incarnation: 1, sequence: u64::try_from(from + 1).unwrap() };
    let to = Standing { next_offset: from + 1, last: Some((cut, 0)), committed_us: 5 };
    let origin = Origin { stream: u32::try_from(stream).unwrap(), offset: 0 };
    let steps = vec![Step { partition: ("prefix.t".into(), stream), stream: origin.stream, from, to }];
    sink.apply(KeyBatch { changes: vec![Change { origin, ..change }], steps }).await.map(drop)
}

async fn two_sinks(world: &mut World) -> (KeySink, KeySink) {
    world.settings.by_key = true;
    let mut lagging = KeySink::open(world.settings.clone()).await.unwrap();
    let mut ahead = KeySink::open(world.settings.clone()).await.unwrap();
    lagging.take(&[("prefix.t".into(), 0)]).await.unwrap();
    ahead.take(&[("prefix.t".into(), 1)]).await.unwrap();
    (lagging, ahead)
}

#[test]
fn a_partition_that_lags_brings_them_by_key() {
    in_world(|mut world| async move {
        let measure = as_mysql_does(&world).await;
        let old = plain(&world);
        let new = with(&old, added());
        let (mut lagging, mut ahead) = two_sinks(&mut world).await;
        by_key(&mut lagging, 0, 0, create(&old, vec![n(1), n(1)])).await.unwrap();
        let gone = [vec![n(9), n(9)], vec![NULL; added().len()]].concat();
        by_key(&mut ahead, 1, 0, delete(&new, gone)).await.unwrap();
        by_key(&mut lagging, 0, 1, create(&old, vec![n(2), n(2)])).await.unwrap();
        by_key(&mut ahead, 1, 1, create(&old, vec![n(3), n(3)])).await.unwrap();
        assert_eq!(shown(&world, "t").await, measure);
    });
}

#[test]
fn a_partition_that_lags_does_not_turn_the_table_back() {
    in_world(|mut world| async move {
        let old = plain(&world);
        let mut new = Table::clone(&old);
        new.columns[1].ty = T::Varchar { length: 20 };
        (new.columns[1].charset, new.columns[1].collation) =
            (varchar("v", 1).charset, varchar("v", 1).collation);
        let new = Arc::new(new);
        let (mut lagging, mut ahead) = two_sinks(&mut world).await;
        by_key(&mut lagging, 0, 0, create(&old, vec![n(1), n(1)])).await.unwrap();
        by_key(&mut ahead, 1, 0, create(&new, vec![n(5), t("abc")])).await.unwrap();
        lagging.close().await;
        let mut lagging = KeySink::open(world.settings.clone()).await.unwrap();
        lagging.take(&[("prefix.t".into(), 0)]).await.unwrap();
        by_key(&mut lagging, 0, 1, create(&old, vec![n(2), n(2)])).await.unwrap();
        by_key(&mut ahead, 1, 1, create(&new, vec![n(6), t("d")])).await.unwrap();
        let rows = world.rows::<(i64, String)>("SELECT id, v FROM DB.t ORDER BY id").await;
        let rows: Vec<(i64, &str)> = rows.iter().map(|(id, v)| (*id, v.as_str())).collect();
        assert_eq!(rows, [(1, "1"), (2, "2"), (5, "abc"), (6, "d")]);
        // A type that the table's does not go over to without loss: only while it is empty.
        let mut other = Table::clone(&old);
        other.columns[1] = nullable(column("v", T::Date));
        let other = Arc::new(other);
        let row = || create(&other, vec![n(7), NULL]);
        let error = by_key(&mut lagging, 0, 2, row()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::TableMismatch, "{error}");
        assert!(error.hint_text().unwrap().contains("MODIFY COLUMN `v` date NULL"), "{error}");
        world.sql("DELETE FROM DB.t").await;
        by_key(&mut lagging, 0, 2, row()).await.unwrap();
        assert_eq!(world.rows::<i64>("SELECT id FROM DB.t").await, [7]);
    });
}

#[test]
fn a_point_has_no_such_value_and_gets_null() {
    in_world(|world| async move {
        let old = plain(&world);
        let mut point = column("p", T::Geometry { kind: GeometryKind::Point });
        point.extra.srid = Some(4326);
        let mut new = Table::clone(&with(&old, vec![point]));
        let spatial = serde_json::json!({"kind": "spatial", "name": "sp", "parts": [{"column": 2}]});
        new.keys.push(serde_json::from_value(spatial).unwrap());
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![truncate(&Arc::new(new))]).await.unwrap();
        world.apply(&mut sink, vec![create(&old, vec![n(1), n(1)])]).await.unwrap();
        let column =
            "SELECT CONCAT(IS_NULLABLE, SRS_ID) FROM information_schema.COLUMNS WHERE COLUMN_NAME = 'p'";
        let column = format!("{column} AND TABLE_SCHEMA = '{}'", world.database);
        assert_eq!(world.texts(&column).await, ["YES4326"]);
    });
}
