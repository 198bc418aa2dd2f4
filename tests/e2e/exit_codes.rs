//! What scripts rely on: exit codes, and errors that say what to do.

use crate::kit::World;

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes() {
    let world = World::new("codes").await;
    let (sink, source) = (world.file("sink.toml"), world.file("source.toml"));
    let (code, text) = world.cdc(&["sink", "-c", &sink, "--until-caught-up"]);
    assert_eq!(code, Some(4), "a prefix without cuts: {text}");
    assert!(text.contains("E060"), "{text}");
    let (code, text) = world.cdc(&["source", "-c", "/nowhere.toml"]);
    assert_eq!(code, Some(2), "{text}");
    let (code, text) = world.cdc(&["source", "--nonsense"]);
    assert_eq!(code, Some(2), "{text}");
    let (code, text) = world.cdc(&["check", "-c", &source]);
    assert_eq!(code, Some(0), "a fit source: {text}");
    let (code, text) = world.cdc(&["explain", "E014"]);
    assert_eq!(code, Some(0), "{text}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_binlog_stops_the_source() {
    let server = crate::kit::Server::start("purged", &[]);
    let options = crate::kit::Options { source_server: Some(server.address.clone()), ..Default::default() };
    let world = World::with("purged", &options).await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1)").await;
    world.catch_up();
    world
        .source_sql(
            "INSERT INTO t VALUES (2);\nFLUSH BINARY LOGS;\nINSERT INTO t VALUES (3);\nFLUSH BINARY LOGS",
        )
        .await;
    world.purge_binlogs().await;
    let (code, text) = world.cdc(&["source", "-c", &world.file("source.toml"), "--until-caught-up"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("E014") && text.contains("hint"), "{text}");
    world.dest_sql(&format!("DROP DATABASE `{}`", world.name)).await;
}
