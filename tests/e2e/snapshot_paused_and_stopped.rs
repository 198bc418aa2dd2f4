//! A pause holds up snapshots, not changes, and outlasts the source; a stop ends what was asked for
//! and not what a table needs.

use crate::kit::{Options, World, until};

const ROWS: u64 = 4000;

#[tokio::test(flavor = "multi_thread")]
async fn snapshot_paused_and_stopped() {
    let options =
        Options { capture: "chunk_rows = 100\nrows_per_second = 1000".into(), ..Options::default() };
    let world = World::with("pause", &options).await;
    world
        .source_sql(&format!(
            "CREATE TABLE t (id INT PRIMARY KEY, v INT);\nSET SESSION cte_max_recursion_depth=100000;\n\
             INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{ROWS}) \
             SELECT i, i FROM n"
        ))
        .await;
    let mut source = world.start_source(&[]);
    let mut sink = world.start_sink(&[]);
    until("the first snapshot has begun", async || {
        world.dest_number("SELECT COUNT(*) FROM t").await > Some(0)
    })
    .await;
    world.tell(&["pause"]);
    assert!(world.tell(&["pause"]).contains("paused already"));
    // A first snapshot is not stopped: the table would lack rows.
    assert!(world.tell(&["stop"]).contains("1 go on"), "a first snapshot is not stopped");
    source.kill();
    let mut ended = world.start_source(&["--until-caught-up"]);
    let status = ended.wait(std::time::Duration::from_secs(60));
    assert_eq!(status.code(), Some(3), "it does not wait for a person: {}", ended.log_tail());
    source = world.start_source(&[]);
    let (state, rows) = world.snapshot_of("t");
    assert!(state == "reading" && rows < ROWS, "{state}, {rows} rows");
    assert_eq!(world.snapshots()["paused"], true);
    world.source_sql("INSERT INTO t VALUES (100000, 1)").await;
    world.until_dest("SELECT COUNT(*) FROM t WHERE id = 100000", 1).await;
    assert_eq!(world.snapshot_of("t"), (state, rows), "nothing was read during the pause");
    world.tell(&["resume"]);
    until("the first snapshot is through", async || world.snapshot_of("t").0 == "done").await;
    world.until_equal().await;

    world.dest_sql("UPDATE t SET v = -1").await;
    world.tell(&["--tables", &format!("{}.t", world.name)]);
    until("some of it is read", async || {
        world.dest_number("SELECT COUNT(*) FROM t WHERE v <> -1").await > Some(0)
    })
    .await;
    assert!(world.tell(&["stop"]).contains("1 tables are not read any further"));
    assert_eq!(world.snapshot_of("t").0, "done");
    world.source_sql("INSERT INTO t VALUES (100001, 1)").await;
    world.until_dest("SELECT COUNT(*) FROM t WHERE id = 100001", 1).await;
    let left = world.dest_number("SELECT COUNT(*) FROM t WHERE v = -1").await;
    assert!(left > Some(0), "a snapshot that was stopped goes no further");
    source.stop();
    sink.stop();
    world.end().await;
}
