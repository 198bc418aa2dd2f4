use super::gauge::{Gauge, LIMIT_BYTES};
use super::stage::Stage;
use crate::kit::Options;

const PARTITIONS: u32 = 1_000;
const ROWS: i64 = 1_000_000;

#[ignore = "minutes and gigabytes: make extremes"]
#[tokio::test(flavor = "multi_thread")]
async fn thousand_partitions() {
    let options = Options { partitions: PARTITIONS, ..Options::default() };
    let stage = Stage::set("xwide", options, false).await;
    let mut gauge = Gauge::new("a topic of 1,000 partitions");
    let world = &stage.world;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v VARBINARY(200) NOT NULL)").await;
    world
        .source_sql(&format!(
            "SET SESSION cte_max_recursion_depth={ROWS};\nINSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{ROWS}) SELECT i, RANDOM_BYTES(200) FROM n"
        ))
        .await;
    let mut source = world.start_source(&["--until-caught-up"]);
    Stage::run_to_end(&mut gauge, "snapshot to Kafka", "source", &mut source);
    // One change of every row, in transactions of some rows each, which all wait for the sink.
    let mut source = world.start_source(&[]);
    for from in (0..ROWS).step_by(10_000) {
        let to = from + 10_000;
        world.source_sql(&format!("UPDATE t SET v = REVERSE(v) WHERE id > {from} AND id <= {to}")).await;
    }
    source.assert_alive();
    let mut sink = world.start_sink(&[]);
    let sum = "SELECT CAST(SUM(CRC32(v) + id) AS SIGNED) FROM t";
    let wanted = stage.source_number(sum).await;
    let equal = async || stage.world.dest_number(sum).await == wanted;
    stage.until(&mut gauge, (&mut source, &mut sink), "all applied", equal).await;
    source.stop();
    sink.stop();
    stage.end();
    gauge.tell(LIMIT_BYTES);
}
