//! Smaller sisters of `tests/extremes`: each keeps within the memory that it was given.

use std::time::Duration;

use mysql_async::prelude::Queryable;

use crate::kit::{Options, Process, Server, World};

const MIB: u64 = 1 << 20;
/// Half of the default, and what the settings say here.
const LIMIT_MIB: u64 = 128;

/// The default.
const DEFAULT_MIB: u64 = 256;

/// Both sides with little memory.
fn little(options: Options) -> Options {
    let limits = format!("[limits]\nmemory_bytes = {}\n", LIMIT_MIB * MIB);
    let source = format!("{}{limits}", options.source);
    let sink = format!("{}{limits}", options.sink);
    Options { source, sink, ..options }
}

fn assert_within(test: &str, limit_mib: u64, processes: [(&str, &Process); 2]) {
    for (role, process) in processes {
        let Some(peak) = process.peak_rss() else { continue };
        println!("{test}: {role}: {} of {limit_mib} MiB", peak / MIB);
        assert!(peak <= limit_mib * MIB, "{test}: {role} took {} of {limit_mib} MiB", peak / MIB);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_of_100_partitions() {
    let world = World::with("wide", &Options { partitions: 100, ..Options::default() }).await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(400) NOT NULL)").await;
    let rows = 100_000;
    world
        .source_sql(&format!(
            "SET SESSION cte_max_recursion_depth={rows};\nINSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{rows}) SELECT i, CONCAT(i, REPEAT('v', 300)) FROM n"
        ))
        .await;
    // All of it waits for the sink, in all partitions.
    let mut source = world.start_source(&["--until-caught-up"]);
    assert_eq!(source.wait(crate::kit::LIMIT).code(), Some(0), "{}", source.log_tail());
    let (mut source, mut sink) = (world.start_source(&[]), world.start_sink(&[]));
    world.until_dest("SELECT COUNT(*) FROM t", rows).await;
    world.source_sql("UPDATE t SET v = CONCAT(v, '!')").await;
    world.until_dest("SELECT COUNT(*) FROM t WHERE v LIKE '%!'", rows).await;
    assert_within("100 partitions", DEFAULT_MIB, [("source", &source), ("sink", &sink)]);
    source.stop();
    sink.stop();
    world.assert_equal().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_twenty_thousand_transactions_behind() {
    let world = World::with("behind", &little(Options::default())).await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, n INT NOT NULL, v VARCHAR(200) NOT NULL)").await;
    let mut source = world.start_source(&[]);
    let mut clients = Vec::new();
    for client in 0..8 {
        let mut conn = world.source_conn().await;
        clients.push(tokio::spawn(async move {
            for i in 0..2_500 {
                let id = i % 500 * 8 + client;
                let sql = format!(
                    "INSERT INTO t VALUES ({id}, {i}, REPEAT('{i} ', 20)) ON DUPLICATE KEY UPDATE n = {i}"
                );
                conn.query_drop(sql).await.unwrap();
            }
        }));
    }
    for client in clients {
        client.await.unwrap();
    }
    let mut sink = world.start_sink(&[]);
    world.until_equal().await;
    assert_within("20,000 behind", LIMIT_MIB, [("source", &source), ("sink", &sink)]);
    source.stop();
    sink.stop();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_stalls() {
    let server = Server::start("stalls", &[]);
    let options = Options { dest_server: Some(server.address.clone()), ..Options::default() };
    let world = World::with("stalls", &little(options)).await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(2000) NOT NULL)").await;
    let (mut source, mut sink) = (world.start_source(&[]), world.start_sink(&[]));
    world.source_sql("INSERT INTO t VALUES (0, 'first')").await;
    world.until_dest("SELECT COUNT(*) FROM t", 1).await;
    server.signal("STOP");
    let begun = std::time::Instant::now();
    let mut conn = world.source_conn().await;
    let mut id = 0;
    // 160 MB at least, more than both may hold.
    while begun.elapsed() < Duration::from_secs(10) || id < 80_000 {
        let rows: Vec<String> =
            (id + 1..=id + 400).map(|i| format!("({i}, REPEAT('{i:010}', 200))")).collect();
        conn.query_drop(format!("INSERT INTO t VALUES {}", rows.join(","))).await.unwrap();
        id += 400;
    }
    assert_within("stalled", LIMIT_MIB, [("source", &source), ("sink", &sink)]);
    server.signal("CONT");
    world.until_dest("SELECT COUNT(*) FROM t", id + 1).await;
    assert_within("after it", LIMIT_MIB, [("source", &source), ("sink", &sink)]);
    source.stop();
    sink.stop();
    let sum = "SELECT CAST(SUM(CRC32(v) + id) AS SIGNED) FROM t";
    let wanted: Option<i64> = conn.query_first(sum).await.unwrap();
    assert_eq!(world.dest_number(sum).await, wanted);
    world.end().await;
}

/// Rows that are larger than a cut, in the snapshot, in one transaction, and one by one.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_24_mb() {
    let row_mib = 24;
    let world = World::new("rows24").await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v LONGBLOB NOT NULL)").await;
    let insert = |ids: &str| {
        format!(
            "INSERT INTO t SELECT id, REPEAT(RANDOM_BYTES(1024), {}) FROM JSON_TABLE('[{ids}]', '$[*]' COLUMNS (id INT PATH '$')) j",
            row_mib * 1024
        )
    };
    world.source_sql(&insert("1,2,3,4,5")).await;
    let (mut source, mut sink) = (world.start_source(&[]), world.start_sink(&[]));
    world.until_dest("SELECT COUNT(*) FROM t", 5).await;
    // Both images of each row.
    world.source_sql("UPDATE t SET v = REVERSE(v)").await;
    world.source_sql(&insert("6,7")).await;
    for id in 4..8 {
        world.source_sql(&format!("UPDATE t SET v = CONCAT(SUBSTR(v, 2), 'x') WHERE id = {id}")).await;
    }
    world.source_sql("DELETE FROM t WHERE id = 1").await;
    let sum = "SELECT CAST(SUM(CRC32(v) + id) AS SIGNED) FROM t";
    let wanted: Option<i64> = world.source_conn().await.query_first(sum).await.unwrap();
    world.until_dest(sum, wanted.unwrap()).await;
    assert_within("rows of 24 MiB", DEFAULT_MIB + 5 * row_mib, [("source", &source), ("sink", &sink)]);
    source.stop();
    sink.stop();
    world.end().await;
}
