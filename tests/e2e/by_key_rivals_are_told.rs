//! Sinks of one name that work for two destinations would each get a part of the topics: they stop and say so.

use std::path::Path;

use crate::kit::{Options, Process, World, until};

#[tokio::test(flavor = "multi_thread")]
async fn by_key_rivals_are_told() {
    let sink = "[apply]\nconsistency = \"key\"\n".to_owned();
    let world = World::with("rivals", &Options { sink, ..Options::default() }).await;
    world
        .source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1),(2,2),(3,3)")
        .await;
    let source = world.start_source(&[]);
    let mut sink = world.start_sink(&[]);
    world.until_equal().await;
    let settings = std::fs::read_to_string(world.file("sink.toml")).unwrap();
    let name = &world.name;
    let elsewhere = settings.replace(
        "consistency = \"key\"",
        &format!("consistency = \"key\"\nledger_database = \"{name}_l\"\n[[route]]\nfrom = \"*.*\"\nto = \"{name}_o.*\"\n[limits]"),
    );
    std::fs::write(world.file("other.toml"), elsewhere).unwrap();
    let log = world.file("other.log");
    let mut other = Process::start(&["sink", "-c", &world.file("other.toml")], Path::new(&log));
    let mut conn = world.source_conn().await;
    let mut round = 0;
    until("one of the two stops", async || {
        round += 1;
        let sql = format!("REPLACE INTO t VALUES ({}, {round})", round % 50);
        mysql_async::prelude::Queryable::query_drop(&mut conn, sql).await.unwrap();
        sink.has_ended() || other.has_ended()
    })
    .await;
    let ended = if sink.has_ended() { &mut sink } else { &mut other };
    assert_eq!(ended.wait(crate::kit::LIMIT).code(), Some(3));
    let said = ended.log_tail();
    assert!(said.contains("E055") && said.contains("another destination"), "{said}");
    drop((source, sink, other));
    world.dest_sql(&format!("DROP DATABASE IF EXISTS `{name}_l`;\nDROP DATABASE IF EXISTS `{name}_o`")).await;
    world.end().await;
}
