//! A destination that is read-only for a moment, as while a failover goes on, is waited for.

use crate::kit::{Options, Server, World, until};

#[tokio::test(flavor = "multi_thread")]
async fn read_only_for_a_moment() {
    let server = Server::start("readonly", &[]);
    let options = Options { dest_server: Some(server.address.clone()), ..Options::default() };
    let world = World::with("readonly", &options).await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1)").await;
    let (mut source, mut sink) = (world.start_source(&[]), world.start_sink(&[]));
    world.until_dest("SELECT COUNT(*) FROM t", 1).await;
    world.dest_sql("SET GLOBAL super_read_only = ON").await;
    world.source_sql("INSERT INTO t VALUES (2,2)").await;
    // What a session says that has looked at the server anew.
    until("the sink waits", async || {
        sink.assert_alive();
        sink.log_tail().contains("the destination is read-only (read_only = 1")
    })
    .await;
    world.dest_sql("SET GLOBAL super_read_only = OFF;\nSET GLOBAL read_only = OFF").await;
    world.until_dest("SELECT COUNT(*) FROM t", 2).await;
    sink.stop();
    // Who begins with it is told what to mend.
    world.dest_sql("SET GLOBAL read_only = ON").await;
    let (code, text) = world.cdc(&["sink", "-c", &world.file("sink.toml")]);
    assert!(code == Some(3) && text.contains("E003"), "{text}");
    source.stop();
    world.end().await;
}
