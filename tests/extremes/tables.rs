use std::time::Instant;

use mysql_async::prelude::Queryable;

use super::gauge::{Gauge, LIMIT_BYTES};
use super::stage::Stage;
use crate::kit::Options;

const TABLES: usize = 10_000;
/// Connections that make them.
const CLIENTS: usize = 4;

#[ignore = "minutes and gigabytes: make extremes"]
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_tables() {
    let options = Options { partitions: 1, ..Options::default() };
    let stage = Stage::set("xtables", options, true).await;
    let mut gauge = Gauge::new("10,000 tables");
    let begun = Instant::now();
    each(&stage, |table| {
        vec![
            format!(
                "CREATE TABLE t{table} (id INT PRIMARY KEY, a VARCHAR(40), b DECIMAL(10,2), c DATETIME(6))"
            ),
            format!("INSERT INTO t{table} VALUES (1, 'a{table}', 1.5, NOW(6)), (2, 'b', NULL, NULL)"),
        ]
    })
    .await;
    gauge.step("made", begun);
    let begun = Instant::now();
    let (code, text) = stage.world.cdc(&["check", "-c", &stage.world.file("source.toml")]);
    assert_eq!(code, Some(0), "{text}");
    gauge.step("cdc check", begun);
    let mut source = stage.world.start_source(&["--until-caught-up"]);
    Stage::run_to_end(&mut gauge, "snapshot to Kafka", "source", &mut source);
    let mut sink = stage.world.start_sink(&["--until-caught-up"]);
    Stage::run_to_end(&mut gauge, "snapshot applied", "sink", &mut sink);
    // Both begin again, with everything there.
    let begun = Instant::now();
    let (mut source, mut sink) = (stage.world.start_source(&[]), stage.world.start_sink(&[]));
    stage.world.source_sql("UPDATE t0 SET a = 'again' WHERE id = 2").await;
    let again =
        async || stage.world.dest_number("SELECT COUNT(*) FROM t0 WHERE a = 'again'").await == Some(1);
    stage.until(&mut gauge, (&mut source, &mut sink), "first change after a restart", again).await;
    each(&stage, |table| vec![format!("UPDATE t{table} SET a = 'changed' WHERE id = 2")]).await;
    let last = format!("UPDATE t{} SET a = 'last' WHERE id = 1", TABLES - 1);
    stage.world.source_sql(&last).await;
    let sql = format!("SELECT COUNT(*) FROM t{} WHERE a = 'last'", TABLES - 1);
    let arrived = async || stage.world.dest_number(&sql).await == Some(1);
    stage.until(&mut gauge, (&mut source, &mut sink), "a change in each", arrived).await;
    gauge.step("all of that", begun);
    source.stop();
    sink.stop();
    stage.world.assert_equal().await;
    stage.end();
    gauge.tell(LIMIT_BYTES);
}

/// Runs statements for each table, several tables at a time.
async fn each(stage: &Stage, statements: impl Fn(usize) -> Vec<String>) {
    let mut clients = Vec::new();
    for client in 0..CLIENTS {
        let mut conn = stage.world.source_conn().await;
        let mine: Vec<String> = (client..TABLES).step_by(CLIENTS).flat_map(&statements).collect();
        clients.push(tokio::spawn(async move {
            for statement in mine {
                conn.query_drop(statement).await.unwrap();
            }
        }));
    }
    for client in clients {
        client.await.unwrap();
    }
}
