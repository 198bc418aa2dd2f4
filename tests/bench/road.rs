//! Measures the road on the real stack: `make bench`, which is
//! `cargo test --release -- --ignored --nocapture bench` with the stack up.
//!
//! Whole processes of the release build are timed from start to end
//! (`--until-caught-up`), so connecting, leadership and schemas are part of each
//! figure. Units: rows/s, CPU seconds per million rows (user and system, from
//! /proc), MiB of peak resident memory, milliseconds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;

use crate::kit::{Process, World};

const SNAPSHOT_ROWS: u64 = 1_000_000;
const BACKLOG_INSERTS: u64 = 500_000;
const BACKLOG_UPDATES: u64 = 200_000;
const CLIENTS: u64 = 8;
const LATENCY_RATE: u64 = 500;
const LATENCY_SECONDS: u64 = 20;
const RUN_LIMIT: Duration = Duration::from_secs(900);
/// Clock ticks a second in /proc/<pid>/stat (Linux: always 100 for user space).
const TICKS: f64 = 100.0;

#[ignore = "a measurement: make bench"]
#[tokio::test(flavor = "multi_thread")]
async fn bench_road() {
    let world = Arc::new(World::new("bench").await);
    // About 200 bytes a row, as sysbench makes them.
    world
        .source_sql(
            "CREATE TABLE t (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, k INT NOT NULL, \
             c CHAR(120) NOT NULL, pad CHAR(60) NOT NULL, KEY (k))",
        )
        .await;
    fill(&world).await;
    measure(&world, "snapshot to Kafka", "source", SNAPSHOT_ROWS);
    measure(&world, "snapshot applied", "sink", SNAPSHOT_ROWS);
    backlog(&world).await;
    measure(&world, "backlog to Kafka", "source", BACKLOG_INSERTS + BACKLOG_UPDATES);
    measure(&world, "backlog applied", "sink", BACKLOG_INSERTS + BACKLOG_UPDATES);
    equal(&world).await;
    latency(&world).await;
    Arc::into_inner(world).unwrap().end().await;
}

async fn fill(world: &World) {
    world
        .source_sql(&format!(
            "SET SESSION cte_max_recursion_depth={SNAPSHOT_ROWS};\nINSERT INTO t (k, c, pad) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{SNAPSHOT_ROWS}) SELECT i*7919 % 1000000, RPAD(SHA2(i, 256), 119, 'c'), RPAD(SHA2(-i, 224), 59, 'p') FROM n"
        ))
        .await;
}

