use std::time::Instant;

use mysql_async::prelude::Queryable;

use super::gauge::{Gauge, LIMIT_BYTES};
use super::stage::Stage;
use crate::kit::Options;

const TRANSACTIONS: u64 = 1_000_000;
const CLIENTS: u64 = 8;

#[ignore = "minutes and gigabytes: make extremes"]
#[tokio::test(flavor = "multi_thread")]
async fn million_transactions_behind() {
    let stage = Stage::set("xbacklog", Options::default(), false).await;
    let mut gauge = Gauge::new("a million transactions behind");
    stage
        .world
        .source_sql("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT NOT NULL, v VARCHAR(100) NOT NULL)")
        .await;
    let mut source = stage.world.start_source(&[]);
    let begun = Instant::now();
    let mut clients = Vec::new();
    for client in 0..CLIENTS {
        let mut conn = stage.world.source_conn().await;
        clients.push(tokio::spawn(async move {
            for i in 0..TRANSACTIONS / CLIENTS {
                let id = (i % 50_000) * CLIENTS + client;
                let sql = format!("INSERT INTO t VALUES ({id}, {i}, REPEAT('{i} ', 8)) ON DUPLICATE KEY UPDATE n = {i}, v = REPEAT('{i}+', 8)");
                conn.query_drop(sql).await.unwrap();
            }
        }));
    }
    for client in clients {
        client.await.unwrap();
        gauge.source.look(&source);
    }
    gauge.step("made, and followed by the source", begun);
    gauge.source.look(&source);
    source.stop();
    let mut source = stage.world.start_source(&["--until-caught-up"]);
    Stage::run_to_end(&mut gauge, "the rest to Kafka", "source", &mut source);
    let mut sink = stage.world.start_sink(&["--until-caught-up"]);
    Stage::run_to_end(&mut gauge, "applied", "sink", &mut sink);
    stage.assert_same("SELECT CAST(SUM(CRC32(CONCAT_WS('|', id, n, v))) AS SIGNED) FROM t").await;
    stage.assert_same("SELECT COUNT(*) FROM t").await;
    stage.end();
    gauge.tell(LIMIT_BYTES);
}
