//! A table whose rows cannot be told apart is handed out as it was at one moment,
//! also while it is written, and again from the start after an end in the middle.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cdc_mysql_source::{Event, Start, TableState};
use cdc_sdk::Fate;
use mysql_async::prelude::Queryable;

use crate::kit::{Model, Outcome, World, next, number, until_caught_up, until_complete};

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);

const MAKE: &str = "CREATE TABLE bag (a INT, b VARCHAR(10));\n\
     INSERT INTO bag WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 900) SELECT i MOD 100, 'x' FROM s;\n\
     CREATE TABLE busy (id INT PRIMARY KEY, v INT);\n\
     INSERT INTO busy VALUES (1, 0)";

async fn holds(world: &mut World, model: &Model) -> Outcome {
    let rows: Vec<(i64, i64)> = world.admin.query("SELECT a, COUNT(*) FROM bag GROUP BY a").await?;
    let there: HashMap<i64, i64> = rows.into_iter().collect();
    let mut held: HashMap<i64, i64> = HashMap::new();
    for (row, count) in model.bags.get(&world.table("bag")).into_iter().flatten() {
        if *count > 0 {
            let number: i64 = row.split(['(', ')']).nth(2).and_then(|n| n.parse().ok()).ok_or(row.clone())?;
            *held.entry(number).or_default() += count;
        }
    }
    if held == there { Ok(()) } else { Err(format!("held {held:?}\nthere {there:?}").into()) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_at_one_moment_while_written() -> Outcome {
    let Some(mut world) = World::new("keyless").await? else { return Ok(()) };
    world.run(MAKE).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let (mut one, mut two) = (world.connect().await?, world.connect().await?);
    let ends = [stop.clone(), stop.clone()];
    let [end_one, end_two] = ends;
    let bag = tokio::spawn(async move {
        let mut n = 0;
        while !end_one.load(Ordering::Relaxed) {
            n += 1;
            let statement = match n % 3 {
                0 => format!("DELETE FROM bag WHERE a = {} LIMIT 1", n % 100),
                1 => format!("INSERT INTO bag VALUES ({}, 'x')", n % 100),
                _ => format!("UPDATE bag SET a = a + 1 WHERE a = {} LIMIT 1", n % 99),
            };
            one.query_drop(statement).await?;
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
        Outcome::Ok(n)
    });
    let busy = tokio::spawn(async move {
        while !end_two.load(Ordering::Relaxed) {
            two.query_drop("UPDATE busy SET v = v + 1").await?;
        }
        Outcome::Ok(())
    });
    let mut model = Model::default();
    let mut source = model.open(&world.settings("keyless")?, Start::Fresh).await?;
    let outcome = until_complete(&mut source, &mut model).await;
    stop.store(true, Ordering::Relaxed);
    bag.await??;
    busy.await??;
    outcome?;
    until_caught_up(&mut source, &mut model).await?;
    holds(&mut world, &model).await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_in_the_middle_begins_with_a_truncation() -> Outcome {
    let Some(mut world) = World::new("torn").await? else { return Ok(()) };
    world.run(MAKE).await?;
    let settings = world.settings("torn")?;
    let mut model = Model::default();
    let mut source = model.open(&settings, Start::Fresh).await?;
    // Until some of the rows have come.
    loop {
        let event = next(&mut source).await?;
        let torn = matches!(&event, Event::Chunk(c) if matches!(c.progress.state, TableState::Reading { after: None, .. }));
        model.apply(event, source.position())?;
        if torn {
            break;
        }
    }
    drop(source);
    world.run("DELETE FROM bag WHERE a < 50;\nINSERT INTO bag VALUES (7, 'late')").await?;
    // A second run that ends before it reads anything must not forget what must go.
    let start = model.resume();
    drop(model.open(&settings, start).await?);
    let start = model.resume();
    let mut source = model.open(&settings, start).await?;
    until_complete(&mut source, &mut model).await?;
    until_caught_up(&mut source, &mut model).await?;
    assert!(model.emptied.contains(&world.table("bag")), "what was there was not truncated");
    holds(&mut world, &model).await?;
    let busy = model
        .tables
        .get(&world.table("busy"))
        .and_then(|rows| rows.values().next())
        .and_then(|r| number(&r[1]));
    assert_eq!(busy, Some(0));
    world.end().await
}

/// A statement that waits for the table's lock when the view is opened, and is through before its rows are asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn altered_or_renamed_under_its_view() -> Outcome {
    for statement in ["RENAME TABLE bag TO bag_too", "ALTER TABLE bag ADD COLUMN c INT FIRST"] {
        let Some(mut world) = World::new("altered").await? else { return Ok(()) };
        world.run("CREATE TABLE bag (a INT);\nINSERT INTO bag VALUES (1), (1), (2)").await?;
        let settings = world.settings("altered")?;
        let mut holder = world.connect().await?;
        holder.query_drop("LOCK TABLES bag WRITE").await?;
        let mut model = Model::default();
        let mut source = model.open(&settings, Start::Fresh).await?;
        let waits = format!(
            "SELECT COUNT(*) FROM performance_schema.metadata_locks WHERE OBJECT_NAME = 'bag' \
             AND OBJECT_SCHEMA = '{}' AND LOCK_STATUS = 'PENDING'",
            world.table("bag").database
        );
        let mut admin = world.connect().await?;
        let released = tokio::spawn(async move {
            while admin.query_first(&waits).await? != Some(1) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            holder.query_drop(statement).await?;
            holder.query_drop("UNLOCK TABLES").await?;
            Outcome::Ok(())
        });
        // Where the stream was quicker than the reader's report the view was given up before, and nothing ends.
        let outcome = loop {
            match tokio::time::timeout(PATIENCE, source.next()).await? {
                Ok(Event::SnapshotComplete) => break None,
                Ok(event) => model.apply(event, source.position())?,
                Err(error) => break Some(error),
            }
        };
        released.await??;
        assert!(outcome.as_ref().is_none_or(|e| e.fate() == Fate::Retry), "{statement}: {outcome:?}");
        drop(source);
        let mut source = model.open(&settings, model.resume()).await?;
        until_complete(&mut source, &mut model).await?;
        until_caught_up(&mut source, &mut model).await?;
        let rows = |name: &str| -> i64 {
            model.bags.get(&world.table(name)).into_iter().flatten().map(|(_, n)| n).sum()
        };
        assert_eq!(rows("bag") + rows("bag_too"), 3, "{statement}");
        world.end().await?;
    }
    Ok(())
}
