//! A row that takes longer to arrive than the server may be silent: while bytes come the
//! server is not silent, though it sends no heartbeat before the event is through.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;

use crate::faults::proxy::{Mode, Protocol, Proxy};
use crate::kit::{Options, World, until_within, variable};

const LINE_BYTES_PER_SECOND: usize = 200_000;
/// 15 s; a silence of 10 s ends the connection.
const ROW_KIB: usize = 3_000;

#[tokio::test(flavor = "multi_thread")]
async fn large_row_over_a_slow_line() {
    let proxy = Proxy::before(&variable("CDC_TEST_SOURCE_MYSQL"), Protocol::Mysql).await;
    let options = Options { source_server: Some(proxy.address.clone()), ..Options::default() };
    let world = World::with("slowline", &options).await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v LONGBLOB NOT NULL)").await;
    let (mut source, mut sink) = (world.start_source(&[]), world.start_sink(&[]));
    world.source_sql("INSERT INTO t VALUES (1, 'first')").await;
    world.until_dest("SELECT COUNT(*) FROM t", 1).await;
    proxy.set(Mode::Slow(LINE_BYTES_PER_SECOND));
    let begun = Instant::now();
    world.source_sql(&format!("INSERT INTO t VALUES (2, REPEAT(RANDOM_BYTES(1024), {ROW_KIB}))")).await;
    until_within("the row arrives", Duration::from_secs(90), async || {
        source.assert_alive();
        sink.assert_alive();
        world.dest_number("SELECT COUNT(*) FROM t WHERE id = 2").await == Some(1)
    })
    .await;
    assert!(begun.elapsed() > Duration::from_secs(12), "the line was not slow");
    let log = source.log_tail();
    assert!(!log.contains("E010"), "{log}");
    proxy.set(Mode::Pass);
    let sum = "SELECT CAST(SUM(CRC32(v) + id) AS SIGNED) FROM t";
    let wanted: Option<i64> = world.source_conn().await.query_first(sum).await.unwrap();
    assert_eq!(world.dest_number(sum).await, wanted);
    source.stop();
    sink.stop();
    world.end().await;
}
