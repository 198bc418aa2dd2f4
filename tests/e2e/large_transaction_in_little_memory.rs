//! One transaction of a million rows goes through both processes within their
//! memory limit, and is seen at the destination whole or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mysql_async::prelude::Queryable;

use crate::kit::{World, until_within};

const ROWS: i64 = 1_000_000;
const LIMIT_BYTES: u64 = 256 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn large_transaction_in_little_memory() {
    let world = Arc::new(World::new("large").await);
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(200) NOT NULL)").await;
    let mut source = world.start_source(&[]);
    let mut sink = world.start_sink(&[]);
    world.source_sql("INSERT INTO t VALUES (0, 'first')").await;
    world.until_dest("SELECT COUNT(*) FROM t", 1).await;
    let done = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn(read(world.clone(), done.clone()));
    world
        .source_sql(&format!(
            "SET SESSION cte_max_recursion_depth={ROWS};\nINSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{ROWS}) SELECT i, RPAD(i, 180, 'x') FROM n"
        ))
        .await;
    let all = format!("SELECT COUNT(*) FROM t HAVING COUNT(*) = {}", ROWS + 1);
    until_within("the transaction arrives", std::time::Duration::from_secs(300), async || {
        source.assert_alive();
        sink.assert_alive();
        world.dest_number(&all).await.is_some()
    })
    .await;
    done.store(true, Ordering::Relaxed);
    let looks = reader.await.unwrap();
    let (of_source, of_sink) = (source.peak_rss(), sink.peak_rss());
    println!("large_transaction: peak RSS source {of_source:?}, sink {of_sink:?} bytes; {looks} looks");
    for peak in [of_source, of_sink].into_iter().flatten() {
        assert!(peak <= LIMIT_BYTES, "{peak} bytes of memory are over the limit of {LIMIT_BYTES}");
    }
    source.stop();
    sink.stop();
    let checksum = "SELECT CAST(SUM(CRC32(CONCAT(id, v))) AS SIGNED) FROM t";
    let mut conn = world.source_conn().await;
    let wanted: Option<i64> = conn.query_first(checksum).await.unwrap();
    assert_eq!(world.dest_number(checksum).await, wanted);
    drop(conn);
    Arc::into_inner(world).unwrap().end().await;
}

/// Sees one row or all of them, never some.
async fn read(world: Arc<World>, done: Arc<AtomicBool>) -> u64 {
    let mut looks = 0;
    while !done.load(Ordering::Relaxed) {
        let seen = world.dest_number("SELECT COUNT(*) FROM t").await;
        assert!(
            matches!(seen, Some(1) | None) || seen == Some(ROWS + 1),
            "{seen:?} rows: a part of the transaction"
        );
        looks += 1;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    looks
}
