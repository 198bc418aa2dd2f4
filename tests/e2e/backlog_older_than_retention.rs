//! Brokers delete by a record's time. Rows that were committed long before they are
//! published must not be deleted at once, so their records have the time of publishing.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cdc::kafka::{Events, From, Settings};

use crate::kit::{LIMIT, World, variable};

const PARTITIONS: i32 = 4;

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn backlog_older_than_retention() {
    let world = World::new("oldback").await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    world.catch_up();
    world.source_sql("INSERT INTO t VALUES (1),(2),(3)").await;
    let committed_ms = now_ms();
    while now_ms() <= committed_ms {
        std::thread::yield_now();
    }
    world.catch_up();
    let settings = Settings { bootstrap_servers: variable("CDC_TEST_KAFKA"), ..Settings::default() };
    let mut events = Events::open(&settings, "oldback", 16 << 20).unwrap();
    let topic = format!("{0}.{0}.t", world.name);
    for partition in 0..PARTITIONS {
        events.ensure(&topic, partition, From::Earliest).unwrap();
    }
    let (mut seen, begun) = (0, Instant::now());
    let mut silent = 0;
    // Each looked at in turn; once all three are in, every partition must have no more.
    while (seen < 3 || silent < PARTITIONS) && begun.elapsed() < LIMIT {
        let partition = silent % PARTITIONS;
        silent += 1;
        while let Some(event) = events.next(&topic, partition, Duration::from_millis(100)).unwrap() {
            assert!(event.timestamp_ms > committed_ms, "{} is the source's time", event.timestamp_ms);
            seen += 1;
            silent = 0;
        }
    }
    assert_eq!(seen, 3);
    world.end().await;
}
