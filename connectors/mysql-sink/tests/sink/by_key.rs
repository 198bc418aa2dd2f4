//! Sinks by key: who is given a partition takes it, and who has lost it applies nothing.

use std::sync::Arc;
use std::time::Duration;

use cdc_mysql_sink::{
    Batch, Change, Emptying, End, KeyBatch, KeySink, Origin, Partition, Sink, Standing, Step,
};
use cdc_sdk::cut::Place;
use cdc_sdk::value::OwnedRow;
use cdc_sdk::{CutId, Kind, Table};
use mysql_async::prelude::Queryable;

use crate::world::*;

fn partition(number: i32) -> Partition {
    ("prefix.t".to_owned(), number)
}

fn cut(sequence: u64) -> CutId {
    CutId { incarnation: 1, sequence }
}

fn step(number: i32, from: i64, to: i64) -> Step {
    let last = Some((cut(u64::try_from(to).unwrap()), 0));
    let to = Standing { next_offset: to, last, committed_us: 5 };
    Step { partition: partition(number), stream: u32::try_from(number).unwrap(), from, to }
}

fn of(stream: u32, change: Change<OwnedRow>) -> Change<OwnedRow> {
    Change { origin: Origin { stream, offset: 0 }, ..change }
}

/// (id INT PRIMARY KEY, v INT).
fn plain(world: &World) -> Arc<Table> {
    world.table("t", vec![int("id"), nullable(int("v"))], vec![primary(&[0])])
}

fn row(id: i64, v: i64) -> OwnedRow {
    vec![n(id), n(v)]
}

async fn apply(sink: &mut KeySink, changes: Vec<Change<OwnedRow>>, steps: Vec<Step>) -> Vec<Partition> {
    sink.apply(KeyBatch { changes, steps }).await.unwrap().lost
}

async fn content(world: &World) -> Vec<(i64, i64)> {
    world.rows("SELECT id, v FROM DB.t ORDER BY id").await
}

#[test]
fn who_has_lost_a_partition_applies_nothing_of_it() {
    in_world(|world| async move {
        let t = plain(&world);
        let mut first = KeySink::open(world.settings.clone()).await.unwrap();
        let mut second = KeySink::open(world.settings.clone()).await.unwrap();
        let both = [partition(0), partition(1)];
        first.take(&both).await.unwrap();
        let changes = vec![of(0, create(&t, row(1, 1))), of(1, create(&t, row(2, 1)))];
        let steps = || vec![step(0, 0, 10), step(1, 0, 10)];
        assert!(apply(&mut first, changes, steps()).await.is_empty());
        // The second begins where the first ended, and at the same offset: only the epoch tells the two apart.
        let taken = second.take(&both[..1]).await.unwrap();
        assert_eq!(taken, [(partition(0), step(0, 0, 10).to)]);
        let late = vec![of(0, update(&t, row(1, 1), row(1, 99))), of(1, update(&t, row(2, 1), row(2, 2)))];
        let lost = apply(&mut first, late, vec![step(0, 10, 20), step(1, 10, 20)]).await;
        assert_eq!(lost, both[..1]);
        assert_eq!(content(&world).await, [(1, 1), (2, 2)], "the other partition is applied");
        let changes = vec![of(0, update(&t, row(1, 1), row(1, 3)))];
        assert!(apply(&mut second, changes, vec![step(0, 10, 30)]).await.is_empty());
        let again = vec![of(0, update(&t, row(1, 1), row(1, 99)))];
        assert_eq!(apply(&mut first, again, vec![step(0, 10, 20)]).await, both[..1]);
        assert_eq!(content(&world).await, [(1, 3), (2, 2)]);
        assert_eq!(second.standings().await.unwrap()[&partition(0)].next_offset, 30);
    });
}

