//! `cdc replay --live`: a sink that runs, idle or at work, lets go of where it was and
//! goes on from the older place, without a restart by hand.

use crate::kit::{World, until};

#[tokio::test(flavor = "multi_thread")]
async fn replay_under_a_running_sink() {
    let world = World::new("live").await;
    world
        .source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT);\nCREATE TABLE log (note INT);\nINSERT INTO t VALUES (1,1),(2,2);\nINSERT INTO log VALUES (1),(1)")
        .await;
    let mut source = world.start_source(&[]);
    let mut sink = world.start_sink(&[]);
    world.until_equal().await;
    let file = world.file("sink.toml");
    let (code, text) = world.cdc(&["replay", "-c", &file, "--earliest", "--yes"]);
    assert_eq!(code, Some(4), "{text}");
    assert!(text.contains("is running") && text.contains("--live"), "{text}");
    // Idle: it has nothing to commit, and notices all the same.
    world.dest_sql("DELETE FROM t").await;
    let (code, text) = world.cdc(&["replay", "-c", &file, "--earliest", "--live", "--yes"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("within seconds"), "{text}");
    world.until_equal().await;
    sink.assert_alive();
    until("it says why", async || sink.log_tail().contains("has moved under this sink")).await;
    // At work: changes come all the while.
    let mut writer = world.source_conn().await;
    let writing = tokio::spawn(async move {
        use mysql_async::prelude::Queryable;
        for n in 10..300 {
            writer.query_drop(format!("INSERT INTO t VALUES ({n},{n})")).await.unwrap();
            writer.query_drop(format!("INSERT INTO log VALUES ({n})")).await.unwrap();
        }
    });
    for _ in 0..3 {
        let (code, text) = tokio::task::block_in_place(|| {
            world.cdc(&["replay", "-c", &file, "--earliest", "--live", "--yes"])
        });
        assert_eq!(code, Some(0), "{text}");
    }
    writing.await.unwrap();
    world.until_equal().await;
    sink.stop();
    source.stop();
    let audit = format!("SELECT COUNT(*) FROM cdc.ledger_audit WHERE name='{}'", world.name);
    assert_eq!(world.dest_number(&audit).await, Some(4));
    world.end().await;
}
