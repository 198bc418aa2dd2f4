//! A snapshot in small chunks while every row changes under it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mysql_async::prelude::Queryable;

use crate::kit::{Dice, Options, World, until};

const ROWS: u64 = 20_000;
const WRITERS: u64 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn snapshot_during_writes() {
    let options = Options { capture: "chunk_rows = 500".into(), ..Options::default() };
    let world = Arc::new(World::with("snapwrites", &options).await);
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT NOT NULL, note VARCHAR(80))").await;
    world.source_sql("SET SESSION cte_max_recursion_depth=100000;\nINSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20000) SELECT i, 0, REPEAT('x', i%80) FROM n").await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS).map(|w| tokio::spawn(write(world.clone(), w, stop.clone()))).collect();
    let mut source = world.start_source(&[]);
    let mut sink = world.start_sink(&[]);
    until("the snapshot is read", async || source.log_tail().contains("all captured tables have been read"))
        .await;
    stop.store(true, Ordering::Relaxed);
    let mut changes = 0;
    for writer in writers {
        changes += writer.await.unwrap();
    }
    println!("snapshot_during_writes: {changes} changes by {WRITERS} writers during the snapshot");
    assert!(changes > 100, "the writers ran");
    world.until_equal().await;
    source.assert_alive();
    sink.assert_alive();
    source.stop();
    sink.stop();
    Arc::into_inner(world).unwrap().end().await;
}

/// Updates, deletes, inserts and moves keys at random.
async fn write(world: Arc<World>, writer: u64, stop: Arc<AtomicBool>) -> u64 {
    let mut conn = world.source_conn().await;
    let mut dice = Dice::new(&format!("snapshot_during_writes writer {writer}"));
    let mut changes = 0;
    while !stop.load(Ordering::Relaxed) {
        let id = dice.below(ROWS) + 1;
        let sql = match dice.below(10) {
            0 => format!("DELETE FROM t WHERE id={id}"),
            1 => format!("REPLACE INTO t VALUES ({id}, {changes}, 'back')"),
            2 => format!("UPDATE IGNORE t SET id={} WHERE id={id}", dice.below(ROWS) + 1),
            _ => format!("UPDATE t SET v=v+1 WHERE id={id}"),
        };
        // Two writers may meet on a row: the one that InnoDB rolls back goes on.
        if conn.query_drop(sql).await.is_ok() {
            changes += 1;
        }
    }
    changes
}
