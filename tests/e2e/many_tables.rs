//! 150 tables at once: all arrive, and changes go on in all of them, in the memory that is allowed.
//! `make extremes` has 10,000.

use mysql_async::prelude::Queryable;

use crate::kit::{Options, World, until};

const TABLES: usize = 150;
const LIMIT_BYTES: u64 = 256 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn many_tables() {
    let world = World::with("many", &Options { partitions: 2, ..Options::default() }).await;
    let mut conn = world.source_conn().await;
    for table in 0..TABLES {
        conn.query_drop(format!("CREATE TABLE t{table} (id INT PRIMARY KEY, v VARCHAR(40))")).await.unwrap();
        conn.query_drop(format!("INSERT INTO t{table} VALUES (1,'a{table}'),(2,'b')")).await.unwrap();
    }
    let mut source = world.start_source(&[]);
    let mut sink = world.start_sink(&[]);
    for table in 0..TABLES {
        conn.query_drop(format!("UPDATE t{table} SET v='changed' WHERE id=2")).await.unwrap();
    }
    until("the last table arrives", async || {
        source.assert_alive();
        sink.assert_alive();
        world.dest_number(&format!("SELECT COUNT(*) FROM t{} WHERE v='changed'", TABLES - 1)).await == Some(1)
    })
    .await;
    world.until_equal().await;
    let peaks = [source.peak_rss(), sink.peak_rss()];
    println!("many_tables: peak RSS source {:?}, sink {:?} bytes", peaks[0], peaks[1]);
    for peak in peaks.into_iter().flatten() {
        assert!(peak <= LIMIT_BYTES, "{peak} bytes of memory are over the limit of {LIMIT_BYTES}");
    }
    source.stop();
    sink.stop();
    world.end().await;
}
