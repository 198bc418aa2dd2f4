//! A replay over an old TRUNCATE releases only what lies behind that: rows without a key stay, and so does what they wait for.

use std::sync::Arc;

use cdc_mysql_sink::{Advance, Batch, Change, End, LedgerAdmin, Mark, Move, Running, Sink};
use cdc_sdk::{CutId, Error, Kind, OwnedRow, Table};

use crate::office::*;
use crate::world::*;

/// A table without a key, whose notes have three letters at most for now.
async fn log(world: &mut World) -> Arc<Table> {
    narrow(world).await;
    world.sql("CREATE TABLE DB.log (note VARCHAR(3))").await;
    world.table("log", vec![varchar("note", 20)], vec![])
}

async fn pass(world: &World, sink: &mut Sink, history: &[Vec<Change<OwnedRow>>]) {
    for (sequence, changes) in (1..).zip(history) {
        let end = Advance { cut: CutId { incarnation: 1, sequence }, ..world.advance() };
        sink.apply(Batch::new(changes.clone(), End::Commit(end))).await.unwrap();
    }
}

/// Applies the history, and then all of it once more.
async fn twice(world: &World, office: &Arc<Office>, history: &[Vec<Change<OwnedRow>>]) -> Sink {
    let mut sink = open(world, office).await;
    pass(world, &mut sink, history).await;
    sink.close().await;
    let to = Move::To(Mark::default());
    LedgerAdmin::set(&world.settings, &to, Running::Refused, "a test").await.unwrap();
    let mut sink = open(world, office).await;
    assert!(sink.progress().converging());
    pass(world, &mut sink, history).await;
    assert!(!sink.progress().converging());
    sink
}

#[test]
fn what_came_after_the_truncate_stays() {
    in_world(|mut world| async move {
        let log = log(&mut world).await;
        let office = Office::new(&world);
        let note = |offset, text: &str| at(offset, create(&log, vec![t(text)]));
        let letters = vec![note(3, "long note"), note(4, "c")];
        let history = [vec![note(0, "x")], vec![at(1, truncate(&log))], vec![note(2, "a")], letters.clone()];
        let mut sink = twice(&world, &office, &history).await;
        assert_eq!(quarantine(&world).await, ["log * 2 3 4"]);
        let held = sink.quarantine().held()[0].clone();
        world.sql("ALTER TABLE DB.log MODIFY note VARCHAR(20)").await;
        let mut letters = Some(letters).into_iter();
        sink.retry_table(&held, std::slice::from_ref(&log), || Ok(letters.next()), "test").await.unwrap();
        assert_eq!(world.texts("SELECT note FROM DB.log ORDER BY note").await, ["a", "c", "long note"]);
    });
}

#[test]
fn what_came_before_the_truncate_is_past() {
    in_world(|mut world| async move {
        let log = log(&mut world).await;
        let office = Office::new(&world);
        // Nobody can tell that it is of a table without a key, so it becomes a letter again.
        let unreadable = Change {
            key: None,
            after: None,
            unreadable: Some(Arc::new(Error::new(Kind::Decode, "damaged"))),
            ..at(0, create(&log, vec![t("x")]))
        };
        let history =
            [vec![unreadable], vec![at(1, truncate(&log))], vec![at(2, create(&log, vec![t("a")]))]];
        let sink = twice(&world, &office, &history).await;
        assert!(sink.quarantine().is_empty() && quarantine(&world).await.is_empty());
        assert_eq!(office.offsets(), [0, 0]);
        assert_eq!(world.texts("SELECT note FROM DB.log").await, ["a"]);
    });
}
