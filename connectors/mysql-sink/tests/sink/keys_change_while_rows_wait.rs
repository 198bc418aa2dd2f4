//! A table gets another primary key while rows of it wait in quarantine: no change passes them by under the new key, and
//! they do not turn the key back.

use std::sync::Arc;

use cdc_mysql_sink::{Change, Held, SchemaMode, Sink};
use cdc_sdk::pattern::Pattern;
use cdc_sdk::{Kind, OwnedRow, Table};

use crate::office::*;
use crate::world::*;

fn row(id: i64, b: i64, note: &str) -> OwnedRow {
    vec![n(id), n(b), t(note)]
}

/// The table by its old key and by its new one.
fn shapes(world: &World) -> (Arc<Table>, Arc<Table>) {
    let shape =
        |key: &[usize]| world.table("t", vec![int("id"), int("b"), varchar("note", 9)], vec![primary(key)]);
    (shape(&[0]), shape(&[1]))
}

fn letters(old: &Arc<Table>) -> Vec<Change<OwnedRow>> {
    let bad = |offset, id, b| at(offset, update(old, row(id, b, "ok"), row(id, b, "bad")));
    vec![bad(1, 1, 10), bad(2, 2, 20)]
}

/// A sink with two rows in quarantine by the old key; what was wrong with them is mended.
async fn waiting(world: &mut World, office: &Arc<Office>) -> Sink {
    world.create_database().await;
    world.settings.schema = SchemaMode::Evolve;
    world.settings.dead_letters = vec![Pattern::parse(&format!("{}.*", world.database)).unwrap()];
    let (old, _) = shapes(world);
    let mut sink = open(world, office).await;
    let first = [(1, 10), (2, 20), (3, 30)].map(|(id, b)| create(&old, row(id, b, "ok")));
    world.apply(&mut sink, first.into()).await.unwrap();
    world.sql("ALTER TABLE DB.t ADD CONSTRAINT c CHECK (note <> 'bad')").await;
    world.apply(&mut sink, letters(&old)).await.unwrap();
    world.sql("ALTER TABLE DB.t DROP CHECK c").await;
    assert_eq!(quarantine(world).await, ["t id=1 1 1 1", "t id=2 1 2 2"]);
    sink
}

async fn rows(world: &World) -> Vec<String> {
    world.texts("SELECT CONCAT_WS(' ', id, b, note) FROM DB.t ORDER BY id").await
}

async fn key(world: &World) -> Vec<String> {
    let sql = "SELECT COLUMN_NAME FROM information_schema.STATISTICS WHERE INDEX_NAME = 'PRIMARY' AND TABLE_NAME = 't' \
               AND TABLE_SCHEMA =";
    world.texts(&format!("{sql} '{}'", world.database)).await
}

fn held(sink: &Sink) -> (Vec<Held>, Vec<Held>) {
    sink.quarantine().held().into_iter().cloned().partition(|held| held.key.is_some())
}

#[test]
fn the_table_waits_with_them() {
    in_world(|mut world| async move {
        let (office, (old, new)) = (Office::new(&world), shapes(&world));
        // What their keys are made of survives a kill.
        drop(waiting(&mut world, &office).await);
        let mut sink = open(&world, &office).await;
        let later = vec![
            at(3, update(&new, row(1, 10, "bad"), row(1, 10, "good"))),
            at(4, delete(&new, row(2, 20, "bad"))),
            at(5, create(&new, row(4, 40, "ok"))),
        ];
        world.apply(&mut sink, later.clone()).await.unwrap();
        assert_eq!(rows(&world).await, ["1 10 ok", "2 20 ok", "3 30 ok"]);
        assert_eq!(quarantine(&world).await, ["t * 3 3 5", "t id=1 1 1 1", "t id=2 1 2 2"]);
        let (rows_held, tables) = held(&sink);
        assert_eq!(tables[0].why.code, "E056");

        let mut chunks = Some(later).into_iter();
        let mut next = || Ok(chunks.next());
        let error =
            sink.retry_table(&tables[0], std::slice::from_ref(&new), &mut next, "test").await.unwrap_err();
        assert!(error.what().contains("2 rows of"), "the table after its rows: {error}");
        let group: Vec<_> = rows_held.into_iter().zip(letters(&old).into_iter().map(|c| vec![c])).collect();
        assert!(sink.retry(&group, "test").await.unwrap().is_empty());
        assert_eq!(rows(&world).await, ["1 10 bad", "2 20 bad", "3 30 ok"]);
        sink.retry_table(&tables[0], std::slice::from_ref(&new), &mut next, "test").await.unwrap();
        assert_eq!(rows(&world).await, ["1 10 good", "3 30 ok", "4 40 ok"]);
        assert_eq!(key(&world).await, ["b"]);
        assert!(quarantine(&world).await.is_empty() && sink.quarantine().is_empty());
        let keys = format!("SELECT made_of FROM `{}`.ledger_quarantine_keys", world.settings.ledger_database);
        assert!(world.texts(&keys).await.is_empty());
    });
}

#[test]
fn of_an_earlier_version_they_are_refused_later() {
    in_world(|mut world| async move {
        let (office, (old, new)) = (Office::new(&world), shapes(&world));
        drop(waiting(&mut world, &office).await);
        // An earlier version did not say what their keys are made of.
        world.sql(&format!("DROP TABLE `{}`.ledger_quarantine_keys", world.settings.ledger_database)).await;
        let mut sink = open(&world, &office).await;
        world
            .apply(&mut sink, vec![at(3, update(&new, row(1, 10, "bad"), row(1, 10, "good")))])
            .await
            .unwrap();
        let (rows_held, _) = held(&sink);
        assert_eq!(rows_held.len(), 2);
        let group: Vec<_> = rows_held.into_iter().zip(letters(&old).into_iter().map(|c| vec![c])).collect();
        let error = sink.retry(&group, "test").await.unwrap_err();
        assert_eq!(error.kind(), Kind::TableMismatch, "{error}");
        assert_eq!(rows(&world).await, ["1 10 good", "2 20 ok", "3 30 ok"]);
        assert_eq!(key(&world).await, ["b"]);
    });
}

#[test]
fn changes_by_two_keys_are_not_applied_together() {
    in_world(|mut world| async move {
        let (office, (old, new)) = (Office::new(&world), shapes(&world));
        let mut sink = waiting(&mut world, &office).await;
        for held in held(&sink).0 {
            sink.discard(&held, "", "test").await.unwrap();
        }
        let unreadable = cdc_sdk::Error::new(Kind::Decode, "damaged");
        let change = at(3, update(&old, row(1, 10, "ok"), row(1, 11, "ok")));
        let damaged = Change { key: None, unreadable: Some(Arc::new(unreadable)), ..change.clone() };
        world.apply(&mut sink, vec![damaged]).await.unwrap();
        let (_, tables) = held(&sink);
        // By the new key alone the row at (10) would stay beside the one at (11).
        let mut chunks = Some(vec![change, at(4, create(&new, row(4, 40, "ok")))]).into_iter();
        let done = sink.retry_table(&tables[0], &[old, new], || Ok(chunks.next()), "test").await;
        assert_eq!(done.unwrap_err().kind(), Kind::TableMismatch);
        assert_eq!((rows(&world).await.len(), key(&world).await), (3, vec!["id".to_owned()]));
    });
}
