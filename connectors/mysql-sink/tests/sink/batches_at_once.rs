//! Several batches at work at once end as they would one after the other, and are seen in
//! their order.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cdc_mysql_sink::{Batch, Change, Done, End, Parallel};
use cdc_sdk::{OwnedRow, Table};
use mysql_async::prelude::Queryable;

use crate::world::*;

/// More than go alone because they are few.
const ROWS: i64 = 600;
const BATCHES: i64 = 24;
/// So many times as many make a batch that takes its time.
const MANY: i64 = 8;

type Work = Parallel<OwnedRow>;

async fn open(world: &World) -> Work {
    Parallel::new(world.open().await, 3).await.unwrap()
}

async fn apply(world: &World, work: &mut Work, changes: Vec<Change<OwnedRow>>) -> Vec<Done> {
    work.apply(Batch::new(changes, End::Commit(world.advance()))).await.unwrap();
    work.done().await.unwrap()
}

/// Applies batches and returns the order in which they were done.
async fn apply_all(world: &World, batches: Vec<Vec<Change<OwnedRow>>>) -> Vec<u64> {
    let mut work = open(world).await;
    let mut done = Vec::new();
    for changes in batches {
        done.extend(apply(world, &mut work, changes).await);
    }
    work.settle().await.unwrap();
    done.extend(work.done().await.unwrap());
    work.close().await;
    done.iter().map(|d| d.advance.as_ref().unwrap().cut.sequence).collect()
}

fn counters(world: &World, name: &str) -> Arc<Table> {
    world.table(name, vec![int("id"), int("v")], vec![primary(&[0])])
}

/// The ids of one part of many.
fn ids_of(part: i64) -> Range<i64> {
    ids(part..part + 1)
}

fn ids(parts: Range<i64>) -> Range<i64> {
    parts.start * ROWS..parts.end * ROWS
}

/// Looks again and again, while `stop` is not set, at what is committed: the ledger's sequence and a number.
async fn watch(world: World, sql: String, stop: Arc<AtomicBool>) -> Vec<(u64, i64)> {
    let mut conn = world.admin().await;
    let ledger =
        format!("SELECT COALESCE(MAX(sequence), 0) FROM `{}`.ledger", world.settings.ledger_database);
    let mut seen = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT").await.unwrap();
        let sequence = conn.query_first(&ledger).await.unwrap().unwrap();
        let number = conn.query_first(&sql).await.unwrap().unwrap();
        conn.query_drop("COMMIT").await.unwrap();
        seen.push((sequence, number));
    }
    seen
}

#[test]
fn states_appear_in_order() {
    in_world(|world| async move {
        let tables: Vec<_> = ["a", "b", "c"].iter().map(|name| counters(&world, name)).collect();
        world.create_database().await;
        for name in ["a", "b", "c"] {
            world.sql(&format!("CREATE TABLE DB.{name} (id INT PRIMARY KEY, v INT NOT NULL)")).await;
        }
        let count =
            "SELECT (SELECT COUNT(*) FROM DB.a)+(SELECT COUNT(*) FROM DB.b)+(SELECT COUNT(*) FROM DB.c)";
        let count = count.replace("DB.", &format!("`{}`.", world.database));
        // The ledger's tables must be there for the watcher.
        open(&world).await.close().await;
        let stop = Arc::new(AtomicBool::new(false));
        let watcher = tokio::spawn(watch(world.clone(), count, Arc::clone(&stop)));
        let batch =
            |of| ids_of(of).map(|id| create(&tables[(id % 3) as usize], vec![n(id), n(of)])).collect();
        let done = apply_all(&world, (0..BATCHES).map(batch).collect()).await;
        stop.store(true, Ordering::Relaxed);
        assert_eq!(done, (1..=BATCHES as u64).collect::<Vec<_>>());
        let seen = watcher.await.unwrap();
        assert!(seen.len() > 3, "the watcher hardly looked");
        for (sequence, rows) in seen {
            assert_eq!(rows, sequence as i64 * ROWS, "at cut {sequence}");
        }
    });
}