/// Inserts in transactions of 100 rows, and single-row updates, while nothing reads.
async fn backlog(world: &Arc<World>) {
    let clients = (0..CLIENTS).map(|client| {
        let world = world.clone();
        tokio::spawn(async move {
            let mut conn = world.source_conn().await;
            for _ in 0..BACKLOG_INSERTS / CLIENTS / 100 {
                conn.query_drop("INSERT INTO t (k, c, pad) SELECT k, c, pad FROM t WHERE id <= 100")
                    .await
                    .unwrap();
            }
            for i in 0..BACKLOG_UPDATES / CLIENTS {
                let id = (client * 125_000 + i * 5) % SNAPSHOT_ROWS + 1;
                conn.query_drop(format!("UPDATE t SET k=k+1 WHERE id={id}")).await.unwrap();
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}

/// One whole process, from start to caught up.
fn measure(world: &World, what: &str, role: &str, rows: u64) {
    let begun = Instant::now();
    let mut process = if role == "source" {
        world.start_source(&["--until-caught-up"])
    } else {
        world.start_sink(&["--until-caught-up"])
    };
    let (mut peak, mut cpu) = (0, 0.0);
    while !process.has_ended() {
        peak = process.peak_rss().unwrap_or(peak).max(peak);
        cpu = cpu_seconds(&process).unwrap_or(cpu);
        assert!(begun.elapsed() < RUN_LIMIT, "{what}: {}", process.log_tail());
        std::thread::sleep(Duration::from_millis(5));
    }
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!(process.wait(RUN_LIMIT).code(), Some(0), "{what}: {}", process.log_tail());
    let per_second = rows as f64 / seconds;
    let per_million = cpu * 1e6 / rows as f64;
    println!(
        "{what:<18} {rows:>8} rows {seconds:>7.2} s {per_second:>9.0} rows/s {per_million:>6.2} CPU s/M {:>5} MiB",
        peak >> 20
    );
}

fn cpu_seconds(process: &Process) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    (ticks > 0.0).then_some(ticks / TICKS)
}

async fn equal(world: &World) {
    let checksum = "SELECT CAST(SUM(CRC32(CONCAT_WS('|', id, k, c, pad))) AS SIGNED) FROM t";
    let wanted: Option<i64> = world.source_conn().await.query_first(checksum).await.unwrap();
    assert_eq!(world.dest_number(checksum).await, wanted, "both sides hold the same");
    println!("both sides are equal (checksum {wanted:?})");
}

/// From commit on the source to visible on the destination, at a fixed rate.
async fn latency(world: &Arc<World>) {
    world.source_sql("CREATE TABLE beat (id BIGINT PRIMARY KEY, pad CHAR(180))").await;
    let mut source = world.start_source(&[]);
    let mut sink = world.start_sink(&[]);
    world.source_sql("INSERT INTO beat VALUES (0, 'first')").await;
    world.until_dest("SELECT COUNT(*) FROM beat", 1).await;
    let committed = Arc::new(Mutex::new(HashMap::new()));
    let writers: Vec<_> = (0..4).map(|w| tokio::spawn(beat(world.clone(), w, committed.clone()))).collect();
    let samples = watch(world).await;
    for writer in writers {
        writer.await.unwrap();
    }
    let committed = committed.lock().unwrap();
    let mut ms: Vec<f64> = samples
        .iter()
        .filter_map(|(id, seen)| {
            Some(seen.saturating_duration_since(*committed.get(id)?).as_secs_f64() * 1e3)
        })
        .collect();
    ms.sort_by(f64::total_cmp);
    let at = |q: f64| ms.get(((ms.len() - 1) as f64 * q) as usize).copied().unwrap_or(f64::NAN);
    println!(
        "commit to commit at {LATENCY_RATE} transactions/s: median {:.1} ms, 99 % {:.1} ms, max {:.1} ms ({} samples); peak RSS source {} MiB, sink {} MiB",
        at(0.5),
        at(0.99),
        at(1.0),
        ms.len(),
        source.peak_rss().unwrap_or(0) >> 20,
        sink.peak_rss().unwrap_or(0) >> 20
    );
    source.stop();
    sink.stop();
}

async fn beat(world: Arc<World>, writer: u64, committed: Arc<Mutex<HashMap<u64, Instant>>>) {
    let mut conn = world.source_conn().await;
    let count = LATENCY_RATE * LATENCY_SECONDS / 4;
    let mut ticks = tokio::time::interval(Duration::from_micros(4_000_000 / LATENCY_RATE));
    for i in 0..count {
        ticks.tick().await;
        let id = 1 + i * 4 + writer;
        conn.query_drop(format!("INSERT INTO beat VALUES ({id}, 'x')")).await.unwrap();
        committed.lock().unwrap().insert(id, Instant::now());
    }
}

/// When each id was first seen at the destination.
async fn watch(world: &World) -> Vec<(u64, Instant)> {
    let mut conn = world.dest_conn().await;
    conn.query_drop(format!("USE `{}`", world.name)).await.unwrap();
    let mut seen = std::collections::HashSet::new();
    let mut samples = Vec::new();
    let total = LATENCY_RATE * LATENCY_SECONDS;
    let begun = Instant::now();
    let mut floor = 0;
    while (seen.len() as u64) < total && begun.elapsed() < Duration::from_secs(LATENCY_SECONDS + 60) {
        let ids: Vec<u64> = conn.query(format!("SELECT id FROM beat WHERE id > {floor}")).await.unwrap();
        let now = Instant::now();
        for id in ids {
            if seen.insert(id) {
                samples.push((id, now));
            }
        }
        // Ids below are all in: four writers go on side by side.
        while seen.contains(&(floor + 1)) {
            floor += 1;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    samples
}