/// A row lock of somebody else keeps the zombie inside its transaction, with its partition's row locked.
#[test]
fn a_silent_owner_does_not_keep_its_partition() {
    in_world(|world| async move {
        let t = plain(&world);
        let mut zombie = KeySink::open(world.settings.clone()).await.unwrap();
        zombie.take(&[partition(0)]).await.unwrap();
        apply(&mut zombie, vec![of(0, create(&t, row(1, 1)))], vec![step(0, 0, 10)]).await;
        let mut blocker = world.admin().await;
        blocker.query_drop("START TRANSACTION").await.unwrap();
        let hold = format!("SELECT * FROM `{}`.t WHERE id = 1 FOR UPDATE", world.database);
        blocker.query_drop(hold).await.unwrap();
        let stuck = tokio::spawn(async move {
            let changes = vec![of(0, update(&t, row(1, 1), row(1, 99)))];
            zombie.apply(KeyBatch { changes, steps: vec![step(0, 10, 20)] }).await
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut heir = KeySink::open(world.settings.clone()).await.unwrap();
        let taken = heir.take(&[partition(0)]).await.unwrap();
        assert_eq!(taken[0].1.next_offset, 10);
        assert_eq!(stuck.await.unwrap().unwrap_err().kind(), Kind::MysqlUnreachable);
        blocker.query_drop("ROLLBACK").await.unwrap();
        assert_eq!(content(&world).await, [(1, 1)]);
    });
}

#[test]
fn rows_and_offsets_are_one_transaction() {
    in_world(|world| async move {
        let t = plain(&world);
        let mut sink = KeySink::open(world.settings.clone()).await.unwrap();
        sink.take(&[partition(0)]).await.unwrap();
        apply(&mut sink, vec![of(0, create(&t, row(1, 1)))], vec![step(0, 0, 10)]).await;
        let bad = vec![of(0, create(&t, row(2, 1))), of(0, create(&t, row(3, 3_000_000_000)))];
        let error = sink.apply(KeyBatch { changes: bad, steps: vec![step(0, 10, 20)] }).await.unwrap_err();
        assert_eq!(error.kind(), Kind::RowRefused, "{error}");
        assert_eq!(content(&world).await, [(1, 1)]);
        assert_eq!(sink.standings().await.unwrap()[&partition(0)].next_offset, 10, "nothing is passed by");
    });
}

#[test]
fn a_delete_matches_the_keys_bytes() {
    in_world(|world| async move {
        let words = world.table("t", vec![varchar("id", 10), nullable(int("v"))], vec![primary(&[0])]);
        let row = |word: &str, v| vec![t(word), n(v)];
        let mut sink = KeySink::open(world.settings.clone()).await.unwrap();
        sink.take(&[partition(0), partition(1)]).await.unwrap();
        apply(&mut sink, vec![of(0, create(&words, row("A", 1)))], vec![step(0, 0, 10)]).await;
        // The key is spelled anew; the partition of the new spelling comes first.
        apply(&mut sink, vec![of(1, create(&words, row("a", 2)))], vec![step(1, 0, 10)]).await;
        apply(&mut sink, vec![of(0, delete(&words, row("A", 1)))], vec![step(0, 10, 20)]).await;
        let found: Vec<(String, i64)> = world.rows("SELECT id, v FROM DB.t").await;
        assert_eq!(found, [("a".to_owned(), 2)]);
        apply(&mut sink, vec![of(1, delete(&words, row("a", 2)))], vec![step(1, 10, 20)]).await;
        assert!(world.texts("SELECT id FROM DB.t").await.is_empty());
    });
}

#[test]
fn an_emptied_table_takes_all_its_partitions_along() {
    in_world(|world| async move {
        let t = plain(&world);
        let mut sink = KeySink::open(world.settings.clone()).await.unwrap();
        let mut other = KeySink::open(world.settings.clone()).await.unwrap();
        sink.take(&[partition(0), partition(1)]).await.unwrap();
        other.take(&[partition(2)]).await.unwrap();
        let rows = vec![of(0, create(&t, row(1, 1))), of(1, create(&t, row(2, 1)))];
        apply(&mut sink, rows, vec![step(0, 0, 10), step(1, 0, 10)]).await;
        // Past the event at cut 50: its row is gone with the others, and must come again.
        apply(&mut other, vec![of(2, create(&t, row(3, 1)))], vec![step(2, 0, 90)]).await;
        let place = |number, offset| Place { topic: "prefix.t".into(), partition: number, offset };
        let change = of(0, truncate(&t));
        let emptying = Emptying {
            change,
            step: step(0, 10, 50),
            cut: cut(50),
            others: vec![place(1, 40), place(2, 70)],
        };
        assert_eq!(sink.empty(&emptying).await.unwrap().lost, [partition(1)], "it is to be taken anew");
        assert!(content(&world).await.is_empty());
        let late = vec![of(2, create(&t, row(4, 1)))];
        assert_eq!(apply(&mut other, late, vec![step(2, 90, 99)]).await, [partition(2)]);
        assert_eq!(other.take(&[partition(2)]).await.unwrap()[0].1, Standing::behind(cut(50), 70, 5));
        // Who has lost the partition of the event empties nothing.
        let mut heir = KeySink::open(world.settings.clone()).await.unwrap();
        heir.take(&[partition(0)]).await.unwrap();
        apply(&mut heir, vec![of(0, create(&t, row(1, 2)))], vec![step(0, 50, 60)]).await;
        let emptying = Emptying { step: step(0, 60, 61), ..emptying };
        assert_eq!(sink.empty(&emptying).await.unwrap().lost, [partition(0)]);
        assert_eq!(content(&world).await, [(1, 2)]);
        assert_eq!(sink.confirm().await.unwrap(), [], "it knows what it has lost");
    });
}

#[test]
fn an_idle_sink_learns_what_it_has_lost() {
    in_world(|world| async move {
        let mut first = KeySink::open(world.settings.clone()).await.unwrap();
        let mut second = KeySink::open(world.settings.clone()).await.unwrap();
        first.take(&[partition(0), partition(1)]).await.unwrap();
        assert!(first.confirm().await.unwrap().is_empty());
        second.take(&[partition(1)]).await.unwrap();
        assert_eq!(first.confirm().await.unwrap(), [partition(1)]);
        assert!(first.taken_by_others(&[partition(1)]).await.unwrap());
        second.release(&[partition(1)]).await.unwrap();
        assert!(!first.taken_by_others(&[partition(1)]).await.unwrap());
        second.close().await;
        first.close().await;
        assert!(world.registered().await.is_empty());
    });
}

#[test]
fn one_consistency_at_a_time() {
    in_world(|world| async move {
        let people = world.table("t", vec![int("id"), nullable(int("v"))], vec![primary(&[0])]);
        let mut whole = world.open().await;
        let batch = Batch::new(vec![create(&people, row(1, 1))], End::Commit(world.advance()));
        whole.apply(batch).await.unwrap();
        let error = KeySink::open(world.settings.clone()).await.err().unwrap();
        assert_eq!(error.kind(), Kind::Conflict, "{error}");
        whole.close().await;
        let mut by_key = KeySink::open(world.settings.clone()).await.unwrap();
        let taken = by_key.take(&[partition(0), partition(1)]).await.unwrap();
        let begins = |number| taken.iter().find(|(p, _)| *p == partition(number)).unwrap().1;
        assert_eq!(begins(0), Standing::behind(cut(1), 10, 1_700_000_000_000_000));
        assert_eq!(begins(1), Standing::behind(cut(1), 0, 0), "up to the cut it counts as applied");
        let error = Sink::open(world.settings.clone(), |_| {}).await.err().unwrap();
        assert_eq!(error.kind(), Kind::LedgerMismatch, "{error}");
        let late = vec![of(0, update(&people, row(1, 1), row(1, 2)))];
        assert!(apply(&mut by_key, late, vec![step(0, 10, 20)]).await.is_empty(), "and was not disturbed");
    });
}
