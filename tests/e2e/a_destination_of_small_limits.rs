//! A destination that takes small packets only, and does not wait long for locks: batches come in packets that it takes, one
//! that met a lock is tried again, and of a row that is too large it is said which setting must be raised.

use mysql_async::prelude::Queryable;

use crate::faults::own::{Own, Part};
use crate::kit::{Options, World, until};

const PACKET: usize = 1 << 17;

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_of_small_limits() {
    let settings = [format!("--max-allowed-packet={PACKET}"), "--innodb-lock-wait-timeout=1".to_owned()];
    let dest = tokio::task::block_in_place(|| Own::start("smallimits", Part::Dest, &settings));
    let options = Options { dest_server: Some(dest.address().to_owned()), ..Options::default() };
    let world = World::with("smallimits", &options).await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT, pad LONGTEXT)").await;
    world
        .source_sql(&format!(
            "INSERT INTO t WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 60) \
             SELECT i, 0, REPEAT('x', {}) FROM s",
            PACKET / 3
        ))
        .await;
    world.catch_up();
    world.assert_equal().await;

    let mut sink = world.start_sink(&[]);
    let mut source = world.start_source(&[]);
    let mut other = world.dest_conn().await;
    other.query_drop("START TRANSACTION").await.unwrap();
    other.query_drop(format!("UPDATE `{}`.t SET v = 9 WHERE id = 1", world.name)).await.unwrap();
    world.source_sql("UPDATE t SET v = v + 1").await;
    until("the sink meets the lock", async || sink.log_tail().contains("Lock wait timeout")).await;
    other.query_drop("ROLLBACK").await.unwrap();
    world.until_equal().await;

    world.source_sql(&format!("INSERT INTO t VALUES (100, 0, REPEAT('y', {PACKET}))")).await;
    let limit = std::time::Duration::from_secs(60);
    assert_eq!(sink.wait(limit).code(), Some(3), "{}", sink.log_tail());
    let log = sink.log_tail();
    assert!(log.contains("E050") && log.contains("SET PERSIST max_allowed_packet"), "{log}");
    other.query_drop(format!("SET GLOBAL max_allowed_packet = {}", 16 * PACKET)).await.unwrap();
    sink = world.start_sink(&[]);
    world.until_equal().await;
    sink.stop();
    source.stop();
    world.end().await;
    drop(dest);
}
