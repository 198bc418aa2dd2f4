//! A table that waits as a whole while its schema changes leaves the quarantine in one transaction, which no DDL
//! waits for.

use std::sync::Arc;
use std::time::Duration;

use cdc_mysql_sink::{Change, Held, SchemaMode, Sink};
use cdc_sdk::column::ColumnType;
use cdc_sdk::pattern::Pattern;
use cdc_sdk::{Column, Kind, OwnedRow, Result, Table};

use crate::office::*;
use crate::world::*;

/// Shorter than DDL waits for a lock of the same sink.
const SOON: Duration = Duration::from_secs(30);

/// A table without a key whose rows are refused for now, in quarantine as a whole.
async fn waiting(world: &mut World) -> (Sink, Arc<Table>, Held) {
    world.create_database().await;
    world.settings.schema = SchemaMode::Evolve;
    world.settings.dead_letters = vec![Pattern::parse(&format!("{}.*", world.database)).unwrap()];
    let log = log(world, vec![]);
    let office = Office::new(world);
    let mut sink = open(world, &office).await;
    world.apply(&mut sink, vec![at(0, create(&log, vec![t("a")]))]).await.unwrap();
    world.sql("ALTER TABLE DB.log ADD CONSTRAINT c CHECK (note <> 'bad')").await;
    world.apply(&mut sink, vec![at(1, create(&log, vec![t("bad")]))]).await.unwrap();
    let held = sink.quarantine().held()[0].clone();
    assert_eq!(held.key, None);
    world.sql("ALTER TABLE DB.log DROP CHECK c").await;
    (sink, log, held)
}

fn log(world: &World, more: Vec<Column>) -> Arc<Table> {
    let mut columns = vec![varchar("note", 20)];
    columns.extend(more);
    world.table("log", columns, vec![])
}

async fn retry(sink: &mut Sink, held: &Held, chunks: &[Vec<Change<OwnedRow>>]) -> Result<()> {
    let mut schemas: Vec<Arc<Table>> = Vec::new();
    for change in chunks.iter().flatten() {
        if !schemas.contains(&change.table) {
            schemas.push(change.table.clone());
        }
    }
    let mut chunks = chunks.iter().cloned();
    let done = sink.retry_table(held, &schemas, || Ok(chunks.next()), "test");
    tokio::time::timeout(SOON, done).await.expect("a statement waits for the sink itself")
}

#[test]
fn a_column_that_came_later_is_added_before() {
    in_world(|mut world| async move {
        let (mut sink, old, held) = waiting(&mut world).await;
        let new = log(&world, vec![nullable(int("v"))]);
        let chunks = [
            vec![create(&old, vec![t("bad")]), delete(&old, vec![t("a")])],
            vec![create(&new, vec![t("b"), n(2)]), create(&old, vec![t("c")])],
            vec![update(&new, vec![t("b"), n(2)], vec![t("d"), n(3)])],
        ];
        retry(&mut sink, &held, &chunks).await.unwrap();
        let rows = world.texts("SELECT CONCAT(note, COALESCE(v, '-')) FROM DB.log ORDER BY note").await;
        assert_eq!(rows, ["bad-", "c-", "d3"]);
        assert!(quarantine(&world).await.is_empty() && sink.quarantine().is_empty());
        // The sink goes on with the schema that came last.
        world.apply(&mut sink, vec![at(9, create(&new, vec![t("e"), n(4)]))]).await.unwrap();
        assert_eq!(world.rows::<i64>("SELECT v FROM DB.log WHERE note='e'").await, [4]);
    });
}

#[test]
fn a_value_that_the_source_gave_is_given_or_asked_for() {
    in_world(|mut world| async move {
        let (mut sink, old, held) = waiting(&mut world).await;
        // An ALTER gave rows that were there a vector of no length, which MySQL takes from nobody.
        let new = log(&world, vec![column("v", ColumnType::Vector { dimension: 3 })]);
        let chunks = [vec![create(&old, vec![t("bad")])], vec![create(&new, vec![t("b"), NULL])]];
        let error = retry(&mut sink, &held, &chunks).await.unwrap_err();
        assert_eq!(error.kind(), Kind::TableMismatch, "{error}");
        assert!(error.to_string().contains("ADD COLUMN `v` vector(3) NOT NULL DEFAULT"), "{error}");
        assert_eq!(world.texts("SELECT note FROM DB.log").await, ["a"]);
        assert_eq!(quarantine(&world).await.len(), 1);
        // And a number 0, which the destination's ALTER gives them, too.
        let new = log(&world, vec![int("v")]);
        let chunks = [
            vec![create(&old, vec![t("bad")])],
            vec![create(&new, vec![t("b"), n(2)]), delete(&new, vec![t("bad"), n(0)])],
            vec![delete(&new, vec![t("a"), n(0)]), create(&new, vec![t("c"), n(3)])],
        ];
        retry(&mut sink, &held, &chunks).await.unwrap();
        assert_eq!(world.texts("SELECT CONCAT(note, v) FROM DB.log ORDER BY note").await, ["b2", "c3"]);
        assert!(quarantine(&world).await.is_empty());
    });
}

#[test]
fn a_schema_that_was_not_told_is_refused_before_it_waits() {
    in_world(|mut world| async move {
        let (mut sink, old, held) = waiting(&mut world).await;
        let new = log(&world, vec![nullable(int("v"))]);
        let mut chunks =
            [vec![create(&old, vec![t("bad")])], vec![create(&new, vec![t("b"), n(2)])]].into_iter();
        let told = [old];
        let done = sink.retry_table(&held, &told, || Ok(chunks.next()), "test");
        let error = tokio::time::timeout(SOON, done).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), Kind::Bug, "{error}");
        assert_eq!(world.texts("SELECT note FROM DB.log").await, ["a"]);
    });
}
