use std::time::Instant;

use super::gauge::{Gauge, LIMIT_BYTES};
use super::stage::Stage;
use crate::kit::Options;

/// Of 2,000 bytes each that no compression shrinks.
const ROWS: i64 = 1_050_000;

#[ignore = "minutes and gigabytes: make extremes"]
#[tokio::test(flavor = "multi_thread")]
async fn transaction_of_2_gb() {
    let stage = Stage::set("xtransaction", Options::default(), false).await;
    let mut gauge = Gauge::new("a transaction of 2 GB");
    let world = &stage.world;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v VARBINARY(2000) NOT NULL)").await;
    let (mut source, mut sink) = (world.start_source(&[]), world.start_sink(&[]));
    world.source_sql("INSERT INTO t VALUES (0, 'first')").await;
    world.until_dest("SELECT COUNT(*) FROM t", 1).await;
    let begun = Instant::now();
    world
        .source_sql(&format!(
            "SET SESSION cte_max_recursion_depth={ROWS};\nINSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{ROWS}) SELECT i, CONCAT(RANDOM_BYTES(1000), RANDOM_BYTES(1000)) FROM n"
        ))
        .await;
    gauge.step("made", begun);
    let last = format!("SELECT COUNT(*) FROM t WHERE id = {ROWS}");
    let arrived = async || stage.world.dest_number(&last).await == Some(1);
    stage.until(&mut gauge, (&mut source, &mut sink), "arrives", arrived).await;
    stage.assert_same("SELECT CAST(SUM(CRC32(CONCAT(id, v))) AS SIGNED) FROM t").await;
    source.stop();
    sink.stop();
    stage.end();
    gauge.tell(LIMIT_BYTES);
}
