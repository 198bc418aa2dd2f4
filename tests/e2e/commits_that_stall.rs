//! The dump thread sends a transaction before the engine shows it. A commit that
//! stalls between the two (semi-synchronous replication, AFTER_SYNC, no replica)
//! must not be lost by a chunk that is read meanwhile.

use std::time::Duration;

use mysql_async::prelude::Queryable;

use crate::kit::{Options, Server, World, until};

#[tokio::test(flavor = "multi_thread")]
async fn commits_that_stall() {
    let server = Server::start(
        "stall",
        &["--plugin-load-add=semisync_source.so", "--rpl-semi-sync-source-wait-point=AFTER_SYNC"],
    );
    let options = Options {
        source_server: Some(server.address.clone()),
        capture: "chunk_rows = 100\nreaders = 1".into(),
        ..Options::default()
    };
    let world = World::with("stall", &options).await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1000) SELECT i, 0 FROM n").await;
    world
        .source_sql(
            "SET GLOBAL rpl_semi_sync_source_timeout=5000;\nSET GLOBAL rpl_semi_sync_source_enabled=ON",
        )
        .await;
    let mut conn = world.source_conn().await;
    let stalled = tokio::spawn(async move {
        let begun = std::time::Instant::now();
        conn.query_drop("UPDATE t SET v=1 WHERE id=950").await.unwrap();
        begun.elapsed()
    });
    let mut watch = world.source_conn().await;
    until("the commit stalls", async || {
        let state = "SELECT COUNT(*) FROM performance_schema.threads WHERE processlist_state LIKE 'Waiting for semi-sync ACK%'";
        watch.query_first::<i64, _>(state).await.unwrap() == Some(1)
    })
    .await;
    let mut source = world.start_source(&[]);
    let mut sink = world.start_sink(&[]);
    let took = stalled.await.unwrap();
    assert!(took > Duration::from_secs(3), "the commit stalled for {took:?} only");
    world.until_dest("SELECT COUNT(*) FROM t", 1000).await;
    world.until_equal().await;
    source.stop();
    sink.stop();
    world.dest_sql(&format!("DROP DATABASE `{}`", world.name)).await;
}
