//! Each side is killed again and again while data flows; nothing is lost or doubled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;

use crate::kit::{Dice, Options, World};

const KILLS: u32 = 12;

#[tokio::test(flavor = "multi_thread")]
async fn restart_at_random_points() {
    let options = Options {
        capture: "chunk_rows = 200".into(),
        // Small cuts, so that transactions span several and a kill falls inside of them.
        source: "[limits]\ncut_bytes = 65536\n".into(),
        ..Options::default()
    };
    let world = Arc::new(World::with("restart", &options).await);
    world.source_sql("CREATE TABLE t (id BIGINT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200));\nSET SESSION cte_max_recursion_depth=100000;\nINSERT INTO t (v) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<8000) SELECT REPEAT('s', 150) FROM n").await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(write(world.clone(), stop.clone()));
    let mut dice = Dice::new("restart kills");
    let mut processes = [world.start_source(&[]), world.start_sink(&[])];
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(100 + dice.below(1000))).await;
        let victim = usize::try_from(dice.below(2)).unwrap();
        processes[victim].kill();
        processes[victim] = if victim == 0 { world.start_source(&[]) } else { world.start_sink(&[]) };
    }
    stop.store(true, Ordering::Relaxed);
    let transactions = writer.await.unwrap();
    world.until_equal().await;
    println!("restart_at_random_points: {KILLS} kills, {transactions} transactions");
    processes.iter_mut().for_each(crate::kit::Process::assert_alive);
    drop(processes);
    Arc::into_inner(world).unwrap().end().await;
}

/// Small and large transactions, some of them compressed; the large ones span several cuts.
async fn write(world: Arc<World>, stop: Arc<AtomicBool>) -> u64 {
    let mut conn = world.source_conn().await;
    let mut dice = Dice::new("restart writer");
    let mut done = 0;
    while !stop.load(Ordering::Relaxed) {
        let compressed = dice.below(2);
        conn.query_drop(format!("SET binlog_transaction_compression = {compressed}")).await.unwrap();
        let from = dice.below(8000);
        let sql = match dice.below(20) {
            0 => format!(
                "UPDATE t SET v=CONCAT('u{done}', REPEAT('y', 150)) WHERE id BETWEEN {from} AND {}",
                from + 1500
            ),
            1 => format!("DELETE FROM t WHERE id={from}"),
            2 => format!("INSERT INTO t (v) SELECT v FROM t WHERE id > {from} LIMIT 50"),
            _ => format!("UPDATE t SET v='one {done}' WHERE id={from}"),
        };
        conn.query_drop(sql).await.unwrap();
        done += 1;
    }
    done
}
