//! Money moves between rows and tables while the snapshot runs. From the snapshot's
//! end on, after every commit, the sum is what it always is on the source: the
//! consumer holds a state that the source had, not a mixture of several.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cdc_mysql_source::{Event, Start};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::kit::{Model, Outcome, World, next, number, until_complete};

const ACCOUNTS: u64 = 200;
const TOTAL: i64 = 2 * 200 * 1000;
const ROUNDS: u64 = 20;

async fn transfer(mut conn: Conn, mut seed: u64, stop: Arc<AtomicBool>) -> Outcome<u64> {
    let mut done = 0;
    while !stop.load(Ordering::Relaxed) {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (from, to, amount) = ((seed >> 20) % ACCOUNTS, (seed >> 40) % ACCOUNTS, (seed >> 55) % 50);
        let (first, second) = if seed & 1024 == 0 { ("x", "y") } else { ("y", "x") };
        conn.query_drop("BEGIN").await?;
        let one = conn
            .query_drop(format!("UPDATE {first} SET balance = balance - {amount} WHERE id = {from}"))
            .await;
        let two = conn
            .query_drop(format!("UPDATE {second} SET balance = balance + {amount} WHERE id = {to}"))
            .await;
        let rolled_back = [one, two].iter().any(Result::is_err);
        conn.query_drop(if rolled_back { "ROLLBACK" } else { "COMMIT" }).await?;
        done += 1;
    }
    Ok(done)
}

fn sum(model: &Model) -> i64 {
    model.tables.values().flat_map(|rows| rows.values()).filter_map(|row| row.get(1).and_then(number)).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sum_never_differs() -> Outcome {
    let Some(mut world) = World::new("transfers").await? else { return Ok(()) };
    for table in ["x", "y"] {
        world
            .run(&format!(
                "CREATE TABLE {table} (id INT PRIMARY KEY, balance BIGINT NOT NULL);\n\
                 INSERT INTO {table} WITH RECURSIVE s (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM s WHERE i < {ACCOUNTS} - 1) SELECT i, 1000 FROM s"
            ))
            .await?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for number in 0..4 {
        writers.push(tokio::spawn(transfer(world.connect().await?, number + 7, stop.clone())));
    }
    let mut outcome = Ok(());
    for round in 0..ROUNDS {
        outcome = one_snapshot(&world, if round % 2 == 0 { 37 } else { 1000 }).await;
        if outcome.is_err() {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let mut done = 0;
    for writer in writers {
        done += writer.await??;
    }
    outcome?;
    eprintln!("the sum held through {ROUNDS} snapshots and {done} transfers");
    world.end().await
}

async fn one_snapshot(world: &World, chunk_rows: u32) -> Outcome {
    let settings = cdc_mysql_source::Settings { chunk_rows, ..world.settings("transfers")? };
    let mut model = Model::default();
    let mut source = model.open(&settings, Start::Fresh).await?;
    until_complete(&mut source, &mut model).await?;
    let mut commits = 0;
    loop {
        let held = sum(&model);
        if held != TOTAL {
            return Err(format!(
                "after {commits} commits behind the snapshot the sum is {held}, not {TOTAL}"
            )
            .into());
        }
        if commits == 30 {
            return Ok(());
        }
        // To the end of the next transaction.
        loop {
            let event = next(&mut source).await?;
            let ends = matches!(event, Event::Commit(_));
            model.apply(event, source.position())?;
            if ends {
                break;
            }
        }
        commits += 1;
    }
}
