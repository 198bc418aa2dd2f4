//! A transaction over many tables that the source has not met, and a registry that takes its time over each: the Kafka
//! transaction does not outlive its time limit, after which the source would begin at the same place again, for ever.

use std::time::{Duration, Instant};

use crate::faults::proxy::{Mode, Protocol, Proxy};
use crate::kit::{Options, World, until_within, variable};

/// Kafka ends transactions that are older than this; it looks every 10 s.
const TIMEOUT_MS: u32 = 6_000;
/// A registration takes more than a second.
const BYTES_PER_SECOND: usize = 3_000;
const TABLES: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn slow_registry() {
    let registry = variable("CDC_TEST_REGISTRY");
    let address = registry.split('/').nth(2).unwrap();
    let proxy = Proxy::before(address, Protocol::Http).await;
    let options = Options {
        registry: Some(registry.replace(address, &proxy.address)),
        partitions: 1,
        source: "[debezium]\n\"include.schema.changes\" = false\n".to_owned(),
        ..Options::default()
    };
    let world = World::with("slowreg", &options).await;
    let of_all =
        |statement: &dyn Fn(usize) -> String| (0..TABLES).map(statement).collect::<Vec<_>>().join(";\n");
    world.source_sql(&of_all(&|n| format!("CREATE TABLE t{n} (id INT PRIMARY KEY)"))).await;
    world.edit(
        "source.toml",
        "[registry]",
        &format!("[kafka.options]\n\"transaction.timeout.ms\" = \"{TIMEOUT_MS}\"\n[registry]"),
    );
    world.catch_up();
    let rows = of_all(&|n| format!("INSERT INTO t{n} VALUES (1)"));
    world.source_sql(&format!("BEGIN;\n{rows};\nCOMMIT")).await;

    let mut sink = world.start_sink(&[]);
    let mut source = world.start_source(&[]);
    proxy.set(Mode::Slow(BYTES_PER_SECOND));
    let begun = Instant::now();
    let arrived = format!("SELECT COUNT(*) FROM t{}", TABLES - 1);
    until_within("the transaction arrives", Duration::from_secs(120), async || {
        source.assert_alive();
        world.dest_number(&arrived).await == Some(1)
    })
    .await;
    assert!(begun.elapsed() > Duration::from_secs(16), "the registry was not slow");
    let log = source.log_tail();
    assert!(!log.contains("a passing fault"), "{log}");
    world.assert_equal().await;
    proxy.set(Mode::Pass);
    source.stop();
    sink.stop();
    world.end().await;
}
