//! A snapshot while four writers change its tables: what the consumer holds at the
//! end is what the tables hold, and no row ever went back to an older state.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cdc_mysql_source::Start;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::kit::{Model, Outcome, World, number, until_caught_up, until_complete};

const ROWS: u64 = 3000;
const WRITERS: u64 = 4;

async fn fill(world: &mut World) -> Outcome {
    world
        .run(&format!(
            "CREATE TABLE a (id INT PRIMARY KEY, v BIGINT NOT NULL, pad VARCHAR(40));\n\
             CREATE TABLE b (name VARCHAR(20) COLLATE utf8mb4_0900_ai_ci, n INT, v BIGINT NOT NULL, PRIMARY KEY (name, n));\n\
             SET SESSION cte_max_recursion_depth = 100000;\n\
             INSERT INTO a WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {ROWS}) SELECT i, 0, REPEAT('x', 30) FROM s;\n\
             INSERT INTO b SELECT CONCAT('k', id MOD 50), id, 0 FROM a"
        ))
        .await
}

/// A small generator, so that a run can be repeated by its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

async fn write(mut conn: Conn, mut dice: Dice, clock: Arc<AtomicU64>, stop: Arc<AtomicBool>) -> Outcome<u64> {
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        let id = dice.roll(ROWS + 200);
        let together = dice.roll(4) == 0;
        if together {
            conn.query_drop("BEGIN").await?;
        }
        for _ in 0..if together { 1 + dice.roll(5) } else { 1 } {
            let v = clock.fetch_add(1, Ordering::SeqCst) + 1;
            let statement = match dice.roll(8) {
                0 => format!("DELETE FROM a WHERE id = {id}"),
                1 => format!("DELETE FROM b WHERE n = {id} AND name = 'k{}'", id % 50),
                2 => format!(
                    "INSERT INTO b VALUES ('K{}', {id}, {v}) ON DUPLICATE KEY UPDATE v = GREATEST(v, {v}), name = VALUES(name)",
                    id % 50
                ),
                3 => format!("UPDATE b SET v = GREATEST(v, {v}) WHERE name = 'k{}' LIMIT 3", id % 50),
                4 => format!(
                    "INSERT INTO a VALUES ({id}, {v}, 'new') ON DUPLICATE KEY UPDATE v = GREATEST(v, {v}), pad = 'dup'"
                ),
                _ => format!("UPDATE a SET v = GREATEST(v, {v}) WHERE id = {id}"),
            };
            match conn.query_drop(&statement).await {
                Ok(()) => written += 1,
                // A deadlock rolls back, and ends the transaction.
                Err(mysql_async::Error::Server(e)) if e.code == 1213 => break,
                Err(e) => return Err(format!("{statement}: {e}").into()),
            }
        }
        if together {
            conn.query_drop("COMMIT").await?;
        }
    }
    Ok(written)
}

async fn holds(world: &mut World, model: &Model) -> Outcome {
    let a: Vec<(i64, i64, String)> = world.admin.query("SELECT id, v, pad FROM a").await?;
    let a: HashMap<String, String> =
        a.into_iter().map(|(id, v, pad)| (id.to_string(), format!("{v} {pad}"))).collect();
    let b: Vec<(String, i64, i64)> = world.admin.query("SELECT name, n, v FROM b").await?;
    let b: HashMap<String, String> =
        b.into_iter().map(|(name, n, v)| (format!("{name} {n}"), v.to_string())).collect();
    let text = |value: &cdc_sdk::OwnedValue| match value {
        cdc_sdk::OwnedValue::Text(text) => text.clone(),
        other => number(other).map(|n| n.to_string()).unwrap_or_default(),
    };
    let empty = HashMap::new();
    let rows = |table: &str| model.tables.get(&world.table(table)).unwrap_or(&empty).values();
    let held_a = rows("a").map(|r| (text(&r[0]), format!("{} {}", text(&r[1]), text(&r[2])))).collect();
    let held_b = rows("b").map(|r| (format!("{} {}", text(&r[0]), text(&r[1])), text(&r[2]))).collect();
    same("a", &a, &held_a)?;
    same("b", &b, &held_b)
}

fn same(table: &str, there: &HashMap<String, String>, held: &HashMap<String, String>) -> Outcome {
    let differ = |key: &&String| there.get(*key) != held.get(*key);
    let wrong: Vec<&String> = there.keys().chain(held.keys()).filter(differ).take(5).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let show = |key: &&String| format!("{key}: there {:?}, held {:?}", there.get(*key), held.get(*key));
    Err(format!(
        "{table}: {} there, {} held; {:?}",
        there.len(),
        held.len(),
        wrong.iter().map(show).collect::<Vec<_>>()
    )
    .into())
}

async fn round(name: &str, chunk_rows: u32, seed: u64) -> Outcome {
    let Some(mut world) = World::new(name).await? else { return Ok(()) };
    fill(&mut world).await?;
    let clock = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        let dice = Dice(seed * 1000 + number + 1);
        writers.push(tokio::spawn(write(world.connect().await?, dice, clock.clone(), stop.clone())));
    }
    let mut settings = world.settings(name)?;
    settings.chunk_rows = chunk_rows;
    let mut model = Model::default();
    let mut source = model.open(&settings, Start::Fresh).await?;
    let outcome = until_complete(&mut source, &mut model).await;
    stop.store(true, Ordering::Relaxed);
    let mut written = 0;
    for writer in writers {
        written += writer.await??;
    }
    outcome?;
    until_caught_up(&mut source, &mut model).await?;
    eprintln!("{name}: {} chunks of {chunk_rows} rows while {written} statements ran", model.chunks);
    assert_eq!(model.backwards, Vec::<String>::new(), "rows went back to an older state");
    holds(&mut world, &model).await?;
    assert!(written > 50, "the writers hardly ran: {written}");
    world.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_chunks() -> Outcome {
    round("small_chunks", 20, 1).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn middle_chunks() -> Outcome {
    round("middle_chunks", 100, 2).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_chunk_a_table() -> Outcome {
    round("one_chunk", 10_000, 3).await
}
