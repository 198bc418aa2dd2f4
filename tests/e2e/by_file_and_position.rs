//! A server with `gtid_mode=OFF`: snapshot under a global read lock of
//! milliseconds, by permission, then the binlog by file and position.

use crate::kit::{Options, Server, World};

#[tokio::test(flavor = "multi_thread")]
async fn by_file_and_position() {
    let server = Server::start("nogtid", &["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"]);
    let refused = Options { source_server: Some(server.address.clone()), ..Options::default() };
    let allowed = Options { capture: "allow_global_read_lock = true".into(), ..refused.clone() };
    let world = World::with("refused", &refused).await;
    let (code, text) = world.cdc(&["source", "-c", &world.file("source.toml"), "--until-caught-up"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("allow_global_read_lock"), "{text}");
    let world = World::with("filepos", &allowed).await;
    world
        .source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1),(2,2),(3,3)")
        .await;
    world.catch_up();
    world.assert_equal().await;
    for round in 0..3 {
        world.source_sql(&format!("UPDATE t SET v={round} WHERE id=1;\nFLUSH BINARY LOGS;\nDELETE FROM t WHERE id=2;\nINSERT INTO t VALUES (2,{round})")).await;
        world.catch_up();
        world.assert_equal().await;
    }
    world.dest_sql(&format!("DROP DATABASE `{}`", world.name)).await;
}
