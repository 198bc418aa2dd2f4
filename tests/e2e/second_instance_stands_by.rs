//! A second source or sink of the same name is harmless: it waits, and takes over.

use crate::kit::{World, until};

#[tokio::test(flavor = "multi_thread")]
async fn second_instance_stands_by() {
    let world = World::new("standby").await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1)").await;
    let mut sources = vec![world.start_source(&[])];
    let mut sinks = vec![world.start_sink(&[])];
    world.until_dest("SELECT COUNT(*) FROM t", 1).await;
    sources.push(world.start_source(&[]));
    sinks.push(world.start_sink(&[]));
    until("the second source says that it stands by", async || sources[1].log_tail().contains("stand")).await;
    world.source_sql("INSERT INTO t VALUES (2,2)").await;
    world.until_dest("SELECT COUNT(*) FROM t", 2).await;
    sources[0].kill();
    sinks[0].kill();
    world.source_sql("INSERT INTO t VALUES (3,3)").await;
    world.until_dest("SELECT COUNT(*) FROM t", 3).await;
    sources[1].stop();
    sinks[1].stop();
    world.assert_equal().await;
    world.end().await;
}
