//! A table that sinks have can be read once more while it changes: what was bent at the destination
//! comes right, a kill costs no chunk twice, and rows that the source lacks go where that is asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mysql_async::prelude::Queryable;

use crate::kit::{Dice, Options, World, until};

const ROWS: u64 = 6000;

fn filled() -> String {
    format!(
        "CREATE TABLE t (id INT PRIMARY KEY, v INT NOT NULL);\nSET SESSION cte_max_recursion_depth=100000;\n\
         INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{ROWS}) \
         SELECT i, i FROM n"
    )
}

/// Slow enough to be met half way.
fn slow() -> Options {
    Options { capture: "chunk_rows = 100\nrows_per_second = 1500".into(), ..Options::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshot_on_request() {
    let options = Options { capture: "chunk_rows = 200".into(), ..Options::default() };
    let world = Arc::new(World::with("again", &options).await);
    world.source_sql(&filled()).await;
    world.catch_up();
    world.dest_sql("DELETE FROM t WHERE id % 2 = 0;\nUPDATE t SET v = -1 WHERE id % 3 = 0").await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(write(world.clone(), stop.clone()));
    let mut processes = [world.start_source(&[]), world.start_sink(&[])];
    let tables = format!("{}.*", world.name);
    let text = world.tell(&["--tables", &tables]);
    assert!(text.contains("1 tables are read once more"), "{text}");
    until("the table is read", async || world.snapshot_of("t").0 == "done").await;
    stop.store(true, Ordering::Relaxed);
    assert!(writer.await.unwrap() > 10, "the writer ran");
    world.until_equal().await;
    processes.iter_mut().for_each(crate::kit::Process::stop);
    drop(processes);
    Arc::into_inner(world).unwrap().end().await;
}

async fn write(world: Arc<World>, stop: Arc<AtomicBool>) -> u64 {
    let mut conn = world.source_conn().await;
    let mut dice = Dice::new("snapshot_on_request writer");
    let mut changes = 0;
    while !stop.load(Ordering::Relaxed) {
        let id = dice.below(ROWS) + 1;
        let sql = match dice.below(4) {
            0 => format!("DELETE FROM t WHERE id={id}"),
            1 => format!("REPLACE INTO t VALUES ({id}, {changes})"),
            _ => format!("UPDATE t SET v=v+1 WHERE id={id}"),
        };
        conn.query_drop(sql).await.unwrap();
        changes += 1;
    }
    changes
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshot_on_request_goes_on_after_a_kill() {
    let world = World::with("againkill", &slow()).await;
    world.source_sql(&filled()).await;
    world.catch_up();
    world.dest_sql("UPDATE t SET v = -1").await;
    let mut source = world.start_source(&[]);
    let mut sink = world.start_sink(&[]);
    world.tell(&["--tables", &format!("{}.t", world.name)]);
    until("half of it is read", async || world.snapshot_of("t").1 >= ROWS / 3).await;
    source.kill();
    let (state, before) = world.snapshot_of("t");
    assert_eq!(state, "reading", "{before} rows");
    source = world.start_source(&[]);
    until("the source goes on", async || world.snapshot_of("t") != (state.clone(), before)).await;
    assert!(world.snapshot_of("t").1 > before, "not from the beginning: {:?}", world.snapshot_of("t"));
    until("the table is read", async || world.snapshot_of("t").0 == "done").await;
    assert_eq!(world.snapshot_of("t").1, ROWS);
    world.until_equal().await;
    source.stop();
    sink.stop();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshot_on_request_empties_first_where_it_must() {
    let world = World::new("againempty").await;
    world
        .source_sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1),(2,2);\n\
             CREATE TABLE log (note VARCHAR(9));\nINSERT INTO log VALUES ('a'),('a'),('b')",
        )
        .await;
    world.catch_up();
    world.dest_sql("INSERT INTO t VALUES (9,9);\nINSERT INTO log VALUES ('ghost');\nUPDATE t SET v=0").await;
    let mut processes = [world.start_source(&[]), world.start_sink(&[])];
    world.tell(&["--tables", &format!("{}.t", world.name)]);
    world.until_dest("SELECT CAST(SUM(v) AS SIGNED) FROM t", 1 + 2).await;
    assert_eq!(world.dest_number("SELECT COUNT(*) FROM t").await, Some(3), "a row too many stays");
    world.tell(&["--tables", &format!("{0}.t,{0}.log", world.name), "--empty-first"]);
    world.until_equal().await;
    // Rows without a key cannot be upserted: such a table is emptied without being asked to.
    world.dest_sql("INSERT INTO log VALUES ('ghost')").await;
    world.source_sql("INSERT INTO log VALUES ('c')").await;
    world.tell(&["--tables", &format!("{}.log", world.name)]);
    world.until_equal().await;
    world.source_sql("DELETE FROM log WHERE note='c';\nINSERT INTO t VALUES (3,3)").await;
    world.until_equal().await;
    processes.iter_mut().for_each(crate::kit::Process::stop);
    world.end().await;
}