#[test]
fn rows_made_and_deleted_by_the_next_batch_are_gone() {
    in_world(|world| async move {
        let table = counters(&world, "t");
        // The rows of a delete come last in the batch before it: it would find none of them yet.
        let batches = (0..BATCHES).map(|of| {
            let rows = ids(of / 2 * MANY..of / 2 * MANY + MANY).map(|id| vec![n(id), n(of)]);
            match of % 2 {
                0 => rows.map(|row| create(&table, row)).collect(),
                _ => rows.skip(((MANY - 1) * ROWS) as usize).map(|row| delete(&table, row)).collect(),
            }
        });
        let done = apply_all(&world, batches.collect()).await;
        assert_eq!(done, (1..=BATCHES as u64).collect::<Vec<_>>());
        assert_eq!(world.rows::<i64>("SELECT COUNT(*) FROM DB.t").await, [BATCHES / 2 * (MANY - 1) * ROWS]);
    });
}

#[test]
fn unique_values_move_between_batches() {
    in_world(|world| async move {
        let people = world.people();
        let person = |id: i64, name: String| vec![n(id), t(&name), n(0)];
        let mut batches =
            vec![ids_of(0).map(|id| create(&people, person(id, format!("0.{id}")))).collect::<Vec<_>>()];
        for round in 0..BATCHES / 2 {
            // Frees names, which other rows take in the batch after it.
            let free = ids_of(round).map(|id| {
                let before = person(id, format!("{round}.{}", id % ROWS));
                update(&people, before, person(id, format!("free.{round}.{id}")))
            });
            let take =
                ids_of(round + 1).map(|id| create(&people, person(id, format!("{round}.{}", id % ROWS))));
            let rename = ids_of(round + 1).map(|id| {
                let before = person(id, format!("{round}.{}", id % ROWS));
                update(&people, before, person(id, format!("{}.{}", round + 1, id % ROWS)))
            });
            batches.extend([free.collect(), take.collect(), rename.collect::<Vec<_>>()]);
        }
        apply_all(&world, batches).await;
        let last = BATCHES / 2;
        let like = format!("SELECT COUNT(*) FROM DB.people WHERE name LIKE '{last}.%'");
        assert_eq!(world.rows::<i64>(&like).await, [ROWS]);
        let all = "SELECT COUNT(*) FROM DB.people".to_owned();
        assert_eq!(world.rows::<i64>(&all).await, [(last + 1) * ROWS]);
    });
}

#[test]
fn nothing_behind_an_error_is_committed() {
    in_world(|world| async move {
        let people = world.people();
        let good =
            |of: i64| ids_of(of).map(|id| create(&people, vec![n(id), NULL, n(of)])).collect::<Vec<_>>();
        let mut bad = good(2);
        bad.push(create(&people, vec![n(-1), t("a name that is longer than its column"), n(2)]));
        let mut work = open(&world).await;
        let mut error = None;
        for changes in [good(0), good(1), bad, good(3), good(4)] {
            let batch = Batch::new(changes, End::Commit(world.advance()));
            if let Err(refused) = work.apply(batch).await {
                error = Some(refused);
                break;
            }
        }
        let error = match error {
            Some(error) => error,
            None => work.settle().await.unwrap_err(),
        };
        assert!(error.to_string().contains("-1"), "{error}");
        work.close().await;
        assert_eq!(world.ledger_sequence().await, Some(2));
        assert_eq!(world.rows::<i64>("SELECT DISTINCT v FROM DB.people ORDER BY v").await, [0, 1]);
    });
}

#[test]
fn connections_killed_at_work_leave_nothing() {
    in_world(|world| async move {
        let table = counters(&world, "t");
        let batch = |of: i64| ids_of(of).map(|id| create(&table, vec![n(id), n(of)])).collect::<Vec<_>>();
        let mut work = open(&world).await;
        apply(&world, &mut work, batch(0)).await;
        work.settle().await.unwrap();
        let mut admin = world.admin().await;
        admin.query_drop("START TRANSACTION").await.unwrap();
        let sql = format!("SELECT * FROM `{}`.ledger FOR UPDATE", world.settings.ledger_database);
        admin.query_drop(sql).await.unwrap();
        // Both are at work, and neither can commit.
        for of in [1, 2] {
            work.apply(Batch::new(batch(of), End::Commit(world.advance()))).await.unwrap();
        }
        world.kill(&world.registered().await).await;
        admin.query_drop("ROLLBACK").await.unwrap();
        work.settle().await.unwrap_err();
        work.close().await;
        assert_eq!(world.rows::<i64>("SELECT DISTINCT v FROM DB.t").await, [0]);
        assert_eq!(world.ledger_sequence().await, Some(1));
    });
}
