use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;

use super::gauge::{Gauge, LIMIT_BYTES};
use super::stage::Stage;
use crate::kit::Options;

const STALL: Duration = Duration::from_secs(180);
const CLIENTS: u64 = 4;

#[ignore = "minutes and gigabytes: make extremes"]
#[tokio::test(flavor = "multi_thread")]
async fn destination_stalls_for_minutes() {
    let stage = Stage::set("xstall", Options::default(), false).await;
    let mut gauge = Gauge::new("a destination that stalls for 3 minutes");
    let world = &stage.world;
    world.source_sql("CREATE TABLE t (id BIGINT PRIMARY KEY, v VARBINARY(1000) NOT NULL)").await;
    let (mut source, mut sink) = (world.start_source(&[]), world.start_sink(&[]));
    world.source_sql("INSERT INTO t VALUES (0, 'first')").await;
    world.until_dest("SELECT COUNT(*) FROM t", 1).await;
    stage.dest.signal("STOP");
    let begun = Instant::now();
    let mut clients = Vec::new();
    for client in 0..CLIENTS {
        let mut conn = world.source_conn().await;
        clients.push(tokio::spawn(async move {
            let mut made = 0;
            // As many as there is time for, and then some that are there for certain.
            while begun.elapsed() < STALL {
                let first = (made * CLIENTS + client) * 100 + 1;
                let rows: Vec<String> =
                    (first..first + 100).map(|id| format!("({id}, RANDOM_BYTES(900))")).collect();
                conn.query_drop(format!("INSERT INTO t VALUES {}", rows.join(","))).await.unwrap();
                made += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            made * 100
        }));
    }
    let mut rows = 0;
    for client in clients {
        rows += client.await.unwrap();
    }
    source.assert_alive();
    sink.assert_alive();
    gauge.source.look(&source);
    gauge.sink.look(&sink);
    println!("{rows} rows were committed at the source meanwhile");
    gauge.step("stalled", begun);
    stage.dest.signal("CONT");
    let wanted = stage.source_number("SELECT COUNT(*) FROM t").await;
    let equal = async || stage.world.dest_number("SELECT COUNT(*) FROM t").await == wanted;
    stage.until(&mut gauge, (&mut source, &mut sink), "caught up", equal).await;
    stage.assert_same("SELECT CAST(SUM(CRC32(v) + id) AS SIGNED) FROM t").await;
    source.stop();
    sink.stop();
    stage.end();
    gauge.tell(LIMIT_BYTES);
}
