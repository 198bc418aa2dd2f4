//! One transaction of 250 MB, and one that is compressed in the log to a fiftieth, go through both
//! processes within their memory limit, and are seen at the destination whole or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cdc::kafka::{Log, Settings};
use mysql_async::Row;
use mysql_async::prelude::Queryable;

use crate::kit::{Options, Process, Server, World, until_within, variable};

const ROWS: i64 = 250_000;
const ROW_BYTES: i64 = 1_000;
const LIMIT_BYTES: u64 = 256 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(300);

/// What is compressed: together more than a process may take.
const COMPRESSED_ROWS: i64 = 5_000;
const COMPRESSED_ROW_BYTES: i64 = 60_000;
/// Bytes of log that it takes at least; it must be too large to be taken whole.
const COMPRESSED_BYTES_MIN: u64 = 2 << 20;
const KILLS: u32 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn large_transaction_in_little_memory() {
    let world = Arc::new(World::new("large").await);
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(1000) NOT NULL)").await;
    let mut source = world.start_source(&[]);
    let mut sink = world.start_sink(&[]);
    world.source_sql("INSERT INTO t VALUES (0, 'first')").await;
    world.until_dest("SELECT COUNT(*) FROM t", 1).await;
    let done = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn(read(world.clone(), ROWS + 1, done.clone()));
    world
        .source_sql(&format!(
            "SET SESSION cte_max_recursion_depth={ROWS};\nINSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{ROWS}) SELECT i, RPAD(i, {ROW_BYTES}, 'x') FROM n"
        ))
        .await;
    let all = format!("SELECT COUNT(*) FROM t HAVING COUNT(*) = {}", ROWS + 1);
    until_within("the transaction arrives", PATIENCE, async || {
        source.assert_alive();
        sink.assert_alive();
        world.dest_number(&all).await.is_some()
    })
    .await;
    done.store(true, Ordering::Relaxed);
    let looks = reader.await.unwrap();
    println!("large_transaction: {looks} looks");
    within_limit(&[&source, &sink]);
    source.stop();
    sink.stop();
    let checksum = "SELECT CAST(SUM(CRC32(CONCAT(id, v))) AS SIGNED) FROM t";
    let mut conn = world.source_conn().await;
    let wanted: Option<i64> = conn.query_first(checksum).await.unwrap();
    assert_eq!(world.dest_number(checksum).await, wanted);
    drop(conn);
    Arc::into_inner(world).unwrap().end().await;
}

/// Where the topic of cuts ends: each takes two offsets, with the end of its Kafka transaction.
fn cuts_end(world: &World) -> i64 {
    let settings = Settings { bootstrap_servers: variable("CDC_TEST_KAFKA"), ..Settings::default() };
    Log::open(&settings, &format!("{}.cuts", world.name)).unwrap().unwrap().end().unwrap()
}

async fn log_bytes(world: &World) -> u64 {
    let files: Vec<Row> = world.source_conn().await.query("SHOW BINARY LOGS").await.unwrap();
    files.iter().map(|file| file.get::<u64, _>(1).unwrap()).sum()
}

fn within_limit(processes: &[&Process]) {
    let peaks: Vec<u64> = processes.iter().filter_map(|process| process.peak_rss()).collect();
    println!("large_transaction: peak RSS {peaks:?} bytes");
    assert!(
        peaks.iter().all(|peak| *peak <= LIMIT_BYTES),
        "{peaks:?}: over the limit of {LIMIT_BYTES} bytes"
    );
}

/// The source is killed while it is inside of it, and goes on at the next row; by file and position, where
/// the place of all its rows is the same. (By GTID such kills are among those of `restart_at_random_points`.)
#[tokio::test(flavor = "multi_thread")]
async fn large_compressed_transaction() {
    let server = Server::start("packed", &["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"]);
    let options = Options {
        source_server: Some(server.address.clone()),
        capture: "allow_global_read_lock = true".into(),
        source: "[limits]\ncut_bytes = 4194304\n".into(),
        ..Options::default()
    };
    let world = Arc::new(World::with("packed", &options).await);
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v MEDIUMTEXT NOT NULL)").await;
    let mut source = world.start_source(&[]);
    let mut sink = world.start_sink(&[]);
    world.source_sql("INSERT INTO t VALUES (0, 'first')").await;
    world.until_dest("SELECT COUNT(*) FROM t", 1).await;
    source.stop();
    let before = log_bytes(&world).await;
    // What repeats itself takes little, and what is random makes it a few MB.
    world
        .source_sql(&format!(
            "SET SESSION cte_max_recursion_depth={COMPRESSED_ROWS}, binlog_transaction_compression=ON;\nINSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{COMPRESSED_ROWS}) SELECT i, CONCAT(HEX(RANDOM_BYTES(500)), RPAD(i, {COMPRESSED_ROW_BYTES}, i)) FROM n"
        ))
        .await;
    let bytes = log_bytes(&world).await - before;
    println!("large_transaction: {bytes} bytes in the log");
    let unpacked = u64::try_from(COMPRESSED_ROWS * COMPRESSED_ROW_BYTES).unwrap();
    assert!((COMPRESSED_BYTES_MIN..unpacked / 10).contains(&bytes), "{bytes} bytes: not what was meant");
    let done = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn(read(world.clone(), COMPRESSED_ROWS + 1, done.clone()));
    for _ in 0..KILLS {
        let stored = cuts_end(&world);
        source = world.start_source(&[]);
        until_within("a part of it is sent", PATIENCE, async || {
            source.assert_alive();
            cuts_end(&world) >= stored + 8
        })
        .await;
        within_limit(&[&source]);
        source.kill();
    }
    assert_eq!(world.dest_number("SELECT COUNT(*) FROM t").await, Some(1), "killed too late");
    source = world.start_source(&[]);
    world.until_dest("SELECT COUNT(*) FROM t", COMPRESSED_ROWS + 1).await;
    done.store(true, Ordering::Relaxed);
    reader.await.unwrap();
    within_limit(&[&source, &sink]);
    source.stop();
    sink.stop();
    world.assert_equal().await;
    world.dest_sql(&format!("DROP DATABASE `{}`", world.name)).await;
}

/// Sees one row or all of them, never some.
async fn read(world: Arc<World>, all: i64, done: Arc<AtomicBool>) -> u64 {
    let mut looks = 0;
    while !done.load(Ordering::Relaxed) {
        let seen = world.dest_number("SELECT COUNT(*) FROM t").await;
        assert!(
            matches!(seen, Some(1) | None) || seen == Some(all),
            "{seen:?} rows: a part of the transaction"
        );
        looks += 1;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    looks
}
