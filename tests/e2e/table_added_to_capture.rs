//! A table that `[capture]` includes from now on is read by itself, while the others stream; one that was
//! left out for a while is read anew, with what was deleted meanwhile, or is emptied, if it was dropped.

use crate::kit::{Options, World, until};

const LEFT_OUT: &str = "exclude = [\"*.later\", \"*.bag\"]";

#[tokio::test(flavor = "multi_thread")]
async fn table_added_to_capture() {
    let capture = format!("{LEFT_OUT}\nchunk_rows = 100\nrows_per_second = 700");
    let world = World::with("added", &Options { capture, ..Options::default() }).await;
    world
        .source_sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1);\n\
             CREATE TABLE later (id INT PRIMARY KEY, v INT);\nCREATE TABLE bag (note VARCHAR(9));\n\
             INSERT INTO bag VALUES ('a'),('a');\nSET SESSION cte_max_recursion_depth=100000;\n\
             INSERT INTO later WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2500) \
             SELECT i, i FROM n",
        )
        .await;
    world.catch_up();
    // In the binlog that the source has not read yet.
    world.source_sql("UPDATE later SET v = 0 WHERE id = 7;\nDELETE FROM later WHERE id = 8;\nINSERT INTO bag VALUES ('b')").await;
    world.edit("source.toml", LEFT_OUT, "");
    let mut source = world.start_source(&[]);
    let mut sink = world.start_sink(&[]);
    until("it has begun", async || world.dest_number("SELECT COUNT(*) FROM later").await > Some(100)).await;
    world.source_sql("INSERT INTO t VALUES (2,2)").await;
    world.until_dest("SELECT COUNT(*) FROM t", 2).await;
    let (state, rows) = world.snapshot_of("later");
    assert!(state == "reading" && rows < 2500, "the other table streams meanwhile: {state}, {rows} rows");
    until("it is through", async || world.snapshot_of("later").0 == "done").await;
    world.until_equal().await;
    source.stop();
    sink.stop();

    world.edit("source.toml", "chunk_rows", &format!("{LEFT_OUT}\nchunk_rows"));
    world.catch_up();
    world.source_sql("DELETE FROM later WHERE id < 100;\nUPDATE bag SET note = 'c' LIMIT 1").await;
    world.catch_up();
    world.edit("source.toml", LEFT_OUT, "");
    world.catch_up();
    world.assert_equal().await;

    // Another table of the name has nothing to do with the rows of one that was dropped while it was left out.
    world.edit("source.toml", "chunk_rows", &format!("{LEFT_OUT}\nchunk_rows"));
    world.catch_up();
    world.source_sql("DROP TABLE later").await;
    world.catch_up();
    world.edit("source.toml", LEFT_OUT, "");
    world.catch_up();
    world
        .source_sql("CREATE TABLE later (id INT PRIMARY KEY, v INT);\nINSERT INTO later VALUES (5000, 1)")
        .await;
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}
